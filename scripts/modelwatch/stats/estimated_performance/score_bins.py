"""Rows counted by score: everything that an estimate needs of a million rows, in a few hundred cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..performance.probabilistic import roc_auc

BINS = 128
"""Bins of the labelled rows, and as many again of the others; a bin for each score where these are fewer."""
SAMPLE = 50_000
"""Rows of each side from which the bins are chosen."""
MIN_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCells:
    """Unlabelled rows by bin of the score and group (0 or 1); all arrays of one length, cells without rows left out."""

    scores: Floats
    """The mean score of the rows, and of"""
    squares: Floats
    """their squares, of"""
    log_scores: Floats
    """their logarithms, and of"""
    log_rests: Floats
    """the logarithms of what is left to 1; both NaN where a score is no probability."""
    groups: Ints
    bins: Ints
    """Ascending with the score."""
    counts: Floats


def choose_edges(labelled: Floats, unlabelled: Floats) -> Floats:
    """Inner edges between bins: quantiles of both sides, or the middle between neighbours if few scores occur."""
    sides = [_thin(scores) for scores in (labelled, unlabelled)]
    distinct = np.unique(np.concatenate(sides))
    if len(distinct) <= 2 * BINS:
        return np.asarray((distinct[1:] + distinct[:-1]) / 2)
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.unique(np.concatenate([np.quantile(side, shares) for side in sides if len(side)]))


def _thin(scores: Floats) -> Floats:
    return scores[:: -(-len(scores) // SAMPLE)] if len(scores) > SAMPLE else scores


def count_cells(scores: Floats, groups: Bools, edges: Floats) -> ScoreCells:
    """The rows of each bin and group."""
    codes = find_bins(scores, edges) * 2 + groups
    size = 2 * (len(edges) + 1)
    counts = np.bincount(codes, minlength=size).astype(np.float64)
    filled = np.flatnonzero(counts)
    is_probability = bool(len(scores)) and scores.min() >= 0 and scores.max() <= 1
    columns = [scores, scores * scores]
    if is_probability:
        bounded = np.clip(scores, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        columns += [np.log(bounded), np.log1p(-bounded)]
    means = [np.bincount(codes, column, size)[filled] / counts[filled] for column in columns]
    if not is_probability:
        means += [np.full(len(filled), np.nan)] * 2
    return ScoreCells(means[0], means[1], means[2], means[3], filled % 2, filled // 2, counts[filled])


def find_bins(scores: Floats, edges: Floats) -> Ints:
    """The number of each score's bin."""
    return np.searchsorted(edges, scores, side="right").astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCells:
    """Labelled rows by bin of the score and group, as effective counts; cells without rows left out."""

    scores: Floats
    groups: Floats
    positives: Floats
    trials: Floats


def labelled_cells(scores: Floats, groups: Bools, is_positive: Bools, weights: Floats, edges: Floats) -> LabelledCells:
    """``weights``: of rows, not negative. A cell counts as many rows as would say as much if they weighed alike:
    (sum w)^2 / sum w^2 (Kish 1965)."""
    codes = find_bins(scores, edges) * 2 + groups
    size = 2 * (len(edges) + 1)
    total, squares = np.bincount(codes, weights, size), np.bincount(codes, weights * weights, size)
    filled = np.flatnonzero(total > 0)
    share = np.bincount(codes, weights * is_positive, size)[filled] / total[filled]
    trials = total[filled] ** 2 / squares[filled]
    means = np.bincount(codes, weights * scores, size)[filled] / total[filled]
    return LabelledCells(means, (filled % 2).astype(np.float64), np.minimum(share, 1.0) * trials, trials)


def area_under_curve(scores: Floats, is_positive: Bools) -> float:
    """The area under the ROC curve, ties counted half; NaN where a class is missing."""
    values, number = np.unique(scores, return_inverse=True)
    sides = (np.bincount(number[side], minlength=len(values)) for side in (is_positive, ~is_positive))
    return roc_auc(*sides).value
