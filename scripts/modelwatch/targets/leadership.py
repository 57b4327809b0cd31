"""Decides which group leads those that share a cause: it alone has the issue, the page and the workflows.

A group that leads keeps leading as long as its issue is open, however severities change. Whatever could hide a group
lets it lead itself: a leader that is muted, whose issue cannot be written or is closed, or that does not page although
the group's tier does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model.alert import AlertState
from ..model.cause import SharedCause
from ..model.plan import ChangeKind
from ..model.register import PAGE_TRIGGERED, FollowerRecord
from ..report.alert_phrase import is_recovery_unproven
from ..timeutil import HOUR
from .draft import GroupPlan, Situation
from .register.muting import muted_reason

MIN_OUTLIVING = 4 * HOUR
"""A group that still fires this long (seconds) after its leader recovered leads itself; later where its own window and
proof of recovery take longer."""
MAX_FOLLOWERS = 20
"""Groups that one issue leads; further ones have issues of their own."""


def assign_leaders(drafts: Mapping[str, GroupPlan], causes: Sequence[SharedCause]) -> None:
    """Set ``leader``, ``followers`` and ``shared_cause`` of ``drafts`` (by group key), once commands are answered."""
    leader_of = _recorded_leaders(drafts)
    cause_of: dict[str, str] = {}
    for cause in causes:
        members = [drafts[key] for key in cause.members if key in drafts and can_lead(drafts[key])]
        roots = list(dict.fromkeys(_root(leader_of, member.group.key) for member in members))
        if roots:
            leader = _choose_leader([drafts[root] for root in roots])
            leader_of |= {root: leader for root in roots if root != leader}
            cause_of[leader] = cause.text
    for key in sorted(leader_of):
        root = drafts[_root(leader_of, key)]
        if len(root.followers) < MAX_FOLLOWERS:
            drafts[key].leader = root
            root.followers.append(drafts[key])
    for key, draft in drafts.items():
        for record in draft.register.followers if draft.register else ():
            if record.ended is not None and record.group in drafts:
                drafts[record.group].has_recovered_with_leader = True
        draft.shared_cause = cause_of.get(key) or (draft.register.shared_cause if draft.register else "")


def can_lead(draft: GroupPlan) -> bool:
    """Whether the group fires and nothing keeps it from acting."""
    return draft.firing and bool(draft.group.do) and not draft.blocked_reason and not muted_reason(draft)[0]


def _recorded_leaders(drafts: Mapping[str, GroupPlan]) -> dict[str, str]:
    """The leader of each follower, by the open issue that lists it."""
    leader_of: dict[str, str] = {}
    for key, draft in sorted(drafts.items(), key=lambda pair: _seniority(pair[1])):
        for record in draft.register.firing_followers if draft.register and _holds_episode(draft) else ():
            follower = drafts.get(record.group)
            if follower is None or not can_lead(follower) or _root(leader_of, key) == record.group:
                continue
            if record.group not in leader_of and not _has_outlived(follower, draft, record):
                leader_of[record.group] = key
    return leader_of


def _holds_episode(draft: GroupPlan) -> bool:
    """Whether the issue of the group still carries those that it leads: open, or closed by a person as acknowledged."""
    if draft.blocked_reason or draft.register is None or draft.register.closed is not None:
        return False
    guard = muted_reason(draft)[0] if draft.firing else ""
    # Who acknowledged the issue has seen the others on it; any other mute is about this one alert alone.
    return (draft.issue_open and guard in ("", "ack")) or guard == "ack"


def _has_outlived(follower: GroupPlan, leader: GroupPlan, record: FollowerRecord) -> bool:
    """Whether the follower fires for too long after its leader recovered, or is worse than the leader's issue says.

    One whose newest values are within every limit only lacks proof: it belongs to the same episode until it has that.
    """
    if leader.firing:
        return False
    shown = leader.register.severity if leader.register else record.severity
    if follower.severity > max(record.severity, shown):
        return True
    if is_recovery_unproven(follower.group, follower.model):
        return False
    if leader.group.state is AlertState.RESOLVED and leader.group.end is not None:
        return leader.now - leader.group.end > _outliving_time(follower)
    return True


def _outliving_time(follower: GroupPlan) -> float:
    """How long (seconds) a group can fire after its leader only because its own windows and proof are longer."""
    names = {follower.group.rule, *(dict(alert.labels).get("rule", "") for alert in follower.group.alerts)}
    lengths = [rule.window + rule.lag + rule.hold * rule.every for rule in follower.model.rules if rule.name in names]
    return max([MIN_OUTLIVING, *lengths])


def _root(leader_of: Mapping[str, str], key: str) -> str:
    """The leader of the leader, and so on; ``leader_of`` has no circles."""
    while key in leader_of:
        key = leader_of[key]
    return key


def _choose_leader(candidates: Sequence[GroupPlan]) -> str:
    """The one whose issue of this episode is oldest; without any the first, in the order of the cause."""
    with_issue = [draft for draft in candidates if _has_open_episode(draft)]
    return min(with_issue or candidates[:1], key=_seniority).group.key


def _has_open_episode(draft: GroupPlan) -> bool:
    return draft.issue_open and draft.register is not None and draft.register.closed is None


def _seniority(draft: GroupPlan) -> tuple[float, int, str]:
    issue = draft.issue
    return (issue.created_at, issue.number, draft.group.key) if issue else (float("inf"), 0, draft.group.key)


def is_covered(draft: GroupPlan) -> bool:
    """Whether the leader of ``draft``, which is planned already, stands for it: with an issue that shows it, and with a
    page where its tier pages."""
    leader = draft.leader
    if leader is None or leader.register is None or leader.blocked_reason:
        return False
    acknowledged = leader.situation is Situation.MUTED and leader.guard == "ack"
    if leader.situation not in (Situation.FIRING, Situation.UNPROVEN) and not acknowledged:
        return False
    return leader.register.leads(draft.group.key) and ("page" not in draft.group.do or _pages(leader))


def _pages(leader: GroupPlan) -> bool:
    if any(change.kind is ChangeKind.TRIGGER_INCIDENT for change in leader.changes):
        return True
    if leader.register is not None and leader.register.page_after is not None:
        return True  # it waits only as long as those can that it leads
    return leader.page is not None and leader.page.state == PAGE_TRIGGERED
