"""Scores of classes: AUC-ROC with DeLong's interval and PR-AUC from counts by score, log loss and Brier from sums.

Counts by score are those of a profile: rows of the positive class and of the others in bins of ascending scores. Scores
of one bin count as alike. With a bin for every different score the figures are exact; else the area under the ROC curve
is off by at most half of the pairs that share a bin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Bools, Floats
from ..intervals import z_value
from ..profile.exact_sum import ExactSums
from ..profile.numeric import NumericProfile
from .estimate import SEED, Estimate, mean_of_sums, percentile_interval, safe_divide, undefined_estimate

PR_BINS = 100
DRAWS = 200
EPS = float(np.finfo(np.float64).eps)
LOSSES = ("log_loss", "brier")
SQUARE_SUFFIX = "_squared"
"""Behind the name of a column: the sum of its squares, from which the interval of its mean follows."""


def roc_auc(positive: ArrayLike, negative: ArrayLike) -> Estimate:
    """Area under the ROC curve, ties counted half; DeLong's interval (1988, Biometrics 44:837-845) from midranks
    (Sun and Xu 2014). NaN where a class is missing. Within [0, 1]; where the classes are perfectly apart the interval
    has no width, whatever the count."""
    hits, misses = _drop_empty_bins(positive, negative)
    n, m = float(hits.sum()), float(misses.sum())
    if not (n > 0 and m > 0):
        return undefined_estimate("auc", n + m)
    beats, beaten = placements_by_bin(hits, misses)
    value = float((hits * beats).sum() / n)
    variance = _placement_variance(hits, beats, value) + _placement_variance(misses, beaten, value)
    if not math.isfinite(variance):
        return Estimate("auc", value, math.nan, math.nan, n + m)
    half = z_value() * math.sqrt(variance)
    return Estimate("auc", value, max(0.0, value - half), min(1.0, value + half), n + m)


def binning_error(positive: NumericProfile, negative: NumericProfile) -> float:
    """How far ``roc_auc`` of two profiles can be off: half of the pairs of rows that share a bin in which scores can
    differ."""
    pairs = float(positive.n) * float(negative.n)
    if not pairs:
        return 0.0
    shared = positive.counts.astype(np.float64) * negative.counts
    return float(shared[_can_differ(positive, negative)].sum()) / 2 / pairs


def precision_binning_error(positive: NumericProfile, negative: NumericProfile) -> float:
    """How far ``pr_auc`` of two profiles can be off: by the order of the rows within bins in which scores can differ,
    from all of the positive class first to all of them last."""
    if not positive.n or not negative.n:
        return 0.0
    hits, misses = (side.counts[::-1].astype(np.float64) for side in (positive, negative))
    hits_before, misses_before = np.cumsum(hits) - hits, np.cumsum(misses) - misses
    mixed = _can_differ(positive, negative)[::-1] & (hits > 0) & (hits + misses > 1)
    usual = hits * (hits_before + hits) / np.maximum(hits_before + hits + misses_before + misses, 1)
    best = hits * (hits_before + hits) / np.maximum(hits_before + hits + misses_before, 1)
    worst = hits * (hits_before + 1) / (hits_before + 1 + misses_before + misses)
    off = np.maximum((best - usual)[mixed].sum(), (usual - worst)[mixed].sum())
    return float(off) / positive.n


def _can_differ(positive: NumericProfile, negative: NumericProfile) -> Bools:
    """The bins that hold more than one float64 within the range of both profiles."""
    edges = positive.edges
    least = np.nextafter(np.concatenate([[-np.inf], edges]), np.inf)
    low, high = np.fmin(positive.low, negative.low), np.fmax(positive.high, negative.high)
    return np.asarray(np.maximum(least, low) < np.minimum(np.concatenate([edges, [np.inf]]), high))


def placements_by_bin(hits: Floats, misses: Floats) -> tuple[Floats, Floats]:
    """Per bin of ascending scores the share of negatives that a positive row beats (ties half), and the share of
    positives that beat a negative one; NaN where a class has no row."""
    below, above = np.cumsum(misses) - misses, np.cumsum(hits) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return (below + misses / 2) / misses.sum(), 1 - (above + hits / 2) / hits.sum()


def _placement_variance(counts: Floats, placement: Floats, value: float) -> float:
    """Variance of the mean placement of one class: ``s^2 / n``."""
    n = float(counts.sum())
    return float((counts * (placement - value) ** 2).sum()) / n / (n - 1) if n > 1 else math.nan


def pr_auc(positive: ArrayLike, negative: ArrayLike, *, intervals: bool = False) -> Estimate:
    """Average precision: precision at every score, weighed by the recall that it adds (no interpolation).

    Its interval: the counts of both classes in at most 100 bins of the scores are drawn anew (Poisson bootstrap), and
    the percentiles are moved by what binning costs. NaN without a positive row.
    """
    hits, misses = (side[::-1] for side in _drop_empty_bins(positive, negative))
    n = float(hits.sum() + misses.sum())
    if not hits.sum() > 0:
        return undefined_estimate("pr_auc", n)
    value = float(average_precision(hits[None], misses[None])[0])
    if not intervals:
        return Estimate("pr_auc", value, math.nan, math.nan, n)
    edges = np.arange(0, len(hits), max(1, -(-len(hits) // PR_BINS)))
    few, others = np.add.reduceat(hits, edges), np.add.reduceat(misses, edges)
    random = np.random.default_rng(SEED)
    size = (DRAWS, len(edges))
    draws = average_precision(
        random.poisson(few, size).astype(np.float64), random.poisson(others, size).astype(np.float64)
    )
    low, high = percentile_interval(draws)
    lost = value - float(average_precision(few[None], others[None])[0])
    low, high = min(low + lost, value), max(high + lost, value)
    return Estimate("pr_auc", value, max(0.0, low), min(1.0, high), n)


def average_precision(positive: Floats, negative: Floats) -> Floats:
    """Precision at every score, weighed by the recall that it adds; ``[draws, bins]`` from the highest score down."""
    hits, misses = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    precision = np.nan_to_num(safe_divide(hits, hits + misses))
    return safe_divide((precision * positive).sum(axis=1), hits[:, -1])


def _drop_empty_bins(positive: ArrayLike, negative: ArrayLike) -> tuple[Floats, Floats]:
    hits, misses = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    is_filled = (hits > 0) | (misses > 0)
    return hits[is_filled], misses[is_filled]


def row_losses(truth: Bools, probabilities: Floats, *, squares: bool = False) -> dict[str, Floats]:
    """Per row the log loss and Brier's squared distance; NaN throughout a row that holds no probabilities.

    ``truth`` and ``probabilities``: ``[rows, classes]``, or ``[rows]`` for the positive one of two classes. Log loss is
    ``-log p`` of what happened, clipped to ``[eps, 1 - eps]`` of float64 as in scikit-learn; Brier's is summed over
    the classes of the table.
    """
    with np.errstate(invalid="ignore"):
        wrong = ~((probabilities >= 0) & (probabilities <= 1))
        clipped = np.clip(probabilities, EPS, 1 - EPS)
        if truth.ndim == 1:
            logs, apart = -np.log(np.where(truth, clipped, 1 - clipped)), (probabilities - truth) ** 2
        else:
            wrong = np.asarray(wrong.any(axis=1))
            logs = -np.log(np.where(truth, clipped, 1.0).min(axis=1))
            apart = ((probabilities - truth) ** 2).sum(axis=1)
    losses = {"log_loss": np.where(wrong, np.nan, logs), "brier": np.where(wrong, np.nan, apart)}
    if squares:
        losses |= {name + SQUARE_SUFFIX: values**2 for name, values in losses.items()}
    return losses


def loss_metrics(sums: ExactSums) -> tuple[Estimate, ...]:
    """Log loss and Brier from the sums of ``row_losses``; NaN where some score is no probability."""
    return tuple(mean_of_sums(sums, name, name + SQUARE_SUFFIX) for name in LOSSES)


CALIBRATION_BINS = 10


def calibration_error(positive: Bools, probability: Floats) -> float:
    """Expected calibration error over ten bins of equal width, right-closed (Naeini, Cooper and Hauskrecht 2015;
    Guo et al. 2017): the mean distance of the predictions from what happened, bins weighed by their rows.

    NaN without rows, or where something is no probability.
    """
    if not len(probability) or not (probability.min() >= 0 and probability.max() <= 1):
        return math.nan
    place = np.clip(np.ceil(probability * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    predicted = np.bincount(place, weights=probability, minlength=CALIBRATION_BINS)
    observed = np.bincount(place, weights=positive, minlength=CALIBRATION_BINS)
    return float(np.abs(predicted - observed).sum() / len(probability))
