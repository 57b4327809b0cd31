"""The plan of a reference that has none yet: what each column is, its edges and its vocabulary, from a sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from ..model.prediction_log import MeasureSpec
from ..stats.profile.binning import choose_edges, coarsen_edges
from ..stats.profile.categorical import shorten_category
from ..stats.profile.guide_table import GuideTable
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import Profile
from .arrow_columns import (
    count_shapes,
    count_texts,
    decode_dictionary,
    floats_by_row,
    is_text_type,
    parse_number_or_nan,
    parse_numbers,
    to_arrow,
)
from .embedding_samples import embedding_width
from .profile_plan import (
    MAX_CLASSES,
    MAX_SEGMENT_VALUES,
    ColumnPlan,
    ProfilePlan,
    coarse_bin_count,
    most_frequent,
    plan_crossings,
    score_columns,
)
from .profiler import WORKERS, profile_batches
from .readers import PredictionLog, require_columns

SAMPLE_ROWS = 200_000
"""Rows, spread evenly over the reference, from which edges and vocabularies are chosen."""
MAX_CATEGORIES = 500
MIN_NUMERIC_SHARE = 0.9
"""A column of text is one of numbers where at least this share of its cells reads as numbers."""


def infer_and_profile(log: PredictionLog, spec: MeasureSpec) -> tuple[ProfilePlan, Profile]:
    """The plan that a reference implies, and its whole profile (one cell per version, no windows).

    Reads it twice; memory holds the sample and a few batches. Raises SourceError for a missing column.
    """
    plan = infer_plan(log, spec)
    return plan, profile_batches(log.batches(plan.needed_columns), plan)


def infer_plan(log: PredictionLog, spec: MeasureSpec) -> ProfilePlan:
    """A plan from a sample of the log."""
    names = log.names()
    require_columns(log, [*spec.role_columns - {spec.label, spec.label_time}, *spec.features, *spec.segments])
    skipped = {spec.id, spec.time, spec.version, spec.label_time}
    features = spec.features or tuple(name for name in names if name not in spec.role_columns)
    extra = (*score_columns(spec), spec.prediction, spec.label, spec.value, *spec.segments)
    wanted = [name for name in dict.fromkeys([*features, *extra]) if name in names and name not in skipped]
    sample = _sample_rows(log, wanted)
    return replace(infer_plan_from_sample(sample, wanted, spec), embedding_widths=_embedding_widths(log, spec))


def _embedding_widths(log: PredictionLog, spec: MeasureSpec) -> tuple[tuple[str, int], ...]:
    """As the first rows have them."""
    if not spec.embeddings:
        return ()
    first = next(log.batches(spec.embeddings), None)
    if first is None:
        return ()
    there = sorted(set(spec.embeddings) & set(first.schema.names))
    return tuple((name, embedding_width(first.column(name))) for name in there)


def infer_plan_from_sample(sample: Any, names: Sequence[str], spec: MeasureSpec) -> ProfilePlan:
    """A plan from a ``pyarrow.RecordBatch``."""
    counts = {name: _count_categories(sample.column(name)) for name in spec.segments}
    labels, regression = _label_counts(sample, names, spec)
    texts = {*spec.segments, *(() if regression else (spec.label, spec.prediction))}
    with ThreadPoolExecutor(WORKERS) as pool:
        columns = tuple(pool.map(lambda name: _infer_column(name, sample.column(name), name in texts, spec), names))
    return ProfilePlan(
        spec,
        columns,
        tuple((name, most_frequent(counts[name], MAX_SEGMENT_VALUES)) for name in spec.segments),
        () if regression or len(labels) > MAX_CLASSES else tuple(sorted(labels)),
        float(np.nanmedian(floats_by_row(sample.column(spec.label)))) if regression else None,
        tuple(plan_crossings(spec, counts)),
    )


def _label_counts(sample: Any, names: Sequence[str], spec: MeasureSpec) -> tuple[dict[str, int], bool]:
    """How often each label occurs, and whether labels are numbers to come near to: they are numbers, and they or what
    is predicted take many values."""
    if spec.label not in names:
        return {}, False
    labels = _count_categories(sample.column(spec.label))
    given = [labels] + ([_count_categories(sample.column(spec.prediction))] if spec.prediction in names else [])
    numbers = all(_reads_as_numbers(counts) for counts in given)
    return labels, numbers and max(map(len, given)) > MAX_CLASSES


def _count_categories(array: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for text, count in count_texts(array)[0].items():
        found[shorten_category(text)] = found.get(shorten_category(text), 0) + count
    return found


def _infer_column(name: str, array: Any, text: bool, spec: MeasureSpec) -> ColumnPlan:
    counts = _count_categories(array) if text or _is_boolean(array) or is_text_type(array.type) else None
    if counts is None or (not (text or _is_boolean(array)) and _reads_as_numbers(counts)):
        values, missing, _ = parse_numbers(array)
        if len(values) and len(values) >= MIN_NUMERIC_SHARE * (len(array) - missing):
            edges = choose_edges(values)
            guide = GuideTable.from_sample(edges, values)
            profile = NumericProfile.of(values, edges, guide=guide)
            return ColumnPlan(name, edges, coarsen_edges(profile, coarse_bin_count(name, spec)), guide)
    counts = _count_categories(array) if counts is None else counts
    return ColumnPlan(
        name,
        vocabulary=most_frequent(counts, MAX_CATEGORIES),
        formats=frozenset(most_frequent(count_shapes(counts), MAX_CATEGORIES)),
    )


def _reads_as_numbers(counts: dict[str, int]) -> bool:
    """Whether most cells of a column of text may be numbers, by its first few thousand different texts."""
    some = list(islice(counts.items(), 5000))
    reads = sum(count for text, count in some if not np.isnan(parse_number_or_nan(text)))
    return reads >= MIN_NUMERIC_SHARE * sum(count for _, count in some) > 0


def _is_boolean(array: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(decode_dictionary(array).type))


def _sample_rows(log: PredictionLog, names: Sequence[str]) -> Any:
    """Every k-th row, between ``SAMPLE / 2`` and ``SAMPLE`` of them; k doubles as more rows come than were expected."""
    import pyarrow as pa

    step = max(1, -(-(log.rows() or 0) // SAMPLE_ROWS))
    kept: list[Any] = []
    rows = skip = 0
    for batch in log.batches(names):
        kept.append(batch if step == 1 else batch.take(to_arrow(np.arange(skip, batch.num_rows, step))))
        rows += kept[-1].num_rows
        skip = (skip - batch.num_rows) % step
        if rows > SAMPLE_ROWS:
            kept, rows, step = _every_second_row(kept), rows // 2, 2 * step
    pa.default_memory_pool().release_unused()  # what reading left behind: more than the sample itself
    columns = {name: [_column_or_nulls(batch, name) for batch in kept] for name in names}
    del kept
    return pa.RecordBatch.from_arrays([_concatenate(columns.pop(name)) for name in names], list(names))


def _every_second_row(batches: Sequence[Any]) -> list[Any]:
    """Every second row of all of them together."""
    kept, skip = [], 0
    for batch in batches:
        kept.append(batch.take(to_arrow(np.arange(skip, batch.num_rows, 2))))
        skip = (skip - batch.num_rows) % 2
    return kept


def _column_or_nulls(batch: Any, name: str) -> Any:
    """A column of a batch; one that its file lacks is missing in every row."""
    import pyarrow as pa

    return batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)


def _concatenate(parts: Sequence[Any]) -> Any:
    """One array. Where files hold a column in different types it is text, which may still read as numbers."""
    import pyarrow as pa

    kinds = {part.type for part in parts} - {pa.null()}
    if len(kinds) > 1:
        parts, kinds = [decode_dictionary(part) for part in parts], {pa.string()}
    kind = next(iter(kinds), pa.null())
    whole = [
        part if part.type == kind else pa.nulls(len(part), kind) if pa.types.is_null(part.type) else part.cast(kind)
        for part in parts
    ]
    return pa.chunked_array(whole, kind).unify_dictionaries().combine_chunks()
