"""Performance of all rows from those that have a label: each labelled row counts for all rows of its tenth of the
scores and its segments, so that it does not matter who was labelled. From a sample of the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import DEFAULT_METRICS
from ..stats.arrays import Bools, Floats, Ints
from ..stats.labels.coverage import (
    Metric,
    WeightedEstimate,
    Weighting,
    auc_metric,
    deciles,
    mean_metric,
    ratio_metric,
    root_mean_metric,
    selective_metrics,
    weighted_estimate,
)
from ..stats.performance.probabilistic import row_losses
from ..stats.profile.table import Profile, ProfileKey
from .arrow_columns import column_or_nulls, floats_by_row, texts_by_row
from .label_comparison import compare_with_labels
from .performance import RowColumns, draw_rows, row_shares, sample_rows
from .profile_plan import ProfilePlan, score_columns
from .profiler import encode_segments
from .readers import PredictionLog

MAX_CELLS = 400
"""Tenths of the scores times segments; with more of them segments are left out, the last ones first."""
_SHARES = frozenset(("accuracy", "precision", "recall", "f1", "auc", "brier"))
"""Metrics between 0 and 1."""
_NO_LABEL = -1.0


def weighted_scalars(
    log: PredictionLog, plan: ProfilePlan, profile: Profile
) -> tuple[dict[ProfileKey, dict[str, float]], dict[ProfileKey, tuple[WeightedEstimate, ...]]]:
    """The metrics of each version and window with at least ``min_rows`` labelled rows, and the estimates behind them.
    ``profile``: of the same log."""
    rows = sample_rows(log, plan, row_shares(profile), _read_rows, (*score_columns(plan.spec), *plan.spec.segments))
    scalars: dict[ProfileKey, dict[str, float]] = {}
    found: dict[ProfileKey, tuple[WeightedEstimate, ...]] = {}
    for cell, columns in rows.items():
        classes, results, scores, predicted, segments = columns
        labelled = ~np.isnan(results)
        if int(labelled.sum()) < plan.spec.min_rows:
            continue
        cells = _cells(scores, segments)
        weighting = Weighting(cells[labelled], np.bincount(cells).astype(np.float64))
        metrics = _metrics(plan, *(column[labelled] for column in (classes, results, scores, predicted)))
        estimates = tuple(
            weighted_estimate(name, metric, weighting, (0.0, 1.0) if name in _SHARES else (-math.inf, math.inf))
            for name, metric in metrics.items()
        )
        found[cell] = estimates
        scalars[cell] = dict(_scalars(estimates, weighting))
    return scalars, found


def selection_notes(
    estimates: Mapping[ProfileKey, Sequence[WeightedEstimate]], scalars: Mapping[ProfileKey, Mapping[str, float]]
) -> Iterator[str]:
    """Where labels are selective, and where nothing can be said. Both of mature windows."""
    for name, (weighted, plain) in sorted(selective_metrics(estimates).items()):
        yield (
            f"labels are selective: {name} is {plain:.4g} of the labelled rows, and {weighted:.4g} where each counts "
            f"for all rows like it. Judge `weighted/{name}`."
        )
    shares = [values["weighted/uncovered_share"] for values in scalars.values() if "weighted/uncovered_share" in values]
    if shares and max(shares) > 0:
        yield (
            f"up to {100 * max(shares):.2g} % of the rows of a window are in cells of score and segment without any "
            "label: weighted metrics say nothing of these."
        )


def _scalars(estimates: Sequence[WeightedEstimate], weighting: Weighting) -> Iterator[tuple[str, float]]:
    for estimate in estimates:
        if math.isfinite(estimate.value):
            key = f"weighted/{estimate.name}"
            yield from ((key, estimate.value), (f"{key}/low", estimate.low), (f"{key}/high", estimate.high))
    yield "weighted/n", weighting.effective_rows
    yield "weighted/uncovered_share", weighting.uncovered_share


def _cells(scores: Floats, segments: NDArray[Any]) -> Ints:
    """By row its cell, from 0: the tenth of its score and its segments, as far as there are not too many."""
    codes = deciles(scores) + 1
    for place in range(segments.shape[1]):
        _, own = np.unique(segments[:, place], return_inverse=True)
        finer = np.unique(codes * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1]
        if int(finer.max(initial=0)) >= MAX_CELLS:
            break
        codes = finer
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def _metrics(
    plan: ProfilePlan, classes: Floats, results: Floats, scores: Floats, predicted: Floats
) -> dict[str, Metric]:
    """The requested metrics that the columns allow; ``results``: right (1) or wrong (0), or of numbers the error."""
    requested = set(plan.spec.metrics or DEFAULT_METRICS)
    found: dict[str, Metric] = {}
    if plan.typical_label is not None:
        found = {
            "mae": mean_metric(np.abs(results)),
            "rmse": root_mean_metric(results**2),
            "bias": mean_metric(results),
        }
    else:
        if plan.spec.prediction:
            found["accuracy"] = mean_metric(results)
        if plan.positive:
            positive = classes == plan.classes.index(plan.positive)
            found |= _binary_metrics(positive, predicted == 1.0, scores, plan)
    return {name: metric for name, metric in found.items() if name in requested}


def _binary_metrics(positive: Bools, predicted: Bools, scores: Floats, plan: ProfilePlan) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    hits = (positive & predicted).astype(np.float64)
    if plan.spec.prediction:
        found["precision"] = ratio_metric(hits, predicted.astype(np.float64))
        found["recall"] = ratio_metric(hits, positive.astype(np.float64))
        found["f1"] = ratio_metric(2 * hits, positive.astype(np.float64) + predicted)
    if plan.binary_score and np.isfinite(scores).all():
        found["auc"] = auc_metric(scores, positive)
        if ((scores >= 0) & (scores <= 1)).all():
            losses = row_losses(positive, scores)
            found |= {name: mean_metric(losses[name]) for name in ("log_loss", "brier") if name in losses}
    return found


def _read_rows(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """Of the drawn rows, with and without a label: the number of its class, its result (NaN without a label), its
    score, whether the positive class was predicted, and its segments."""
    spec = plan.spec
    drawn = draw_rows(rows.column(spec.id or spec.time), share)[1] if share < 1 else np.ones(rows.num_rows, np.bool_)
    compared = compare_with_labels(rows, plan)
    count = rows.num_rows
    classes = np.full(count, _NO_LABEL) if compared.classes is None else compared.classes.astype(np.float64)
    results = np.full(count, np.nan)
    if compared.numbers is not None:
        results = compared.numbers[1] - compared.numbers[0]
    elif compared.pairs is not None:
        results = compared.row_results()
    elif compared.classes is not None:
        results = np.where(classes >= 0, 0.0, np.nan)
    names = score_columns(spec)
    scores = floats_by_row(column_or_nulls(rows, names[0])) if len(names) == 1 else np.full(count, np.nan)
    predicted = np.zeros(count)
    if plan.positive and spec.prediction:
        column = plan.column(spec.prediction)
        texts = texts_by_row(column_or_nulls(rows, spec.prediction), "", column.class_names if column else None)
        predicted = (texts == plan.positive).astype(np.float64)
    segments = np.empty((count, 0), dtype=object)
    if plan.segments:
        coded = [encode_segments(rows, name, values) for name, values in plan.segments]
        segments = np.stack([np.array(texts, dtype=object)[codes] for codes, texts in coded], axis=1)
    return classes[drawn], results[drawn], scores[drawn], predicted[drawn], segments[drawn]
