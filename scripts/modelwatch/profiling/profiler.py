"""Profile the rows of Arrow record batches by a plan. The profile of a batch depends on the two alone, and profiles
merge: a cluster engine can call ``profile_partition`` wherever it has Arrow batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.arrays import Floats, Ints
from ..stats.profile.bottom_k_sketches import DistinctProfile
from ..stats.profile.categorical import CategoricalProfile, shorten_category
from ..stats.profile.codec import from_bytes, to_bytes
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.table import ColumnProfile, Profile, ProfileKey, TableProfile, merge_profiles
from ..stats.segmentation import MISSING, OTHER
from .arrow_columns import (
    column_or_nulls,
    count_shapes,
    count_texts,
    factorize,
    floats_by_row,
    hash_ids,
    is_text_type,
    numbers_by_row,
    parse_numbers,
    to_arrow,
)
from .embedding_samples import sample_columns
from .engines.partitioned_log import is_partitioned, map_log
from .label_comparison import MAX_TABLE_CELLS, LabelComparison, compare_with_labels, count_codes
from .label_delays import count_delays
from .output_columns import read_outputs
from .profile_plan import ColumnPlan, Crossing, ProfilePlan
from .readers import PredictionLog
from .time_columns import times_by_row

VALUE_SUM = "worth"
"""Name of the sum over the column `value`."""
WORKERS = 2
GROUP_COLUMNS = 128
"""Features that are read at once."""


def profile_log(log: PredictionLog, plan: ProfilePlan) -> Profile:
    """The profile of a log; where it lies in partitions, their workers count. A wide one in columns (Parquet) is read
    group by group: a reader holds a page of every column that it reads, so that a thousand columns at once take a
    gigabyte."""
    if is_partitioned(log):
        parts = map_log(log, plan.needed_columns, partial(_profile_to_bytes, plan), merge_bytes)
        return from_bytes(merge_bytes(list(parts)))[0]
    first, *others = _split_wide_plan(plan) if log.rows() is not None else [plan]
    profile = profile_batches(log.batches(first.needed_columns), first)
    for other in others:
        more = profile_batches(log.batches(other.needed_columns), other).cells
        cells = {key: _with_columns(table, more.get(key)) for key, table in profile.cells.items()}
        profile = replace(profile, cells=cells)
    return profile


def _profile_to_bytes(plan: ProfilePlan, batches: Iterable[Any]) -> bytes:
    return to_bytes(merge_profiles(profile_partition(batch, plan) for batch in batches))


def merge_bytes(parts: Sequence[bytes]) -> bytes:
    """The profile of all parts, each as bytes."""
    return to_bytes(merge_profiles(from_bytes(part)[0] for part in parts))


def _split_wide_plan(plan: ProfilePlan) -> list[ProfilePlan]:
    """Plans of at most ``GROUP_COLUMNS`` features each, of which only the first has anything else."""
    roles = plan.spec.role_columns
    features = [column for column in plan.columns if column.name not in roles]
    count = max(1, -(-len(features) // GROUP_COLUMNS))
    size = max(1, -(-len(features) // count))
    own = [column for column in plan.columns if column.name in roles]
    spec = MeasureSpec(time=plan.spec.time, version=plan.spec.version, window=plan.spec.window)
    others = [ProfilePlan(spec, tuple(features[place : place + size])) for place in range(size, len(features), size)]
    return [replace(plan, columns=(*own, *features[:size])), *others] if others else [plan]


def _with_columns(table: TableProfile, more: TableProfile | None) -> TableProfile:
    """The profile of some rows with further columns of the same rows."""
    if more is None:
        return table
    return replace(table, columns={**table.columns, **more.columns}, formats={**table.formats, **more.formats})


def profile_batches(batches: Iterable[Any], plan: ProfilePlan) -> Profile:
    """The profile of all batches. At most ``WORKERS + 1`` of them are in memory, however many there are."""
    total = Profile()
    with ThreadPoolExecutor(WORKERS) as pool:
        pending: deque[Future[Profile]] = deque()
        for batch in batches:
            pending.append(pool.submit(profile_partition, batch, plan))
            if len(pending) > WORKERS:
                total = total.merge(pending.popleft().result())
        while pending:
            total = total.merge(pending.popleft().result())
    return total


def profile_partition(batch: Any, plan: ProfilePlan) -> Profile:
    """The profile of a ``pyarrow.RecordBatch``. A column of the plan that the batch lacks is missing in every row.

    Segments and their crossings have no columns: nothing is judged by what the inputs of a segment look like.
    Memory: a few times the largest column, in addition to the batch.
    """
    groups = group_by_window(batch, plan)
    rows, bounds = groups.rows, groups.bounds
    comparison = compare_with_labels(rows, plan)
    outputs = read_outputs(rows, plan, comparison)
    performance = outputs.add_to(comparison.count_groups(None, bounds), None, bounds)
    tables = _table_profiles(groups, plan, performance)
    if plan.counts_delays:
        delays = count_delays(rows, groups.times, bounds, plan, comparison)
        tables = [replace(table, delays=some) for table, some in zip(tables, delays, strict=True)]
    cells = dict(zip(groups.keys, tables, strict=True))
    window_of_row = np.repeat(np.arange(len(groups.keys)), np.diff(bounds))
    segments = {name: encode_segments(rows, name, values) for name, values in plan.segments}
    for name, (codes, values) in segments.items():
        if len(codes):
            order, found, ends = sort_groups(window_of_row * len(values) + codes)
            times = groups.times if order is None else groups.times[order]
            tables = comparison.count_groups(order, ends, _extreme_times(times, ends), coarse=True)
            for code, table in zip(found.tolist(), outputs.add_to(tables, order, ends), strict=True):
                window, value = divmod(code, len(values))
                whole = groups.keys[window]
                cells[ProfileKey(whole.window, whole.version, ((name, values[value]),))] = table
    for crossing in plan.crossings:
        for window, segment, table in _crossing_tables(crossing, segments, window_of_row, comparison):
            cells[replace(groups.keys[window], segment=segment)] = table
    return Profile(cells, groups.undated)


@dataclass(frozen=True, slots=True, eq=False)
class WindowGroups:
    """The rows of a batch ordered by window and version."""

    rows: Any
    times: Floats
    """By row, seconds (UTC)."""
    keys: tuple[ProfileKey, ...]
    """The windows and versions that occur."""
    bounds: Ints
    """Where the rows of each begin, and where those of the last end."""
    undated: int = 0
    """Rows without a time, which are left out."""


def group_by_window(batch: Any, plan: ProfilePlan) -> WindowGroups:
    """The rows of a ``pyarrow.RecordBatch`` by window and version."""
    spec = plan.spec
    dated = spec.time != "" and spec.time in batch.schema.names
    times = times_by_row(batch.column(spec.time)) if dated else np.full(batch.num_rows, np.nan)
    starts = np.floor(times / spec.window) * spec.window if spec.time else np.zeros(batch.num_rows)
    if len(starts) and np.all(starts == starts[0]):  # True for almost every batch, and saves sorting.
        windows, codes = starts[:1], np.zeros(len(starts), dtype=np.int64)
    else:
        windows, codes = np.unique(starts, return_inverse=True)
    versions = [""]
    if spec.version and spec.version in batch.schema.names:
        version_codes, names = factorize(batch.column(spec.version))
        versions = [*names, ""]
        codes = codes * len(versions) + np.where(version_codes < 0, len(names), version_codes)
    order, found, bounds = sort_groups(codes)
    if order is not None:
        batch, times = batch.take(to_arrow(order)), times[order]
    places = (divmod(code, len(versions)) for code in found.tolist())
    keys = [ProfileKey(float(windows[window]), versions[version]) for window, version in places]
    count = sum(not np.isnan(key.window) for key in keys)  # Those without a time are last.
    rows = int(bounds[count])
    undated = batch.num_rows - rows
    return WindowGroups(batch.slice(0, rows), times[:rows], tuple(keys[:count]), bounds[: count + 1], undated)


def split_by_window(batch: Any, plan: ProfilePlan) -> Iterator[tuple[ProfileKey, Any]]:
    """For each window and version its rows."""
    groups = group_by_window(batch, plan)
    for key, (begin, end) in zip(groups.keys, pairwise(groups.bounds.tolist()), strict=True):
        yield key, groups.rows.slice(begin, end - begin)


def encode_segments(rows: Any, name: str, values: frozenset[str]) -> tuple[Ints, list[str]]:
    """By row the number of its segment, and the segments' names. A column that the rows lack is missing in each."""
    codes, texts = factorize(column_or_nulls(rows, name))
    categories = map(shorten_category, texts)
    segments = [*(category if category in values else OTHER for category in categories), MISSING]
    unique = sorted(set(segments))
    number_of = {segment: number for number, segment in enumerate(unique)}
    return np.array([number_of[segment] for segment in segments], dtype=np.int64)[codes], unique


def sort_groups(codes: Ints) -> tuple[Ints | None, Ints, Ints]:
    """The places of rows by ascending code (``None`` if they ascend), the codes that occur, and where the rows of each
    begin, and those of the last end."""
    order = None
    if np.any(codes[1:] < codes[:-1]):
        # Small numbers are sorted by radix, many times faster.
        order = np.argsort(codes.astype(np.int16) if codes.max() < 2**15 else codes, kind="stable")
        codes = codes[order]
    begins = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]])) if len(codes) else np.zeros(0, np.int64)
    return order, codes[begins], np.append(begins, len(codes))


def _extreme_times(times: Floats, bounds: Ints) -> tuple[list[float], list[float]]:
    """By group the time of its oldest and of its newest row."""
    if not len(times):
        return [], []
    return np.minimum.reduceat(times, bounds[:-1]).tolist(), np.maximum.reduceat(times, bounds[:-1]).tolist()


def _crossing_tables(
    crossing: Crossing,
    segment_codes: Mapping[str, tuple[Ints, list[str]]],
    window_of_row: Ints,
    comparison: LabelComparison,
) -> Iterator[tuple[int, Labels, TableProfile]]:
    """For each window, by number, and each pair of segments that is counted and occurs: what labels say."""
    left, right = crossing.columns
    (left_codes, left_values), (right_codes, right_values) = segment_codes[left], segment_codes[right]
    if not (len(left_codes) and len(right_codes)):
        return
    pairs = [(value, other) for value in left_values for other in right_values]
    is_counted = np.array([pair in crossing.values for pair in pairs], dtype=np.bool_)
    codes = left_codes * len(right_values) + right_codes
    counted = np.flatnonzero(is_counted[codes])
    order, found, bounds = sort_groups(window_of_row[counted] * len(pairs) + codes[counted])
    tables = comparison.count_groups(counted if order is None else counted[order], bounds, coarse=True)
    for code, table in zip(found.tolist(), tables, strict=True):
        window, pair = divmod(code, len(pairs))
        yield window, ((left, pairs[pair][0]), (right, pairs[pair][1])), table


def _table_profiles(groups: WindowGroups, plan: ProfilePlan, performance: Sequence[TableProfile]) -> list[TableProfile]:
    """The profile of each group; ``performance``: what labels say about it."""
    rows, bounds, spec = groups.rows, groups.bounds, plan.spec
    names = set(rows.schema.names)
    columns: list[dict[str, ColumnProfile]] = [{} for _ in groups.keys]
    formats: list[dict[str, CategoricalProfile]] = [{} for _ in groups.keys]
    for column in plan.columns:
        array = rows.column(column.name) if column.name in names else None
        for place, (profile, shapes) in enumerate(_profile_groups(array, bounds, column)):
            columns[place][column.name] = profile
            if shapes is not None:
                formats[place][column.name] = shapes
    hashes = hash_ids(rows.column(spec.id))[0] if spec.id in names and not rows.column(spec.id).null_count else None
    oldest, newest = _extreme_times(groups.times, bounds)
    tables = []
    for place, (begin, end) in enumerate(pairwise(bounds.tolist())):
        part = rows.slice(begin, end - begin)
        ids = None
        if spec.id in names:
            of_group = (hashes[begin:end], 0) if hashes is not None else hash_ids(part.column(spec.id))
            ids = DistinctProfile.of(*of_group)
        tables.append(
            replace(
                performance[place],
                columns=columns[place],
                formats=formats[place],
                sums={**performance[place].sums, **_sum_value(part, spec, names)},
                ids=ids,
                oldest=oldest[place],
                newest=newest[place],
                samples=sample_columns(part, spec, dict(plan.embedding_widths)) if spec.sampled_columns else {},
            )
        )
    return tables


def _profile_groups(
    array: Any, bounds: Ints, column: ColumnPlan
) -> Iterator[tuple[ColumnProfile, CategoricalProfile | None]]:
    """The profile of the rows of each group, and of their formats, as in ``profile_column``."""
    ends = bounds.tolist()
    values = numbers_by_row(array) if column.is_numeric and array is not None and len(ends) > 2 else None
    if values is not None:
        yield from ((column.profile(values[begin:end]), None) for begin, end in pairwise(ends))
        return
    codes: Ints | None = None
    if not column.is_numeric and array is not None and len(ends) > 2:
        codes, texts = factorize(array, column.class_names, column.missing_words)
    if codes is None or (len(ends) - 1) * (len(texts) + 1) > MAX_TABLE_CELLS:
        for begin, end in pairwise(ends):
            part = None if array is None else array.slice(begin, end - begin)
            yield profile_column(part, end - begin, column)
        return
    has_formats = is_text_type(array.type)
    for missing, *counts in count_codes(codes + 1, bounds, len(texts) + 1).tolist():
        by_text = {text: count for text, count in zip(texts, counts, strict=True) if count}
        yield _profile_texts(by_text, missing, column, has_formats)


def profile_column(array: Any, rows: int, column: ColumnPlan) -> tuple[ColumnProfile, CategoricalProfile | None]:
    """The profile of an Arrow array, ``None`` if it is missing in all rows; if it holds text, that of its formats,
    too."""
    if column.is_numeric:
        numbers = (np.zeros(0), rows, 0) if array is None else parse_numbers(array)
        return column.profile(*numbers), None
    counts, missing = ({}, rows) if array is None else count_texts(array, column.class_names, column.missing_words)
    return _profile_texts(counts, missing, column, array is not None and is_text_type(array.type))


def _profile_texts(
    counts: dict[str, int], missing: int, column: ColumnPlan, has_formats: bool
) -> tuple[ColumnProfile, CategoricalProfile | None]:
    formats = CategoricalProfile.of(count_shapes(counts), column.formats) if has_formats else None
    return CategoricalProfile.of(counts, column.vocabulary, missing), formats


def _sum_value(rows: Any, spec: MeasureSpec, names: set[str]) -> dict[str, ExactSums]:
    """The exact sum of the value column, over its finite numbers."""
    if spec.value not in names:
        return {}
    values = floats_by_row(rows.column(spec.value))
    return {VALUE_SUM: ExactSums.of({VALUE_SUM: values[np.isfinite(values)]})}
