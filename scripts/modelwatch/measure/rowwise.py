"""Metrics that need rows: rankings, and functions of the user's own. Of the whole only, and by a second reading.

Memory is bounded: of a window with more rows than its part of ``MAX_ROWS``, a fixed share of its queries (for rankings)
or of its rows is kept, drawn by a hash of query or id, so that the same ones are kept whoever reads in whatever order.
What is published beside the metric says how many there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..model.measured import DEFAULT_METRICS
from ..stats.performance.custom import custom_metric, load_metric
from ..stats.performance.estimate import Estimate
from ..stats.performance.ranks import ranking_metrics
from ..stats.profile.table import Profile, ProfileKey
from .cells import factorize, floats_by_row, is_text_type, to_mask
from .hashing import hash_ids
from .partition import split_by_window
from .plan import ProfilePlan
from .reading import PredictionLog

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
