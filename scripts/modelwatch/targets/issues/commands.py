"""Commands that people write on an issue: ``/modelwatch silence 24h <reason>``, ``approve``, ``rollback v6``, ..."""

from __future__ import annotations

import re

from ...model.plan import Command
from ...timeutil import DAY, HOUR, format_utc
from ..draft import MAX_REMEMBERED, GroupPlan
from ..workflows import proposals

MAX_SILENCE = 90 * DAY
"""The longest silence (seconds) that an issue can ask for; a longer one belongs into the configuration."""
ACKNOWLEDGEMENT_LENGTH = DAY
MAX_REMEMBERED_BUTTONS = 10
REFUSED_PREFIX = "refused: "
MAX_SHOWN = 60
_UNITS = {"m": 60.0, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")
WORKFLOW_VERBS = ("retrain", "rollback", "promote", "degrade", "restore")
"""Verbs that a person may ask for."""
COMMAND_LIST = (
    "`approve`, `reject`, `ack`, `silence 24h <reason>`, `unsilence`, `false-positive`, "
    "`retrain`, `rollback [version]`, `promote <version>`, `degrade` and `restore`"
)


def apply_commands(draft: GroupPlan) -> None:
    """Answer every command on the group's issue that is not answered yet, once, in the order of the comments."""
    if draft.issue is None or draft.register is None:
        return
    for command in sorted(draft.issue.commands, key=lambda command: command.comment):
        if is_answered(command, draft.register.commands):
            continue
        answer = _refusal(command) or _apply_command(draft, command)
        if answer.startswith(REFUSED_PREFIX):  # What is done is said with its name and its person.
            answer = f"{command.author or 'somebody'}, {_quote_command(command)}: {answer}"
        draft.add_note("command", command.comment, answer)
        draft.update_register(commands=remember_command(draft.register.commands, command.comment))


def _quote_command(command: Command) -> str:
    """The beginning of what was asked for, so that of several answers each is known by its question."""
    words = f"{command.verb} {command.argument}".split()
    text = " ".join(words)
    return f"`{text}`" if len(text) <= MAX_SHOWN else f"`{text[:MAX_SHOWN]}…`"


def is_answered(command: Command, known: tuple[int, ...]) -> bool:
    """The ids of comments ascend, so one below a full memory of the latest was answered before."""
    comments = [comment for comment in known if comment > 0]
    return command.comment in known or (len(comments) >= MAX_REMEMBERED and 0 < command.comment < min(comments))


def remember_command(known: tuple[int, ...], new: int) -> tuple[int, ...]:
    """The latest comments, ascending; before them what was pressed at PagerDuty, newest last, by negative ids."""
    pressed = [one for one in known if one < 0 and one != new] + ([new] if new < 0 else [])
    comments = sorted({one for one in (*known, new) if one >= 0})
    return (*pressed[-MAX_REMEMBERED_BUTTONS:], *comments[-MAX_REMEMBERED:])


def _refusal(command: Command) -> str:
    if command.allowed:
        return ""
    if command.refused:
        return f"refused: {command.refused}"
    return f"refused: {command.author} is not on the list of people whose commands count here (`github.people`)"


def _apply_command(draft: GroupPlan, command: Command) -> str:
    match command.verb:
        case "silence":
            return _silence(draft, command)
        case "unsilence":
            draft.update_register(silence_until=None, silence_reason="", silence_by="")
            return f"{command.author} ended the silence"
        case "ack":
            until = command.at + ACKNOWLEDGEMENT_LENGTH
            draft.update_register(ack_until=until)
            return f"{command.author} acknowledged this until {format_utc(until)}, or until it gets worse"
        case "approve":
            return proposals.approve_proposal(draft, command)
        case "reject":
            return proposals.reject_proposal(draft, command)
        case "false-positive":
            draft.update_register(verdict="false-positive")
            return f"{command.author} calls this a false positive: it is kept quiet until it has recovered"
        case verb if verb in WORKFLOW_VERBS:
            return proposals.request_workflow(draft, command)
        case _:
            return f"refused: `{command.verb}` cannot be asked for by comment here; what can: {COMMAND_LIST}"


def _silence(draft: GroupPlan, command: Command) -> str:
    words = command.argument.split(maxsplit=1)
    found = _DURATION.fullmatch(words[0]) if words else None
    length = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < length <= MAX_SILENCE:
        return "refused: say how long, up to 90 days, and why: `silence 24h <reason>` (units m, h, d, w)"
    if len(words) < 2:
        return "refused: say why as well: `silence 24h <reason>`"
    until = command.at + length
    draft.update_register(silence_until=until, silence_reason=words[1].strip()[:200], silence_by=command.author)
    return f"{command.author} silenced this until {format_utc(until)}: {words[1].strip()[:200]}"
