"""Why a period was worse than another one, row by row: the search over every column of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clients.retry import RetryPolicy
from ..errors import UserError
from ..model.monitored_model import Model
from ..stats.profile.categorical import shorten_category
from ..stats.segment_search import SearchResult, search_segments
from ..stats.segmentation import encode_columns
from .arrow_columns import factorize, floats_by_row, times_by_row
from .label_comparison import compare_with_labels
from .measure import open_model_log, require_measure_spec
from .plan_inference import infer_plan
from .profile_plan import ProfilePlan
from .readers import PredictionLog, require_columns

MAX_ROWS = 1_000_000
"""Rows of either period that are looked at: every k-th where there are more."""
MAX_COLUMNS = 12
"""Columns that are looked at, segment columns first."""


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
    """Before and after, as they were looked at."""
    metric: str
    """``accuracy``, or ``squared error``, which is worse where it is higher."""


def explain_rows(
    model: Model, periods: Periods, env: Mapping[str, str], retry: RetryPolicy, scratch: Path
) -> RowExplanation:
    """The segments, among the columns of segments and features and their crossings, in which the later period is worse.
    Memory holds at most about two million rows.

    Raises UserError where a period has no row with a label.
    """
    spec = require_measure_spec(model)
    log = open_model_log(spec, model, env, retry, scratch)
    if not (spec.label and spec.prediction):
        raise UserError("without `label` and `prediction` there is nothing to explain.", where=model.where)
    require_columns(log, [spec.time, spec.label, spec.prediction])
    plan = infer_plan(log, spec)
    names = list(dict.fromkeys([*spec.segments, *_feature_columns(plan)]))[:MAX_COLUMNS]
    after, values, table = _read_periods(log, plan, names, periods)
    sizes = int((~after).sum()), int(after.sum())
    if not min(sizes):
        which = "reference" if not sizes[0] else "explained"
        hint = "Give other times with --since and --until."
        raise UserError(f"the {which} period has no row with a label and a prediction.", hint=hint, where=model.where)
    found = search_segments(encode_columns(table), values, after, worse_sign=-1 if plan.typical_label is None else 1)
    name = "accuracy" if plan.typical_label is None else "squared error"
    return RowExplanation(found, float(values[~after].mean()), float(values[after].mean()), sizes, name)


def _feature_columns(plan: ProfilePlan) -> list[str]:
    return [column.name for column in plan.columns if column.name not in plan.spec.role_columns]


def _read_periods(
    log: PredictionLog, plan: ProfilePlan, names: Sequence[str], periods: Periods
) -> tuple[NDArray[np.bool_], NDArray[np.float64], dict[str, Any]]:
    """Whether each row is in the later period, how well it did, and its cells."""
    spec = plan.spec
    step = max(1, -(-(log.rows() or 0) // (2 * MAX_ROWS)))
    parts: list[tuple[NDArray[np.bool_], NDArray[np.float64], list[Any]]] = []
    wanted = tuple(dict.fromkeys(filter(None, [*names, spec.time, spec.label, spec.prediction])))
    for batch in log.batches(wanted):
        when = times_by_row(batch.column(spec.time))
        values = compare_with_labels(batch, plan).row_results()
        kept = np.flatnonzero((when >= periods.before) & (when < periods.until) & np.isfinite(values))[::step]
        cells = [_column_values(batch.column(name), plan.column(name))[kept] for name in names]
        parts.append((when[kept] >= periods.since, values[kept], cells))
    after, values = (np.concatenate([part[place] for part in parts] or [np.zeros(0)]) for place in (0, 1))
    table = {name: np.concatenate([cells[place] for _, _, cells in parts]) for place, name in enumerate(names) if parts}
    return after.astype(np.bool_), values, table


def _column_values(array: Any, plan: Any) -> NDArray[Any]:
    if plan is not None and plan.is_numeric:
        return floats_by_row(array)
    codes, names = factorize(array)
    return np.array([*map(shorten_category, names), None], dtype=object)[codes]
