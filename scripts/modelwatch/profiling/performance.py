"""Performance that the counts and sums of a profile give by themselves: no row is read again.

Everything is exact but the areas under curves, which take the scores of one bin for alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..model.keys import key_of
from ..model.prediction_log import DEFAULT_METRICS, METRICS, MeasureSpec
from ..model.series import labels_of
from ..stats.performance.confusion import ConfusionMatrix, class_metrics
from ..stats.performance.custom import custom_metric, load_metric
from ..stats.performance.estimate import Estimate, proportion, value_weighted_mean
from ..stats.performance.probabilistic import loss_metrics, pr_auc, roc_auc
from ..stats.performance.ranking import ranking_metrics
from ..stats.performance.regression import regression_metrics
from ..stats.profile.table import PAIR_SEPARATOR, Profile, ProfileKey, Segment, TableProfile
from .arrow_columns import factorize, floats_by_row, hash_ids, is_text_type, to_mask
from .profile_plan import ProfilePlan
from .profiler import split_by_window
from .readers import PredictionLog

WHOLE_ONLY_PREFIXES = ("class_", "confusion")
"""How metrics begin that segments do not have."""
SCORE_METRICS = frozenset(("auc", "pr_auc", "log_loss", "brier", "auc_macro", "pr_auc_macro"))

OWN_COUNT_METRICS = ("precision", "recall", "accuracy_by_value", "mae_by_value")
"""Of other rows than the rest, or (by value) of fewer: their count is that of rows alike that would say as much."""


def performance_metrics(
    table: TableProfile, segment: Segment, spec: MeasureSpec, extra: Sequence[Estimate] = ()
) -> Iterator[tuple[str, float]]:
    """Keys and values of the metrics that are wanted and known, each with its count (``count_of``); ``more`` are
    published beside them.

    Of two labels the later one in alphabetical order is the positive one: 1, true, yes. Nothing is told of a segment
    with fewer than ``min_rows`` rows that have a label.
    """
    if segment and labelled_rows(table) < spec.min_rows:
        return
    whole = not segment
    wanted = {name for name in spec.metrics or DEFAULT_METRICS if whole or not name.startswith(WHOLE_ONLY_PREFIXES)}
    found = [one for one in _estimates(table, wanted, whole and spec.intervals) if one.name in wanted]
    told: dict[str, float] = {}
    for one in (*found, *extra):
        if math.isnan(one.value):
            continue
        labels = labels_of({**dict(segment), **({"class": one.label} if one.label else {})})
        name = one.name.removeprefix("class_")
        key = key_of(f"eval/{name}", labels)
        told[key] = one.value
        told.setdefault(key_of(f"eval/{count_name(name)}", labels), one.n)
        if whole and spec.intervals and not math.isnan(one.low):
            told |= {f"{key}/low": one.low, f"{key}/high": one.high}
    yield from told.items()
    if "confusion" in wanted and table.pairs is not None:
        for pair, count in sorted(table.pairs.named_counts.items()):
            prediction, _, label = pair.partition(PAIR_SEPARATOR)
            yield key_of("eval/confusion", (("label", label), ("prediction", prediction))), float(count)


def count_name(name: str) -> str:
    """The last part of the key of a metric's count: ``n``, but where other rows count."""
    if name in SCORE_METRICS:
        return "score_n"
    if name in ("ndcg", "hit_rate"):
        return "queries"
    return "n" if name in METRICS and name not in OWN_COUNT_METRICS else f"{name}_n"


def labelled_rows(table: TableProfile) -> int:
    """Rows with a label that tell how well the model did."""
    return max((sums.n for sums in table.sums.values()), default=0)


def known_classes(table: TableProfile) -> tuple[str, ...]:
    """The labels that were told apart from the start, sorted."""
    known = {name.partition(PAIR_SEPARATOR)[0] for name in table.scores}
    if table.pairs is not None:
        known |= {pair.partition(PAIR_SEPARATOR)[0] for pair in table.pairs.vocabulary}
    return tuple(sorted(known))


def _estimates(table: TableProfile, requested: set[str], intervals: bool) -> Iterator[Estimate]:
    sums = table.sums
    if "errors" in sums:
        yield from regression_metrics(sums["errors"])
    if "hits" in sums:
        hits = sums["hits"]
        yield proportion("accuracy", hits.mean("right") * hits.n if hits.n else 0.0, float(hits.n))
        yield from _class_estimates(table, intervals)
    if "valued" in sums:
        share = "hits" in sums
        yield value_weighted_mean(sums["valued"], "accuracy_by_value" if share else "mae_by_value", share=share)
    if "losses" in sums:
        yield from loss_metrics(sums["losses"])
    if requested & {"auc", "pr_auc", "auc_macro", "pr_auc_macro", "class_auc", "class_pr_auc"}:
        yield from _curve_areas(table, intervals)


def _class_estimates(table: TableProfile, intervals: bool) -> Iterator[Estimate]:
    """Precision, recall and F1; none where there are too many classes to count each pair of them."""
    known = known_classes(table)
    if table.pairs is None or table.pairs.other or not known:
        return
    for one in class_metrics(confusion_matrix(table), averages=len(known) > 2, intervals=intervals):
        if one.label:
            yield Estimate(f"class_{one.name}", one.value, one.low, one.high, one.n, one.label)
        elif one.name != "accuracy":
            yield one
        if one.label and len(known) == 2 and one.label == known[1]:
            yield Estimate(one.name, one.value, one.low, one.high, one.n)


def confusion_matrix(table: TableProfile) -> ConfusionMatrix:
    """The confusion table, labels as rows; classes that only production knows among them."""
    pairs = table.pairs.named_counts if table.pairs is not None else {}
    names = {name for pair in pairs for name in pair.split(PAIR_SEPARATOR)} | set(known_classes(table))
    classes = tuple(sorted(names))
    place = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(classes), len(classes)))
    for pair, count in pairs.items():
        prediction, _, label = pair.partition(PAIR_SEPARATOR)
        found[place[label], place[prediction]] += count
    return ConfusionMatrix(classes, found)


def _curve_areas(table: TableProfile, intervals: bool) -> Iterator[Estimate]:
    scores = table.scores
    if scores and all(PAIR_SEPARATOR not in name for name in scores):
        negative, positive = (scores[name].counts for name in sorted(scores))
        yield roc_auc(positive, negative)
        yield pr_auc(positive, negative, intervals=intervals)
        return
    areas: dict[str, list[Estimate]] = {"auc": [], "pr_auc": []}
    for name in sorted({name.partition(PAIR_SEPARATOR)[0] for name in scores}):
        positive, negative = (scores[f"{name}{PAIR_SEPARATOR}{side}"].counts for side in (1, 0))
        for one in (roc_auc(positive, negative), pr_auc(positive, negative, intervals=intervals)):
            areas[one.name].append(one)
            yield Estimate(f"class_{one.name}", one.value, one.low, one.high, one.n, name)
    for metric, found in areas.items():
        known = [one for one in found if math.isfinite(one.value)]
        yield _macro_average(metric, known, max((one.n for one in found), default=0.0))


def _macro_average(metric: str, estimates: Sequence[Estimate], n: float) -> Estimate:
    """The mean over classes. Its interval is the mean of theirs: the standard error of a mean is at most the mean of
    the standard errors, however the classes hang together (they share their rows)."""
    if not estimates:
        return Estimate(f"{metric}_macro", math.nan, math.nan, math.nan, n)
    value, low, high = (
        math.fsum(column) / len(estimates) for column in zip(*((e.value, e.low, e.high) for e in estimates))
    )
    return Estimate(f"{metric}_macro", value, low, high, n)


MAX_ROWS = 1_000_000
"""Rows in memory, all windows together."""
MIN_WINDOW_ROWS = 10_000
"""Rows of a window that are kept at least, where there are so many."""

RowColumns = tuple[NDArray[Any], ...]


def row_metrics(log: PredictionLog, plan: ProfilePlan, profile: Profile) -> dict[ProfileKey, tuple[Estimate, ...]]:
    """By window and version, what ``ranking`` and ``custom`` ask for; ``profile``: of the same log.

    Raises UserError where a function of the user's cannot be found, or fails.
    """
    spec = plan.spec
    if not (spec.custom or spec.ranking) or not spec.label:
        return {}
    functions = [(name, _load_function(name, path)) for name, path in spec.custom]
    sizes = {cell: table.rows for cell, table in profile.cells.items() if not cell.segment}
    cap = max(MIN_WINDOW_ROWS, MAX_ROWS // max(len(sizes), 1))
    shares = {cell: min(1.0, cap / max(rows, 1)) for cell, rows in sizes.items()}
    found: dict[ProfileKey, tuple[Estimate, ...]] = {}
    for reader, judge in (
        (_read_ranking, _ranking_evaluator(plan)),
        (_read_predictions, _custom_evaluator(plan, functions)),
    ):
        if judge is not None:
            for cell, columns in _sample_rows(log, plan, shares, reader).items():
                found[cell] = (*found.get(cell, ()), *judge(columns))
    return found


def _load_function(name: str, path: str) -> Callable[..., float]:
    try:
        return load_metric(path)
    except ValueError as error:
        raise UserError(f"the metric {name!r} cannot be loaded: {error}.", where="measure: {custom}") from error


def _ranking_evaluator(plan: ProfilePlan) -> Callable[[RowColumns], Sequence[Estimate]] | None:
    ranking = plan.spec.ranking
    if ranking is None:
        return None

    def judge(columns: RowColumns) -> Sequence[Estimate]:
        queries, relevance, scores = columns
        wanted = plan.spec.metrics or DEFAULT_METRICS
        try:
            return [one for one in ranking_metrics(queries, relevance, scores, ranking.at) if one.name in wanted]
        except ValueError as error:
            raise UserError(f"the ranking cannot be judged: {error}.", where="measure: {ranking}") from error

    return judge


def _custom_evaluator(
    plan: ProfilePlan, functions: Sequence[tuple[str, Callable[..., float]]]
) -> Callable[[RowColumns], Sequence[Estimate]] | None:
    if not functions:
        return None

    def judge(columns: RowColumns) -> Sequence[Estimate]:
        labels, predictions = columns
        return [
            _call_function(name, function, labels, predictions, plan.spec.intervals) for name, function in functions
        ]

    return judge


def _call_function(
    name: str, function: Callable[..., float], labels: Any, predictions: Any, intervals: bool
) -> Estimate:
    try:
        return custom_metric(name, function, labels, predictions, intervals=intervals)
    except Exception as error:
        told = f"the metric {name!r} failed: {type(error).__name__}: {error}"
        raise UserError(told, where="measure: {custom}") from error


ColumnReader = Callable[[Any, ProfilePlan, float], RowColumns]


def _sample_rows(
    log: PredictionLog, plan: ProfilePlan, shares: Mapping[ProfileKey, float], read: ColumnReader
) -> dict[ProfileKey, RowColumns]:
    parts: dict[ProfileKey, list[RowColumns]] = {}
    for batch in log.batches(tuple(_needed_columns(plan))):
        for window, version, rows, _ in split_by_window(batch, plan):
            cell = ProfileKey(window, version)
            if cell in shares:
                parts.setdefault(cell, []).append(read(rows, plan, shares[cell]))
    return {cell: tuple(np.concatenate(columns) for columns in zip(*some, strict=True)) for cell, some in parts.items()}


def _needed_columns(plan: ProfilePlan) -> Iterator[str]:
    spec = plan.spec
    query = spec.ranking.query if spec.ranking else ""
    named = (spec.id, spec.time, spec.version, spec.label, spec.prediction, spec.score, query)
    yield from dict.fromkeys(filter(None, named))


def _read_ranking(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """Query, relevance and score of the rows whose query is kept."""
    assert plan.spec.ranking is not None  # noqa: S101
    queries, kept = _draw_rows(rows.column(plan.spec.ranking.query), share)
    columns = (floats_by_row(rows.column(plan.spec.label)), floats_by_row(rows.column(plan.spec.score)))
    return (queries[kept], *(column[kept] for column in columns))


def _read_predictions(rows: Any, plan: ProfilePlan, share: float) -> RowColumns:
    """Label and prediction, or score, of the rows that have both: numbers, or texts where one of them is text."""
    spec = plan.spec
    arrays = [rows.column(name) for name in (spec.label, spec.prediction or spec.score)]
    texts = any(is_text_type(array.type) for array in arrays) and plan.typical_label is None
    columns = [_text_array(array) if texts else floats_by_row(array) for array in arrays]
    there = np.logical_and(*((column != "") if texts else ~np.isnan(column) for column in columns))
    if share < 1:
        there &= _draw_rows(rows.column(spec.id or spec.time), share)[1]
    return tuple(column[there] for column in columns)


def _text_array(array: Any) -> NDArray[Any]:
    codes, names = factorize(array)
    return np.array([*names, ""], dtype=object)[codes]


def _draw_rows(array: Any, share: float) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash of every cell, and which rows are kept; none that is empty."""
    there = to_mask(array.is_valid())
    found = np.zeros(len(array), dtype=np.uint64)
    found[there] = hash_ids(array)[0]
    return found, there & (found <= np.uint64(int(share * (2**64 - 1)) if share < 1 else 2**64 - 1))
