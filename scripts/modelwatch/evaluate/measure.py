"""How the points of a window become one number with its count and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..model.rule import Aggregate, Interval
from ..stats.intervals import normal, wilson
from .columns import Bools, Floats, Ints, nans
from .points import Points
from .windows import Spans, quantiles, spans_of, squares, sums

QUANTILE = {Aggregate.P50: 0.5, Aggregate.P95: 0.95, Aggregate.P99: 0.99}

ROUNDING = 1e-9
"""How far a weighted mean of proportions may leave [0, 1] by rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Stat:
    """One row a window; NaN where there is nothing."""

    value: Floats
    n: Floats
    """Count: sum of the known weights (LAST: of the last point); NaN where no count is known."""
    points: Ints
    low: Floats
    high: Floats
    """95 % interval of ``value``; NaN where there is none."""


def no_share(value: Floats) -> Bools:
    """Rows that are no proportion: outside [0, 1] by more than rounding."""
    return (value < -ROUNDING) | (value > 1 + ROUNDING)


def wilson_of(value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Wilson's interval; NaN where the value is no proportion or the count is unknown."""
    low, high = wilson(np.minimum(np.maximum(value, 0.0), 1.0), n)
    outside = no_share(value)
    if outside.any():
        low[outside] = high[outside] = np.nan
    return low, high


class Measure:
    """Points aggregated over any windows: those of the rule, and those of its baseline."""

    def __init__(self, points: Points, denominator: Points | None, how: Aggregate, interval: Interval) -> None:
        self.points = points
        self.denominator = denominator
        self.how = how
        self.interval = interval

    def over(self, start: Floats, end: Floats, floor: Floats | None = None) -> Stat:
        """Aggregate every window ``(start, end]``, clipped to begin at ``floor`` (inclusive) where that is later."""
        spans = spans_of(self.points.times, start, end, floor)
        if self.how is Aggregate.RATIO:
            value, n = self._ratio(spans, start, end, floor)
        elif self.how is Aggregate.LAST:
            value, n = self._last(spans)
        else:
            value, n = self._value(spans)
        known = np.isfinite(value)
        if not known.all():
            value = np.where(known, value, np.nan)
            n = np.where(known, n, np.nan)
        low, high = self._bounds(spans, value, n)
        return Stat(value, n, spans.counts, low, high)

    def spread(self, start: Floats, end: Floats, floor: Floats | None = None) -> Floats:
        """Standard deviation (n - 1) of the points of each window; NaN for fewer than two."""
        spans = spans_of(self.points.times, start, end, floor)
        counts = spans.counts
        mean = _over(sums(self.points.values, spans), counts)
        return np.sqrt(_over(squares(self.points.values, spans, mean), np.maximum(counts - 1, 0)))

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

    def _value(self, spans: Spans) -> tuple[Floats, Floats]:
        counts = spans.counts
        n = self._count(spans)
        if self.how is Aggregate.MEAN:
            return self._mean(spans, n), n
        if self.how is Aggregate.SUM:
            return np.where(counts > 0, sums(self.points.values, spans), np.nan), n
        return quantiles(self.points.values, spans, QUANTILE[self.how])[0], n

    def _count(self, spans: Spans) -> Floats:
        if self.points.weights is None:
            return nans(len(spans.lo))
        total = sums(self._weights[0], spans)
        return np.where(total > 0, total, np.nan) if not total.all() else total

    def _mean(self, spans: Spans, n: Floats) -> Floats:
        """Weighted mean. A point of unknown count weighs as much as the average point of its window that has one,
        and adds nothing to the count; where no count is known at all, every point weighs the same."""
        if self.points.weights is None:
            return _over(sums(self.points.values, spans), spans.counts)
        _, products, unknown = self._weights
        if unknown is None:
            return _over(sums(products, spans), n)
        each = self._each(spans, n)
        missing = sums(unknown, spans)
        strange = sums(unknown * self.points.values, spans)
        return _over(sums(products, spans) + each * strange, np.nan_to_num(n) + each * missing)

    def _each(self, spans: Spans, n: Floats) -> Floats:
        """What a point of unknown count weighs in each window."""
        unknown = self._weights[2]
        missing = sums(unknown, spans) if unknown is not None else np.zeros(len(spans.lo))
        average = _over(n, spans.counts - missing)
        return np.where(np.isnan(average), 1.0, average)

    def _last(self, spans: Spans) -> tuple[Floats, Floats]:
        row = np.where(spans.empty, len(self.points.values), spans.hi - 1)
        value = np.append(self.points.values, np.nan)[row]
        if self.points.weights is None:
            return value, nans(len(value))
        return value, np.append(self.points.weights, np.nan)[row]

    def _ratio(self, spans: Spans, start: Floats, end: Floats, floor: Floats | None) -> tuple[Floats, Floats]:
        """Sum over sum. The count is the metric's own where it is known, else the denominator."""
        if self.denominator is None:
            return nans(len(start)), nans(len(start))
        below = sums(self.denominator.values, spans_of(self.denominator.times, start, end, floor))
        value = np.where(spans.empty, np.nan, _over(sums(self.points.values, spans), below))
        n = self._count(spans)
        return value, np.where(np.isnan(n), below, n)

    def _bounds(self, spans: Spans, value: Floats, n: Floats) -> tuple[Floats, Floats]:
        """The interval of each window's value; NaN where the aggregate has none of the kind that is asked for."""
        if self.interval is Interval.WILSON and self.how in (Aggregate.MEAN, Aggregate.LAST, Aggregate.RATIO):
            return wilson_of(value, n)
        if self.interval is Interval.NORMAL:
            if self.how in QUANTILE:
                return quantiles(self.points.values, spans, QUANTILE[self.how])[1:]
            if self.how in (Aggregate.MEAN, Aggregate.SUM):
                return normal(value, self._error(spans, value, n))
        return nans(len(value)), nans(len(value))

    def _error(self, spans: Spans, value: Floats, n: Floats) -> Floats:
        """Standard error of the mean or the sum of each window, from the spread of its points; NaN below two points.

        Weighted mean: ``sqrt(k / (k - 1) * sum((w (x - mean))^2)) / sum(w)``, the ratio
        estimator's (Cochran 1977, 6.13); with equal weights it is ``sd / sqrt(k)``.
        """
        counts = spans.counts
        few = _over(counts.astype(np.float64), np.maximum(counts - 1, 0))
        if self.how is Aggregate.SUM:
            return np.sqrt(few * squares(self.points.values, spans, _over(value, counts)))
        if self.points.weights is None:
            return np.sqrt(few * squares(self.points.values, spans, value)) / np.maximum(counts, 1)
        known, _, unknown = self._weights
        apart = squares(self.points.values, spans, value, known)
        if unknown is not None:
            each = self._each(spans, n)
            apart = apart + each**2 * squares(self.points.values, spans, value, unknown)
            n = np.nan_to_num(n) + each * sums(unknown, spans)
        return _over(np.sqrt(few * apart), n)


def _over(above: Floats, below: Floats | Ints) -> Floats:
    """A quotient that is NaN, silently, where ``below`` is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(below != 0, above / below, np.nan)
