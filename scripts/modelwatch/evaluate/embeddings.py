"""Measures of drift of embeddings and texts, which are logged as numbers: how sure they are by their count."""

from __future__ import annotations

import numpy as np

from ..model.drift import is_embedded
from ..model.rule import Rule
from ..stats import classifier, mmd
from ..stats.drift.result import RELIABLE
from ..stats.intervals import z_of
from .columns import Bools, Floats

SPREAD_OF_MMD = (1.0, 2.0)
"""The variance of the squared discrepancy with n rows a side is at most 1/n^2 without change, and 2/n of it more where
there is one; measured, widest for a single column (0.66/n^2 and 2/n)."""


def too_few(rule: Rule, n: Floats) -> Bools:
    """Fewer rows than any measure of embeddings says something about; an unknown count is not known to be small."""
    few: Bools = (n < RELIABLE) & is_embedded(rule)
    return few


def interval_of(rule: Rule, value: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The 95 % interval of an AUC (Hanley and McNeil 1982), or of a squared mean discrepancy; NaN without a count.

    ``n``: rows of the current side. The reference is taken to have as many, and no more rows to count than were looked
    at (5,000 a side for a classifier, 500 for the discrepancy).
    """
    method = rule.metric.text.rpartition("/")[2]
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
