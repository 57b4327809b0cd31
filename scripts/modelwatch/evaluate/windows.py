"""The evaluation times of a rule, and sums and quantiles of the points in each window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..model.finding import Grid
from ..model.rule import Rule
from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import z_value
from .arrays import nans


def evaluation_grid(rule: Rule, now: float, history: float) -> Grid:
    """UTC multiples of ``rule.every`` from ``now - history`` up to ``now - rule.lag``, both included; of a rule that
    waits for labels all of them by ``rule.label_age`` earlier.

    Whatever ``now`` is, the same moments are judged, so a late evaluation finds what an early one found. The grid
    has at least one time: the newest, even where ``lag`` reaches further back than ``history``.
    """
    every, now = rule.every, now - rule.label_age
    last = math.floor((now - rule.lag) / every)
    first = min(math.ceil((now - history) / every), last)
    return Grid(start=first * every, step=every, count=last - first + 1)


def grid_times(grid: Grid) -> Floats:
    """All evaluation times, ascending (seconds, UTC)."""
    return grid.start + np.arange(grid.count, dtype=np.float64) * grid.step


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationTimes:
    """The evaluation times of a rule, and which version served at each."""

    grid: Grid
    at: Floats
    deployed_since: Floats | None
    """When the version at each time was deployed: no window reaches further back."""
    version: Ints


MAX_PAIRS = 1 << 20
"""At most this many (window, row) pairs are laid out at once: 8 MiB a column."""


@dataclass(frozen=True, slots=True, eq=False)
class RowRanges:
    """Rows ``lo[i]`` to ``hi[i] - 1`` belong to window ``i``."""

    lo: Ints
    hi: Ints

    @property
    def counts(self) -> Ints:
        return self.hi - self.lo

    @property
    def is_empty(self) -> Bools:
        return self.hi <= self.lo


def row_ranges(times: Floats, start: Floats, end: Floats, floor: Floats | None = None) -> RowRanges:
    """Rows with ``start < time <= end`` and, where it is given, ``time >= floor``. ``times`` ascends strictly."""
    lo = np.searchsorted(times, start, side="right")
    hi = np.searchsorted(times, end, side="right")
    if floor is not None:
        lo = np.maximum(lo, np.searchsorted(times, floor, side="left"))
    return RowRanges(np.minimum(lo, hi), hi)


def window_rows(points: Floats, window: float, times: EvaluationTimes) -> RowRanges:
    """The rows, by the times of the points, of the window (seconds) that ends at each evaluation time."""
    return row_ranges(points, times.at - window, times.at, times.deployed_since)


def window_sums(column: Floats, spans: RowRanges) -> Floats:
    """Sum of the column over each window; 0 for an empty one."""
    padded = np.append(column, 0.0)
    edges = np.empty(2 * len(spans.lo), dtype=np.int64)
    edges[0::2] = spans.lo
    edges[1::2] = spans.hi
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(padded, edges)[0::2] if len(edges) else nans(0)
    total[spans.is_empty] = 0.0
    return total


def only_bad_rows(bad_times: Floats, points: Ints, window: float, times: EvaluationTimes) -> Bools | None:
    """Windows without any of their ``points`` that hold points that are not finite; ``None``: there are none."""
    if not len(bad_times):
        return None
    return np.asarray((points == 0) & ~window_rows(bad_times, window, times).is_empty)


def uncounted_rows(points: Floats, counts: Floats | None, window: float, times: EvaluationTimes) -> Bools | None:
    """Windows that hold points, none of them with a known count; ``None``: there are none. ``points``: their times."""
    if counts is None or not np.isnan(counts).any():
        return None
    spans = window_rows(points, window, times)
    return np.asarray(~spans.is_empty & (window_sums(np.isfinite(counts).astype(np.float64), spans) == 0))


def window_squares(values: Floats, spans: RowRanges, centre: Floats, weights: Floats | None = None) -> Floats:
    """Sum of ``(weight * (value - centre)) ** 2`` over each window, in two passes so that no digits cancel."""
    result = np.zeros(len(spans.lo))
    for rows, index, starts, counts in _row_batches(spans):
        apart = values[index] - np.repeat(centre[rows], counts)
        if weights is not None:
            apart *= weights[index]
        with np.errstate(over="ignore"):
            result[rows] = np.add.reduceat(apart * apart, starts)
    return result


def _row_batches(spans: RowRanges) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Windows that hold rows, in batches: their numbers, the rows of all of them in one line, where each starts."""
    filled = np.flatnonzero(~spans.is_empty)
    counts = spans.counts[filled]
    ends = np.cumsum(counts)
    at = 0
    while at < len(filled):
        before = int(ends[at - 1]) if at else 0
        until = max(int(np.searchsorted(ends, before + MAX_PAIRS, side="right")), at + 1)
        rows, size = filled[at:until], counts[at:until]
        starts = ends[at:until] - size - before
        index = np.arange(int(size.sum())) + np.repeat(spans.lo[rows] - starts, size)
        yield rows, index, starts, size
        at = until


def window_quantiles(values: Floats, spans: RowRanges, q: float) -> tuple[Floats, Floats, Floats]:
    """The quantile ``q`` of each window's points and its 95 % interval; NaN for an empty window.

    Linear between order statistics (type 7 of Hyndman and Fan 1996, NumPy's default). The interval lies between the
    order statistics at ranks ``n q -+ z sqrt(n q (1 - q))`` (Conover 1999, 3.2), within the observed range.
    """
    value, low, high = (nans(len(spans.lo)) for _ in range(3))
    for rows, table, counts in _sorted_rows(values, spans):
        place = np.arange(len(rows))
        rank = (counts - 1) * q
        below = np.floor(rank).astype(np.int64)
        above = np.minimum(below + 1, counts - 1)
        left, right = table[place, below], table[place, above]
        value[rows] = left + (right - left) * (rank - below)
        half = z_value() * np.sqrt(counts * q * (1 - q))
        low[rows] = table[place, np.clip(np.floor(counts * q - half).astype(np.int64) - 1, 0, below)]
        high[rows] = table[place, np.clip(np.ceil(counts * q + half).astype(np.int64), above, counts - 1)]
    return value, low, high


def _sorted_rows(values: Floats, spans: RowRanges) -> Iterator[tuple[Ints, Floats, Ints]]:
    """Windows that hold rows, in batches, as a table of sorted values; short rows end in infinities."""
    filled = np.flatnonzero(~spans.is_empty)
    if not len(filled):
        return
    padded = np.append(values, np.inf)
    longest = int(spans.counts[filled].max())
    size = max(1, MAX_PAIRS // longest)
    for at in range(0, len(filled), size):
        rows = filled[at : at + size]
        counts = spans.counts[rows]
        offsets = np.arange(longest)
        index = np.where(offsets < counts[:, None], spans.lo[rows, None] + offsets, len(values))
        yield rows, np.sort(padded[index], axis=1), counts
