"""The short notation of series: ``0.91~0.01x28d 0.80x48`` -> one value for each point of time.

A series is a list of parts with blanks between them; each part is a value that is repeated:

==================  ====================================================================
``0.91``            one point; alone in its series it is repeated at every time of the test
``0.91x600``        600 points
``0.91x25d``        the points of 25 days
``0.91-0.001x60``   60 points that begin at 0.91, each 0.001 less than the one before
``0.91~0.01x600``   600 points with normal noise whose standard deviation is 0.01
``_x5``             five times at which nothing is logged
``nanx5``           five points that are no number (``inf`` and ``-inf``, too)
==================  ====================================================================

Unlike in promtool's notation, where ``0.91x600`` are 601 samples, the number after ``x`` is how many points there are.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..config.literals import format_duration, parse_duration, parse_number

GAP = "_"
MAX_POINTS = 200_000
"""Of one series: more than 22 years of hours."""
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?%?"
_PART = re.compile(
    rf"(?:(?P<gap>_)|(?P<odd>nan|[-+]?inf)|(?P<value>[-+]?{_NUMBER})(?P<step>[-+]{_NUMBER})?(?:~(?P<noise>{_NUMBER}))?)"
    r"(?:x(?P<count>[0-9wdhms]+))?"
)
_VERSION = re.compile(r"(?P<name>\S+?)(?:x(?P<count>[0-9wdhms]+))?")


class NotationError(ValueError):
    """A part that cannot be read; ``index`` is the place of its first character in the text."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.message, self.index = message, index


@dataclass(frozen=True, slots=True)
class Part:
    """One repeated value."""

    value: float | None
    """``None``: a gap."""
    step: float = 0.0
    noise: float = 0.0
    count: int | None = 1
    """``None``: at every time of the test."""


def parse_values(text: str, every: float) -> tuple[Part, ...]:
    """The parts of a series whose points are ``every`` seconds apart. Raises NotationError."""
    found = []
    words = list(_words(text))
    for word, index in words:
        match = _PART.fullmatch(word)
        if match is None:
            raise NotationError(
                f"`{word[:40]}` is no part of a series such as `0.91x600`, `0.9-0.01x24` or `_x5`.", index
            )
        count = _count(match["count"], every, index, is_alone=len(words) == 1)
        if match["gap"]:
            found.append(Part(None, count=count))
        elif match["odd"]:
            found.append(Part(float(match["odd"]), count=count))
        else:
            value, step, noise = (parse_number(match[name] or "0") for name in ("value", "step", "noise"))
            if value is None or step is None or noise is None:
                raise NotationError(f"`{word[:40]}` holds a number that is too large.", index)
            found.append(Part(value, step, noise, count))
    return tuple(_within_bounds(found))


def parse_versions(text: str, every: float) -> tuple[tuple[str, int | None], ...]:
    """``v1x28d v2x48`` -> names and for how many points each serves; ``_``: unknown. Raises NotationError."""
    words = list(_words(text))
    found: list[tuple[str, int | None]] = []
    for word, index in words:
        match = _VERSION.fullmatch(word)
        assert match is not None  # noqa: S101 - a word has no blank
        count = _count(match["count"], every, index, is_alone=len(words) == 1)
        found.append(("" if match["name"] == GAP else match["name"], count))
    if sum(count or 0 for _, count in found) > MAX_POINTS:
        raise NotationError(f"a test has at most {MAX_POINTS:,} points.", 0)
    return tuple(found)


def expand_values(
    parts: tuple[Part, ...], points: int, stream: str, *, is_share: bool = False
) -> tuple[float | None, ...]:
    """One value a point. ``points``: of the test, for parts that are at every time; ``stream`` seeds the noise, which
    takes no value out of [0, 1] with ``is_share``."""
    source = random.Random(stream)  # noqa: S311 - noise of a test
    values: list[float | None] = []
    for part in parts:
        count = points if part.count is None else part.count
        if part.value is None:
            values += [None] * count
        elif part.noise:
            noisy = (part.value + part.step * place + source.gauss(0.0, part.noise) for place in range(count))
            values += [min(max(value, 0.0), 1.0) for value in noisy] if is_share else noisy
        else:
            values += [part.value + part.step * place for place in range(count)]
    return tuple(values)


def count_points(parts: tuple[Part, ...]) -> int:
    """How many points the parts state; those that are at every time state none."""
    return sum(part.count or 0 for part in parts)


def _words(text: str) -> Iterator[tuple[str, int]]:
    words = [(match[0], match.start()) for match in re.finditer(r"\S+", text)]
    if not words:
        raise NotationError("the series is empty.", 0)
    yield from words


def _count(text: str | None, every: float, index: int, *, is_alone: bool) -> int | None:
    if text is None:
        return None if is_alone else 1
    if text.isdigit():
        count = int(text.lstrip("0")[:9] or 0)
    else:
        seconds = parse_duration(text)
        if seconds is None:
            raise NotationError(f"`{text[:20]}` after `x` is neither a number of points nor a duration.", index)
        if not math.isclose(seconds / every, round(seconds / every), abs_tol=1e-9):
            raise NotationError(f"{text} is no multiple of the {format_duration(every)} between two points.", index)
        count = round(seconds / every)
    if not count:
        raise NotationError("a part has at least one point.", index)
    return count


def _within_bounds(parts: list[Part]) -> list[Part]:
    if sum(part.count or 0 for part in parts) > MAX_POINTS:
        raise NotationError(f"a series has at most {MAX_POINTS:,} points.", 0)
    return parts
