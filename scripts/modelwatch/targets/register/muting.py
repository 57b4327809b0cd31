"""Decides whether a group is muted: by the configuration, by another alert, or by a person."""

from __future__ import annotations

from ...timeutil import DAY, HOUR
from ..draft import GroupPlan

ACKNOWLEDGEMENT_LENGTH = DAY
"""How long (seconds) an acknowledgement lasts: the command ``ack``, or closing an issue while its alert fires."""


def muted_reason(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) of what mutes a firing group: no message, page or dispatch is sent; ("", "") if nothing does."""
    if draft.group.mutes:
        mute = draft.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    register = draft.register
    if register is None:
        return "", ""
    if register.silence_until is not None and draft.now < register.silence_until:
        return "silence", f"silenced on the issue by {register.silence_by}: {register.silence_reason}"
    if register.muted_until_recovery and register.closed is None:
        return "silence", 'the issue was closed as "not planned": silenced until it recovers'
    if register.verdict == "false-positive" and register.closed is None:
        return "silence", "marked as a false positive: silenced until it recovers"
    until = _acknowledged_until(draft)
    if until is not None and draft.now < until and draft.severity <= register.severity:
        return "ack", f"acknowledged for {(until - draft.now) / HOUR:.0f} more hours, or until it gets worse"
    return "", ""


def _acknowledged_until(draft: GroupPlan) -> float | None:
    """The end of the acknowledgement, by the command ``ack`` or by closing the issue while the alert fires."""
    register, issue = draft.register, draft.issue
    if register is None or issue is None or register.closed is not None:
        return None
    closed_at = issue.created_at if issue.closed_at is None else issue.closed_at
    by_closing = closed_at + ACKNOWLEDGEMENT_LENGTH if draft.closed_by_person else None
    return max((until for until in (register.ack_until, by_closing) if until is not None), default=None)
