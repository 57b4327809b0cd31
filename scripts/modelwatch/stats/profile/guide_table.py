"""Counting between edges in a time that does not depend on their number: a guide table (Chen and Asau 1974).

Equally wide cells over where most values lie. A value's cell never falls as the value grows, whatever rounding does, so
that a cell without an edge lies within one bin, and is counted whole. Only values that share a cell with an edge have
to be looked at one by one. Several times faster than sorting, and the same to the last count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Bools, Floats, Ints

CELLS = 1 << 15
"""Their counts, of eight bytes each, fit into a core's own cache."""
MIN_VALUES = 4096
"""Values below which sorting costs less."""
OUTER_QUANTILES = (0.01, 0.99)
PROBE_SIZE = 512
MAX_EDGE_CELL_SHARE = 0.4
"""More of the values than this in cells with edges, and sorting costs less."""


@dataclass(frozen=True, slots=True, eq=False)
class GuideTable:
    """For one set of edges; pickles to these and the range only."""

    edges: Floats
    low: float
    high: float
    scale: float
    """Cells per unit of the values."""
    has_edge: Bools
    """Cells that hold an edge, and the two outer ones: whatever lies beyond the range, or is no number."""
    bin_ends: Ints
    """Per bin, how many cells lie at or below it."""

    @classmethod
    def build(cls, edges: Floats, low: float, high: float) -> GuideTable | None:
        """``low`` and ``high``: where most values lie; ``None`` where they are no range."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            scale = (CELLS - 2) / (np.float64(high) - low)
        if not (np.isfinite(scale) and scale > 0 and len(edges)):
            return None
        at = _cell_numbers(edges, low, float(scale))
        has_edge = np.zeros(CELLS, dtype=np.bool_)
        has_edge[at] = has_edge[0] = has_edge[-1] = True
        bins = np.searchsorted(at, np.arange(CELLS), side="left")
        ends = np.searchsorted(bins, np.arange(len(edges) + 1), side="right")
        return cls(edges, low, high, float(scale), has_edge, ends)

    @classmethod
    def from_sample(cls, edges: Floats, values: Floats) -> GuideTable | None:
        """Over all but the outer hundredths of ``values``, of which a few thousand are asked."""
        sample = values[:: max(1, len(values) // MIN_VALUES)]
        sample = sample[np.isfinite(sample)]
        return cls.build(edges, *np.quantile(sample, OUTER_QUANTILES).tolist()) if len(sample) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return GuideTable.build, (self.edges, self.low, self.high)

    def count(self, values: Floats) -> tuple[Ints | None, Floats]:
        """Counts of the values that lie in cells without an edge, and the values that do not: those are still to be
        counted. ``None`` and all of them where a guide is no help."""
        if len(values) < MIN_VALUES:
            return None, values
        probe = values[:: len(values) // PROBE_SIZE]
        if self.has_edge[_cell_numbers(probe, self.low, self.scale)].mean() > MAX_EDGE_CELL_SHARE:
            return None, values
        at = _cell_numbers(values, self.low, self.scale)
        tally = np.bincount(at, minlength=CELLS)
        tally[self.has_edge] = 0
        below = np.concatenate([[0], np.cumsum(tally)])
        return np.diff(below[self.bin_ends], prepend=0), values[self.has_edge[at]]

    def is_beyond(self, low: float, high: float) -> bool:
        """Whether these two lie outside the range on either side, so that no value counted here is beyond them."""
        first, last = _cell_numbers(np.array([low, high]), self.low, self.scale)
        return not math.isnan(low) and first == 0 and last == CELLS - 1


@np.errstate(over="ignore", invalid="ignore")
def _cell_numbers(values: Floats, low: float, scale: float) -> Ints:
    """1 to ``CELLS - 2`` within the range, 0 and ``CELLS - 1`` below and above; 0 for NaN."""
    at = values - low
    at *= scale
    np.fmax(at, -1.0, out=at)
    np.fmin(at, CELLS - 2.0, out=at)
    at += 1.0
    return at.astype(np.int64)
