"""The plan of a reference that has none yet: what each column is, its edges and its vocabulary, from a sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from ..model.measured import MeasureSpec
from ..stats.profile.categorical import category
from ..stats.profile.edges import coarse_edges, edges_from
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR, Profile
from .cells import aligned, arrow, counted, is_text, number_or_nan, numbers, plain, shapes
from .local import WORKERS, profile_batches
from .plan import CLASSES, SEGMENTS, ColumnPlan, Plan, top
from .reading import Log, demand

SAMPLE = 200_000
"""Rows, spread evenly over the reference, from which edges and vocabularies are chosen."""
CATEGORIES = 500
NUMBERS = 0.9
"""A column of text is one of numbers where at least this share of its cells reads as numbers."""


def capture(log: Log, spec: MeasureSpec) -> tuple[Plan, Profile]:
    """The plan that a reference implies, and its whole profile (one cell per version, no windows).

    Reads it twice; memory holds the sample and a few batches. Raises SourceError for a missing column.
    """
    plan = plan_of(log, spec)
    return plan, profile_batches(log.batches(plan.needed), plan)


def plan_of(log: Log, spec: MeasureSpec) -> Plan:
    """A plan from a sample of the log."""
    names = log.names()
    demand(log, [*spec.roles - {spec.label, spec.label_time}, *spec.features, *spec.segments])
    skipped = {spec.id, spec.time, spec.version, spec.label_time}
    features = spec.features or tuple(name for name in names if name not in spec.roles)
    extra = (spec.score, spec.prediction, spec.label, spec.value, *spec.segments)
    wanted = [name for name in dict.fromkeys([*features, *extra]) if name in names and name not in skipped]
    sample = _sample(log, wanted)
    return plan_of_sample(sample, wanted, spec)


def plan_of_sample(sample: Any, names: Sequence[str], spec: MeasureSpec) -> Plan:
    """A plan from a ``pyarrow.RecordBatch``."""
    with ThreadPoolExecutor(WORKERS) as pool:
        columns = tuple(pool.map(lambda name: _column(name, sample.column(name), name in spec.segments), names))
    plans = {column.name: column for column in columns}
    segments = tuple((name, top(_named(sample.column(name)), SEGMENTS)) for name in spec.segments)
    label, prediction = plans.get(spec.label), plans.get(spec.prediction)
    classes: tuple[str, ...] = ()
    pairs: frozenset[str] = frozenset()
    errors = None
    if label is not None:
        counts = _named(sample.column(label.name))
        classes = tuple(sorted(counts)) if len(counts) <= CLASSES else ()
        pairs = frozenset(f"{one}{PAIR}{other}" for one in classes for other in classes)
        regression = prediction is not None and prediction.is_numeric and label.is_numeric
        if regression and prediction is not None and len(counts) > CLASSES:
            errors = edges_from(aligned(sample.column(prediction.name)) - aligned(sample.column(label.name)))
    return Plan(spec, columns, segments, classes, pairs, errors)


def _named(array: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for text, count in counted(array)[0].items():
        found[category(text)] = found.get(category(text), 0) + count
    return found


def _column(name: str, array: Any, segment: bool) -> ColumnPlan:
    counts = _named(array) if segment or _is_flag(array) or is_text(array.type) else None
    if counts is None or (not (segment or _is_flag(array)) and _reads_as_numbers(counts)):
        values, missing, _ = numbers(array)
        if len(values) and len(values) >= NUMBERS * (len(array) - missing):
            edges = edges_from(values)
            return ColumnPlan(name, edges, coarse_edges(NumericProfile.of(values, edges)))
    counts = _named(array) if counts is None else counts
    return ColumnPlan(name, vocabulary=top(counts, CATEGORIES), formats=frozenset(top(shapes(counts), CATEGORIES)))


def _reads_as_numbers(counts: dict[str, int]) -> bool:
    """Whether most cells of a column of text may be numbers, by its first few thousand different texts."""
    some = list(islice(counts.items(), 5000))
    reads = sum(count for text, count in some if not np.isnan(number_or_nan(text)))
    return reads >= NUMBERS * sum(count for _, count in some) > 0


def _is_flag(array: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(plain(array).type))


def _sample(log: Log, names: Sequence[str]) -> Any:
    """Every k-th row, between ``SAMPLE / 2`` and ``SAMPLE`` of them; k doubles as more rows come than were expected."""
    import pyarrow as pa

    step = max(1, -(-(log.rows() or 0) // SAMPLE))
    kept: list[Any] = []
    rows = skip = 0
    for batch in log.batches(names):
        kept.append(batch if step == 1 else batch.take(arrow(np.arange(skip, batch.num_rows, step))))
        rows += kept[-1].num_rows
        skip = (skip - batch.num_rows) % step
        if rows > SAMPLE:
            kept, rows, step = _halved(kept), rows // 2, 2 * step
    columns = {name: [_cells(batch, name) for batch in kept] for name in names}
    del kept
    return pa.RecordBatch.from_arrays([_joined(columns.pop(name)) for name in names], list(names))


def _halved(batches: Sequence[Any]) -> list[Any]:
    """Every second row of all of them together."""
    kept, skip = [], 0
    for batch in batches:
        kept.append(batch.take(arrow(np.arange(skip, batch.num_rows, 2))))
        skip = (skip - batch.num_rows) % 2
    return kept


def _cells(batch: Any, name: str) -> Any:
    """A column of a batch; one that its file lacks is missing in every row."""
    import pyarrow as pa

    return batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)


def _joined(parts: Sequence[Any]) -> Any:
    """One array. Where files hold a column in different types it is text, which may still read as numbers."""
    import pyarrow as pa

    kinds = {part.type for part in parts} - {pa.null()}
    if len(kinds) > 1:
        parts, kinds = [plain(part) for part in parts], {pa.string()}
    kind = next(iter(kinds), pa.null())
    whole = [
        part if part.type == kind else pa.nulls(len(part), kind) if pa.types.is_null(part.type) else part.cast(kind)
        for part in parts
    ]
    return pa.chunked_array(whole, kind).unify_dictionaries().combine_chunks()
