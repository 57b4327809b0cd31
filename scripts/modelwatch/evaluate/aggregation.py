"""Aggregates the points of a window to one number with its count and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..model.rule import PROPORTION_INTERVALS, Aggregate, Interval
from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import normal_interval, wilson_interval
from .arrays import nans
from .points import Points
from .windows import RowRanges, row_ranges, window_quantiles, window_squares, window_sums

QUANTILES = {Aggregate.P50: 0.5, Aggregate.P95: 0.95, Aggregate.P99: 0.99}

ROUNDING = 1e-9
"""How far a weighted mean of proportions may leave [0, 1] by rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowStats:
    """One row a window; NaN where there is nothing."""

    value: Floats
    n: Floats
    """Count: sum of the known weights (LAST: of the last point); NaN where no count is known."""
    points: Ints
    low: Floats
    high: Floats
    """95 % interval of ``value``; NaN where there is none."""


def is_no_proportion(value: Floats) -> Bools:
    """Rows that are no proportion: outside [0, 1] by more than rounding."""
    return (value < -ROUNDING) | (value > 1 + ROUNDING)


def proportion_interval(value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Wilson's interval; NaN where the value is no proportion or the count is unknown."""
    low, high = wilson_interval(np.minimum(np.maximum(value, 0.0), 1.0), n)
    outside = is_no_proportion(value)
    if outside.any():
        low[outside] = high[outside] = np.nan
    return low, high


class Aggregator:
    """Points aggregated over any windows: those of the rule, and those of its baseline."""

    def __init__(self, points: Points, denominator: Points | None, how: Aggregate, interval: Interval) -> None:
        self.points = points
        self.denominator = denominator
        self.aggregation = how
        self.interval = interval

    def aggregate(
        self, start: Floats, end: Floats, floor: Floats | None = None, rows: RowRanges | None = None
    ) -> WindowStats:
        """Aggregate every window ``(start, end]``, clipped to begin at ``floor`` (inclusive) where that is later.
        ``rows``: the points of each, where they are known already."""
        spans = row_ranges(self.points.times, start, end, floor) if rows is None else rows
        if self.aggregation is Aggregate.RATIO:
            value, n = self._ratio(spans, start, end, floor)
        elif self.aggregation is Aggregate.LAST:
            value, n = self._last(spans)
        elif self.aggregation in QUANTILES:
            return self._quantiles(spans)
        else:
            value, n = self._values(spans)
        known = np.isfinite(value)
        if not known.all():
            value = np.where(known, value, np.nan)
            n = np.where(known, n, np.nan)
        low, high = self._intervals(spans, value, n)
        return WindowStats(value, n, spans.counts, low, high)

    def standard_deviation(self, start: Floats, end: Floats, floor: Floats | None = None) -> Floats:
        """Standard deviation (n - 1) of the points of each window; NaN for fewer than two."""
        spans = row_ranges(self.points.times, start, end, floor)
        counts = spans.counts
        mean = _divide(window_sums(self.points.values, spans), counts)
        return np.sqrt(_divide(window_squares(self.points.values, spans, mean), np.maximum(counts - 1, 0)))

    @cached_property
    def _weights(self) -> tuple[Floats, Floats, Floats | None]:
        """Known weights (0 where unknown), weight times value, and where it matters 1 for every unknown weight."""
        weights = self.points.weights
        if weights is None:
            weights = nans(len(self.points.values))
        unknown = np.isnan(weights)
        if not unknown.any():
            return weights, weights * self.points.values, None
        known = np.where(unknown, 0.0, weights)
        return known, known * self.points.values, unknown.astype(np.float64)

    def _values(self, spans: RowRanges) -> tuple[Floats, Floats]:
        counts = spans.counts
        n = self._count(spans)
        if self.aggregation is Aggregate.MEAN:
            return self._mean(spans, n), n
        return np.where(counts > 0, window_sums(self.points.values, spans), np.nan), n

    def _quantiles(self, spans: RowRanges) -> WindowStats:
        value, low, high = window_quantiles(self.points.values, spans, QUANTILES[self.aggregation])
        if self.interval is not Interval.NORMAL:
            low = high = nans(len(value))
        return WindowStats(value, np.where(np.isfinite(value), self._count(spans), np.nan), spans.counts, low, high)

    def _count(self, spans: RowRanges) -> Floats:
        if self.points.weights is None:
            return nans(len(spans.lo))
        total = window_sums(self._weights[0], spans)
        return np.where(total > 0, total, np.nan) if not total.all() else total

    def _mean(self, spans: RowRanges, n: Floats) -> Floats:
        """Weighted mean. A point of unknown count weighs as much as the average point of its window that has one,
        and adds nothing to the count; where no count is known at all, every point weighs the same."""
        if self.points.weights is None:
            return _divide(window_sums(self.points.values, spans), spans.counts)
        _, products, unknown = self._weights
        if unknown is None:
            return _divide(window_sums(products, spans), n)
        each = self._unknown_weight(spans, n)
        missing = window_sums(unknown, spans)
        strange = window_sums(unknown * self.points.values, spans)
        return _divide(window_sums(products, spans) + each * strange, np.nan_to_num(n) + each * missing)

    def _unknown_weight(self, spans: RowRanges, n: Floats) -> Floats:
        """What a point of unknown count weighs in each window."""
        unknown = self._weights[2]
        missing = window_sums(unknown, spans) if unknown is not None else np.zeros(len(spans.lo))
        average = _divide(n, spans.counts - missing)
        return np.where(np.isnan(average), 1.0, average)

    def _last(self, spans: RowRanges) -> tuple[Floats, Floats]:
        row = np.where(spans.is_empty, len(self.points.values), spans.hi - 1)
        value = np.append(self.points.values, np.nan)[row]
        if self.points.weights is None:
            return value, nans(len(value))
        return value, np.append(self.points.weights, np.nan)[row]

    def _ratio(self, spans: RowRanges, start: Floats, end: Floats, floor: Floats | None) -> tuple[Floats, Floats]:
        """Sum over sum. The count is the metric's own where it is known, else the denominator."""
        if self.denominator is None:
            return nans(len(start)), nans(len(start))
        below = window_sums(self.denominator.values, row_ranges(self.denominator.times, start, end, floor))
        value = np.where(spans.is_empty, np.nan, _divide(window_sums(self.points.values, spans), below))
        n = self._count(spans)
        return value, np.where(np.isnan(n), below, n)

    def _intervals(self, spans: RowRanges, value: Floats, n: Floats) -> tuple[Floats, Floats]:
        """The interval of each window's value; NaN where the aggregate has none of the requested kind."""
        if self.interval in PROPORTION_INTERVALS and self.aggregation in (
            Aggregate.MEAN,
            Aggregate.LAST,
            Aggregate.RATIO,
        ):
            return proportion_interval(value, n)
        if self.interval is Interval.NORMAL and self.aggregation in (Aggregate.MEAN, Aggregate.SUM):
            return normal_interval(value, self._standard_error(spans, value, n))
        return nans(len(value)), nans(len(value))

    def _standard_error(self, spans: RowRanges, value: Floats, n: Floats) -> Floats:
        """Standard error of the mean or the sum of each window, from the spread of its points; NaN below two points.

        Weighted mean: ``sqrt(k / (k - 1) * sum((w (x - mean))^2)) / sum(w)``, the ratio
        estimator's (Cochran 1977, 6.13); with equal weights it is ``sd / sqrt(k)``.
        """
        counts = spans.counts
        few = _divide(counts.astype(np.float64), np.maximum(counts - 1, 0))
        if self.aggregation is Aggregate.SUM:
            return np.sqrt(few * window_squares(self.points.values, spans, _divide(value, counts)))
        if self.points.weights is None:
            return np.sqrt(few * window_squares(self.points.values, spans, value)) / np.maximum(counts, 1)
        known, _, unknown = self._weights
        apart = window_squares(self.points.values, spans, value, known)
        if unknown is not None:
            each = self._unknown_weight(spans, n)
            apart = apart + each**2 * window_squares(self.points.values, spans, value, unknown)
            n = np.nan_to_num(n) + each * window_sums(unknown, spans)
        return _divide(np.sqrt(few * apart), n)


def _divide(above: Floats, below: Floats | Ints) -> Floats:
    """A quotient that is NaN, silently, where ``below`` is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(below != 0, above / below, np.nan)
