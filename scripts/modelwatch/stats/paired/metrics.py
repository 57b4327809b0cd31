"""The metrics that two models are compared by on the same rows, with the interval of their difference.

Areas under the ROC curve after DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44:837-845), with placements from
midranks (Sun and Xu 2014, IEEE Signal Processing Letters 21:1389-1393); checked against the published comparison of
albumin, total protein and K-G score in 43 patients: SAS/STAT User's Guide, the LOGISTIC procedure, example "Comparing
Receiver Operating Characteristic Curves".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Bools, Floats, Ints
from ..intervals import z_value
from ..performance.custom import load_metric
from ..performance.estimate import SEED, percentile_interval, safe_divide
from ..performance.probabilistic import average_precision, placements_by_bin, row_losses
from ..performance.ranking import metrics_by_query
from . import classification
from .bootstrap import (
    MAX_BCA_ROWS,
    MAX_NUMBERS,
    SIGN_FLIP_TEST,
    mean_interval,
    means_interval,
    rows_interval,
    sign_flip_p_value,
    sum_by_place,
)
from .contingency_tables import compare_shares
from .paired_rows import PairedColumn, PairedRows
from .result import Difference, undefined_difference

DELONG_METHOD = "DeLong's paired interval"


def delong(positive: ArrayLike, champion: ArrayLike, candidate: ArrayLike, level: float) -> Difference:
    """AUC of both and the interval of their difference; ``positive`` is true or false a row, scores are no NaN.

    Undefined where a class has no row; no interval where a class has one row, or where the estimated variance is 0
    (the same order on both sides, or two perfect ones): it would claim to know what it cannot.
    """
    is_positive = np.asarray(positive, dtype=np.bool_)
    champion_placements, candidate_placements = (
        placements(is_positive, np.asarray(score, dtype=np.float64)) for score in (champion, candidate)
    )
    n, m = len(champion_placements[0]), len(champion_placements[1])
    if not n or not m:
        return undefined_difference(n + m, how=DELONG_METHOD)
    areas = float(champion_placements[0].mean()), float(candidate_placements[0].mean())
    if n < 2 or m < 2:
        return undefined_difference(n + m, *areas, how=DELONG_METHOD)
    apart = [theirs - ours for ours, theirs in zip(champion_placements, candidate_placements, strict=True)]
    error = math.sqrt(float(apart[0].var(ddof=1)) / n + float(apart[1].var(ddof=1)) / m)
    if not error > 1e-12:
        return undefined_difference(n + m, *areas, how=DELONG_METHOD)
    value, half = areas[1] - areas[0], z_value(level) * error
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(*areas, max(-1.0, value - half), min(1.0, value + half), n + m, DELONG_METHOD, p)


def placements(positive: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Of every positive row the share of negatives that it beats (ties half), of every negative the share of positives
    that beat it, each in the order of the rows."""
    names, place = np.unique(score, return_inverse=True)
    hits, misses = (np.bincount(place[rows], minlength=len(names)).astype(np.float64) for rows in (positive, ~positive))
    beats, beaten = placements_by_bin(hits, misses)
    return beats[place[positive]], beaten[place[~positive]]


SCORE_METRICS = ("auc", "pr_auc", "log_loss", "brier")
NUMBER_METRICS = ("mae", "rmse", "mape", "r2")
RANKING_METRICS = ("ndcg", "hit_rate")
VALUE_METRICS = ("accuracy_by_value", "mae_by_value")
LOWER_IS_BETTER = frozenset({"mae_by_value", "log_loss", "brier", "mae", "rmse", "mape"})
"""Metrics that are better when they are lower."""
METRICS = (*classification.METRICS, *SCORE_METRICS, *NUMBER_METRICS, *RANKING_METRICS, *VALUE_METRICS)
BINS = 50
PR_DRAWS = 500


def required_input(metric: str) -> str:
    """``classes``, ``scores``, ``numbers`` or ``lists``; a dotted path needs numbers. Raises ``ValueError`` for unknown
    ones."""
    kinds = {
        "classes": (*classification.METRICS, "accuracy_by_value"),
        "scores": SCORE_METRICS,
        "numbers": (*NUMBER_METRICS, "mae_by_value"),
        "lists": RANKING_METRICS,
    }
    for kind, names in kinds.items():
        if metric in names:
            return kind
    if "." in metric or ":" in metric:
        return "numbers"
    raise ValueError(f"{metric!r} is no metric that two models are compared by; there are {', '.join(METRICS)}")


def compare_metric(metric: str, pairs: PairedRows, level: float) -> Difference:
    """The metric of both and the interval of candidate minus champion at ``level``.

    Raises ``ValueError`` where the pairs lack what the metric needs.
    """
    kind = required_input(metric)
    if metric in VALUE_METRICS:
        return _compare_by_value(metric, pairs, level)
    if kind == "classes" and pairs.label is not None and pairs.candidate is not None:
        return classification.compare_classes(metric, pairs, level)
    if kind == "scores" and pairs.positive is not None and pairs.scores is not None:
        return _compare_scores(metric, pairs.positive, pairs.scores, level)
    if kind == "numbers" and pairs.truth is not None and pairs.numbers is not None:
        return _compare_numbers(metric, pairs.truth, pairs.numbers, level)
    if kind == "lists" and pairs.query is not None and pairs.truth is not None and pairs.scores is not None:
        return _compare_rankings(metric, pairs.query, pairs.truth, pairs.scores, pairs.depth, level)
    raise ValueError(f"{metric!r} needs {kind}, and there are none")


def _compare_scores(metric: str, positive: Bools, scores: PairedColumn, level: float) -> Difference:
    if metric == "auc":
        return delong(positive, scores.champion, scores.candidate, level)
    if metric == "pr_auc":
        return compare_pr_auc(positive, scores, level)
    rows = [row_losses(positive, side)[metric] for side in (scores.champion, scores.candidate)]
    return _compare_means(PairedColumn(*rows), level)


def _compare_means(rows: PairedColumn, level: float) -> Difference:
    """Of a metric that every row has for itself."""
    n = len(rows.champion)
    if not n or not (np.isfinite(rows.champion).all() and np.isfinite(rows.candidate).all()):
        return undefined_difference(n)
    low, high = mean_interval(rows.candidate - rows.champion, level)
    how = "paired bootstrap, BCa" if n <= MAX_BCA_ROWS else "Student's paired interval"
    return Difference(float(rows.champion.mean()), float(rows.candidate.mean()), low, high, n, how)


def _compare_numbers(metric: str, truth: Floats, sides: PairedColumn, level: float) -> Difference:
    if metric not in NUMBER_METRICS:
        return _compare_custom(metric, truth, sides, level)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = [np.abs(side - truth) for side in (sides.champion, sides.candidate)]
        if metric == "mae":
            return _compare_means(PairedColumn(*errors), level)
        if metric == "mape":
            size = np.maximum(np.abs(truth), np.finfo(np.float64).eps)
            return _compare_means(PairedColumn(errors[0] / size, errors[1] / size), level)
        # Labels around their mean, so that no digits cancel.
        apart = truth - (truth.mean() if len(truth) else 0.0)
        columns = np.stack([errors[0] ** 2, errors[1] ** 2, apart, apart**2], axis=1)
    if not len(columns) or not np.isfinite(columns).all():
        return undefined_difference(len(columns))
    value = _rmse if metric == "rmse" else _r2
    ours, theirs = (float(value(columns.mean(axis=0)[None], side)[0]) for side in (0, 1))
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return undefined_difference(len(columns), ours, theirs)
    low, high = means_interval(columns, lambda means: value(means, 1) - value(means, 0), level)
    how = f"paired bootstrap{', BCa' if len(columns) <= MAX_BCA_ROWS else ' of the means'}"
    return Difference(ours, theirs, low, high, len(columns), how)


def _rmse(means: Floats, side: int) -> Floats:
    return np.sqrt(np.maximum(means[:, side], 0.0))


def _r2(means: Floats, side: int) -> Floats:
    """R2; NaN where all labels are equal."""
    spread = means[:, 3] - means[:, 2] ** 2
    return np.where(
        spread > 1e-12 * np.abs(means[:, 3]), 1 - means[:, side] / np.where(spread > 0, spread, 1.0), np.nan
    )


def compare_pr_auc(positive: Bools, scores: PairedColumn, level: float) -> Difference:
    """Average precision of both; the bounds come from counts in at most 50 x 50 bins of the two scores, drawn anew
    (Poisson bootstrap), and are moved by what binning costs."""
    n = len(positive)
    if not positive.any() or positive.all():
        return undefined_difference(n)
    ours, theirs = (_average_precision(positive, side) for side in (scores.champion, scores.candidate))
    first, second = _quantile_bins(scores.champion), _quantile_bins(scores.candidate)
    cells, counts = np.unique((first * BINS + second) * 2 + positive, return_counts=True)
    # By champion's bin and by candidate's: where each cell counts, hits at odd places.
    places = [cell * 2 + cells % 2 for cell in (cells // 2 // BINS, cells // 2 % BINS)]

    def apart(tables: Floats) -> Floats:
        one, other = (_average_precision_of_counts(sum_by_place(tables, place, 2 * BINS)) for place in places)
        return other - one

    random = np.random.default_rng(SEED)
    step = max(1, MAX_NUMBERS // len(counts))
    sizes = [min(step, PR_DRAWS - start) for start in range(0, PR_DRAWS, step)]
    draws = np.concatenate([apart(random.poisson(counts, (size, len(counts))).astype(np.float64)) for size in sizes])
    if np.ptp(draws) == 0:
        return undefined_difference(n, ours, theirs)
    lost = theirs - ours - float(apart(counts.astype(np.float64)[None])[0])
    low, high = percentile_interval(draws, level)
    return Difference(ours, theirs, low + lost, high + lost, n, "bootstrap of paired counts by score")


def _average_precision(positive: Bools, score: Floats) -> float:
    names, place = np.unique(score, return_inverse=True)
    counts = np.bincount(place * 2 + positive, minlength=2 * len(names)).astype(np.float64)
    return float(_average_precision_of_counts(counts[None])[0])


def _quantile_bins(score: Floats) -> Ints:
    """Which of at most 50 bins of about equal counts; equal scores share one."""
    edges = np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.asarray(np.searchsorted(edges, score, side="left"), dtype=np.int64)


def _average_precision_of_counts(counts: Floats) -> Floats:
    """Average precision of each draw; ``counts`` has misses and hits in turn, from the lowest score up."""
    return average_precision(counts[:, ::-1][:, ::2], counts[:, ::-1][:, 1::2])


def _compare_by_value(metric: str, pairs: PairedRows, level: float) -> Difference:
    """A mean weighed by what rows are worth; those worth less than nothing are left out.

    A few rows may be worth most: then the interval is too short, and a test that turns the rows' signs has to agree.
    """
    if pairs.worth is None:
        raise ValueError(f"{metric!r} needs what each row is worth, and that is not known")
    if metric == "mae_by_value" and pairs.truth is not None and pairs.numbers is not None:
        sides = [np.abs(side - pairs.truth) for side in (pairs.numbers.champion, pairs.numbers.candidate)]
    else:
        label, *predictions = pairs.codes()
        sides = [(side == label).astype(np.float64) for side in predictions]
    is_usable = np.isfinite(pairs.worth) & (pairs.worth >= 0)
    worth = pairs.worth[is_usable]
    columns = np.stack([worth * sides[0][is_usable], worth * sides[1][is_usable], worth], axis=1)
    if not worth.sum() > 0 or not np.isfinite(columns).all():
        return undefined_difference(pairs.n)
    ours, theirs, whole = columns.mean(axis=0)
    low, high = means_interval(columns, lambda means: safe_divide(means[:, 1] - means[:, 0], means[:, 2]), level)
    how = f"paired bootstrap{', BCa' if len(columns) <= MAX_BCA_ROWS else ' of the means'}; {SIGN_FLIP_TEST}"
    p = sign_flip_p_value(columns[:, 1] - columns[:, 0])
    return Difference(float(ours / whole), float(theirs / whole), low, high, len(columns), how, p)


def _compare_rankings(
    metric: str, query: Ints, relevance: Floats, scores: PairedColumn, depth: int, level: float
) -> Difference:
    """Paired by query, which is the independent unit: NDCG as a mean of queries, the hit rate as a share of them."""
    if not len(query):
        return undefined_difference(0)
    sides = [metrics_by_query(query, relevance, side, depth) for side in (scores.champion, scores.candidate)]
    if metric == "ndcg":
        known = np.isfinite(sides[0][0])  # Without anything relevant neither side has one.
        return replace(_compare_means(PairedColumn(*(ndcg[known] for ndcg, _ in sides)), level), unit="queries")
    ours, theirs = (hit for _, hit in sides)
    gained, lost = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
    difference = compare_shares(int(ours.sum()), int(theirs.sum()), gained, lost, len(ours), level)
    return replace(difference, unit="queries")


def _compare_custom(path: str, truth: Floats, sides: PairedColumn, level: float) -> Difference:
    metric = load_metric(path)
    return _compare_row_draws(sides, lambda side, rows: metric(truth[rows], side[rows]), operator.sub, level)


def compare_quantiles(sides: PairedColumn, q: float, level: float) -> Difference:
    """Quantiles of two columns of positive numbers; ``low`` and ``high`` bound candidate over champion, not the
    difference."""

    def ratio(candidate: float, champion: float) -> float:
        return candidate / champion if champion > 0 else math.nan

    return _compare_row_draws(sides, lambda side, rows: float(np.quantile(side[rows], q)), ratio, level)


def _compare_row_draws(
    sides: PairedColumn,
    value: Callable[[Floats, Ints], float],
    relation: Callable[[float, float], float],
    level: float,
) -> Difference:
    """A value of some rows of either side, and bounds of the relation of candidate to champion."""
    n = len(sides.champion)
    if not n:
        return undefined_difference(0)
    ours, theirs = (float(value(side, np.arange(n))) for side in (sides.champion, sides.candidate))

    def apart(rows: Ints) -> float:
        return relation(float(value(sides.candidate, rows)), float(value(sides.champion, rows)))

    low, high = rows_interval(n, apart, level)
    return Difference(ours, theirs, low, high, n, "paired bootstrap of rows")
