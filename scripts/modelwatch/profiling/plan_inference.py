"""Infer the plan of a log without a reference: the type, edges and vocabulary of each column, from a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ..errors import SourceError
from ..model.prediction_log import MeasureSpec
from ..stats.profile.binning import edges_of_order_statistics, sort_finite
from ..stats.profile.categorical import shorten_category
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, Profile
from .arrow_columns import (
    CLASS_MISSING_WORDS,
    MISSING_WORDS,
    Rename,
    column_or_nulls,
    count_shapes,
    count_texts,
    decode_dictionary,
    floats_by_row,
    is_text_type,
    parse_number_or_nan,
    parse_numbers,
    release_unused_memory,
    to_arrow,
    to_text,
)
from .class_names import ClassNames, merge_booleans
from .embedding_samples import embedding_width
from .engines.partitioned_log import batches_to_bytes, bytes_to_batches, is_partitioned, map_log
from .input_columns import reason_not_an_input
from .profile_plan import (
    MAX_CLASSES,
    ColumnPlan,
    ProfilePlan,
    most_frequent,
    plan_crossings,
    plan_segments,
    plan_tenths,
    score_columns,
    segment_edges,
)
from .profiler import WORKERS, profile_batches
from .readers import PredictionLog, require_columns

SAMPLE_ROWS = 200_000
"""Rows, spread evenly over the log, from which edges and vocabularies are chosen."""
MAX_CATEGORIES = 500
MIN_NUMERIC_SHARE = 0.9
"""A text column is numeric if at least this share of its cells reads as numbers."""


def infer_and_profile(
    log: PredictionLog, spec: MeasureSpec, only_inputs: bool | None = None
) -> tuple[ProfilePlan, Profile]:
    """The plan of a log, and its profile (one cell per version, no windows). ``only_inputs`` as in ``infer_plan``.

    Reads the log twice; memory holds the sample and a few batches. Raises SourceError for a missing column.
    """
    plan = infer_plan(log, spec, only_inputs)
    return plan, profile_batches(log.batches(plan.needed_columns), plan)


def infer_plan(log: PredictionLog, spec: MeasureSpec, only_inputs: bool | None = None) -> ProfilePlan:
    """A plan from a sample of the log. ``only_inputs``: without features that hold ids, times or free text; by default
    unless features are named."""
    existing = log.names()
    require_named_columns(log, spec)
    unprofiled = {spec.id, spec.time, spec.version, spec.label_time}
    features = spec.feature_columns(existing)
    roles = (*score_columns(spec), spec.prediction, spec.label, spec.value, *spec.segments)
    names = [name for name in dict.fromkeys([*features, *roles]) if name in existing and name not in unprofiled]
    sample = _sample_rows(log, names)
    omitted: dict[str, str] = {}
    if not spec.features if only_inputs is None else only_inputs:
        free = [name for name in features if name not in roles]
        omitted = {name: reason for name in free if (reason := reason_not_an_input(name, sample.column(name)))}
    plan = infer_plan_from_sample(sample, [name for name in names if name not in omitted], spec)
    tenths = tuple(plan_tenths(spec, _tenth_profiles(sample, plan)))
    return replace(plan, embedding_widths=_embedding_widths(log, spec), tenths=tenths, omitted=tuple(omitted.items()))


def _tenth_profiles(sample: Any, plan: ProfilePlan) -> dict[str, ColumnProfile]:
    """Of the numeric inputs by whose tenths calibration is published."""
    by = plan.spec.calibration.by if plan.spec.calibration else ()
    columns = {name: plan.column(name) for name in by}
    return {
        name: column.profile(parse_numbers(sample.column(name))[0])
        for name, column in columns.items()
        if column is not None and column.is_numeric
    }


def require_named_columns(log: PredictionLog, spec: MeasureSpec) -> None:
    """Raises SourceError for the first column that the spec names, and the log does not have; labels can come later."""
    require_columns(log, [*spec.role_columns - {spec.label, spec.label_time}, *spec.features, *spec.segments])


def _embedding_widths(log: PredictionLog, spec: MeasureSpec) -> tuple[tuple[str, int], ...]:
    """By column the width of the embeddings in the first rows."""
    first = next(log.batches(spec.embeddings), None) if spec.embeddings else None
    if first is None:
        return ()
    names = sorted(set(spec.embeddings) & set(first.schema.names))
    return tuple((name, embedding_width(first.column(name))) for name in names)


def infer_plan_from_sample(sample: Any, names: Sequence[str], spec: MeasureSpec) -> ProfilePlan:
    """A plan from a ``pyarrow.RecordBatch``."""
    counts = {name: count_texts(sample.column(name), shorten_category)[0] for name in spec.segments}
    labels, regression = _label_classes(sample, names, spec)
    class_names = ClassNames(labels, ignore_case=spec.ignore_case)
    naming: dict[str, Rename] = dict.fromkeys(spec.segments, shorten_category)
    if not regression:
        naming |= dict.fromkeys((spec.label, spec.prediction), class_names)
    with ThreadPoolExecutor(WORKERS) as pool:
        columns = tuple(pool.map(lambda name: infer_column(name, sample.column(name), naming.get(name), spec), names))
    return ProfilePlan(
        spec,
        columns,
        plan_segments(spec, counts),
        () if regression or len(labels) > MAX_CLASSES else labels,
        _typical_label(sample.column(spec.label)) if regression and spec.label in names else None,
        tuple(plan_crossings(spec, counts)),
    )


def _label_classes(sample: Any, names: Sequence[str], spec: MeasureSpec) -> tuple[tuple[str, ...], bool]:
    """The classes, sorted, and whether this is a regression: unless ``task`` says so, labels and predictions are
    numbers, and either take many values."""
    if spec.label not in names:
        return (), spec.task == "numbers"
    columns = [spec.label, *([spec.prediction] if spec.prediction in names else [])]
    naming = ClassNames(ignore_case=spec.ignore_case)
    counts = [count_texts(sample.column(name), naming, CLASS_MISSING_WORDS)[0] for name in columns]
    many_numbers = all(map(_reads_as_numbers, counts)) and max(map(len, counts)) > MAX_CLASSES
    return merge_booleans(counts[0]), many_numbers if not spec.task else spec.task == "numbers"


def infer_column(name: str, array: Any, rename: Rename | None, spec: MeasureSpec) -> ColumnPlan:
    """The plan of one column; ``rename``: how its texts are named, if it holds classes or segments."""
    is_category = rename is not None or _is_boolean(array)
    words = CLASS_MISSING_WORDS if isinstance(rename, ClassNames) else MISSING_WORDS
    counts = None
    if is_category or is_text_type(array.type):
        counts = count_texts(array, rename or shorten_category, words)[0]
    if counts is None or (not is_category and _reads_as_numbers(counts)):
        values, missing, _ = parse_numbers(array)
        if len(values) and len(values) >= MIN_NUMERIC_SHARE * (len(array) - missing):
            ordered = sort_finite(values)
            edges = edges_of_order_statistics(ordered)
            profile = NumericProfile.of_order_statistics(ordered, edges)
            return ColumnPlan(name, edges, segment_edges(profile, name, spec))
    if counts is None:
        counts = count_texts(array, shorten_category)[0]
    return ColumnPlan(
        name,
        vocabulary=most_frequent(counts, MAX_CATEGORIES),
        formats=frozenset(most_frequent(count_shapes(counts), MAX_CATEGORIES)),
        class_names=rename if isinstance(rename, ClassNames) else None,
    )


def _typical_label(array: Any) -> float:
    """The median label of a regression."""
    values = floats_by_row(array)
    known = values[~np.isnan(values)]
    if array.null_count == len(array):
        return 0.0  # They may come later.
    if not len(known):
        raise SourceError("no label is a number.", hint="Write `task: classes`.")
    return float(np.median(known))


def _reads_as_numbers(counts: dict[str, int]) -> bool:
    """Whether most cells of a text column read as numbers, judged by its first 5,000 different texts."""
    first = list(islice(counts.items(), 5000))
    numbers = sum(count for text, count in first if not np.isnan(parse_number_or_nan(text)))
    return numbers >= MIN_NUMERIC_SHARE * sum(count for _, count in first) > 0


def _is_boolean(array: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_boolean(decode_dictionary(array).type))


def _sample_rows(log: PredictionLog, names: Sequence[str]) -> Any:
    """A sample of the rows as one record batch."""
    import pyarrow as pa

    batches = _sample_partitions(log, names) if is_partitioned(log) else sample_batches(log.batches(names), log.rows())
    release_unused_memory()
    columns = {name: [column_or_nulls(batch, name) for batch in batches] for name in names}
    del batches
    return pa.RecordBatch.from_arrays([concatenate_arrays(columns.pop(name)) for name in names], list(names))


def _sample_partitions(log: PredictionLog, names: Sequence[str]) -> list[Any]:
    """Every k-th row of each partition."""
    step = max(1, -(-(log.rows() or 0) // SAMPLE_ROWS))
    parts = map_log(log, names, partial(_every_kth_row, step))
    return [batch for part in parts for batch in bytes_to_batches(part)]


def _every_kth_row(step: int, batches: Iterable[Any]) -> bytes:
    return batches_to_bytes(batch.take(to_arrow(np.arange(0, batch.num_rows, step))) for batch in batches)


def sample_batches(whole: Iterable[Any], expected: int | None) -> list[Any]:
    """Every k-th row of record batches, half of ``SAMPLE_ROWS`` to all of them; k doubles when more rows come than
    expected."""
    step = max(1, -(-(expected or 0) // SAMPLE_ROWS))
    batches: list[Any] = []
    rows = skip = 0
    for batch in whole:
        batches.append(batch if step == 1 else batch.take(to_arrow(np.arange(skip, batch.num_rows, step))))
        rows += batches[-1].num_rows
        skip = (skip - batch.num_rows) % step
        if rows > SAMPLE_ROWS:
            batches, rows, step = _every_second_row(batches), rows // 2, 2 * step
    return batches


def _every_second_row(batches: Sequence[Any]) -> list[Any]:
    """Every second row of all batches together."""
    halves, skip = [], 0
    for batch in batches:
        halves.append(batch.take(to_arrow(np.arange(skip, batch.num_rows, 2))))
        skip = (skip - batch.num_rows) % 2
    return halves


def concatenate_arrays(parts: Sequence[Any]) -> Any:
    """One array. A column with different types in different files becomes text, which can still read as numbers."""
    import pyarrow as pa

    kinds = {part.type for part in parts} - {pa.null()}
    if len(kinds) > 1:
        parts, kinds = [decode_dictionary(part) for part in parts], {pa.string()}
    kind = next(iter(kinds), pa.null())
    alike = [
        part
        if part.type == kind
        else pa.nulls(len(part), kind)
        if pa.types.is_null(part.type)
        else to_text(part)
        if pa.types.is_nested(part.type)
        else part.cast(kind)
        for part in parts
    ]
    return pa.chunked_array(alike, kind).unify_dictionaries().combine_chunks()
