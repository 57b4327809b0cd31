"""Profile the rows of Arrow record batches by a plan. The profile of a batch depends on the two alone, and profiles
merge: a cluster engine can call ``profile_partition`` wherever it has Arrow batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from ..model.prediction_log import MeasureSpec
from ..model.series import Labels
from ..stats.arrays import Floats, Ints
from ..stats.profile.bottom_k_sketches import DistinctProfile
from ..stats.profile.categorical import CategoricalProfile, shorten_category
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.table import ColumnProfile, Profile, ProfileKey, TableProfile
from ..stats.segmentation import MISSING, OTHER
from .arrow_columns import (
    count_shapes,
    count_texts,
    factorize,
    floats_by_row,
    hash_ids,
    is_text_type,
    parse_numbers,
    to_arrow,
)
from .embedding_samples import sample_columns
from .label_comparison import compare_with_labels
from .profile_plan import ColumnPlan, Crossing, ProfilePlan
from .time_columns import times_by_row

VALUE_SUM = "worth"
"""Name of the sum over the column `value`."""
WORKERS = 2


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

    Memory: a few times the largest column, in addition to the batch.
    """
    cells: dict[ProfileKey, TableProfile] = {}
    undated = 0
    for window, version, rows, times in split_by_window(batch, plan):
        if np.isnan(window):
            undated += rows.num_rows
            continue
        comparison = compare_with_labels(rows, plan)
        performance = comparison.count(slice(None), rows.num_rows)
        cells[ProfileKey(window, version)] = _table_profile(rows, plan, times, performance)
        segments = {name: encode_segments(rows, name, values) for name, values in plan.segments}
        for name, (codes, values) in segments.items():
            for code, part, places in _group_rows(rows, codes):
                key = ProfileKey(window, version, ((name, values[code]),))
                performance = comparison.count(places, part.num_rows, coarse=True)
                cells[key] = _table_profile(part, plan, times[places], performance, coarse=True)
        for crossing in plan.crossings:
            for segment, places in _crossing_rows(crossing, segments):
                count = rows.num_rows if isinstance(places, slice) else len(places)
                cells[ProfileKey(window, version, segment)] = comparison.count(places, count, coarse=True)
    return Profile(cells, undated)


def split_by_window(batch: Any, plan: ProfilePlan) -> Iterator[tuple[float, str, Any, Floats]]:
    """For each window and version its rows and their times."""
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
    for code, rows, places in _group_rows(batch, codes):
        yield float(windows[code // len(versions)]), versions[code % len(versions)], rows, times[places]


def encode_segments(rows: Any, name: str, values: frozenset[str]) -> tuple[Ints, list[str]]:
    """By row the number of its segment, and the segments' names; both empty if the column is missing."""
    if name not in rows.schema.names:
        return np.zeros(0, dtype=np.int64), []
    codes, texts = factorize(rows.column(name))
    categories = map(shorten_category, texts)
    segments = [*(category if category in values else OTHER for category in categories), MISSING]
    unique = sorted(set(segments))
    number_of = {segment: number for number, segment in enumerate(unique)}
    return np.array([number_of[segment] for segment in segments], dtype=np.int64)[codes], unique


def _crossing_rows(
    crossing: Crossing, segment_codes: Mapping[str, tuple[Ints, list[str]]]
) -> Iterator[tuple[Labels, Any]]:
    """Each pair of segments that is counted and occurs, and the places of its rows."""
    left, right = crossing.columns
    (left_codes, left_values), (right_codes, right_values) = segment_codes[left], segment_codes[right]
    if not (len(left_codes) and len(right_codes)):
        return
    for code, places in _group_positions(left_codes * len(right_values) + right_codes):
        values = left_values[code // len(right_values)], right_values[code % len(right_values)]
        if values in crossing.values:
            yield ((left, values[0]), (right, values[1])), places


def _group_rows(batch: Any, codes: Ints) -> Iterator[tuple[int, Any, Any]]:
    """For each code that occurs its rows and their places."""
    groups = list(_group_positions(codes))
    if len(groups) < 2:
        yield from ((code, batch, places) for code, places in groups)
        return
    ordered = batch.take(to_arrow(np.concatenate([places for _, places in groups])))
    begin = 0
    for code, places in groups:
        yield code, ordered.slice(begin, len(places)), places
        begin += len(places)


def _group_positions(codes: Ints) -> Iterator[tuple[int, Any]]:
    """For each code that occurs the places of its rows."""
    if not len(codes):
        return
    if codes[0] == codes[-1] and np.all(codes == codes[0]):
        yield int(codes[0]), slice(None)
        return
    # Small numbers are sorted by radix, many times faster.
    order = np.argsort(codes.astype(np.int16) if codes.max() < 2**15 else codes, kind="stable")
    ordered = codes[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        yield int(ordered[begin]), order[begin:end]


def _table_profile(
    rows: Any, plan: ProfilePlan, times: Floats, performance: TableProfile, coarse: bool = False
) -> TableProfile:
    names = set(rows.schema.names)
    columns: dict[str, ColumnProfile] = {}
    formats: dict[str, CategoricalProfile] = {}
    for column in plan.columns:
        array = rows.column(column.name) if column.name in names else None
        columns[column.name], shapes = profile_column(array, rows.num_rows, column, coarse)
        if shapes is not None:
            formats[column.name] = shapes
    spec = plan.spec
    dated = bool(len(times)) and not np.isnan(times[0])
    return replace(
        performance,
        columns=columns,
        formats=formats,
        sums=performance.sums if coarse else {**performance.sums, **_sum_value(rows, spec, names)},
        ids=DistinctProfile.of(*hash_ids(rows.column(spec.id))) if spec.id in names and not coarse else None,
        oldest=float(times.min()) if dated else np.nan,
        newest=float(times.max()) if dated else np.nan,
        samples={} if coarse or not spec.sampled_columns else sample_columns(rows, spec, dict(plan.embedding_widths)),
    )


def profile_column(
    array: Any, rows: int, column: ColumnPlan, coarse: bool = False
) -> tuple[ColumnProfile, CategoricalProfile | None]:
    """The profile of an Arrow array, ``None`` if it is missing in all rows; if it holds text, that of its formats, too.
    ``coarse``: as in a segment."""
    if column.is_numeric:
        numbers = (np.zeros(0), rows, 0) if array is None else parse_numbers(array)
        return column.profile(*numbers, coarse=coarse), None
    counts, missing = ({}, rows) if array is None else count_texts(array, column.class_names, column.missing_words)
    profile = CategoricalProfile.of(counts, column.vocabulary, missing)
    if coarse or array is None or not is_text_type(array.type):
        return profile, None
    return profile, CategoricalProfile.of(count_shapes(counts), column.formats)


def _sum_value(rows: Any, spec: MeasureSpec, names: set[str]) -> dict[str, ExactSums]:
    """The exact sum of the value column, over its finite numbers."""
    if spec.value not in names:
        return {}
    values = floats_by_row(rows.column(spec.value))
    return {VALUE_SUM: ExactSums.of({VALUE_SUM: values[np.isfinite(values)]})}
