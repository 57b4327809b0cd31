"""The result of one condition, and how its texts quote what others wrote."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import UserError, shorten
from ..timeutil import DAY, HOUR, MINUTE


class State(StrEnum):
    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """It could not be checked."""


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """What the check of one condition found."""

    name: str
    state: State
    what: str
    """One sentence in plain English; names and messages of others are code spans."""
    since: float | None = None
    """Since when it is broken (seconds, UTC), where that is known."""
    todo: str = ""
    """What to do about it; empty where it is ok."""
    checked: bool = True
    """Whether it could be checked: what could not be, too often, is broken, too."""


def worst_of(parts: Sequence[ConditionResult]) -> ConditionResult:
    """The result of a condition that was checked for each of several things: the first that is broken, else the first
    that cannot be checked, else the first. What else could not be checked is named, too."""
    order = (State.BROKEN, State.UNKNOWN, State.OK)
    worst = min(parts, key=lambda part: order.index(part.state))
    if worst.state is not State.BROKEN:
        return worst
    others = [part.what for part in parts if part.state is State.UNKNOWN]
    return replace(worst, what="; ".join([worst.what, *others]))


def unknown_result(name: str, error: UserError, subject: str = "") -> ConditionResult:
    """The condition cannot be checked, for this reason; ``subject``: of several things the one it is about."""
    about = f" for {quote(subject)}" if subject else ""
    hint = f": {quote(error.hint)}" if error.hint else ""
    todo = f"Make it possible to check this{hint}, or leave it out: {quote(f'--without {name}')}."
    what = f"cannot be checked{about}: {quote(error.message, 300)}"
    return ConditionResult(name, State.UNKNOWN, what, None, todo, checked=False)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_PLAIN_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`|\\\x00-\x1f\x7f]+")


def quote(text: object, limit: int = 200) -> str:
    """``text`` as a code span on one line: Markdown, HTML and mentions in it mean nothing, and nothing is invisible."""
    flat = shorten(text, limit).rstrip(".").replace("`", "'")
    flat = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _INVISIBLE else char for char in flat)
    return f"`{flat or ' '}`"


def address(url: str) -> str:
    """``url`` as a link; as a code span where it is no plain address."""
    return url if _PLAIN_ADDRESS.fullmatch(url) else quote(url)


def length(seconds: float) -> str:
    """``45 min``, ``1.5 h``, ``12.4 days``."""
    for least, unit, name in ((2 * DAY, DAY, "days"), (HOUR, HOUR, "h")):
        if seconds >= least:
            return f"{seconds / unit:.1f} {name}".replace(".0 ", " ")
    return f"{max(seconds, 0.0) / MINUTE:.0f} min"
