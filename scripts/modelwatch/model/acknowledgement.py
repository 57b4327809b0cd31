"""What people said about an alert on its issue: who muted it, and until when."""

from __future__ import annotations

from ..timeutil import DAY, format_utc
from .alert import Mute
from .register import FALSE_POSITIVE, Register
from .severity import Severity

ACKNOWLEDGEMENT_LENGTH = DAY
"""How long (seconds) an acknowledgement lasts: the command ``ack``, or closing an issue while its alert fires."""
MAX_SILENCE = 90 * DAY
"""The longest silence (seconds) that a comment can start; a longer one belongs in the configuration."""
CLOSING = "closing the issue"
"""``Register.ack_by`` where a person closed the issue while its alert fired."""
SILENCE, ACK, INHIBITION = "silence", "ack", "inhibition"
"""``Mute.by``."""


def person_mute(register: Register, severity: Severity, now: float) -> Mute | None:
    """What a person's word mutes now; without ``until`` it lasts until recovery.

    An acknowledgement and a closing end when the severity passes the one that the issue showed to the person; a silence
    outlives both.
    """
    if register.silence_until is not None and now < register.silence_until:
        until = register.silence_until
        return Mute(SILENCE, f"silenced by {register.silence_by or 'somebody'}: {register.silence_reason}", until)
    if register.closed is not None:
        return None
    if register.muted_until_recovery and severity <= register.known_severity:
        worse = " or gets worse" if can_get_worse(register.known_severity) else ""
        return Mute(SILENCE, f'the issue was closed as "not planned": silenced until it recovers{worse}')
    if register.verdict == FALSE_POSITIVE:
        by = f" by {register.verdict_by}" if register.verdict_by else ""
        return Mute(SILENCE, f"marked as a false positive{by}: silenced until it recovers")
    if register.ack_until is not None and now < register.ack_until and severity <= register.known_severity:
        by = f" by {register.ack_by}" if register.ack_by else ""
        worse = " until it gets worse" if can_get_worse(register.known_severity) else ""
        return Mute(ACK, f"acknowledged{by}{worse}", register.ack_until)
    return None


def mute_text(mute: Mute) -> str:
    """``silenced by robin: a deployment, at most until 2026-11-20 14:00 UTC``"""
    return mute.reason if mute.until is None else f"{mute.reason}, at most until {format_utc(mute.until)}"


def can_get_worse(severity: Severity) -> bool:
    """Whether anything is worse: where nothing is, nobody waits for it."""
    return severity < Severity.CRITICAL


def acknowledgement_end(until: float, severity: Severity) -> str:
    """``until 2026-11-20 14:00 UTC, or until it gets worse``"""
    return f"until {format_utc(until)}" + (", or until it gets worse" if can_get_worse(severity) else "")
