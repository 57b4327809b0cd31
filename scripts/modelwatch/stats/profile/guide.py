"""Counting between edges in a time that does not depend on their number: a guide table (Chen and Asau 1974).

Equally wide cells over where most values lie. A value's cell never falls as the value grows, whatever rounding does, so
that a cell without an edge lies within one bin, and is counted whole. Only values that share a cell with an edge have
to be looked at one by one. Several times faster than sorting, and the same to the last count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELLS = 1 << 15
"""Their counts, of eight bytes each, fit into a core's own cache."""
LEAST = 4096
"""Values below which sorting costs less."""
OUTER = (0.01, 0.99)
PROBE = 512
WORTH = 0.4
"""More of the values than this in cells with edges, and sorting costs less."""


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """For one set of edges; pickles to nothing but these and the range."""

    edges: Floats
    low: float
    high: float
    scale: float
    """Cells per unit of the values."""
    held: NDArray[np.bool_]
    """Cells that hold an edge, and the two outer ones: whatever lies beyond the range, or is no number."""
    ends: Ints
    """Per bin, how many cells lie at or below it."""

    @classmethod
    def of(cls, edges: Floats, low: float, high: float) -> Guide | None:
        """``low`` and ``high``: where most values lie; ``None`` where they are no range."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            scale = (CELLS - 2) / (np.float64(high) - low)
        if not (np.isfinite(scale) and scale > 0 and len(edges)):
            return None
        at = _cells(edges, low, float(scale))
        held = np.zeros(CELLS, dtype=np.bool_)
        held[at] = held[0] = held[-1] = True
        bins = np.searchsorted(at, np.arange(CELLS), side="left")
        ends = np.searchsorted(bins, np.arange(len(edges) + 1), side="right")
        return cls(edges, low, high, float(scale), held, ends)

    @classmethod
    def around(cls, edges: Floats, values: Floats) -> Guide | None:
        """Over all but the outer hundredths of ``values``, of which a few thousand are asked."""
        some = values[:: max(1, len(values) // LEAST)]
        some = some[np.isfinite(some)]
        return cls.of(edges, *np.quantile(some, OUTER).tolist()) if len(some) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return Guide.of, (self.edges, self.low, self.high)

    def count(self, values: Floats) -> tuple[Ints | None, Floats]:
        """Counts of the values that lie in cells without an edge, and the values that do not: those are still to be
        counted. ``None`` and all of them where a guide is no help."""
        if len(values) < LEAST:
            return None, values
        probe = values[:: len(values) // PROBE]
        if self.held[_cells(probe, self.low, self.scale)].mean() > WORTH:
            return None, values
        at = _cells(values, self.low, self.scale)
        tally = np.bincount(at, minlength=CELLS)
        tally[self.held] = 0
        below = np.concatenate([[0], np.cumsum(tally)])
        return np.diff(below[self.ends], prepend=0), values[self.held[at]]


@np.errstate(over="ignore", invalid="ignore")
def _cells(values: Floats, low: float, scale: float) -> Ints:
    """1 to ``CELLS - 2`` within the range, 0 and ``CELLS - 1`` below and above; 0 for NaN."""
    at = values - low
    at *= scale
    np.fmax(at, -1.0, out=at)
    np.fmin(at, CELLS - 2.0, out=at)
    at += 1.0
    return at.astype(np.int64)
