"""Answers the commands that change the register alone: silences, acknowledgements and verdicts."""

from __future__ import annotations

import re

from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, MAX_SILENCE, acknowledgement_end
from ...model.plan import Command
from ...model.register import FALSE_POSITIVE
from ...timeutil import DAY, HOUR, format_utc
from ..draft import INVALID_PREFIX, GroupPlan

_UNITS = {"m": 60.0, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")


def answer_issue_command(draft: GroupPlan, command: Command) -> str:
    """Apply ``command`` and return the answer; empty for a verb of another target."""
    match command.verb:
        case "silence":
            return _silence(draft, command)
        case "unsilence":
            draft.update_register(silence_until=None, silence_reason="", silence_by="")
            return f"{command.author} ended the silence"
        case "ack":
            until = command.at + ACKNOWLEDGEMENT_LENGTH
            _mute(draft, ack_until=until, ack_by=command.author)
            return f"{command.author} acknowledged this {acknowledgement_end(until, draft.severity)}"
        case "false-positive":
            _mute(draft, verdict=FALSE_POSITIVE, verdict_by=command.author)
            return f"{command.author} marked this as a false positive: it is silenced until it recovers"
        case _:
            return ""


def _silence(draft: GroupPlan, command: Command) -> str:
    words = command.argument.split(maxsplit=1)
    match = _DURATION.fullmatch(words[0]) if words else None
    length = int(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < length <= MAX_SILENCE:
        return f"{INVALID_PREFIX}give a length of up to 90 days and a reason: `silence 24h <reason>` (units m, h, d, w)"
    if len(words) < 2:
        return f"{INVALID_PREFIX}give a reason: `silence 24h <reason>`"
    until = command.at + length
    _mute(draft, silence_until=until, silence_reason=words[1].strip()[:200], silence_by=command.author)
    return f"{command.author} silenced this until {format_utc(until)}: {words[1].strip()[:200]}"


def _mute(draft: GroupPlan, **fields: object) -> None:
    """Mute by ``fields`` what the issue shows to the person: worse is what is beyond that."""
    shown = draft.register.severity if draft.register else None
    draft.update_register(**fields, muted_severity=shown)
