"""Answers the commands that change the register alone: silences, acknowledgements and verdicts."""

from __future__ import annotations

import re
from dataclasses import replace

from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, CLOSING, MAX_SILENCE, acknowledgement_end
from ...model.ledger import MODELWATCH
from ...model.plan import Command
from ...model.register import ACKNOWLEDGED, FALSE_POSITIVE, PAGE_RESOLVED, PAGE_TRIGGERED
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
            return _unsilence(draft, command)
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


def _unsilence(draft: GroupPlan, command: Command) -> str:
    """End what a comment has muted. What a person does by closing the issue ends when it is reopened."""
    register = draft.register
    if register is None:
        return ""
    acknowledged = register.ack_until is not None and register.ack_by != CLOSING
    said = {
        "silence": register.silence_until is not None,
        "acknowledgement": acknowledged,
        "false-positive verdict": register.verdict == FALSE_POSITIVE,
    }
    ended = [f"the {word}" for word, is_said in said.items() if is_said]
    if not ended:
        by_rule = draft.group.mutes[0].reason if draft.group.mutes else ""
        more = f"; what mutes it is in the configuration or another alert: {by_rule}" if by_rule else ""
        return f"{INVALID_PREFIX}no comment mutes this{more}"
    answer, page = f"{command.author} ended {' and '.join(ended)}", register.page
    calls: dict[str, str] = {}
    if page and page.status == ACKNOWLEDGED and page.state == PAGE_TRIGGERED:
        if page.status_by in {MODELWATCH, register.silence_by, register.ack_by} - {""}:
            # modelwatch sent that to PagerDuty, which keeps it and notifies nobody of the alert any more.
            draft.update_register(page=replace(page, status_by=MODELWATCH))
            calls["unmuted"] = f"still firing: {answer}"
        else:
            by = f" by {page.status_person}" if page.status_person else ""
            answer += f"; the incident stays acknowledged at PagerDuty{by}"
    if register.verdict == FALSE_POSITIVE and page and page.state == PAGE_RESOLVED:
        # The verdict resolved the incident, so nobody has the alert any more.
        calls["withdrawn"] = f"still firing: {command.author} withdrew the false positive"
    draft.update_register(silence_until=None, silence_reason="", silence_by="", verdict="", verdict_by="")
    if acknowledged:
        draft.update_register(ack_until=None, ack_by="")
    for name, reason in calls.items() if draft.firing else ():
        draft.call_person(f"{name}.{command.comment}", reason)
    return answer


def _mute(draft: GroupPlan, **fields: object) -> None:
    """Mute by ``fields`` what the issue shows to the person: worse is what is beyond that."""
    shown = draft.register.severity if draft.register else None
    draft.update_register(**fields, muted_severity=shown)
