"""Metrics of a classifier on rows without labels, from the calibrated probability of each class.

The idea is NannyML's confidence-based estimation (CBPE): calibrated scores say how many rows of each cell of the
confusion matrix to expect. Here the whole distribution of the realized metric is drawn: a curve of probabilities from
its posterior (``calibration``), then labels given the curve, so that the interval covers what will be realized. Rows
are counted by score first, and labels of one cell are binomial: the sum over cells is Poisson-binomial, like that over
the rows themselves.

With weights of the labelled rows (``density_ratio``) the curve is that of the distribution of the other rows: the
idea of M-CBPE, later PAPE (Bialek, Kuberski, Perrakis and Bifet 2024, arXiv 2401.08348).

What is assumed: among rows with one score (and weight) the share of each class has not changed. If it has, that is
concept drift, which scores alone cannot show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Bools, Floats, Ints
from ..logistic import sigmoid
from ..performance.confusion import average_over_classes
from ..performance.estimate import Estimate, percentile_interval, safe_divide, undefined_estimate
from .calibration import fit_calibration, score_logits
from .density_ratio import DensityRatio, plain_ratio
from .score_bins import ScoreCells, choose_edges, count_cells, labelled_cells

DRAWS = 500
SEED = 11
MAX_LABELLED = 200_000
"""Labelled rows that are counted; of more, a seeded sample."""
UNBOUNDED_METRICS = ("log_loss", "mae", "rmse")
WIDENING = 1.05
"""How much wider intervals are than their draws say: in simulated worlds these were that much too narrow, and"""
SHIFTED_WIDENING = 1.15
"""where labelled rows are weighed, since the weights are estimates, too."""
UNSUPPORTED_DEVIATION = 1.0
"""How far the probability of rows unlike all labelled ones can be off, as the standard deviation of its logit."""


@dataclass(frozen=True, slots=True, eq=False)
class BinaryRows:
    """Rows of two classes; a score and a prediction each, in arrays of one length without NaN."""

    scores: Floats
    """Of the positive class; the higher, the more probable."""
    predicted: Bools
    """Whether the positive class was predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassRows:
    """Rows of several classes."""

    scores: Floats
    """``[rows, classes]``: a score of each class."""
    predicted: Ints
    """The number of the predicted class; -1 for another one."""


def estimate_binary(
    labelled: BinaryRows,
    is_positive: Bools,
    rows: BinaryRows,
    *,
    ratio: DensityRatio | None = None,
    population: int = 0,
    predictions: bool = True,
) -> tuple[Estimate, ...]:
    """Accuracy, precision, recall, F1, AUC, log loss and Brier score of ``rows``, each with the 95 % interval of its
    realized value; NaN where a metric is not defined in most draws.

    ``ratio``: how the labelled rows have to be weighed. ``population``: so many rows there are of which ``rows`` are a
    sample; 0 if they are all. ``predictions``: whether ``predicted`` is known; without it only metrics of scores are
    given.
    """
    n = len(rows.scores)
    size = float(max(population, n))
    if not n or not len(labelled.scores):
        return tuple(undefined_estimate(name, size) for name in ("accuracy", "f1", "auc"))
    random = np.random.default_rng(SEED)
    known, ratio = _thin((labelled.scores, labelled.predicted, is_positive), ratio, random)
    edges = choose_edges(known[0], rows.scores)
    cells = count_cells(rows.scores, rows.predicted, edges)
    (probabilities,) = _draw_probabilities(
        known, ratio, edges, [(cells.scores, cells.groups.astype(np.float64))], random
    )
    counts, positives = _draw_labels(cells.counts, probabilities, size, random)
    draws = dict(_score_metrics(cells, counts, positives))
    if predictions:
        draws |= _confusion_metrics(cells.groups == 1, counts, positives)
    is_shifted = ratio is not None and ratio.is_shifted
    estimates = (summarize(name, values, size, is_shifted=is_shifted) for name, values in draws.items())
    loss = _loss_deviation(cells, probabilities.mean(axis=0))
    return tuple(replace(one, spread=loss) if one.name == "log_loss" else one for one in estimates)


def estimate_classes(
    labelled: ClassRows,
    labels: Ints,
    rows: ClassRows,
    *,
    ratio: DensityRatio | None = None,
    population: int = 0,
) -> tuple[Estimate, ...]:
    """Accuracy, averages of precision, recall and F1, and the area under the curve of each class (``label``: its
    number) and their mean, as in ``estimate_binary``. ``labels``: numbers of classes.

    For each class a curve says how probable it is at its own score, for rows where it was predicted and for others.
    """
    n, classes = rows.scores.shape
    size = float(max(population, n))
    if not n or not len(labels):
        return tuple(undefined_estimate(name, size) for name in ("accuracy", "f1_macro", "auc_macro"))
    random = np.random.default_rng(SEED)
    (own_scores, own_predicted, labels), ratio = _thin((labelled.scores, labelled.predicted, labels), ratio, random)
    expected = np.zeros((DRAWS, classes, classes))
    right = np.zeros((DRAWS, classes))
    predicted_counts = np.bincount(rows.predicted[rows.predicted >= 0], minlength=classes) * (size / n)
    areas: list[Estimate] = []
    is_shifted = ratio is not None and ratio.is_shifted
    for place in range(classes):
        own, others = own_scores[:, place], rows.scores[:, place]
        edges = choose_edges(own, others)
        cells = count_cells(others, rows.predicted == place, edges)
        rivals = [
            (other, count_cells(others[is_other], np.zeros(int(is_other.sum()), np.bool_), edges))
            for other, is_other in ((other, rows.predicted == other) for other in range(classes) if other != place)
            if is_other.any()
        ]
        places = [(cells.scores, cells.groups.astype(np.float64))]
        places += [(among.scores, np.zeros(len(among.scores))) for _, among in rivals]
        known = (own, own_predicted == place, labels == place)
        probabilities, *of_rivals = _draw_probabilities(known, ratio, edges, places, random)
        counts, positives = _draw_labels(cells.counts, probabilities, size, random)
        right[:, place] = positives[:, cells.groups == 1].sum(axis=1)
        values = dict(_score_metrics(cells, counts, positives))["auc"]
        areas.append(summarize("class_auc", values, size, str(place), is_shifted=is_shifted))
        for (other, among), drawn in zip(rivals, of_rivals, strict=True):
            expected[:, place, other] = drawn @ among.counts
    tables = _draw_tables(right, expected, predicted_counts, random)
    draws = {"accuracy": right.sum(axis=1) / size}
    for metric in ("precision", "recall", "f1"):
        draws |= {f"{metric}_{how}": average_over_classes(tables, metric, how) for how in ("macro", "weighted")}
    averages = (summarize(name, values, size, is_shifted=is_shifted) for name, values in draws.items())
    return (*averages, *areas, _mean_area(areas, size))


def _thin(
    columns: tuple[Any, Any, Any], ratio: DensityRatio | None, random: np.random.Generator
) -> tuple[tuple[Any, Any, Any], DensityRatio | None]:
    """Columns of the labelled rows, and their weights, of at most ``MAX_LABELLED`` rows."""
    n = len(columns[0])
    if n <= MAX_LABELLED:
        return columns, ratio
    chosen = random.choice(n, MAX_LABELLED, replace=False, shuffle=False)
    first, second, third = (column[chosen] for column in columns)
    return (first, second, third), replace(ratio, weights=ratio.weights[:, chosen]) if ratio else None


def _draw_probabilities(
    labelled: tuple[Floats, Bools, Bools],
    ratio: DensityRatio | None,
    edges: Floats,
    places: Sequence[tuple[Floats, Floats]],
    random: np.random.Generator,
) -> list[Floats]:
    """Draws of the probability at each of ``places`` (scores and groups), ``[draws, scores]``; ``labelled``: scores,
    whether the class was predicted, and whether it is the label. Each set of weights has its share of the draws."""
    scores, predicted, is_positive = labelled
    ratio = ratio or plain_ratio(len(scores))
    # Predictions that follow from the score say nothing more.
    is_threshold = not predicted.any() or predicted.all() or scores[predicted].min() >= scores[~predicted].max()
    parts: list[list[Floats]] = [[] for _ in places]
    sets = len(ratio.weights)
    for number, own in enumerate(ratio.weights):
        cells = labelled_cells(scores, predicted, is_positive, own, edges)
        groups = None if is_threshold else cells.groups
        draws = DRAWS * (number + 1) // sets - DRAWS * number // sets
        curve = fit_calibration(cells.scores, cells.positives, cells.trials, groups=groups, draws=draws, random=random)
        for part, place in zip(parts, places, strict=True):
            part.append(curve.probabilities(*place))
    drawn = [np.concatenate(part) for part in parts]
    if not ratio.unsupported_share:
        return drawn
    # Of rows unlike all labelled ones, nobody knows how much more or less probable the class is.
    doubt = random.normal(0, UNSUPPORTED_DEVIATION, (DRAWS, 1))
    share = ratio.unsupported_share
    return [(1 - share) * p + share * sigmoid(score_logits(p) + doubt) for p in drawn]


def _draw_labels(
    counts: Floats, probabilities: Floats, size: float, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """By draw and cell, the rows and the positive ones among them; where rows are a sample of ``size``, what the sample
    leaves open is drawn, too."""
    total = counts.sum()
    drawn = np.broadcast_to(counts, probabilities.shape)
    if size > total:
        shares = random.standard_gamma(np.broadcast_to(counts, probabilities.shape))
        drawn = np.rint(counts + (size - total) * shares / shares.sum(axis=1, keepdims=True))
    positives = random.binomial(drawn.astype(np.int64), np.clip(probabilities, 0.0, 1.0))
    return drawn, positives.astype(np.float64)


def _confusion_metrics(predicted: Bools, counts: Floats, positives: Floats) -> dict[str, Floats]:
    n, actual = counts.sum(axis=1), positives.sum(axis=1)
    tp, reported = positives[:, predicted].sum(axis=1), counts[:, predicted].sum(axis=1)
    right = n - reported - actual + 2 * tp
    return {
        "accuracy": safe_divide(right, n),
        "precision": safe_divide(tp, reported),
        "recall": safe_divide(tp, actual),
        "f1": safe_divide(2 * tp, reported + actual),
    }


def _score_metrics(cells: ScoreCells, counts: Floats, positives: Floats) -> Iterator[tuple[str, Floats]]:
    bins, number = np.unique(cells.bins, return_inverse=True)
    order = np.argsort(number, kind="stable")
    begins = np.searchsorted(number[order], np.arange(len(bins)))
    hits, all_rows = (np.add.reduceat(values[:, order], begins, axis=1) for values in (positives, counts))
    misses = all_rows - hits
    below = np.cumsum(misses, axis=1) - misses
    pairs = (hits * (below + misses / 2)).sum(axis=1)
    yield "auc", safe_divide(pairs, hits.sum(axis=1) * misses.sum(axis=1))
    if np.isnan(cells.log_scores).any():
        return
    n = counts.sum(axis=1)
    yield "log_loss", -(positives @ cells.log_scores + (counts - positives) @ cells.log_rests) / n
    yield "brier", (positives @ (1 - 2 * cells.scores) + counts @ cells.squares) / n


def _loss_deviation(cells: ScoreCells, probabilities: Floats) -> float:
    """The standard deviation of the log loss of single rows, those of a cell taken as alike."""
    losses = np.column_stack([cells.log_scores, cells.log_rests])
    shares = np.column_stack([probabilities, 1 - probabilities]) * (cells.counts / cells.counts.sum())[:, None]
    mean = (shares * losses).sum()
    return float(np.sqrt((shares * (losses - mean) ** 2).sum()))


def _draw_tables(right: Floats, expected: Floats, predicted: Floats, random: np.random.Generator) -> Floats:
    """Confusion tables ``[draws, label, prediction]``: what is not right is spread over the other classes."""
    draws, classes = right.shape
    tables = np.zeros((draws, classes, classes))
    for place in range(classes):
        wrong = np.maximum(np.rint(predicted[place]) - right[:, place], 0.0).astype(np.int64)
        shares = expected[:, :, place].copy()
        shares[:, place] = 0.0
        shares += 1e-12
        shares[:, place] = 0.0
        shares /= shares.sum(axis=1, keepdims=True)
        tables[:, :, place] = random.multinomial(wrong, shares)
        tables[:, place, place] = right[:, place]
    return tables


def _mean_area(areas: list[Estimate], size: float) -> Estimate:
    """The mean over classes; its interval is the mean of theirs, however they are correlated."""
    known = [area for area in areas if math.isfinite(area.value)]
    if not known:
        return undefined_estimate("auc_macro", size)
    value, low, high = (
        math.fsum(column) / len(known) for column in zip(*((area.value, area.low, area.high) for area in known))
    )
    return Estimate("auc_macro", value, low, high, size)


def summarize(name: str, draws: Floats, n: float, label: str = "", *, is_shifted: bool = False) -> Estimate:
    """The mean and the 95 % interval of draws, a little widened; undefined where most draws are."""
    known = draws[np.isfinite(draws)]
    if 2 * len(known) <= len(draws):
        return undefined_estimate(name, n, label)
    value, widening = float(known.mean()), SHIFTED_WIDENING if is_shifted else WIDENING
    low, high = (value + widening * (bound - value) for bound in percentile_interval(known))
    most = math.inf if name in UNBOUNDED_METRICS else 1.0
    return Estimate(name, value, max(min(low, value), 0.0), min(max(high, value), most), n, label)
