"""Plans the group's issue: opened, updated, reopened, closed, or left alone with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, CLOSING
from ...model.alert import WATCHDOG, AlertState
from ...model.past_episode import PastEpisodes
from ...model.plan import UNOBSERVABLE, ChangeKind, Precondition
from ...model.recent_change import RecentChanges
from ...model.register import STALE_SINCE, FollowerRecord, Register
from ...model.rule import Mode
from ...model.target import Target
from ...report.affected_alerts import worse_follower
from ...report.alert_phrase import describe_title, is_recovering, proof_text, recovery_streak
from ...report.move_effect import recovery_deadline
from ...report.next_steps import required_healthy_evaluations, step_digest
from ...timeutil import DAY, HOUR, MINUTE
from ..draft import GroupPlan, Situation
from ..leadership import MAX_FOLLOWERS, is_covered
from ..register.flapping import start_flap, sync_flap
from ..register.ledger import record_changes, worst_impact
from ..register.muting import muted_reason
from ..register.recovery import MAX_SHOWN, missing_follower_proof, missing_proof
from .shown_numbers import differ_clearly, shown_numbers

REOPEN_WITHIN = DAY
"""A group that fires again within this time (seconds) after closing reopens its episode; later it starts a new one."""
_NO_VERDICT: dict[str, object] = {"ack_until": None, "ack_by": "", "verdict": "", "verdict_by": ""}
MAX_FOLLOWER_ALERTS = 8
"""Alerts of a group that is led, which the register remembers."""
REFRESH_INTERVAL = 6 * HOUR
"""The evidence of a firing group is refreshed this often (seconds), without a comment."""
MIN_INTERVAL = 15 * MINUTE
"""It is refreshed after this time (seconds) where a number has moved that a reader acts on."""


def issues_unavailable(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) why no issue of the model can be written; ("", "") where they can."""
    error = draft.observed.error_for(Target.ISSUE)
    if error:
        return UNOBSERVABLE, f"issues cannot be observed: {error}"
    if not draft.model.github.repository:
        return UNOBSERVABLE, "no GitHub repository is configured for this model"
    if draft.model.issue_mode is not Mode.ACT:
        return "mode", f"issues are in mode {draft.model.issue_mode}: reported only"
    return "", ""


def sync_issue(draft: GroupPlan) -> None:
    """Write into the draft what people did with the issue, and what it says that still holds."""
    _detect_manual_changes(draft)
    _keep_onset(draft)


def _detect_manual_changes(draft: GroupPlan) -> None:
    """Write into the draft how people closed or reopened the issue since the register was written."""
    register = draft.register
    if register is None or draft.issue is None:
        return
    if draft.issue.state == "open":
        if register.closed is not None:
            # One request writes "closed" into the register and closes the issue, so a person has reopened it since.
            draft.update_register(closed=None, reopened=draft.now)
        if register.muted_until_recovery:
            draft.update_register(muted_until_recovery=False)
        if register.ack_by == CLOSING:
            draft.update_register(ack_until=None, ack_by="")
    elif draft.closed_elsewhere and draft.firing:
        # Anybody with the triage role can change the reason later: the closing was an acknowledgement, and stays one.
        mutes = draft.issue.closer_may_mute and draft.issue.state_reason == "not_planned" and register.ack_by != CLOSING
        if mutes and not register.muted_until_recovery:
            draft.update_register(muted_severity=register.severity)
        draft.update_register(muted_until_recovery=mutes)
        if mutes or draft.issue.closed_by_bot:
            return
        closed_at = draft.issue.created_at if draft.issue.closed_at is None else draft.issue.closed_at
        until = closed_at + ACKNOWLEDGEMENT_LENGTH
        if register.ack_until is None or register.ack_until < until:
            draft.update_register(ack_until=until, ack_by=CLOSING, muted_severity=register.severity)


def assess_group(draft: GroupPlan) -> None:
    """Decide the group's situation, and write what the evaluation found into the draft."""
    if draft.group.rule == WATCHDOG:
        draft.situation = Situation.NO_ACTIONS
        return
    register = draft.register
    if register is not None and register.closed is None and register.config != draft.group.config:
        # Recovery has to be confirmed again under the changed rule.
        draft.update_register(**_rule_state(draft, draft.now))
    _end_mutes(draft)
    sync_flap(draft)
    if draft.firing:
        _skip_recovering(draft)
        _assess_firing(draft)
    elif draft.blocked_reason and draft.blocking_guard != "mode":
        trusted = any(issue.group == draft.group.key and issue.trusted for issue in draft.observed.issues)
        if trusted or draft.incident is not None:
            draft.add_skip(ChangeKind.CLOSE_ISSUE, f"nothing is closed: {draft.blocked_reason}", draft.blocking_guard)
    elif draft.issue is None or draft.register is None:
        draft.situation = Situation.NO_ISSUE
    elif draft.register.closed is not None:
        draft.situation = Situation.CLOSED
    else:
        missing = missing_proof(draft.group, draft.register) or _prove_followers(draft)
        draft.situation = Situation.UNPROVEN if missing else Situation.RECOVERED
        if missing:
            draft.add_skip(ChangeKind.CLOSE_ISSUE, f"recovery is not confirmed: {missing}", "proof")


def _rule_state(draft: GroupPlan, since: float) -> dict[str, Any]:
    """What the register keeps of the rule, and since when."""
    return {"config": draft.group.config, "config_since": since, "settings": draft.rule.settings if draft.rule else ""}


def _keep_onset(draft: GroupPlan) -> None:
    """Write since when the metric has changed into the draft: what the issue says, as long as that is as plausible as
    what today's points say, and follows the version that is named."""
    why, register = draft.group.evidence.why, draft.register
    if why is None or why.since is None or register is None or register.closed is not None:
        return
    earliest, latest = why.since_range or (why.since, why.since)
    if register.onset is not None and earliest <= register.onset <= latest:
        why = replace(why, since=register.onset)
        draft.group = replace(draft.group, evidence=replace(draft.group.evidence, why=why))
    draft.update_register(onset=why.since)


def _end_mutes(draft: GroupPlan) -> None:
    """Forget what a person muted for a time that has passed. If it fires and nothing else mutes it, that is announced
    once: on the issue, and to the on-call where the tier pages."""
    register, now = draft.register, draft.now
    if register is None or register.closed is not None or draft.closed_by_person:
        return
    ends: list[tuple[float, str]] = []
    if register.silence_until is not None and now >= register.silence_until:
        ends.append((register.silence_until, f"the silence by {register.silence_by or 'somebody'} has expired"))
        draft.update_register(silence_until=None, silence_reason="", silence_by="")
    if register.ack_until is not None and now >= register.ack_until:
        by = f" by {register.ack_by}" if register.ack_by else ""
        ends.append((register.ack_until, f"the 24 h acknowledgement{by} has expired"))
        draft.update_register(ack_until=None, ack_by="")
    if ends and draft.firing and not muted_reason(draft)[0]:
        until, text = max(ends)
        draft.call_person(f"expired.{until:.0f}", f"still firing: {text}")
        draft.add_note("expired", int(until), f"Still firing; {text}")


def _skip_recovering(draft: GroupPlan) -> None:
    """Report of an alert that still fires, but should be recovering, how many healthy evaluations are missing."""
    healthy = recovery_streak(draft.group)
    helped = draft.register is not None and recovery_deadline(draft.register, draft.model, draft.now) is not None
    if draft.issue_open and (healthy or helped or is_recovering(draft.group)):
        need = required_healthy_evaluations(draft.group, draft.register)
        reason = f"recovery is not confirmed: {healthy} of {need} {proof_text(draft.group)}"
        draft.add_skip(ChangeKind.CLOSE_ISSUE, reason, "proof")


def _assess_firing(draft: GroupPlan) -> None:
    guard, reason = muted_reason(draft)
    if guard:
        draft.situation, draft.guard, draft.guard_reason = Situation.MUTED, guard, reason
        draft.add_skip(ChangeKind.UPDATE_ISSUE if draft.issue else ChangeKind.OPEN_ISSUE, reason, guard)
        _record_muted_severity(draft)
        return
    if is_covered(draft):
        _follow(draft)
        return
    if draft.blocked_reason:
        _do_without_issue(draft, draft.blocked_reason, draft.blocking_guard)
        return
    if not draft.actions and not draft.issue_open:
        draft.situation = Situation.NO_ACTIONS
        draft.add_skip(ChangeKind.OPEN_ISSUE, f"the {draft.severity} tier has no actions")
        return
    kind, reason = _choose_change(draft)
    refused = "" if kind is ChangeKind.UPDATE_ISSUE else draft.counter.issue_refusal()
    if refused:
        _do_without_issue(draft, refused, "blast-radius")
        return
    draft.counter.issues += kind is not ChangeKind.UPDATE_ISSUE
    draft.situation, draft.issue_change, draft.issue_reason = Situation.FIRING, kind, reason
    _record_findings(draft, kind)


def _record_muted_severity(draft: GroupPlan) -> None:
    """Write the present severity of a muted group into the draft, so that its issue stays true; nobody is notified."""
    register = draft.register
    if register is None or register.closed is not None:
        return
    draft.update_register(**_severity_fields(draft, register), muted_severity=register.known_severity)
    _record_followers(draft)
    if draft.severity is not register.severity:
        draft.update_register(title=_title(draft))


def _severity_fields(draft: GroupPlan, register: Register) -> dict[str, Any]:
    """The present severity of a firing group, its peak, and every alert of the episode so far."""
    firing = [alert for alert in draft.group.alerts if alert.state is draft.group.state]
    return {
        "severity": draft.severity,
        "peak": max([register.peak, draft.severity, *(alert.peak for alert in firing)]),
        "alerts": tuple(sorted({*register.alerts, *(alert.fingerprint for alert in firing)})),
    }


def _follow(draft: GroupPlan) -> None:
    """Leave page and workflows to the leader. An issue of its own that is open is kept up to date until it closes."""
    leader = draft.leader
    if leader is None:
        return
    draft.situation, name = Situation.FOLLOWING, f"{leader.group.model} {leader.group.rule}"
    reason = f"{name} leads, with the same cause" + (f": {leader.shared_cause}" if leader.shared_cause else "")
    if "page" in draft.group.do:
        draft.add_skip(ChangeKind.TRIGGER_INCIDENT, reason, "cause")
    if draft.issue_open:
        _record_findings(draft, ChangeKind.UPDATE_ISSUE)
        draft.update_register(leading_issue=leader.issue.url if leader.issue else name)
    else:
        draft.add_skip(ChangeKind.OPEN_ISSUE, reason, "cause")


def _prove_followers(draft: GroupPlan) -> str:
    """Write into the draft which of the groups that it led have recovered; what is missing of the others, as text.

    One that still fires and leads itself by now is left out: it has an issue of its own.
    """
    if draft.register is None or not draft.register.followers:
        return ""
    following = {follower.group.key for follower in draft.followers}
    records, missing = [], []
    for record in draft.register.followers:
        group = draft.groups.get(record.group)
        if record.ended is None and group is None and record.group not in draft.configured:
            continue
        if group is not None and group.state is AlertState.FIRING and not group.mutes and group.key not in following:
            continue
        reason = "" if record.ended is not None else missing_follower_proof(record, group, draft.register)
        if not reason and record.ended is None:
            record = replace(record, ended=draft.now)
        records.append(record)
        missing += [f"{record.model} {record.rule}, which has the same cause: {reason}"] if reason else []
    draft.update_register(followers=tuple(records))
    return "; ".join(missing[:MAX_SHOWN])


def _record_followers(draft: GroupPlan) -> None:
    """Write into the draft the groups that it leads now, after those that it led before."""
    _prove_followers(draft)
    register = draft.register
    if register is None:
        return
    records = {record.group: record for record in register.followers}
    for follower in draft.followers:
        key = follower.group.key
        records[key] = _follower_record(follower, records.get(key))
    newest_last = sorted(records.values(), key=lambda record: record.ended is None)[-MAX_FOLLOWERS:]
    draft.update_register(
        followers=tuple(sorted(newest_last, key=lambda record: (record.start, record.model, record.rule))),
        shared_cause=draft.shared_cause if newest_last else "",
        leading_issue="",
    )


def _follower_record(follower: GroupPlan, known: FollowerRecord | None) -> FollowerRecord:
    group, before = follower.group, known if known and known.ended is None else None
    fired = {alert.fingerprint for alert in group.alerts if alert.state is AlertState.FIRING}
    return FollowerRecord(
        group=group.key,
        model=group.model,
        rule=group.rule,
        kind=group.kind,
        severity=follower.severity,
        start=before.start if before else group.newest if group.start is None else group.start,
        alerts=tuple(sorted({*(before.alerts if before else ()), *fired}))[:MAX_FOLLOWER_ALERTS],
        page="page" in group.do or (before is not None and before.page),
        issue=follower.issue.url if follower.issue and follower.issue_open else "",
    )


def _do_without_issue(draft: GroupPlan, reason: str, guard: str) -> None:
    """Plan a firing group without an issue: it pages, but it dispatches nothing, since no register keeps the intent."""
    draft.situation, draft.guard, draft.guard_reason = Situation.WITHOUT_ISSUE, guard, reason
    draft.add_skip(ChangeKind.OPEN_ISSUE, reason, guard)
    draft.register, draft.notes = None, []


def _choose_change(draft: GroupPlan) -> tuple[ChangeKind, str]:
    """The change of the issue of a firing, unmuted group, and why."""
    register = draft.register
    if draft.issue_open:
        return ChangeKind.UPDATE_ISSUE, ""
    if register is None:
        return ChangeKind.OPEN_ISSUE, draft.severity_text
    if draft.closed_elsewhere and draft.issue is not None and draft.issue.closed_by_bot:
        return ChangeKind.REOPEN_ISSUE, f"{draft.issue.closed_by} closed the issue, and the alert is still firing"
    if draft.closed_elsewhere:
        cause = "it got worse" if draft.severity > register.known_severity else "24 h have passed"
        return ChangeKind.REOPEN_ISSUE, f"the issue was closed by hand, the alert is still firing, and {cause}"
    if register.closed is not None and draft.now - register.closed <= REOPEN_WITHIN:
        return ChangeKind.REOPEN_ISSUE, "it is firing again within 24 h of closing: the same episode"
    past = f"the issue of episode {register.episode} was closed more than 24 h ago"
    return ChangeKind.OPEN_ISSUE, f"{draft.severity_text}; {past}"


def _record_findings(draft: GroupPlan, kind: ChangeKind) -> None:
    """Write the findings of the evaluation into the draft, and note what changed."""
    group, register, severity = draft.group, draft.register, draft.severity
    fired = {alert.fingerprint for alert in group.alerts if alert.state is group.state}
    if kind is ChangeKind.OPEN_ISSUE or register is None:
        _start_episode(draft, tuple(sorted(fired)))
        return
    known = register.known_severity
    if kind is ChangeKind.REOPEN_ISSUE:
        ended = register.closed if register.closed is not None else (draft.issue.closed_at if draft.issue else None)
        if register.closed is not None:
            draft.update_register(refired=draft.now)
            start_flap(draft)
        text = _reopening_text(draft, register)
        draft.add_note("reopened", int(ended or 0), text)
        if draft.closed_by_person and severity <= known:
            draft.call_person(f"expired.{ended or 0:.0f}", f"{text[0].lower()}{text[1:]}")
        if register.silence_until is not None:  # else it would mute
            draft.update_register(silence_until=None, silence_reason="", silence_by="")
        if register.config != group.config:
            draft.update_register(**_rule_state(draft, draft.now))
        draft.update_register(closed=None, muted_until_recovery=False, **_NO_VERDICT)
    elif severity != known and (register.flap is None or severity > register.peak):
        draft.add_note("worse" if severity > known else "better", f"{severity}-{int(draft.severity_since)}")
    if severity > known:
        draft.update_register(ack_until=None, ack_by="")
    draft.update_register(**_severity_fields(draft, register), muted_severity=None)
    _record_followers(draft)
    if past := dict(draft.observed.past_episodes).get(group.key):
        draft.update_register(past_episodes=past)
    same = severity is register.severity and register.shared_cause == draft.shared_cause
    if not (same and register.title and kind is ChangeKind.UPDATE_ISSUE):
        draft.update_register(title=_title(draft))


def _title(draft: GroupPlan) -> str:
    worse = worse_follower(draft.group, draft.register)
    return describe_title(draft.group) + (f"; {worse}" if worse else "")


def _reopening_text(draft: GroupPlan, register: Register) -> str:
    if register.closed is not None:
        return "Firing again"
    if draft.severity > register.known_severity:
        return "Reopened, since it got worse"
    if not draft.closed_by_person:
        return "Reopened, since a bot had closed it"
    return "Still firing; the 24 h acknowledgement has expired"


def _start_episode(draft: GroupPlan, fired: tuple[str, ...]) -> None:
    group = draft.group
    start = group.newest if group.start is None else group.start
    peaks = [alert.peak for alert in group.alerts if alert.state is group.state]
    old = draft.register
    draft.issue, draft.previous_register, draft.notes = None, None, []
    draft.register = Register(
        group=group.key,
        model=group.model,
        rule=group.rule,
        episode=old.episode + 1 if old else 1,
        start=start,
        severity=draft.severity,
        peak=max([draft.severity, *peaks]),
        **_rule_state(draft, start),
        alerts=fired,
        recent_changes=dict(draft.observed.recent_changes).get(group.key, RecentChanges()),
        past_episodes=dict(draft.observed.past_episodes).get(group.key, PastEpisodes()),
        onset=group.evidence.why.since if group.evidence.why else None,
    )
    _record_followers(draft)
    draft.update_register(title=_title(draft))


def write_draft(draft: GroupPlan) -> None:
    """Plan to write the draft, which every target has filled, on the issue, if anything changed."""
    match draft.situation:
        case Situation.FIRING if draft.issue_change is not ChangeKind.UPDATE_ISSUE:
            _write_issue(draft, draft.issue_change, draft.issue_reason)
        case Situation.MUTED:
            _update_issue(draft, f"muted ({draft.guard})")
        case Situation.CLOSED:
            _update_issue(draft, "results of the workflows")
        case Situation.RECOVERED:
            _close_issue(draft)
        case Situation.FOLLOWING if not draft.issue_open:
            pass
        case _:
            _update_issue(draft, "")


def _close_issue(draft: GroupPlan) -> None:
    register, by_person = draft.register, draft.closed_by_person
    if register is None:
        return
    draft.update_register(closed=draft.now, reopened=None, ack_until=None, ack_by="", muted_until_recovery=False)
    draft.update_register(undelivered=(), muted_severity=None)
    if by_person:
        _update_issue(draft, "it recovered; a person had closed the issue already")
    else:
        draft.add_note("recovered", int(register.began))
        _write_issue(draft, ChangeKind.CLOSE_ISSUE, "recovery is confirmed for every alert of the episode")


def _update_issue(draft: GroupPlan, cause: str) -> None:
    """Update the issue where its register changes, a comment is due, or the evidence is old."""
    before, register = draft.previous_register, draft.register
    if before is None or register is None:
        return
    changed = _changed_fields(before, register)
    if not changed and before.step and current_step(draft) != before.step:
        changed = "next step changed"
    if draft.notes and not changed:
        changed = "a comment is due"
    if not changed and draft.firing and (draft.issue_open or draft.closed_by_person):
        changed = _stale_reason(draft, before)
    if not changed and before.troubles != tuple(draft.troubles) and not draft.changes:
        changed = "problems changed" if draft.troubles else "the earlier problems did not occur again"
    if changed:
        _write_issue(draft, ChangeKind.UPDATE_ISSUE, f"{cause}: {changed}" if cause else changed)


def _stale_reason(draft: GroupPlan, before: Register) -> str:
    """Why the evidence on the issue is written again; empty where it is as good as new. People look less often at an
    issue that they have closed: there it is written only where it is not true any more."""
    if before.told is None:
        return ""
    if before.told == STALE_SINCE:
        return "fresh evidence was requested"
    age = draft.now - before.told
    if age >= REFRESH_INTERVAL and draft.issue_open:
        return f"the evidence is {REFRESH_INTERVAL / HOUR:g} h old"
    moved = age >= MIN_INTERVAL and bool(before.shown) and differ_clearly(before.shown, _shown_numbers(draft))
    return "the numbers have moved" if moved else ""


def _shown_numbers(draft: GroupPlan) -> str:
    register = draft.register
    if register is None:
        return ""
    impact = worst_impact(draft.group, register.impact, draft.rule)
    followers = [draft.groups[record.group] for record in register.firing_followers if record.group in draft.groups]
    return shown_numbers(draft.group, impact, followers)


def _changed_fields(before: Register, register: Register) -> str:
    """The changed fields that a reader of the issue would notice."""
    names = {
        "severity": "severity",
        "peak": "peak",
        "alerts": "alerts",
        "config": "rule",
        "page": "page",
        "dispatches": "workflows",
        "closed": "recovery",
        "reopened": "reopening",
        "silence_until": "silence",
        "commands": "commands",
        "ack_until": "acknowledgement",
        "muted_until_recovery": "silence until recovery",
        "refired": "firing again",
        "flap": "flapping",
        "verdict": "verdict",
        "page_after": "when it pages",
        "calls": "calls to the on-call",
        "followers": "what else is affected",
        "shared_cause": "cause",
        "leading_issue": "leading issue",
    }
    changed = [text for name, text in names.items() if getattr(before, name) != getattr(register, name)]
    listed = " and ".join(filter(None, (", ".join(changed[:-1]), *changed[-1:])))
    return f"{listed} changed" if changed else ""


def current_step(draft: GroupPlan) -> str:
    """Identity of the next step that the issue is to show."""
    if draft.register is None or draft.register.closed is not None:
        return ""
    register = replace(draft.register, troubles=tuple(draft.troubles))
    return step_digest(draft.group, register, draft.model, draft.now)


def _write_issue(draft: GroupPlan, kind: ChangeKind, reason: str) -> None:
    if draft.register is None:
        return
    record_changes(draft)
    draft.update_register(told=draft.now, troubles=tuple(draft.troubles), shown=_shown_numbers(draft))
    draft.update_register(step=current_step(draft))
    issue = draft.issue
    expect = Precondition(issue.number, issue.body_digest, issue.state) if issue else Precondition()
    draft.add_change(kind, reason, expect=expect, register=draft.register, notes=tuple(draft.notes))
