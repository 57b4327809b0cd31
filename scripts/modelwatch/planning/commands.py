"""Commands that people write on an issue: ``/modelwatch silence 24h <reason>``, ``approve``, ``rollback v6``, ..."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ..model.plan import Command
from ..model.rule import DAY, HOUR
from . import proposals
from .work import KEPT, Work

LONGEST = 90 * DAY
"""The longest silence (seconds) that an issue can ask for; a longer one belongs into the configuration."""
ACK = DAY
KEPT_PRESSED = 10
REFUSED = "refused: "
SHOWN = 60
_UNITS = {"m": 60.0, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")
ASKS = ("retrain", "rollback", "promote", "degrade", "restore")
"""Verbs that a person may ask for."""
KNOWN = (
    "`approve`, `reject`, `ack`, `silence 24h <reason>`, `unsilence`, `false-positive`, "
    "`retrain`, `rollback [version]`, `promote <version>`, `degrade` and `restore`"
)


def obey(work: Work) -> None:
    """Answer every command on the group's issue that is not answered yet, once, in the order of the comments."""
    if work.issue is None or work.register is None:
        return
    for command in sorted(work.issue.commands, key=lambda command: command.comment):
        if answered(command, work.register.commands):
            continue
        answer = _refusal(command) or _obey(work, command)
        if answer.startswith(REFUSED):  # What is done is said with its name and its person.
            answer = f"{command.author or 'somebody'}, {_asked(command)}: {answer}"
        work.note("command", command.comment, answer)
        work.amend(commands=remembered(work.register.commands, command.comment))


def _asked(command: Command) -> str:
    """The beginning of what was asked for, so that of several answers each is known by its question."""
    words = f"{command.verb} {command.argument}".split()
    text = " ".join(words)
    return f"`{text}`" if len(text) <= SHOWN else f"`{text[:SHOWN]}…`"


def answered(command: Command, known: tuple[int, ...]) -> bool:
    """The ids of comments ascend, so one below a full memory of the latest was answered before."""
    comments = [comment for comment in known if comment > 0]
    return command.comment in known or (len(comments) >= KEPT and 0 < command.comment < min(comments))


def remembered(known: tuple[int, ...], new: int) -> tuple[int, ...]:
    """The latest comments, ascending; before them what was pressed at PagerDuty, newest last, by negative ids."""
    pressed = [one for one in known if one < 0 and one != new] + ([new] if new < 0 else [])
    comments = sorted({one for one in (*known, new) if one >= 0})
    return (*pressed[-KEPT_PRESSED:], *comments[-KEPT:])


def _refusal(command: Command) -> str:
    if command.allowed:
        return ""
    if command.refused:
        return f"refused: {command.refused}"
    return f"refused: {command.author} is not on the list of people whose commands count here (`github.people`)"


def _obey(work: Work, command: Command) -> str:
    match command.verb:
        case "silence":
            return _silence(work, command)
        case "unsilence":
            work.amend(silence_until=None, silence_reason="", silence_by="")
            return f"{command.author} ended the silence"
        case "ack":
            until = command.at + ACK
            work.amend(ack_until=until)
            return f"{command.author} acknowledged this until {_when(until)}, or until it gets worse"
        case "approve":
            return proposals.approve(work, command)
        case "reject":
            return proposals.reject(work, command)
        case "false-positive":
            work.amend(verdict="false-positive")
            return f"{command.author} calls this a false positive: it is kept quiet until it has recovered"
        case verb if verb in ASKS:
            return proposals.ask(work, command)
        case _:
            return f"refused: `{command.verb}` cannot be asked for by comment here; what can: {KNOWN}"


def _silence(work: Work, command: Command) -> str:
    words = command.argument.split(maxsplit=1)
    found = _DURATION.fullmatch(words[0]) if words else None
    length = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < length <= LONGEST:
        return "refused: say how long, up to 90 days, and why: `silence 24h <reason>` (units m, h, d, w)"
    if len(words) < 2:
        return "refused: say why as well: `silence 24h <reason>`"
    until = command.at + length
    work.amend(silence_until=until, silence_reason=words[1].strip()[:200], silence_by=command.author)
    return f"{command.author} silenced this until {_when(until)}: {words[1].strip()[:200]}"


def _when(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")
