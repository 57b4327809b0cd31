"""What people did to an issue, and what keeps modelwatch quiet because of it."""

from __future__ import annotations

from ..model.rule import DAY
from .work import Work

ACK = DAY
"""Closing an issue while its alert fires acknowledges the alert this long (seconds)."""


def closed_by_person(work: Work) -> bool:
    return (
        work.issue is not None
        and work.issue.state == "closed"
        and work.register is not None
        and work.register.closed is None
    )


def closed_by_us(work: Work) -> bool:
    return (
        work.issue is not None
        and work.issue.state == "closed"
        and work.register is not None
        and work.register.closed is not None
    )


def notice(work: Work) -> None:
    """Write into the draft what a person did since the register was written."""
    register = work.register
    if register is None or work.issue is None:
        return
    if work.issue.state == "open":
        if register.closed is not None:
            # We close with one write of body and state, so an open issue whose register says "closed" was reopened.
            work.amend(closed=None, reopened=work.now)
        if register.muted_until_recovery:
            work.amend(muted_until_recovery=False)
    elif closed_by_person(work) and work.firing and work.issue.state_reason == "not_planned":
        work.amend(muted_until_recovery=True)


def hush(work: Work) -> tuple[str, str]:
    """(guard, reason) of what keeps a firing group from sending messages, pages and dispatches; ("", "") if nothing."""
    if work.group.mutes:
        mute = work.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    register = work.register
    if register is None:
        return "", ""
    if register.silence_until is not None and work.now < register.silence_until:
        return "silence", f"silenced on the issue by {register.silence_by}: {register.silence_reason}"
    if register.muted_until_recovery and register.closed is None:
        return "silence", 'a person closed the issue as "not planned": silenced until it recovers'
    if register.verdict == "false-positive" and register.closed is None:
        return "silence", "a person called it a false positive: silenced until it recovers"
    until = _acknowledged_until(work)
    if until is not None and work.now < until and work.severity <= register.severity:
        return "ack", f"a person acknowledged it for {(until - work.now) / 3600:.0f} more hours, or until it gets worse"
    return "", ""


def _acknowledged_until(work: Work) -> float | None:
    """By the command ``ack``, or by closing the issue while the alert fires."""
    register, issue = work.register, work.issue
    if register is None or issue is None or register.closed is not None:
        return None
    closed_at = issue.created_at if issue.closed_at is None else issue.closed_at
    by_closing = closed_at + ACK if closed_by_person(work) else None
    known = [until for until in (register.ack_until, by_closing) if until is not None]
    return max(known, default=None)
