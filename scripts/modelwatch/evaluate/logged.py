"""Measures of drift that somebody logged as numbers: how sure they are by the count beside them.

Those of embeddings and texts have an interval. Of the others nothing is known but the value, so it is held against
what chance alone reaches with as many values on either side, in ten bins, at the rule's rate of false alarms. Without a
count a number is taken as it is.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..model.drift import EMBEDDING_METHODS, drift_spec
from ..model.rule import Rule
from ..stats import classifier, mmd
from ..stats.drift.bins import QUANTILES
from ..stats.drift.measures import method_of
from ..stats.drift.result import RELIABLE
from ..stats.intervals import z_of
from ..stats.limits import RATE, Null, null_of
from .columns import Bools, Floats, nans
from .measure import Stat

SPREAD_OF_MMD = (1.0, 2.0)
"""The variance of the squared discrepancy with n rows a side is at most 1/n^2 without change, and 2/n of it more where
there is one; measured, widest for a single column (0.66/n^2 and 2/n)."""


def too_few(rule: Rule, stat: Stat) -> Bools:
    """Fewer rows than any measure of drift says something about; an unknown count is not known to be small."""
    few: Bools = (_rows(rule, stat) < RELIABLE) & (drift_spec(rule) is not None)
    return few


def interval_of(rule: Rule, stat: Stat) -> tuple[Floats, Floats]:
    """NaN where there is none: without a count, and where the value is beyond chance."""
    asked, n = drift_spec(rule), _rows(rule, stat)
    if asked is None:
        return nans(len(n)), nans(len(n))
    if asked.method in EMBEDDING_METHODS:
        return _of_embeddings(asked.method, stat.value, n)
    rate = RATE if rule.false_alarms is None else rule.false_alarms
    return _beyond_chance(method_of(asked.method), rate, stat.value, n)


def _rows(rule: Rule, stat: Stat) -> Floats:
    """Rows of the current side; the reference is taken to have as many. A mean of scores is as far from 0 by chance as
    each of them, however many they are: so of a window's rows those count that stand behind one of its points."""
    asked = drift_spec(rule)
    if asked is None or asked.method in EMBEDDING_METHODS:
        return stat.n
    return np.asarray(stat.n / np.maximum(stat.points, 1))


def _beyond_chance(method: str, rate: float, value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """No interval where the value is more than chance gives; else one that reaches down to 0."""
    limit = nans(len(value))
    counts, back = np.unique(n[n > 0], return_inverse=True)
    if len(counts):
        limit[n > 0] = _chance(method, rate, counts)[back]
    low = np.where(value <= limit, 0.0, np.nan)
    return low, np.where(np.isnan(low), np.nan, value)


def _chance(method: str, rate: float, n: Floats) -> Floats:
    """What the effect exceeds in a share ``rate`` of windows without change, as if values were normal."""
    limit = _null(method).limit(rate, n, n)
    if method == "chi_square":
        return np.asarray(np.sqrt(limit / (2 * n)))
    return np.asarray(limit * 2 / n) if method == "cramer_von_mises" else limit


@cache
def _null(method: str) -> Null:
    ends = np.linspace(-4, 4, 81)
    shape = np.exp(-(ends**2) / 2) if method == "wasserstein" else np.ones(QUANTILES)
    return null_of(method, shape, 1000, 1000, points=ends[: len(shape)])


def _of_embeddings(method: str, value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of an AUC (Hanley and McNeil 1982), or of a squared mean discrepancy; no more rows count than
    were looked at (5,000 a side for a classifier, 500 for the discrepancy)."""
    most = classifier.MOST if method == "classifier_auc" else mmd.MOST
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = np.where(n > 0, np.minimum(n, float(most)), np.nan)
        variance = _of_auc(value, rows) if method == "classifier_auc" else _of_mmd(value, rows)
        half = z_of() * np.sqrt(variance)
    if method == "classifier_auc":
        return np.maximum(value - half, 0.0), np.minimum(value + half, 1.0)
    return value - half, value + half


def _of_auc(value: Floats, n: Floats) -> Floats:
    area = np.clip(np.maximum(value, 1 - value), 0.5, 1.0)
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    return np.asarray((area * (1 - area) + (n - 1) * (one - area**2 + two - area**2)) / n**2)


def _of_mmd(value: Floats, n: Floats) -> Floats:
    still, moving = SPREAD_OF_MMD
    return np.asarray(still / n**2 + moving * np.maximum(value, 0.0) / n)
