"""Drift scores that were logged as numbers: their intervals, from the count beside them.

Those of embeddings and texts have an interval. Of the others nothing is known but the value, so it is compared with
what chance alone reaches with as many values on either side, in ten bins, at the rule's rate of false alarms. Without a
count a number is compared with the limits directly.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ...model.drift import EMBEDDING_METHODS, DriftSpec
from ...stats import embeddings
from ...stats.arrays import Bools, Floats
from ...stats.drift.methods import MIN_RELIABLE_COUNT, QUANTILE_BINS
from ...stats.drift.null_distribution import FALSE_ALARM_RATE, NullDistribution, null_distribution
from ...stats.intervals import normal_interval
from ..aggregation import WindowStats
from ..arrays import nans

MMD_VARIANCE = (1.0, 2.0)
"""The variance of the squared discrepancy with n rows a side is at most 1/n^2 without change, and 2/n of it more where
there is one; measured, widest for a single column (0.66/n^2 and 2/n)."""


def has_too_few_rows(spec: DriftSpec, stat: WindowStats) -> Bools:
    """Fewer rows than any measure of drift says something about; an unknown count is not known to be small."""
    return np.asarray(_current_rows(spec, stat) < MIN_RELIABLE_COUNT)


def logged_interval(spec: DriftSpec, false_alarms: float | None, stat: WindowStats) -> tuple[Floats, Floats]:
    """NaN where there is none: without a count, and where the value is beyond chance."""
    n = _current_rows(spec, stat)
    if spec.method in EMBEDDING_METHODS:
        return _embedding_interval(spec.method, stat.value, n)
    rate = FALSE_ALARM_RATE if false_alarms is None else false_alarms
    return _chance_interval(spec.full_method, rate, stat.value, n)


def _current_rows(spec: DriftSpec, stat: WindowStats) -> Floats:
    """Rows of the current side; the reference is taken to have as many. A mean of scores is as far from 0 by chance as
    each of them, however many they are: so of a window's rows those count that stand behind one of its points."""
    return stat.n if spec.method in EMBEDDING_METHODS else np.asarray(stat.n / np.maximum(stat.points, 1))


def _chance_interval(method: str, rate: float, value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """No interval where the value is more than chance gives; else one that reaches down to 0."""
    limit = nans(len(value))
    counts, back = np.unique(n[n > 0], return_inverse=True)
    if len(counts):
        limit[n > 0] = _chance_limit(method, rate, counts)[back]
    low = np.where(value <= limit, 0.0, np.nan)
    return low, np.where(np.isnan(low), np.nan, value)


def _chance_limit(method: str, rate: float, n: Floats) -> Floats:
    """What the effect exceeds in a share ``rate`` of windows without change, as if values were normal."""
    limit = _normal_null(method).limit(rate, n, n)
    if method == "chi_square":
        return np.asarray(np.sqrt(limit / (2 * n)))
    return np.asarray(limit * 2 / n) if method == "cramer_von_mises" else limit


@cache
def _normal_null(method: str) -> NullDistribution:
    ends = np.linspace(-4, 4, 81)
    shape = np.exp(-(ends**2) / 2) if method == "wasserstein" else np.ones(QUANTILE_BINS)
    return null_distribution(method, shape, 1000, 1000, bin_ends=ends[: len(shape)])


def _embedding_interval(method: str, value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of an AUC (Hanley and McNeil 1982), or of a squared mean discrepancy; no more rows count than
    were looked at (5,000 a side for a classifier, 500 for the discrepancy)."""
    is_auc = method == "classifier_auc"
    max_rows = embeddings.CLASSIFIER_MAX_ROWS if is_auc else embeddings.MMD_MAX_ROWS
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = np.where(n > 0, np.minimum(n, float(max_rows)), np.nan)
        if is_auc:
            area = np.clip(np.maximum(value, 1 - value), 0.5, 1.0)
            one, two = area / (2 - area), 2 * area**2 / (1 + area)
            variance = (area * (1 - area) + (rows - 1) * (one - area**2 + two - area**2)) / rows**2
        else:
            variance = MMD_VARIANCE[0] / rows**2 + MMD_VARIANCE[1] * np.maximum(value, 0.0) / rows
        low, high = normal_interval(value, np.sqrt(variance))
    return (np.maximum(low, 0.0), np.minimum(high, 1.0)) if is_auc else (low, high)
