"""What a typed line asks for. Pure: whatever is typed is data, and no shell ever sees it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import pairwise

from ...report.escape import plain_line as harmless

LONGEST = 1000
"""Letters of a line that anybody reads."""
REAL = ("check", "diagnose", "status", "audit", "run", "release", "runbooks", "explain", "baseline", "config")
"""Commands of modelwatch that can be given here."""
LONGEST_WAIT = 240
_WAIT = re.compile(r"(\d{1,5})\s*(m|min|minutes?|h|hours?)?", re.IGNORECASE)


class What(StrEnum):
    NOTHING = "nothing"
    HELP = "help"
    QUIT = "quit"
    WAIT = "wait"
    ACK = "ack"
    PAGE = "page"
    ISSUE = "issue"
    RUNBOOK = "runbook"
    COMMENT = "comment"
    DISPATCH = "dispatch"
    REAL = "modelwatch"
    USAGE = "usage"
    """Of one of its commands."""
    PUZZLE = "puzzle"


@dataclass(frozen=True, slots=True)
class Wish:
    """One line, understood. ``text``: of the comment; of a puzzle the hint; of a dispatch the workflow's verb."""

    what: What
    words: tuple[str, ...] = ()
    text: str = ""
    minutes: int = 0


WORDS = {
    "help": What.HELP, "?": What.HELP, "h": What.HELP, "--help": What.HELP,
    "quit": What.QUIT, "exit": What.QUIT, "q": What.QUIT, "bye": What.QUIT,
    "ack": What.ACK, "acknowledge": What.ACK, "page": What.PAGE, "incident": What.PAGE,
    "issue": What.ISSUE, "runbook": What.RUNBOOK,
}  # fmt: skip


def read(typed: str) -> Wish:
    """What ``typed`` asks for; never raises."""
    if len(typed) > LONGEST:
        return _puzzle("That is longer than any command.")
    text = harmless(typed.lstrip("\ufeff"), LONGEST)
    if not text or text.startswith("#"):
        return Wish(What.NOTHING)
    if text.startswith("/modelwatch"):
        return Wish(What.COMMENT, text=text)
    head, _, rest = text.partition(" ")
    if head.lower() in WORDS:
        return Wish(WORDS[head.lower()])
    if head.lower() == "wait":
        return _wait(rest.strip())
    if head.lower() == "comment":
        return _comment(rest.strip())
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        return _puzzle("A quotation mark is left open.")
    if words[:1] == ("gh",):
        return _gh(words[1:])
    return _real(words[1:] if words[:1] == ("modelwatch",) else words)


def _wait(text: str) -> Wish:
    found = _WAIT.fullmatch(text)
    unit = (found[2] or "m")[0].lower() if found else "m"
    minutes = int(found[1]) * (60 if unit == "h" else 1) if found else 0
    if not 0 < minutes <= LONGEST_WAIT:
        return _puzzle(f"Say how long, up to {LONGEST_WAIT // 60} hours: `wait 30m`.")
    return Wish(What.WAIT, minutes=minutes)


def _comment(text: str) -> Wish:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    if not text.strip():
        return _puzzle("Say what: `comment /modelwatch approve`.")
    return Wish(What.COMMENT, text=text)


def _gh(words: tuple[str, ...]) -> Wish:
    """The few commands of GitHub's own command line that runbooks name."""
    match words:
        case ("issue", "view", *_):
            return Wish(What.ISSUE)
        case ("issue", "comment", *rest):
            bodies = [two for one, two in pairwise(rest) if one in ("--body", "-b")]
            return _comment(bodies[0] if bodies else "")
        case ("workflow", "run", name, *rest):
            fields = [two for one, two in pairwise(rest) if one in ("-f", "-F", "--field")]
            return Wish(What.DISPATCH, tuple(fields), name.removesuffix(".yml"))
    return _puzzle("Of gh there are `gh issue view`, `gh issue comment` and `gh workflow run` here.")


def _real(words: tuple[str, ...]) -> Wish:
    if not words:
        return Wish(What.HELP)
    if words[0] not in REAL:
        near = get_close_matches(words[0].lower(), [*REAL, *WORDS, "wait", "comment"], 1)
        return _puzzle(f"Did you mean `{near[0]}`?" if near else "`help` lists what you can do here.")
    for word in words[1:]:
        value = word.partition("=")[2] if word.startswith("-") else word
        if value.startswith(("/", "~")) or ".." in value.split("/"):
            return _puzzle("Files stay in the tour's own folder: leave that path out.")
        if word.partition("=")[0] in ("--config", "--now"):
            return _puzzle(f"The tour has its own configuration and clock: leave {word.partition('=')[0]} out.")
    if "--help" in words or "-h" in words:
        return Wish(What.USAGE, words)
    return Wish(What.REAL, words)


def _puzzle(hint: str) -> Wish:
    return Wish(What.PUZZLE, text=hint)
