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
from .windows import RowRanges

FRACTION_PARTS = 2.0**40
"""Into so many parts a value is divided: 1e-12 of it is the most that rounding changes in one histogram."""
MAX_EXACT = 2.0**53
"""Below this float64 holds every whole number, so that sums of whole numbers are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class CumulativeCounts:
    """Per histogram (row) and common point (column) how many values lie at or below it."""

    estimate: Floats
    """Where values lie evenly within their bins."""
    lower: Floats
    upper: Floats
    """Both the same array as ``even`` where all points are ends of bins."""
    n: Floats
    """Values in the whole histogram."""

    def take(self, chosen: slice | Ints) -> CumulativeCounts:
        return self._map_columns(lambda part: [part[chosen]])[0]

    def sum_windows(self, windows: Sequence[RowRanges]) -> list[CumulativeCounts]:
        """For each of these columns of windows, one row a window: its histograms added up."""
        add = _running_sums if self._is_exact() else _plain_sums
        return self._map_columns(lambda part: add(part, windows))

    def _map_columns(self, change: Callable[[Floats], list[Floats]]) -> list[CumulativeCounts]:
        """Parts that are one array stay one."""
        parts = (self.estimate, self.lower, self.upper, self.n)
        changed = {key: change(part) for key, part in {id(part): part for part in parts}.items()}
        return [CumulativeCounts(*one) for one in zip(*(changed[id(part)] for part in parts), strict=True)]

    def _is_exact(self) -> bool:
        """Whether running totals lose nothing."""
        if len(self.n) > MAX_EXACT / FRACTION_PARTS or not self.n.sum() < MAX_EXACT:
            return False
        return all(bool((part == np.floor(part)).all()) for part in (self.lower, self.upper))


def _running_sums(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    whole = np.floor(part)
    found = _differences(whole, windows)
    if (whole == part).all():
        return found
    rest = _differences(np.rint((part - whole) * FRACTION_PARTS), windows)
    return [one + more / FRACTION_PARTS for one, more in zip(found, rest, strict=True)]


def _differences(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    total = np.concatenate([np.zeros((1, *part.shape[1:])), np.cumsum(part, axis=0)])
    return [total[spans.hi] - total[spans.lo] for spans in windows]


def _plain_sums(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    """For counts that are not whole, or too many."""
    return [np.array([part[lo:hi].sum(axis=0) for lo, hi in zip(spans.lo, spans.hi, strict=True)]) for spans in windows]
