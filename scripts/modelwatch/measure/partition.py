"""The profile of one partition: a function of an Arrow record batch and a plan, and of nothing else.

A cluster engine may call it wherever it hands out Arrow batches; what comes back merges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats.profile.categorical import CategoricalProfile, category
from ..stats.profile.distinct import DistinctProfile
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR, Cell, Column, Profile, Segment, TableProfile
from .cells import aligned, arrow, coded, counted, is_text, numbers, shapes, times
from .hashing import hashes
from .plan import MISSING, OTHER, ColumnPlan, Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def profile_partition(batch: Any, plan: Plan) -> Profile:
    """The profile of a ``pyarrow.RecordBatch``. A column of the plan that the batch lacks is missing in every row.

    Memory: a few times the largest column, beside the batch itself.
    """
    cells: dict[Cell, TableProfile] = {}
    undated = 0
    for window, version, rows, when in _by_window(batch, plan):
        if np.isnan(window):
            undated += rows.num_rows
            continue
        cells[Cell(window, version)] = _table(rows, plan, when)
        for name, values in plan.segments:
            for segment, part, place in _by_segment(rows, name, values):
                cells[Cell(window, version, segment)] = _table(part, plan, when[place], coarse=True)
    return Profile(cells, undated)


def _by_window(batch: Any, plan: Plan) -> Iterator[tuple[float, str, Any, Floats]]:
    """Window, version, rows and their times; one of each."""
    spec = plan.spec
    dated = spec.time != "" and spec.time in batch.schema.names
    when = times(batch.column(spec.time)) if dated else np.full(batch.num_rows, np.nan)
    starts = np.floor(when / spec.window) * spec.window if spec.time else np.zeros(batch.num_rows)
    windows, codes = np.unique(starts, return_inverse=True)
    versions = [""]
    if spec.version and spec.version in batch.schema.names:
        version_codes, names = coded(batch.column(spec.version))
        versions = [*names, ""]
        codes = codes * len(versions) + np.where(version_codes < 0, len(names), version_codes)
    for code, rows, place in _groups(batch, codes):
        yield float(windows[code // len(versions)]), versions[code % len(versions)], rows, when[place]


def _by_segment(rows: Any, name: str, values: frozenset[str]) -> Iterator[tuple[Segment, Any, Any]]:
    if name not in rows.schema.names:
        return
    codes, names = coded(rows.column(name))
    shown = [category(text) for text in names]
    told = [text if text in values else OTHER for text in shown] + [MISSING]
    unique = sorted(set(told))
    number = {text: place for place, text in enumerate(unique)}
    codes = np.array([number[text] for text in told], dtype=np.int64)[codes]
    for code, part, place in _groups(rows, codes):
        yield ((name, unique[code]),), part, place


def _groups(batch: Any, codes: Ints) -> Iterator[tuple[int, Any, Any]]:
    """Code, rows and their places for each code that occurs."""
    if not len(codes):
        return
    if codes[0] == codes[-1] and np.all(codes == codes[0]):
        yield int(codes[0]), batch, slice(None)
        return
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    taken = batch.take(arrow(order))
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        yield int(ordered[begin]), taken.slice(begin, end - begin), order[begin:end]


def _table(rows: Any, plan: Plan, when: Floats, coarse: bool = False) -> TableProfile:
    names = set(rows.schema.names)
    columns: dict[str, Column] = {}
    formats: dict[str, CategoricalProfile] = {}
    for column in plan.columns:
        array = rows.column(column.name) if column.name in names else None
        if column.is_numeric:
            columns[column.name] = _numeric(array, column, rows.num_rows, coarse)
            continue
        counts, missing = ({}, rows.num_rows) if array is None else counted(array)
        columns[column.name] = CategoricalProfile.of(counts, column.vocabulary, missing)
        if not coarse and array is not None and is_text(array.type):
            formats[column.name] = CategoricalProfile.of(shapes(counts), column.formats)
    spec = plan.spec
    dated = bool(len(when)) and not np.isnan(when[0])
    return TableProfile(
        rows.num_rows,
        columns,
        formats,
        *_outcomes(rows, plan, names),
        ids=DistinctProfile.of(*hashes(rows.column(spec.id))) if spec.id in names and not coarse else None,
        oldest=float(when.min()) if dated else np.nan,
        newest=float(when.max()) if dated else np.nan,
    )


def _numeric(array: Any, column: ColumnPlan, rows: int, coarse: bool) -> NumericProfile:
    edges = column.coarse if coarse else column.edges
    assert edges is not None  # noqa: S101
    if array is None:
        return NumericProfile.of(np.zeros(0), edges, missing=rows)
    values, missing, other = numbers(array)
    return NumericProfile.of(values, edges, missing, other)


def _outcomes(
    rows: Any, plan: Plan, names: set[str]
) -> tuple[CategoricalProfile | None, dict[str, NumericProfile], NumericProfile | None]:
    """Confusion counts, scores by label, errors: of the rows whose label is known."""
    spec = plan.spec
    if not spec.label or spec.label not in names:
        return None, {}, None
    label = rows.column(spec.label)
    both = spec.prediction in names
    if plan.errors is not None:
        if not both:
            return None, {}, None
        apart = aligned(rows.column(spec.prediction)) - aligned(label)
        return None, {}, NumericProfile.of(apart[~np.isnan(apart)], plan.errors)
    codes, labels = coded(label)
    pairs = _pairs(rows.column(spec.prediction), codes, labels, plan) if both else None
    score = plan.column(spec.score)
    if score is None or score.coarse is None or score.edges is None or score.name not in names:
        return pairs, {}, None
    values = aligned(rows.column(score.name))
    shown = [category(text) for text in labels]
    scores = {}
    for name in plan.classes:
        wanted = [place for place, text in enumerate(shown) if text == name]
        if wanted:
            scores[name] = NumericProfile.of(values[np.isin(codes, wanted)], score.edges)
    return pairs, scores, None


def _pairs(prediction: Any, codes: Ints, labels: list[str], plan: Plan) -> CategoricalProfile:
    predicted, classes = coded(prediction)
    known = (predicted >= 0) & (codes >= 0)
    numbered, counts = np.unique(predicted[known] * max(len(labels), 1) + codes[known], return_counts=True)
    found: dict[str, int] = {}
    for number, count in zip(numbered.tolist(), counts.tolist(), strict=True):
        one, other = divmod(number, max(len(labels), 1))
        name = category(classes[one]) + PAIR + category(labels[other])
        found[name] = found.get(name, 0) + count
    return CategoricalProfile.of(found, plan.pairs)
