"""What people did to an issue, and what keeps modelwatch quiet because of it."""

from __future__ import annotations

from ..model.rule import DAY
from .work import GroupPlan

ACKNOWLEDGEMENT_LENGTH = DAY
"""Closing an issue while its alert fires acknowledges the alert this long (seconds)."""


def closed_by_person(draft: GroupPlan) -> bool:
    return (
        draft.issue is not None
        and draft.issue.state == "closed"
        and draft.register is not None
        and draft.register.closed is None
    )


def closed_by_us(draft: GroupPlan) -> bool:
    return (
        draft.issue is not None
        and draft.issue.state == "closed"
        and draft.register is not None
        and draft.register.closed is not None
    )


def detect_manual_changes(draft: GroupPlan) -> None:
    """Write into the draft what a person did since the register was written."""
    register = draft.register
    if register is None or draft.issue is None:
        return
    if draft.issue.state == "open":
        if register.closed is not None:
            # We close with one write of body and state, so an open issue whose register says "closed" was reopened.
            draft.update_register(closed=None, reopened=draft.now)
        if register.muted_until_recovery:
            draft.update_register(muted_until_recovery=False)
    elif closed_by_person(draft) and draft.firing and draft.issue.state_reason == "not_planned":
        draft.update_register(muted_until_recovery=True)


def muted_reason(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) of what keeps a firing group from sending messages, pages and dispatches; ("", "") if nothing."""
    if draft.group.mutes:
        mute = draft.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    register = draft.register
    if register is None:
        return "", ""
    if register.silence_until is not None and draft.now < register.silence_until:
        return "silence", f"silenced on the issue by {register.silence_by}: {register.silence_reason}"
    if register.muted_until_recovery and register.closed is None:
        return "silence", 'a person closed the issue as "not planned": silenced until it recovers'
    if register.verdict == "false-positive" and register.closed is None:
        return "silence", "a person called it a false positive: silenced until it recovers"
    until = _acknowledged_until(draft)
    if until is not None and draft.now < until and draft.severity <= register.severity:
        return (
            "ack",
            f"a person acknowledged it for {(until - draft.now) / 3600:.0f} more hours, or until it gets worse",
        )
    return "", ""


def _acknowledged_until(draft: GroupPlan) -> float | None:
    """By the command ``ack``, or by closing the issue while the alert fires."""
    register, issue = draft.register, draft.issue
    if register is None or issue is None or register.closed is not None:
        return None
    closed_at = issue.created_at if issue.closed_at is None else issue.closed_at
    by_closing = closed_at + ACKNOWLEDGEMENT_LENGTH if closed_by_person(draft) else None
    known = [until for until in (register.ack_until, by_closing) if until is not None]
    return max(known, default=None)
