"""When the points of a series came: the windows that know new ones, and where one is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..model.cadence import LATE_GAPS, LONG_GAP, MIN_GAPS, Cadence, cadence_starts
from ..model.finding import Grid
from ..stats.arrays import Bools, Floats
from .points import Points
from .windows import EvaluationTimes, RowRanges, row_ranges, window_rows

MAX_COLUMNS = 16
"""Columns of times whose arrivals are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """What the windows of a rule know of the times of a series' points."""

    rows: RowRanges
    """The points of each window."""
    fresh: Bools
    """See ``fresh_rows``."""
    overdue: Bools
    """See ``overdue_rows``."""


class ArrivalsCache:
    """The arrivals of the newest columns of times: most series of a model are logged together."""

    def __init__(self) -> None:
        self._arrivals: dict[tuple[bytes, float, Grid], Arrivals] = {}

    def of(self, points: Floats, window: float, times: EvaluationTimes) -> Arrivals:
        """``points``: their times, ascending; ``window``: seconds."""
        key = (points.tobytes(), window, times.grid)
        if key not in self._arrivals:
            if len(self._arrivals) == MAX_COLUMNS:
                self._arrivals.pop(next(iter(self._arrivals)))
            self._arrivals[key] = Arrivals(
                window_rows(points, window, times),
                fresh_rows([points], window, times),
                overdue_rows(points, times.grid.step, times.at),
            )
        return self._arrivals[key]


def fresh_rows(points: Sequence[Floats], window: float, times: EvaluationTimes) -> Bools:
    """Rows whose window holds points (of any of these times) that the row before did not know."""
    before = np.append(-np.inf, times.at[:-1])
    start = np.maximum(times.at - window, before)
    fresh = np.zeros(len(times.at), np.bool_)
    for column in points:
        fresh |= ~row_ranges(column, start, times.at, times.deployed_since).is_empty
    return fresh


def overdue_rows(arrivals: Floats, every: float, at: Floats) -> Bools:
    """Rows whose newest point is overdue by the gaps that came before, since the cadence last changed; no rows at all
    where too few points are known. ``arrivals`` ascends."""
    gaps = np.diff(arrivals)
    if len(gaps) < MIN_GAPS:
        return np.zeros(0, np.bool_)
    starts = cadence_starts(gaps.tolist(), every) if _may_change_cadence(gaps) else [0]
    limits = np.empty(len(arrivals))
    for begin, end in pairwise([*starts, len(gaps)]):
        # The gap with which a cadence begins is its own, so the point before it waits for the next one as usual in it.
        limits[begin : end + 1] = _overdue_limits(arrivals[begin : end + 1], every)
    newest = np.searchsorted(arrivals, at, side="right") - 1
    return np.asarray((newest >= 0) & (at - arrivals[newest] > limits[newest]))


def _may_change_cadence(gaps: Floats) -> bool:
    """Whether a change need be looked for: mostly no gaps follow each other that are far from the usual one."""
    usual = float(np.median(gaps))
    long, short = gaps > LATE_GAPS * usual, gaps * LATE_GAPS < usual
    return bool((long[1:] & long[:-1]).any() or short.sum() >= MIN_GAPS)


def _overdue_limits(arrivals: Floats, every: float) -> Floats:
    """Seconds after each point from which the next one is overdue, of a series with one cadence."""
    gaps = np.diff(arrivals)
    cadence = Cadence.of(np.sort(gaps), every)  # type: ignore[arg-type]
    limits = np.full(len(arrivals), cadence.least_limit)
    for place in (*np.flatnonzero(gaps > LONG_GAP * cadence.gap).tolist(), len(gaps)):
        gap = float(gaps[place]) if place < len(gaps) else np.inf
        if gap > cadence.least_limit:
            limits[place] = cadence.overdue_after(place, float(arrivals[place] - arrivals[0]))
        cadence.add(gap)
    return limits


def new_segment_rows(points: Points, times: Floats, window: float, start: float) -> Bools | None:
    """Rows before the segment has been there for a full window; ``None`` where it was there from the beginning."""
    if not len(points.times) or points.times[0] <= start + window:
        return None
    return np.asarray(times < points.times[0] + window)
