"""Decides whether a group is muted, by the configuration, an alert or a person, and whether its page waits."""

from __future__ import annotations

from ...model.acknowledgement import mute_text, person_mute
from ...model.alert import Mute
from ...model.working_hours import page_wait
from ..draft import GroupPlan


def muted_reason(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) of what mutes a firing group: no message, page or dispatch is sent; ("", "") if nothing does."""
    if draft.group.mutes:
        mute = draft.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    by_person = person_mute(draft.register, draft.severity, draft.now) if draft.register else None
    return (by_person.by, mute_text(by_person)) if by_person else ("", "")


def page_hold(draft: GroupPlan) -> Mute | None:
    """What lets the page of a firing group wait; ``None``: nothing. Where it pages for several groups, one that cannot
    wait is enough, and so is a workflow that did not help."""
    paging = [member for member in (draft, *draft.followers) if "page" in member.group.do]
    if draft.is_escalated or not paging:
        return None
    due = draft.register.page_after if draft.register else None
    if draft.register is None and draft.model.hours is not None:  # nothing remembers when it was due
        due = draft.model.hours.opening(draft.severity_since, draft.model.timezone)
    holds = [_own_hold(member, due, draft.now) for member in paging]
    if any(hold is None for hold in holds):
        return None
    return min(filter(None, holds), key=lambda hold: hold.until or 0.0)


def _own_hold(draft: GroupPlan, due: float | None, now: float) -> Mute | None:
    model, group = draft.model, draft.group
    if group.severity is None:
        return None
    is_slow = group.evidence.gradual is not None
    return page_wait(model.hours, model.timezone, group.severity, due, now, is_slow=is_slow)
