"""Metrics that need rows: rankings, and functions of the user's own. Of the whole only, and by a second reading.

Memory is bounded: of a window with more rows than its part of ``KEPT``, a fixed share of its queries (for rankings) or
of its rows is kept, drawn by a hash of query or id, so that the same ones are kept whoever reads in whatever order.
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
from .cells import aligned, coded, is_text, true
from .hashing import hashes
from .partition import by_window
from .plan import Plan
from .reading import Log

KEPT = 1_000_000
"""Rows in memory, all windows together."""
LEAST = 10_000
"""Rows of a window that are kept at least, where there are so many."""

Columns = tuple[NDArray[Any], ...]


def row_metrics(log: Log, plan: Plan, profile: Profile) -> dict[ProfileKey, tuple[Estimate, ...]]:
    """By window and version, what ``ranking`` and ``custom`` ask for; ``profile``: of the same log.

    Raises UserError where a function of the user's cannot be found, or fails.
    """
    spec = plan.spec
    if not (spec.custom or spec.ranking) or not spec.label:
        return {}
    functions = [(name, _loaded(name, path)) for name, path in spec.custom]
    sizes = {cell: table.rows for cell, table in profile.cells.items() if not cell.segment}
    cap = max(LEAST, KEPT // max(len(sizes), 1))
    shares = {cell: min(1.0, cap / max(rows, 1)) for cell, rows in sizes.items()}
    found: dict[ProfileKey, tuple[Estimate, ...]] = {}
    for reader, judge in ((_lists, _ranked(plan)), (_outcomes, _judged(plan, functions))):
        if judge is not None:
            for cell, columns in _kept(log, plan, shares, reader).items():
                found[cell] = (*found.get(cell, ()), *judge(columns))
    return found


def _loaded(name: str, path: str) -> Callable[..., float]:
    try:
        return load_metric(path)
    except ValueError as error:
        raise UserError(f"the metric {name!r} cannot be loaded: {error}.", where="measure: {custom}") from error


def _ranked(plan: Plan) -> Callable[[Columns], Sequence[Estimate]] | None:
    ranking = plan.spec.ranking
    if ranking is None:
        return None

    def judge(columns: Columns) -> Sequence[Estimate]:
        queries, relevance, scores = columns
        wanted = plan.spec.metrics or DEFAULT_METRICS
        try:
            return [one for one in ranking_metrics(queries, relevance, scores, ranking.at) if one.name in wanted]
        except ValueError as error:
            raise UserError(f"the ranking cannot be judged: {error}.", where="measure: {ranking}") from error

    return judge


def _judged(
    plan: Plan, functions: Sequence[tuple[str, Callable[..., float]]]
) -> Callable[[Columns], Sequence[Estimate]] | None:
    if not functions:
        return None

    def judge(columns: Columns) -> Sequence[Estimate]:
        labels, predictions = columns
        return [_called(name, function, labels, predictions, plan.spec.intervals) for name, function in functions]

    return judge


def _called(name: str, function: Callable[..., float], labels: Any, predictions: Any, intervals: bool) -> Estimate:
    try:
        return custom_metric(name, function, labels, predictions, intervals=intervals)
    except Exception as error:
        told = f"the metric {name!r} failed: {type(error).__name__}: {error}"
        raise UserError(told, where="measure: {custom}") from error


Reader = Callable[[Any, Plan, float], Columns]


def _kept(log: Log, plan: Plan, shares: Mapping[ProfileKey, float], read: Reader) -> dict[ProfileKey, Columns]:
    parts: dict[ProfileKey, list[Columns]] = {}
    for batch in log.batches(tuple(_needed(plan))):
        for window, version, rows, _ in by_window(batch, plan):
            cell = ProfileKey(window, version)
            if cell in shares:
                parts.setdefault(cell, []).append(read(rows, plan, shares[cell]))
    return {cell: tuple(np.concatenate(columns) for columns in zip(*some, strict=True)) for cell, some in parts.items()}


def _needed(plan: Plan) -> Iterator[str]:
    spec = plan.spec
    query = spec.ranking.query if spec.ranking else ""
    named = (spec.id, spec.time, spec.version, spec.label, spec.prediction, spec.score, query)
    yield from dict.fromkeys(filter(None, named))


def _lists(rows: Any, plan: Plan, share: float) -> Columns:
    """Query, relevance and score of the rows whose query is kept."""
    assert plan.spec.ranking is not None  # noqa: S101
    queries, kept = _drawn(rows.column(plan.spec.ranking.query), share)
    columns = (aligned(rows.column(plan.spec.label)), aligned(rows.column(plan.spec.score)))
    return (queries[kept], *(column[kept] for column in columns))


def _outcomes(rows: Any, plan: Plan, share: float) -> Columns:
    """Label and prediction, or score, of the rows that have both: numbers, or texts where one of them is text."""
    spec = plan.spec
    arrays = [rows.column(name) for name in (spec.label, spec.prediction or spec.score)]
    texts = any(is_text(array.type) for array in arrays) and plan.origin is None
    columns = [_texts(array) if texts else aligned(array) for array in arrays]
    there = np.logical_and(*((column != "") if texts else ~np.isnan(column) for column in columns))
    if share < 1:
        there &= _drawn(rows.column(spec.id or spec.time), share)[1]
    return tuple(column[there] for column in columns)


def _texts(array: Any) -> NDArray[Any]:
    codes, names = coded(array)
    return np.array([*names, ""], dtype=object)[codes]


def _drawn(array: Any, share: float) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash of every cell, and which rows are kept; none that is empty."""
    there = true(array.is_valid())
    found = np.zeros(len(array), dtype=np.uint64)
    found[there] = hashes(array)[0]
    return found, there & (found <= np.uint64(int(share * (2**64 - 1)) if share < 1 else 2**64 - 1))
