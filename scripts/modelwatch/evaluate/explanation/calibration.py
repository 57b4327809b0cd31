"""Whether a model is less confident, or worse: its confidence and its calibration error, now and before an alert."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from ...model.calibration import (
    BIN_LABEL,
    CONFIDENCE,
    ERROR,
    CalibrationBin,
    CalibrationChange,
    CalibrationVerdict,
    is_about_scores,
)
from ...model.rule import Rule
from ...model.series import PulledSeries, Series
from ...stats.intervals import wilson_bounds
from ...timeutil import WEEK

HISTORY = 4 * WEEK
"""Before the alert, with which its window is compared."""
MIN_POINTS = 3
"""With fewer earlier points a change is unknown."""
MIN_CHANGE = 0.01
"""A smaller change of a mean probability, or of its error, is none..."""
DEVIATIONS = 3.0
"""...nor is one of fewer standard deviations of the earlier points."""
MAX_BINS = 5


def describe_calibration(
    rule: Rule, start: float | None, newest: float, pull: PulledSeries
) -> CalibrationChange | None:
    """What the model's scores were like in the window that ends at ``newest``, and before ``start``; ``None`` where the
    rule is not about them, or nothing is logged."""
    if not is_about_scores(rule):
        return None
    before, now = (start if start is not None else newest) - rule.window, (newest - rule.window, newest)
    confidence, error = (_series(pull, name) for name in (CONFIDENCE, ERROR))
    values = [_mean(series, *now) if series else math.nan for series in (confidence, error)]
    earlier = [_values(series, before - HISTORY, before) if series else [] for series in (confidence, error)]
    bins = reliability_bins(pull.series, *now)
    if all(math.isnan(value) for value in values) and not bins:
        return None
    means = [statistics.fmean(points) if len(points) >= MIN_POINTS else math.nan for points in earlier]
    moves = [_direction(value, points) for value, points in zip(values, earlier, strict=True)]
    known = [None if math.isnan(value) else value for value in (means[0], values[0], means[1], values[1])]
    return CalibrationChange(_verdict(*moves), known[0], known[1], known[2], known[3], bins)


def _verdict(confidence: int | None, error: int | None) -> CalibrationVerdict:
    """``confidence`` and ``error``: -1, 0 and 1 for lower, alike and higher; ``None``: unknown."""
    if confidence is None or error is None:
        return CalibrationVerdict.UNKNOWN
    if error > 0:
        worse = (
            CalibrationVerdict.WORSE,
            CalibrationVerdict.OVERCONFIDENT,
            CalibrationVerdict.LESS_CONFIDENT_AND_WORSE,
        )
        return worse[confidence]
    as_right = (CalibrationVerdict.UNCHANGED, CalibrationVerdict.MORE_CONFIDENT, CalibrationVerdict.LESS_CONFIDENT)
    return as_right[confidence]


def _direction(value: float, earlier: Sequence[float]) -> int | None:
    if math.isnan(value) or len(earlier) < MIN_POINTS:
        return None
    change = value - statistics.fmean(earlier)
    if abs(change) <= max(MIN_CHANGE, DEVIATIONS * statistics.stdev(earlier)):
        return 0
    return 1 if change > 0 else -1


def _series(pull: PulledSeries, name: str) -> Series | None:
    return next((series for series in pull.series if series.name == name and not series.labels), None)


def _values(series: Series, begin: float, end: float) -> list[float]:
    """The known points after ``begin``, up to ``end``."""
    part = slice(bisect_right(series.times, begin), bisect_right(series.times, end))
    return [value for value in series.values[part] if math.isfinite(value)]


def _mean(series: Series, begin: float, end: float) -> float:
    """Weighed by counts where they are known; NaN without a point."""
    part = slice(bisect_right(series.times, begin), bisect_right(series.times, end))
    values = series.values[part]
    weights = series.weights[part] if series.weights is not None else [1.0] * len(values)
    pairs = [
        (value, weight if math.isfinite(weight) else 1.0)
        for value, weight in zip(values, weights, strict=True)
        if math.isfinite(value)
    ]
    total = math.fsum(weight for _, weight in pairs)
    return math.fsum(value * weight for value, weight in pairs) / total if total > 0 else math.nan


def reliability_bins(
    columns_of_bins: Iterable[Series], begin: float, end: float, most: int = MAX_BINS
) -> tuple[CalibrationBin, ...]:
    """The reliability curve of the window after ``begin``, up to ``end`` (seconds, UTC), neighbouring bins joined to at
    most ``most``; other series are left out."""
    columns: dict[str, dict[str, Series]] = {}
    for series in columns_of_bins:
        if len(series.labels) == 1 and series.labels[0][0] == BIN_LABEL and series.name.startswith("calibration/"):
            columns.setdefault(series.labels[0][1], {})[series.name.rpartition("/")[2]] = series
    rows = []
    for parts in columns.values():
        if {"predicted", "observed"} <= parts.keys():
            predicted, observed = (_mean(parts[name], begin, end) for name in ("predicted", "observed"))
            n = _count(parts["observed"], begin, end)
            if n > 0 and math.isfinite(predicted) and math.isfinite(observed):
                rows.append((predicted, min(1.0, max(0.0, observed)), n))
    rows.sort()
    size = max(1, -(-len(rows) // most))
    joined = []
    for place in range(0, len(rows), size):
        group = rows[place : place + size]
        n = math.fsum(count for _, _, count in group)
        predicted, observed = (math.fsum(row[column] * row[2] for row in group) / n for column in (0, 1))
        joined.append(CalibrationBin(predicted, observed, *wilson_bounds(observed, n), n))
    return tuple(joined)


def _count(series: Series, begin: float, end: float) -> float:
    if series.weights is None:
        return 0.0
    part = slice(bisect_left(series.times, math.nextafter(begin, math.inf)), bisect_right(series.times, end))
    return math.fsum(weight for weight in series.weights[part] if math.isfinite(weight))
