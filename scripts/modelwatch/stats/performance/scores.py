"""Scores of two classes: AUC-ROC with DeLong's interval, PR-AUC, log loss, Brier; in one pass over sorted rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..intervals import z_of
from .confusion import own_mean
from .estimate import SEED, Estimate, percentiles, quotient, undefined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BINS = 100
DRAWS = 200
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Rows in ascending order of their scores, runs of equal scores marked."""

    score: Floats
    positive: Bools
    starts: Ints
    """First row of every run of equal scores."""
    weights: Floats | None = None


def scored(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Scored:
    """Rows with a label (0 or 1, NaN: none), a score that is no NaN, and a weight greater than 0; sorted."""
    y, s = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    kept = ~(np.isnan(y) | np.isnan(s))
    if w is not None:
        kept &= np.isfinite(w) & (w > 0)
    order = np.flatnonzero(kept)
    order = order[np.argsort(s[order], kind="stable")]
    return in_order(s[order], y[order] > 0, None if w is None else w[order])


def in_order(score: Floats, positive: Bools, weights: Floats | None = None) -> Scored:
    """From rows that are sorted already."""
    new = np.ones(len(score), dtype=np.bool_)
    np.not_equal(score[1:], score[:-1], out=new[1:])
    return Scored(score, positive, np.flatnonzero(new), weights)


def score_metrics(rows: Scored) -> tuple[Estimate, ...]:
    """AUC-ROC, PR-AUC, log loss and Brier; the last two only where all scores are probabilities."""
    return (auc(rows), pr_auc(rows), log_loss(rows), brier(rows))


def auc(rows: Scored) -> Estimate:
    """Area under the ROC curve, ties counted half; DeLong's interval (1988, Biometrics 44:837-845) from midranks
    (Sun and Xu 2014). NaN where a class is missing. Within [0, 1]; where the classes are perfectly apart the interval
    has no width, whatever the count."""
    positive, negative = _by_run(rows)
    n, m = float(positive.sum()), float(negative.sum())
    if not (n > 0 and m > 0):
        return undefined("auc", n + m)
    below, above = np.cumsum(negative) - negative, np.cumsum(positive) - positive
    # Per run of equal scores: the share of the other class that a row beats, or that beats it.
    beats = (below + negative / 2) / m
    beaten = 1 - (above + positive / 2) / n
    # Plain sums: a dot product would wake the threads of BLAS for what takes microseconds.
    value = float((positive * beats).sum() / n)
    variance = _spread(rows, beats, value, True) + _spread(rows, beaten, value, False)
    half = z_of() * math.sqrt(variance) if math.isfinite(variance) else math.nan
    if not math.isfinite(half):
        return Estimate("auc", value, math.nan, math.nan, n + m)
    return Estimate("auc", value, max(0.0, value - half), min(1.0, value + half), n + m)


def _spread(rows: Scored, placement: Floats, value: float, of: bool) -> float:
    """Variance of the mean placement of one class: ``s^2 / n``, weights as shares."""
    weight, square, count = _class_weights(rows, of)
    if count < 2:
        return math.nan
    total = float(weight.sum())
    return float((square * (placement - value) ** 2).sum()) / total**2 * count / (count - 1)


def _class_weights(rows: Scored, of: bool) -> tuple[Floats, Floats, int]:
    """Per run the weight and the squared weight of one class, and its rows in all."""
    there = (rows.positive == of).astype(np.float64)
    count = int(there.sum())
    if rows.weights is None:
        weight = _runs(rows, there)
        return weight, weight, count
    return _runs(rows, there * rows.weights), _runs(rows, there * rows.weights**2), count


def pr_auc(rows: Scored) -> Estimate:
    """Average precision: precision at every score, weighed by the recall that it adds (no interpolation).

    Its interval: the counts of both classes in at most 100 bins of the scores are drawn anew (Poisson bootstrap), and
    the percentiles are moved by what binning costs. NaN without a positive row.
    """
    positive, negative = (side[::-1] for side in _by_run(rows))
    n = float(positive.sum())
    if not n > 0:
        return undefined("pr_auc", float(negative.sum()))
    value = float(_average_precision(positive[None], negative[None])[0])
    edges = np.arange(0, len(positive), max(1, -(-len(positive) // BINS)))
    hits, misses = np.add.reduceat(positive, edges), np.add.reduceat(negative, edges)
    rng = np.random.default_rng(SEED)
    size = (DRAWS, len(edges))
    scale = _rows_per_weight(rows)
    drawn = _average_precision(
        rng.poisson(hits * scale, size).astype(np.float64), rng.poisson(misses * scale, size).astype(np.float64)
    )
    low, high = percentiles(drawn)
    lost = value - float(_average_precision(hits[None], misses[None])[0])
    low, high = min(low + lost, value), max(high + lost, value)
    return Estimate("pr_auc", value, max(0.0, low), min(1.0, high), float(n + negative.sum()))


def _rows_per_weight(rows: Scored) -> float:
    """Turns weights into the numbers of rows that they amount to."""
    return 1.0 if rows.weights is None else float(rows.weights.sum() / (rows.weights**2).sum())


def _average_precision(positive: Floats, negative: Floats) -> Floats:
    """``[draws, runs]``, runs from the highest score down."""
    hits, misses = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    precision = np.nan_to_num(quotient(hits, hits + misses))
    return quotient((precision * positive).sum(axis=1), hits[:, -1])


def log_loss(rows: Scored) -> Estimate:
    """Mean of ``-log p`` of what happened; probabilities clipped to ``[eps, 1 - eps]`` of float64, as scikit-learn."""
    if not _are_probabilities(rows):
        return undefined("log_loss", float(len(rows.score)))
    p = np.clip(rows.score, EPS, 1 - EPS)
    return own_mean("log_loss", -np.log(np.where(rows.positive, p, 1 - p)), rows.weights)


def brier(rows: Scored) -> Estimate:
    """Mean squared distance of the probability from what happened."""
    if not _are_probabilities(rows):
        return undefined("brier", float(len(rows.score)))
    return own_mean("brier", (rows.score - rows.positive) ** 2, rows.weights)


def _are_probabilities(rows: Scored) -> bool:
    return len(rows.score) > 0 and bool(rows.score[0] >= 0 and rows.score[-1] <= 1)


def _by_run(rows: Scored) -> tuple[Floats, Floats]:
    """Weight of the positive and of the negative rows in every run of equal scores, from the lowest up."""
    if not len(rows.score):
        return np.zeros(0), np.zeros(0)
    weight = np.ones(len(rows.score)) if rows.weights is None else rows.weights
    positive = np.where(rows.positive, weight, 0.0)
    return _runs(rows, positive), _runs(rows, weight - positive)


def _runs(rows: Scored, column: Floats) -> Floats:
    return np.asarray(np.add.reduceat(column, rows.starts), dtype=np.float64)
