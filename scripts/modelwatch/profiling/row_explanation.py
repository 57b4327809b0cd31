"""Find the segments in which one period of the log was worse than another, from its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clients.retry import RetryPolicy
from ..errors import SourceError, UserError
from ..model.monitored_model import Model
from ..stats.profile.categorical import shorten_category
from ..stats.profile.table import PAIR_SEPARATOR
from ..stats.segment_search import SearchResult, search_segments
from ..stats.segmentation import encode_columns
from .arrow_columns import column_or_nulls, floats_by_row, shown_cells, texts_by_row
from .label_comparison import compare_with_labels
from .label_join import label_notes
from .label_task import class_notes, require_common_class
from .model_log import open_model_log, require_measure_spec
from .plan_inference import infer_plan
from .profile_plan import ColumnPlan, ProfilePlan
from .readers import PredictionLog, require_columns
from .time_columns import times_by_row, unreadable_times

MAX_ROWS = 1_000_000
"""Rows of either period that are searched: every k-th if there are more."""
MAX_COLUMNS = 12
"""Columns that are searched, segment columns first."""


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds (UTC): the rows in ``[since, until)`` against those in ``[before, since)``."""

    before: float
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class RowExplanation:
    search_result: SearchResult
    before: float
    after: float
    row_counts: tuple[int, int]
    """Rows searched, before and after."""
    metric: str
    """``accuracy``, or ``squared error`` (lower is better)."""
    notes: tuple[str, ...] = ()


def explain_rows(
    model: Model, periods: Periods, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> RowExplanation:
    """Search the segment and feature columns and their pairs for the segments in which the later period is worse.
    Memory holds at most about two million rows.

    Raises UserError if a period has no row with a label, SourceError if no row has a time, or no prediction is ever a
    label. Files that cannot be read among others are left out, and noted.
    """
    spec = require_measure_spec(model)
    skipped: dict[str, SourceError] = {}
    log = open_model_log(spec, model, env, retry, scratch, skipped=skipped)
    if not (spec.label and spec.prediction):
        hint = "Give `measure: {label: ..., prediction: ...}`."
        raise UserError("an explanation needs labels and predictions.", hint=hint, where=model.where)
    require_columns(log, [spec.time, spec.label, spec.prediction])
    plan = infer_plan(log, spec)
    features = [column.name for column in plan.columns if column.name not in spec.role_columns]
    names = list(dict.fromkeys([*spec.segments, *features]))[:MAX_COLUMNS]
    after, values, table, pairs = _read_periods(log, plan, names, periods)
    counts = int((~after).sum()), int(after.sum())
    if not min(counts):
        period = "reference" if not counts[0] else "explained"
        hint = "Give other times with --since and --until."
        raise UserError(f"the {period} period has no row with a label and a prediction.", hint=hint, where=model.where)
    metric, worse_sign = ("accuracy", -1) if plan.typical_label is None else ("squared error", 1)
    result = search_segments(encode_columns(table), values, after, worse_sign=worse_sign)
    left_out = (f"left out: {problem}" for problem in skipped.values())
    notes = (*left_out, *label_notes(log), *class_notes(*_split_pairs(pairs)))
    return RowExplanation(result, float(values[~after].mean()), float(values[after].mean()), counts, metric, notes)


def _read_periods(
    log: PredictionLog, plan: ProfilePlan, names: Sequence[str], periods: Periods
) -> tuple[NDArray[np.bool_], NDArray[np.float64], dict[str, Any], dict[str, int]]:
    """By row: whether it is in the later period, its result, and its cells by column. And how often each pair of a
    prediction and a label occurs in the whole log."""
    spec = plan.spec
    step = max(1, -(-(log.rows() or 0) // (2 * MAX_ROWS)))
    afters: list[NDArray[np.bool_]] = [np.zeros(0, dtype=np.bool_)]
    results = [np.zeros(0)]
    cells: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    pairs: dict[str, int] = {}
    unreadable: list[str | None] | None = []
    for batch in log.batches(tuple(dict.fromkeys([*names, spec.time, spec.label, spec.prediction]))):
        time_cells = column_or_nulls(batch, spec.time)
        times = times_by_row(time_cells)
        if unreadable is not None and np.isnan(times).all():
            unreadable += shown_cells(time_cells[: 3 - len(unreadable)])
        else:
            unreadable = None
        comparison = compare_with_labels(batch, plan)
        for pair, count in comparison.count_pairs().items():
            pairs[pair] = pairs.get(pair, 0) + count
        values = comparison.row_results()
        if len(values) < batch.num_rows:  # a file without labels or predictions
            values = np.full(batch.num_rows, np.nan)
        rows = np.flatnonzero((times >= periods.before) & (times < periods.until) & np.isfinite(values))[::step]
        afters.append(times[rows] >= periods.since)
        results.append(values[rows])
        for name in names:
            cells[name].append(_column_values(column_or_nulls(batch, name), plan.column(name))[rows])
    if unreadable:
        raise unreadable_times(spec.time, unreadable, log.where)
    if pairs:
        require_common_class(*_split_pairs(pairs), spec, log.where)
    table = {name: np.concatenate(parts) for name, parts in cells.items() if parts}
    return np.concatenate(afters), np.concatenate(results), table, pairs


def _split_pairs(pairs: Mapping[str, int]) -> tuple[set[str], dict[str, int]]:
    """The classes that are predicted, and how many labels each class is."""
    labels: dict[str, int] = {}
    for pair, count in pairs.items():
        label = pair.split(PAIR_SEPARATOR)[1]
        labels[label] = labels.get(label, 0) + count
    return {pair.split(PAIR_SEPARATOR)[0] for pair in pairs}, labels


def _column_values(array: Any, plan: ColumnPlan | None) -> NDArray[Any]:
    if plan is not None and plan.is_numeric:
        return floats_by_row(array)
    return texts_by_row(array, None, shorten_category)
