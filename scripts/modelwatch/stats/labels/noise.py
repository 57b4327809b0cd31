"""How many labels are probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021, Journal of Artificial
Intelligence Research 70:1373-1411).

A label is suspicious where the scores are confident of another class: as confident as they are on average of rows that
have that label. Scores have to come from a model that has not seen the label, as those of a serving log do.

The share is an estimate of noise where classes are far from each other. Where they overlap, honest labels differ from
the likelier class, too, and the share is too high: the labels and scores of one window do not tell overlap from wrong
labels. So compare the share with its own past, and compute no accuracy from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ints
from ..intervals import wilson_bounds
from ..performance.estimate import Estimate, bootstrap_rows, percentile_interval, undefined_estimate

NAME = "suspicious_share"
NOISE_DRAWS = 200
MAX_DRAWN = 1000
"""Rows of each sample that the interval is drawn from."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelNoise:
    """What confident learning says of some labels."""

    share: Estimate
    """The share of wrong labels; ``n``: rows with a label and scores."""
    suspicious: Ints
    """Places of the rows whose label is suspicious, the most suspicious first."""


def find_noise(labels: Ints, scores: Floats, *, intervals: bool = True) -> LabelNoise:
    """``labels``: the number of the class of each row; ``scores``: ``[rows, classes]``, the probability of each class.
    Rows with a score that is no number are left out. The interval resamples them."""
    usable = np.flatnonzero(np.isfinite(scores).all(axis=1))
    given, p = labels[usable], scores[usable]
    size = scores.shape[1]
    counts = np.bincount(given, minlength=size).astype(np.float64)
    if not len(given) or np.count_nonzero(counts) < 2:
        return LabelNoise(undefined_estimate(NAME, float(len(given))), np.zeros(0, np.int64))
    table, likely = _confident_counts(given, p)
    value = _off_diagonal(table)
    share = Estimate(NAME, value, math.nan, math.nan, float(len(given)))
    if intervals:
        low, high = _bounds(given, p, table, value)
        share = replace(share, low=low, high=high)
    own = p[np.arange(len(given)), given]
    placed = likely < size
    surprise = np.where(placed, p[np.arange(len(given)), np.minimum(likely, size - 1)] - own, -np.inf)
    wrong = np.flatnonzero(placed & (likely != given))
    suspicious = usable[wrong[np.argsort(-surprise[wrong], kind="stable")]]
    return LabelNoise(share, suspicious)


def two_columns(scores: Floats) -> Floats:
    """``[rows, 2]`` from the probability of the positive class, which is the second one."""
    return np.stack([1.0 - scores, scores], axis=1)


def _confident_counts(given: Ints, p: Floats) -> tuple[Floats, Ints]:
    """``[given, likely or none]`` counts, and by row the class that the scores are confident of, or the number of
    classes."""
    size, rows = p.shape[1], np.arange(len(given))
    own = p[rows, given]
    counts = np.bincount(given, minlength=size)
    # Of a class without a row the threshold is infinite: nothing is counted as it.
    thresholds = np.where(counts > 0, np.bincount(given, own, minlength=size) / np.maximum(counts, 1), np.inf)
    confident = np.where(p >= thresholds, p, -np.inf)
    highest = confident.max(axis=1)
    # Of equally likely classes the label is one, if it is among them: equal scores make nothing suspicious.
    likely = np.where(confident[rows, given] == highest, given, confident.argmax(axis=1))
    likely = np.where(np.isfinite(highest), likely, size)
    table = np.bincount(given * (size + 1) + likely, minlength=size * (size + 1)).reshape(size, size + 1)
    return table.astype(np.float64), likely


def _bounds(given: Ints, p: Floats, table: Floats, value: float) -> tuple[float, float]:
    """Resamples rows, and with them the thresholds, which move by chance, too."""
    size = p.shape[1]
    if not table[:, :size][~np.eye(size, dtype=np.bool_)].any():
        # No sample of rows without a suspicious label has one: what so many rows leave open.
        return value, 1.0 - wilson_bounds(1.0, max(float(table[:, :size].sum()), 1.0))[0]

    def share_of(rows: Ints) -> float:
        return _off_diagonal(_confident_counts(given[rows], p[rows])[0])

    draws = bootstrap_rows(len(given), value, share_of, draws=NOISE_DRAWS, max_rows=MAX_DRAWN)
    low, high = percentile_interval(draws)
    return min(max(low, 0.0), value), max(min(high, 1.0), value)


def _off_diagonal(table: Floats) -> float:
    """From counts the share of wrong labels, as if each given class had as many among all of its rows as among those of
    which the scores are confident."""
    size = len(table)
    confident, rows = table[:, :size], table[:, :size].sum(axis=1)
    # Of a class of which no row is confident, nothing says that its labels are wrong.
    right = np.where(rows > 0, np.diagonal(confident) / np.maximum(rows, 1.0), 1.0)
    totals = table.sum(axis=1)
    return float(1.0 - (right * totals).sum() / totals.sum())
