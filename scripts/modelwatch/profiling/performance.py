"""Performance metrics: from the counts and sums of a profile, or, for ranking and custom metrics, from rows.

Metrics from profiles are exact, except areas under curves, which treat the scores of one bin as equal. Where that could
matter, since bins were chosen for other scores, they are computed from rows (``row_metrics``), or left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..model.keys import key_of
from ..model.prediction_log import DEFAULT_METRICS, METRICS, MeasureSpec, RankingSpec
from ..model.series import Labels, labels_of
from ..stats.performance.confusion import ConfusionMatrix, class_metrics
from ..stats.performance.custom import custom_metric, load_metric
from ..stats.performance.estimate import Estimate, proportion, value_weighted_mean
from ..stats.performance.probabilistic import binning_error, loss_metrics, pr_auc, precision_binning_error, roc_auc
from ..stats.performance.ranking import ranking_metrics
from ..stats.performance.regression import regression_metrics
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR_SEPARATOR, Profile, ProfileKey, TableProfile
from .arrow_columns import CLASS_MISSING_WORDS, floats_by_row, hash_ids, is_text_type, texts_by_row, to_mask
from .class_names import ClassNames, positive_class
from .engines.partitioned_log import read_groups
from .label_comparison import compare_with_labels, scored_class_names
from .profile_plan import ProfilePlan, score_columns
from .profiler import encode_segments, split_by_window
from .readers import PredictionLog

WHOLE_ONLY_PREFIXES = ("class_", "confusion")
"""Prefixes of metrics that segments do not have."""
SCORE_METRICS = frozenset(("auc", "pr_auc", "log_loss", "brier", "auc_macro", "pr_auc_macro"))
OWN_COUNT_METRICS = ("precision", "recall", "accuracy_by_value", "mae_by_value")
"""Metrics with a count of their own: of other rows than the rest, or (by value) of as many equally valuable rows as
would be equally certain."""
RARER_COUNT = "rarer_n"
"""Beside an AUC: rows of the rarer of its two classes, the ``weight`` of a rule with ``interval: auc``."""
AUC_METRICS = frozenset(("auc", "auc_macro", "class_auc"))
PR_AUC_METRICS = frozenset(("pr_auc", "pr_auc_macro", "class_pr_auc"))
CURVE_METRICS = AUC_METRICS | PR_AUC_METRICS
MAX_BINNING_ERROR = 0.01
"""An area under a curve that could be further off, because bins do not fit the scores, is not published."""
MAX_ROWS = 1_000_000
"""Rows in memory, all windows together."""
MIN_WINDOW_ROWS = 10_000
"""Rows that are kept of each window, if it has as many."""

RowColumns = tuple[NDArray[Any], ...]
Evaluator = Callable[[RowColumns], Sequence[Estimate]]
ColumnReader = Callable[[Any, ProfilePlan, float], RowColumns]


def performance_metrics(
    table: TableProfile, segment: Labels, spec: MeasureSpec, extra: Sequence[Estimate] = ()
) -> Iterator[tuple[str, float]]:
    """Keys and values of the requested metrics that are known, each with its count (``count_name``), and of ``extra``.

    Precision, recall, F1 and areas under curves of two classes are those of the positive one. Segments with fewer than
    ``min_rows`` labelled rows have no metrics.
    """
    if segment and labelled_rows(table) < spec.min_rows:
        return
    whole = not segment
    requested = {name for name in spec.metrics or DEFAULT_METRICS if whole or not name.startswith(WHOLE_ONLY_PREFIXES)}
    estimates = [estimate for estimate in _estimates(table, requested, spec, whole) if estimate.name in requested]
    scalars: dict[str, float] = {}
    own_labels = labels_of(dict(segment))
    for estimate in (*estimates, *extra):
        if math.isnan(estimate.value):
            continue
        labels = labels_of({**dict(segment), "class": estimate.label}) if estimate.label else own_labels
        name = estimate.name.removeprefix("class_")
        key = key_of(f"eval/{name}", labels)
        scalars[key] = estimate.value
        scalars.setdefault(key_of(f"eval/{count_name(name)}", labels), estimate.n)
        if whole and spec.intervals and not math.isnan(estimate.low):
            scalars |= {f"{key}/low": estimate.low, f"{key}/high": estimate.high}
    if any(estimate.name == "auc" and not math.isnan(estimate.value) for estimate in (*estimates, *extra)):
        rows = (float(column.counts.sum()) for column in table.scores.values())
        scalars[key_of(f"eval/{RARER_COUNT}", segment)] = min(rows)
    yield from scalars.items()
    if "confusion" in requested and table.pairs is not None:
        for pair, count in sorted(table.pairs.named_counts.items()):
            prediction, _, label = pair.partition(PAIR_SEPARATOR)
            yield key_of("eval/confusion", (("label", label), ("prediction", prediction))), float(count)


def known_metrics(
    table: TableProfile, spec: MeasureSpec, extra: Mapping[ProfileKey, Sequence[Estimate]]
) -> frozenset[str]:
    """The names of the requested metrics that the profile of all rows gives, or that ``extra`` has."""
    requested = set(spec.metrics or DEFAULT_METRICS)
    estimates = [*_estimates(table, requested, spec, whole=False), *(one for some in extra.values() for one in some)]
    names = {estimate.name for estimate in estimates if not math.isnan(estimate.value)}
    return frozenset(names | ({"confusion"} if table.pairs is not None else set()))


def count_name(name: str) -> str:
    """The last part of the key of a metric's count: ``n``, unless other rows count."""
    if name in SCORE_METRICS:
        return "score_n"
    if name in ("ndcg", "hit_rate"):
        return "queries"
    return "n" if name in METRICS and name not in OWN_COUNT_METRICS else f"{name}_n"


def labelled_rows(table: TableProfile) -> int:
    """Rows with a label and an output."""
    return max((sums.n for sums in table.sums.values()), default=0)


def known_classes(table: TableProfile) -> tuple[str, ...]:
    """The labels of the plan, sorted."""
    names = {*table.scores, *(table.pairs.vocabulary if table.pairs is not None else ())}
    return tuple(sorted({name.partition(PAIR_SEPARATOR)[0] for name in names}))


def _estimates(table: TableProfile, requested: set[str], spec: MeasureSpec, whole: bool) -> Iterator[Estimate]:
    sums, intervals = table.sums, whole and spec.intervals
    if "errors" in sums:
        yield from regression_metrics(sums["errors"])
    if "hits" in sums:
        hits = sums["hits"]
        yield proportion("accuracy", hits.mean("right") * hits.n if hits.n else 0.0, float(hits.n))
        yield from _class_estimates(table, requested, spec, intervals)
    if "valued" in sums:
        is_share = "hits" in sums
        yield value_weighted_mean(sums["valued"], "accuracy_by_value" if is_share else "mae_by_value", share=is_share)
    if "losses" in sums:
        yield from loss_metrics(sums["losses"])
    fitting = requested & CURVE_METRICS - misfit_curves(table, requested, spec)
    if fitting:
        sides = score_sides(table, spec).items()
        areas = _curve_areas({name: (one.counts, other.counts) for name, (one, other) in sides}, intervals)
        yield from (area for area in areas if area.name in fitting)


def _class_estimates(
    table: TableProfile, requested: set[str], spec: MeasureSpec, intervals: bool
) -> Iterator[Estimate]:
    """Precision, recall and F1; none if there are too many classes to count each pair of them."""
    classes = known_classes(table)
    if table.pairs is None or table.pairs.other or not classes:
        return
    positive = positive_class(classes, spec)
    for estimate in class_metrics(confusion_matrix(table), averages=len(classes) > 2, intervals=intervals):
        if estimate.label:
            name = f"class_{estimate.name}"
            if name in requested:
                yield replace(estimate, name=name)
        elif estimate.name != "accuracy":
            yield estimate
        if positive and estimate.label == positive:
            yield replace(estimate, label="")


def confusion_matrix(table: TableProfile) -> ConfusionMatrix:
    """The confusion matrix, labels as rows, including classes that only production has."""
    pairs = table.pairs.named_counts if table.pairs is not None else {}
    names = {name for pair in pairs for name in pair.split(PAIR_SEPARATOR)} | set(known_classes(table))
    classes = tuple(sorted(names))
    number_of = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for pair, count in pairs.items():
        prediction, _, label = pair.partition(PAIR_SEPARATOR)
        counts[number_of[label], number_of[prediction]] += count
    return ConfusionMatrix(classes, counts)


ScoreCounts = Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
"""By class the counts of its rows, and of the others, by ascending score; of two classes under one empty name."""


def score_sides(table: TableProfile, spec: MeasureSpec) -> dict[str, tuple[NumericProfile, NumericProfile]]:
    """The profiles behind such counts; none of two classes of which nothing says which is positive."""
    scores = table.scores
    if scores and all(PAIR_SEPARATOR not in name for name in scores):
        classes = sorted(scores)
        positive = positive_class(classes, spec)
        return {"": (scores[positive], scores[classes[1 - classes.index(positive)]])} if positive else {}
    names = sorted({name.partition(PAIR_SEPARATOR)[0] for name in scores})
    return {name: (scores[f"{name}{PAIR_SEPARATOR}1"], scores[f"{name}{PAIR_SEPARATOR}0"]) for name in names}


def misfit_curves(table: TableProfile, requested: Container[str], spec: MeasureSpec) -> frozenset[str]:
    """The requested areas under curves for which the bins are too coarse."""
    sides = score_sides(table, spec).values()
    misfits: set[str] = set()
    for names, error in ((AUC_METRICS, binning_error), (PR_AUC_METRICS, precision_binning_error)):
        wanted = {name for name in names if name in requested}
        if wanted and any(error(*side) > MAX_BINNING_ERROR for side in sides):
            misfits |= wanted
    return frozenset(misfits)


def _curve_areas(sides: ScoreCounts, intervals: bool) -> Iterator[Estimate]:
    areas: dict[str, list[Estimate]] = {"auc": [], "pr_auc": []}
    for name, (positive, negative) in sides.items():
        for area in (roc_auc(positive, negative), pr_auc(positive, negative, intervals=intervals)):
            areas[area.name].append(area)
            yield replace(area, name=f"class_{area.name}", label=name) if name else area
    if "" in sides:
        return
    for metric, estimates in areas.items():
        known = [estimate for estimate in estimates if math.isfinite(estimate.value)]
        yield _macro_average(metric, known, max((estimate.n for estimate in estimates), default=0.0))


def _macro_average(metric: str, estimates: Sequence[Estimate], n: float) -> Estimate:
    """The mean over classes. Its interval is the mean of theirs: the standard error of a mean is at most the mean of
    the standard errors, however the classes are correlated (they share their rows)."""
    if not estimates:
        return Estimate(f"{metric}_macro", math.nan, math.nan, math.nan, n)
    value, low, high = (
        math.fsum(column) / len(estimates) for column in zip(*((e.value, e.low, e.high) for e in estimates))
    )
    return Estimate(f"{metric}_macro", value, low, high, n)


def row_metrics(log: PredictionLog, plan: ProfilePlan, profile: Profile) -> dict[ProfileKey, tuple[Estimate, ...]]:
    """By window and version the metrics of ``ranking`` and ``custom``, and areas under curves where bins do not fit the
    scores (these by segment, too); ``profile``: of the same log.

    Raises UserError if a custom function cannot be loaded, or fails.
    """
    spec = plan.spec
    if not spec.label:
        return {}
    evaluators: list[tuple[ColumnReader, Evaluator]] = []
    if spec.ranking is not None:
        evaluators.append((_read_ranking, partial(_evaluate_ranking, spec, spec.ranking)))
    if spec.custom:
        functions = {name: _load_function(name, path) for name, path in spec.custom}
        evaluators.append((_read_predictions, partial(_evaluate_functions, spec, functions)))
    shares = row_shares(profile)
    estimates = _curve_areas_of_rows(log, plan, profile, shares)
    for read, evaluate in evaluators:
        for cell, columns in sample_rows(log, plan, shares, read).items():
            estimates[cell] = (*estimates.get(cell, ()), *evaluate(columns))
    return estimates


def row_shares(profile: Profile) -> dict[ProfileKey, float]:
    """By window and version the share of rows that are kept in memory."""
    sizes = {cell: table.rows for cell, table in profile.cells.items() if not cell.segment}
    limit = max(MIN_WINDOW_ROWS, MAX_ROWS // max(len(sizes), 1))
    return {cell: min(1.0, limit / max(rows, 1)) for cell, rows in sizes.items()}


def _curve_areas_of_rows(
    log: PredictionLog, plan: ProfilePlan, profile: Profile, shares: Mapping[ProfileKey, float]
) -> dict[ProfileKey, tuple[Estimate, ...]]:
    """The areas that bins cannot give, from the scores of the rows: of windows, versions and segments."""
    spec = plan.spec
    requested = CURVE_METRICS.intersection(spec.metrics or DEFAULT_METRICS)
    misfits: dict[ProfileKey, list[ProfileKey]] = {}
    for cell, table in profile.cells.items() if requested else ():
        if misfit_curves(table, requested, spec):
            misfits.setdefault(ProfileKey(cell.window, cell.version), []).append(cell)
    if not misfits:
        return {}
    needed = {cell: shares[cell] for cell in misfits}
    found: dict[ProfileKey, tuple[Estimate, ...]] = {}
    rows = sample_rows(log, plan, needed, read_scores, (*score_columns(spec), *spec.segments))
    for whole, (classes, scores, segments) in rows.items():
        for cell in misfits[whole]:
            places = np.ones(len(classes), np.bool_)
            for name, value in cell.segment:
                places &= segments[:, spec.segments.index(name)] == value
            areas = _curve_areas(_sides_of_rows(plan, classes[places], scores[places]), spec.intervals)
            wanted = requested if not cell.segment else {name for name in requested if not name.startswith("class_")}
            found[cell] = tuple(area for area in areas if area.name in wanted)
    return found


def read_scores(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """The number of its class, the scores and the segments of each row that has a class."""
    compared = compare_with_labels(rows, plan)
    classes = compared.classes if compared.classes is not None else np.full(rows.num_rows, -1)
    known = classes >= 0
    if share < 1:
        known &= draw_rows(rows.column(plan.spec.id or plan.spec.time), share)[1]
    absent = (None, np.full(rows.num_rows, np.nan))
    scores = [compared.scores.get(name, absent)[1] for name in scored_class_names(plan)]
    segments = []
    for name, values in plan.segments:
        codes, names = encode_segments(rows, name, values)
        segments.append(np.array(names, dtype=object)[codes])
    empty = np.empty((rows.num_rows, 0))
    return (
        classes[known],
        (np.stack(scores, axis=1) if scores else empty)[known],
        (np.stack(segments, axis=1) if segments else empty.astype(object))[known],
    )


def _sides_of_rows(plan: ProfilePlan, classes: NDArray[np.int64], scores: NDArray[np.float64]) -> ScoreCounts:
    sides = {}
    for place, name in enumerate(scored_class_names(plan)):
        finite = np.isfinite(scores[:, place])
        values, number = np.unique(scores[finite, place], return_inverse=True)
        is_own = classes[finite] == plan.classes.index(name)
        positive, negative = (np.bincount(number[side], minlength=len(values)) for side in (is_own, ~is_own))
        sides["" if plan.binary_score else name] = (positive, negative)
    return sides


def misfit_note(profile: Profile, spec: MeasureSpec, known: Container[ProfileKey]) -> Iterator[str]:
    """Says where the bins do not fit the scores; ``known``: the windows, versions and segments whose areas under curves
    were computed from rows."""
    requested = CURVE_METRICS.intersection(spec.metrics or DEFAULT_METRICS)
    if not requested or not spec.label:
        return
    misfits = [cell for cell, table in profile.cells.items() if misfit_curves(table, requested, spec)]
    lost = sum(cell not in known for cell in misfits)
    if lost:
        parts = f"{lost} windows or segments" if lost > 1 else "1 window or segment"
        yield (
            f"{_bins(spec)} do not fit the scores of {parts}, which have no AUC: capture a new reference, or measure "
            "the whole log at once."
        )
    elif misfits:
        yield f"{_bins(spec)} do not fit the scores; their AUC is computed from the rows."


def _bins(spec: MeasureSpec) -> str:
    return "the reference's bins" if spec.reference else "the bins, chosen from a sample of this log,"


def _load_function(name: str, path: str) -> Callable[..., float]:
    try:
        return load_metric(path)
    except ValueError as error:
        raise UserError(f"the metric {name!r} cannot be loaded: {error}.", where="measure: {custom}") from error


def _evaluate_ranking(spec: MeasureSpec, ranking: RankingSpec, columns: RowColumns) -> list[Estimate]:
    queries, relevance, scores = columns
    requested = spec.metrics or DEFAULT_METRICS
    try:
        return [
            metric for metric in ranking_metrics(queries, relevance, scores, ranking.at) if metric.name in requested
        ]
    except ValueError as error:
        raise UserError(f"the ranking cannot be evaluated: {error}.", where="measure: {ranking}") from error


def _evaluate_functions(
    spec: MeasureSpec, functions: Mapping[str, Callable[..., float]], columns: RowColumns
) -> list[Estimate]:
    labels, predictions = columns
    estimates = []
    for name, function in functions.items():
        try:
            estimates.append(custom_metric(name, function, labels, predictions, intervals=spec.intervals))
        except Exception as error:
            message = f"the metric {name!r} failed: {type(error).__name__}: {error}"
            raise UserError(message, where="measure: {custom}") from error
    return estimates


def sample_rows(
    log: PredictionLog,
    plan: ProfilePlan,
    shares: Mapping[ProfileKey, float],
    read: ColumnReader,
    more_columns: Sequence[str] = (),
) -> dict[ProfileKey, RowColumns]:
    spec = plan.spec
    query = spec.ranking.query if spec.ranking else ""
    names = (spec.id, spec.time, spec.version, spec.label, spec.prediction, spec.score, query, *more_columns)
    columns = tuple(dict.fromkeys(filter(None, names)))
    return read_groups(log, columns, partial(_read_cells, plan, shares, read), _concatenate)


def _concatenate(parts: Mapping[ProfileKey, Sequence[RowColumns]]) -> dict[ProfileKey, RowColumns]:
    return {
        cell: tuple(np.concatenate(columns) for columns in zip(*batches, strict=True))
        for cell, batches in parts.items()
    }


def _read_cells(
    plan: ProfilePlan, shares: Mapping[ProfileKey, float], read: ColumnReader, batches: Iterable[Any]
) -> dict[ProfileKey, RowColumns]:
    parts: dict[ProfileKey, list[RowColumns]] = {}
    for batch in batches:
        for cell, rows in split_by_window(batch, plan):
            if cell in shares:
                parts.setdefault(cell, []).append(read(rows, plan, shares[cell]))
    return _concatenate(parts)


def _read_ranking(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """Query, relevance and score of the rows whose query is drawn."""
    assert plan.spec.ranking is not None  # noqa: S101
    queries, sampled = draw_rows(rows.column(plan.spec.ranking.query), share)
    relevance, scores = (floats_by_row(rows.column(name)) for name in (plan.spec.label, plan.spec.score))
    return queries[sampled], relevance[sampled], scores[sampled]


def _read_predictions(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """Label and prediction (or score) of the rows that have both: numbers, or texts if one of them is text."""
    spec = plan.spec
    arrays = [rows.column(name) for name in (spec.label, spec.prediction or spec.score)]
    as_text = any(is_text_type(array.type) for array in arrays) and plan.typical_label is None
    columns = [
        texts_by_row(array, "", ClassNames(plan.classes), CLASS_MISSING_WORDS) if as_text else floats_by_row(array)
        for array in arrays
    ]
    known = np.logical_and(*((column != "") if as_text else ~np.isnan(column) for column in columns))
    if share < 1:
        known &= draw_rows(rows.column(spec.id or spec.time), share)[1]
    return tuple(column[known] for column in columns)


def draw_rows(array: Any, share: float) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash of every cell, and which rows are drawn: about ``share`` of the cells that are not empty."""
    valid = to_mask(array.is_valid())
    hashes = np.zeros(len(array), dtype=np.uint64)
    hashes[valid] = hash_ids(array)[0]
    return hashes, valid & (hashes <= np.uint64(int(share * (2**64 - 1)) if share < 1 else 2**64 - 1))
