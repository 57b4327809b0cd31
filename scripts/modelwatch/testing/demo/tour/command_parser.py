"""What a typed line asks for. Pure: whatever is typed is data, and no shell ever sees it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from ....errors import did_you_mean
from ....report.markdown import plain_line as harmless

MAX_LINE_LENGTH = 1000
"""Letters of a line that anybody reads."""
MODELWATCH_COMMANDS = (
    "check",
    "diagnose",
    "status",
    "audit",
    "run",
    "release",
    "runbooks",
    "explain",
    "baseline",
    "config",
    "sensitivity",
    "review",
)
"""Commands of modelwatch that can be given here."""
MAX_WAIT_MINUTES = 240
_WAIT = re.compile(r"(\d{1,5})\s*(m|min|minutes?|h|hours?)?", re.IGNORECASE)


class CommandKind(StrEnum):
    NOTHING = "nothing"
    HELP = "help"
    QUIT = "quit"
    WAIT = "wait"
    ACK = "ack"
    PAGE = "page"
    ISSUE = "issue"
    RUNBOOK = "runbook"
    COMMENT = "comment"
    CLOSE = "close"
    REOPEN = "reopen"
    DISPATCH = "dispatch"
    REAL = "modelwatch"
    USAGE = "usage"
    """Of one of its commands."""
    UNKNOWN = "puzzle"


@dataclass(frozen=True, slots=True)
class Command:
    """One line, understood. ``text``: of the comment; of a puzzle the hint; of a dispatch the workflow's verb; of a
    closing GitHub's reason."""

    kind: CommandKind
    words: tuple[str, ...] = ()
    text: str = ""
    minutes: int = 0


KEYWORDS = {
    "help": CommandKind.HELP, "?": CommandKind.HELP, "h": CommandKind.HELP, "--help": CommandKind.HELP,
    "quit": CommandKind.QUIT, "exit": CommandKind.QUIT, "q": CommandKind.QUIT, "bye": CommandKind.QUIT,
    "ack": CommandKind.ACK, "acknowledge": CommandKind.ACK, "page": CommandKind.PAGE, "incident": CommandKind.PAGE,
    "issue": CommandKind.ISSUE, "runbook": CommandKind.RUNBOOK,
    "reopen": CommandKind.REOPEN,
}  # fmt: skip


def parse_line(typed: str) -> Command:
    """What ``typed`` asks for; never raises."""
    if len(typed) > MAX_LINE_LENGTH:
        return _unknown_command("That is longer than any command.")
    text = harmless(typed.lstrip("\ufeff"), MAX_LINE_LENGTH)
    if not text or text.startswith("#"):
        return Command(CommandKind.NOTHING)
    if text.startswith("/modelwatch"):
        return Command(CommandKind.COMMENT, text=text)
    head, _, rest = text.partition(" ")
    if head.lower() in KEYWORDS:
        return Command(KEYWORDS[head.lower()])
    if head.lower() == "wait":
        return _parse_wait(rest.strip())
    if head.lower() == "comment":
        return _parse_comment(rest.strip())
    if head.lower() == "close":
        return _parse_close(rest.strip())
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        return _unknown_command("A quotation mark is left open.")
    if words[:1] == ("gh",):
        return _parse_gh(words[1:])
    return _parse_modelwatch(words[1:] if words[:1] == ("modelwatch",) else words)


def _parse_wait(text: str) -> Command:
    found = _WAIT.fullmatch(text)
    unit = (found[2] or "m")[0].lower() if found else "m"
    minutes = int(found[1]) * (60 if unit == "h" else 1) if found else 0
    if not 0 < minutes <= MAX_WAIT_MINUTES:
        return _unknown_command(f"Say how long, up to {MAX_WAIT_MINUTES // 60} hours: `wait 30m`.")
    return Command(CommandKind.WAIT, minutes=minutes)


def _parse_comment(text: str) -> Command:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if not text.strip():
        return _unknown_command("Say what: `comment /modelwatch approve`.")
    return Command(CommandKind.COMMENT, text=text)


def _parse_close(reason: str) -> Command:
    """GitHub closes as completed, unless told otherwise."""
    is_planned = "not planned" not in reason.lower().replace("_", " ")
    return Command(CommandKind.CLOSE, text="completed" if is_planned else "not_planned")


def _parse_gh(words: tuple[str, ...]) -> Command:
    """The few commands of GitHub's own command line that runbooks name."""
    match words:
        case ("issue", "view", *_):
            return Command(CommandKind.ISSUE)
        case ("issue", "comment", *rest):
            bodies = [two for one, two in pairwise(rest) if one in ("--body", "-b")]
            return _parse_comment(bodies[0] if bodies else "")
        case ("issue", "close", *rest):
            reasons = [two for one, two in pairwise(rest) if one in ("--reason", "-r")]
            return _parse_close(reasons[0] if reasons else "")
        case ("issue", "reopen", *_):
            return Command(CommandKind.REOPEN)
        case ("workflow", "run", name, *rest):
            fields = [two for one, two in pairwise(rest) if one in ("-f", "-F", "--field")]
            return Command(CommandKind.DISPATCH, tuple(fields), name.removesuffix(".yml"))
    return _unknown_command(
        "Of gh there are `gh issue view`, `comment`, `close` and `reopen`, and `gh workflow run` here."
    )


def _parse_modelwatch(words: tuple[str, ...]) -> Command:
    if not words:
        return Command(CommandKind.HELP)
    if words[0] not in MODELWATCH_COMMANDS:
        known = [*MODELWATCH_COMMANDS, *KEYWORDS, "wait", "comment", "close"]
        return _unknown_command(did_you_mean(words[0], known, "`help` lists what you can do here."))
    for word in words[1:]:
        value = word.partition("=")[2] if word.startswith("-") else word
        if value.startswith(("/", "~")) or ".." in value.split("/"):
            return _unknown_command("Files stay in the tour's own folder: leave that path out.")
        if word.partition("=")[0] in ("--config", "--now"):
            return _unknown_command(
                f"The tour has its own configuration and clock: leave {word.partition('=')[0]} out."
            )
    if "--help" in words or "-h" in words:
        return Command(CommandKind.USAGE, words)
    return Command(CommandKind.REAL, words)


def _unknown_command(hint: str) -> Command:
    return Command(CommandKind.UNKNOWN, text=hint)
