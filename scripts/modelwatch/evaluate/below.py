"""Histograms laid on common points, and their sums over stretches of time.

Windows overlap, so each would add up most of what its neighbour did. Running totals give all of them by one difference,
and here without losing a digit: counts are whole numbers, and what interpolation puts between them is rounded to parts
of a value that are so small that nobody sees them, and that add up exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .columns import Floats, Ints
from .windows import Spans

PARTS = 2.0**40
"""Into so many parts a value is divided: 1e-12 of it is the most that rounding changes in one histogram."""
EXACT = 2.0**53
"""Below this float64 holds every whole number, so that sums of whole numbers are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """Per histogram (row) and common point (column) how many values lie at or below it."""

    even: Floats
    """Where values lie evenly within their bins."""
    least: Floats
    most: Floats
    """Both the same array as ``even`` where all points are ends of bins."""
    n: Floats
    """Values in the whole histogram."""

    def rows(self, chosen: slice | Ints) -> Below:
        return self._by_part(lambda part: [part[chosen]])[0]

    def merged(self, windows: Sequence[Spans]) -> list[Below]:
        """For each of these columns of windows, one row a window: its histograms added up."""
        add = _running if self._is_exact() else _one_by_one
        return self._by_part(lambda part: add(part, windows))

    def _by_part(self, change: Callable[[Floats], list[Floats]]) -> list[Below]:
        """Parts that are one array stay one."""
        parts = (self.even, self.least, self.most, self.n)
        changed = {key: change(part) for key, part in {id(part): part for part in parts}.items()}
        return [Below(*one) for one in zip(*(changed[id(part)] for part in parts), strict=True)]

    def _is_exact(self) -> bool:
        """Whether running totals lose nothing."""
        if len(self.n) > EXACT / PARTS or not self.n.sum() < EXACT:
            return False
        return all(bool((part == np.floor(part)).all()) for part in (self.least, self.most))


def _running(part: Floats, windows: Sequence[Spans]) -> list[Floats]:
    whole = np.floor(part)
    found = _differences(whole, windows)
    if (whole == part).all():
        return found
    rest = _differences(np.rint((part - whole) * PARTS), windows)
    return [one + more / PARTS for one, more in zip(found, rest, strict=True)]


def _differences(part: Floats, windows: Sequence[Spans]) -> list[Floats]:
    total = np.concatenate([np.zeros((1, *part.shape[1:])), np.cumsum(part, axis=0)])
    return [total[spans.hi] - total[spans.lo] for spans in windows]


def _one_by_one(part: Floats, windows: Sequence[Spans]) -> list[Floats]:
    """For counts that are not whole, or too many."""
    return [np.array([part[lo:hi].sum(axis=0) for lo, hi in zip(spans.lo, spans.hi, strict=True)]) for spans in windows]
