"""The W&B keys of predictions, calibration and operations, from profiles."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..model.keys import key_of
from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.performance.calibration import (
    ScoreCounts,
    brier_parts,
    calibration_error,
    calibration_metrics,
    counts_of_profiles,
    logistic_recalibration,
    reliability_curve,
)
from ..stats.performance.estimate import Estimate
from ..stats.performance.predictions import mean_confidence_and_entropy
from ..stats.profile.categorical import CategoricalProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, TableProfile
from ..timeutil import HOUR
from .class_names import positive_class
from .metric_notes import score_reason
from .output_columns import COST, ERRORS, LATENCY, POSITIVE, PREDICTED, TENTH, TOP_LABEL
from .performance import known_classes, labelled_rows, score_sides

LATENCY_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
DECILES = {f"p{10 * place}": place / 10 for place in range(1, 10)}
PARTS = ("reliability", "resolution", "uncertainty")
Scalars = Iterator[tuple[str, float]]


def output_scalars(table: TableProfile, segment: Labels, spec: MeasureSpec) -> Scalars:
    """Keys and values for one window, version and segment. Values that are not known can be NaN.

    Without ``calibration`` a few overall figures that cost nothing: they follow from the profiles of every window.
    """
    if segment and spec.calibration is None and spec.operations is None:
        return
    if not segment or table.rows >= spec.min_rows:
        if not segment or spec.calibration is not None:
            yield from _prediction_scalars(table, segment, spec)
        yield from _operation_scalars(table, segment, spec)
    if not segment or (spec.calibration is not None and labelled_rows(table) >= spec.min_rows):
        yield from _calibration_scalars(table, segment, spec)


def output_notes(table: TableProfile, spec: MeasureSpec) -> Iterator[str]:
    """Why something that the configuration requests is not published. ``table``: of all rows."""
    label = table.columns.get(spec.label)
    if spec.calibration is not None and label is not None and label.n and score_counts(table, spec) is None:
        if isinstance(label, NumericProfile):
            yield "there is no calibration: the labels are numbers."
        else:
            reason = score_reason("log_loss", table, spec, known_classes(table))
            yield f"there is no calibration: {reason or 'the labels and scores of these rows do not give it.'}"
    operations = spec.operations
    if operations is None or not table.rows:
        return
    latency, cost = table.distributions.get(LATENCY), table.outputs.get(COST)
    for name, known in ((operations.latency, latency and latency.n), (operations.cost, cost and cost.n)):
        if name and not known:
            yield f"{name!r} holds no numbers, and is not published. Where it is known, log a number without its unit."


def _prediction_scalars(table: TableProfile, segment: Labels, spec: MeasureSpec) -> Scalars:
    predicted = table.outputs.get(PREDICTED)
    column = table.columns.get(spec.score)
    if predicted is not None and spec.calibration is not None:
        means, n = [predicted.mean("confidence"), predicted.mean("entropy")], predicted.n
    elif isinstance(column, NumericProfile) and _is_probability(table, spec):
        means, n = [*mean_confidence_and_entropy(column)], column.n
    else:
        means, n = [math.nan, math.nan], 0
    if not math.isnan(means[0]):
        yield from zip(
            (key_of(f"predictions/{name}", segment) for name in ("confidence", "entropy")), means, strict=True
        )
        yield key_of("predictions/n", segment), float(n)
    rate, n = _positive_rate(table, spec)
    if n:
        yield key_of("predictions/positive_rate", segment), rate
        yield key_of("predictions/positive_rate_n", segment), float(n)
    if spec.calibration is not None and not segment and isinstance(column, NumericProfile) and column.n:
        for name, value in zip(DECILES, column.quantiles([*DECILES.values()]), strict=True):
            yield f"{spec.key_of_column(spec.score)}/{name}", value


def _is_probability(table: TableProfile, spec: MeasureSpec) -> bool:
    """Whether one column of scores is that of two classes, as far as labels and predictions say."""
    columns = [table.columns.get(name) for name in (spec.label, spec.prediction)]
    counted = [column for column in columns if isinstance(column, CategoricalProfile)]
    several = any(len(column.vocabulary or column.named_counts) > 2 for column in counted)
    is_score = not spec.scores and spec.ranking is None and "errors" not in table.sums
    return is_score and not several and len(known_classes(table)) in (0, 2)


def _positive_rate(table: TableProfile, spec: MeasureSpec) -> tuple[float, int]:
    """The share of predictions that are the positive one of two classes, and their count; 0 where nothing says so."""
    counted, column = table.outputs.get(POSITIVE), table.columns.get(spec.prediction)
    has_several = isinstance(column, CategoricalProfile) and not column.vocabulary and len(column.named_counts) > 2
    if counted is not None and not has_several:
        return counted.mean(POSITIVE), counted.n
    if not isinstance(column, CategoricalProfile) or not column.n:
        return math.nan, 0
    counts = column.named_counts
    positive = positive_class(known_classes(table) or sorted(column.vocabulary or counts), spec)
    return (counts.get(positive, 0) / column.n, column.n) if positive else (math.nan, 0)


def score_counts(table: TableProfile, spec: MeasureSpec) -> ScoreCounts | None:
    """What calibration is judged by: of two classes the scores of the positive one, of several those of the most likely
    class; ``None`` where there are none, or some are no probabilities."""
    sides = score_sides(table, spec).get("")
    if sides is None and f"{TOP_LABEL}{PAIR_SEPARATOR}1" in table.distributions:
        sides = tuple(table.distributions[f"{TOP_LABEL}{PAIR_SEPARATOR}{side}"] for side in (1, 0))  # type: ignore[assignment]
    return counts_of_profiles(*sides) if sides is not None else None


def _calibration_scalars(table: TableProfile, segment: Labels, spec: MeasureSpec) -> Scalars:
    counts = score_counts(table, spec)
    intervals = spec.intervals and not segment
    if counts is None:
        return
    yield key_of("calibration/n", segment), counts.n
    if spec.calibration is None:
        yield from _with_bounds("calibration/ece", calibration_error(counts, intervals=intervals), intervals)
        return
    if segment:
        for estimate in (calibration_error(counts), *logistic_recalibration(counts)):
            yield key_of(f"calibration/{estimate.name}", segment), estimate.value
        return
    classes = _class_counts(table, spec)
    several = _sum_of_parts(classes, len(known_classes(table)))
    for estimate in calibration_metrics(counts, intervals=intervals):
        value = (
            several.get(estimate.name, math.nan) if classes and estimate.name in ("brier", *PARTS) else estimate.value
        )
        bounds = intervals and not math.isnan(estimate.low)
        yield from _with_bounds(f"calibration/{estimate.name}", estimate, bounds, value)
    for number, part in enumerate(reliability_curve(counts), 1):
        label = (("bin", str(number)),)
        yield key_of("calibration/predicted", label), part.predicted
        yield key_of("calibration/observed", label), part.observed
        yield key_of("calibration/n", label), part.n
    for name, of_class in classes.items():
        yield from _labelled(of_class, (("class", name),))
    for column in spec.calibration.by:
        for number in range(1, 11):
            prefix = PAIR_SEPARATOR.join((TENTH, column, str(number)))
            sides = [table.distributions.get(f"{prefix}{PAIR_SEPARATOR}{side}") for side in (1, 0)]
            if sides[0] is None or sides[1] is None or sides[0].n + sides[1].n < spec.min_rows:
                continue
            of_tenth = counts_of_profiles(sides[0], sides[1])
            if of_tenth is not None:
                yield from _labelled(of_tenth, ((column, f"tenth {number}"),))


def _labelled(counts: ScoreCounts, labels: Labels) -> Scalars:
    for estimate in (calibration_error(counts), *logistic_recalibration(counts)):
        yield key_of(f"calibration/{estimate.name}", labels), estimate.value
    yield key_of("calibration/n", labels), counts.n


def _class_counts(table: TableProfile, spec: MeasureSpec) -> dict[str, ScoreCounts]:
    """Of several classes each against the others."""
    sides = {name: counts_of_profiles(*both) for name, both in score_sides(table, spec).items() if name}
    return {name: counts for name, counts in sides.items() if counts is not None}


def _sum_of_parts(classes: dict[str, ScoreCounts], expected: int) -> dict[str, float]:
    """Brier's score of several classes and its parts: the sums over the classes, if none lacks scores."""
    if len(classes) < expected:
        return {}
    parts = [brier_parts(counts) for counts in classes.values()]
    return {column[0].name: math.fsum(estimate.value for estimate in column) for column in zip(*parts, strict=True)}


def _with_bounds(key: str, estimate: Estimate, intervals: bool, value: float | None = None) -> Scalars:
    yield key, estimate.value if value is None else value
    if intervals:
        yield from ((f"{key}/low", estimate.low), (f"{key}/high", estimate.high))


def _operation_scalars(table: TableProfile, segment: Labels, spec: MeasureSpec) -> Scalars:
    if spec.operations is None:
        return
    yield key_of("throughput", segment), table.rows / (spec.window / HOUR)
    latency = table.distributions.get(LATENCY)
    if latency is not None and latency.n:
        for name, value in zip(LATENCY_QUANTILES, latency.quantiles([*LATENCY_QUANTILES.values()]), strict=True):
            yield key_of(f"latency/{name}", segment), value
        yield key_of("latency/n", segment), float(latency.n)
    errors, cost = table.outputs.get(ERRORS), table.outputs.get(COST)
    if errors is not None and errors.n:
        yield key_of("errors/rate", segment), errors.mean(ERRORS)
        yield key_of("errors/n", segment), float(errors.n)
    if cost is not None and cost.n:
        yield key_of("cost/mean", segment), cost.mean(COST)
        yield key_of("cost/sum", segment), cost.mean(COST) * cost.n
        yield key_of("cost/n", segment), float(cost.n)
