"""The profile of one partition: a function of an Arrow record batch and a plan, and of nothing else.

A cluster engine may call it wherever it hands out Arrow batches; what comes back merges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import MeasureSpec
from ..stats.profile.bottom_k_sketches import DistinctProfile
from ..stats.profile.categorical import CategoricalProfile, shorten_category
from ..stats.profile.exact_sum import ExactSums
from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import ColumnProfile, Profile, ProfileKey, Segment, TableProfile
from .arrow_columns import (
    count_shapes,
    count_texts,
    factorize,
    floats_by_row,
    hash_ids,
    is_text_type,
    parse_numbers,
    times_by_row,
    to_arrow,
)
from .embedding_samples import sample_columns
from .label_comparison import PerformanceCounts, compare_with_labels
from .profile_plan import MISSING, OTHER, ColumnPlan, Crossing, ProfilePlan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VALUE_SUM = "worth"
"""Name of the sum over the column `value`."""


def profile_partition(batch: Any, plan: ProfilePlan) -> Profile:
    """The profile of a ``pyarrow.RecordBatch``. A column of the plan that the batch lacks is missing in every row.

    Memory: a few times the largest column, beside the batch itself.
    """
    cells: dict[ProfileKey, TableProfile] = {}
    undated = 0
    for window, version, rows, when in split_by_window(batch, plan):
        if np.isnan(window):
            undated += rows.num_rows
            continue
        judged = compare_with_labels(rows, plan)
        cells[ProfileKey(window, version)] = _table_profile(rows, plan, when, judged.count(slice(None)))
        told = {name: _encode_segments(rows, name, values) for name, values in plan.segments}
        for name, (codes, values) in told.items():
            for code, part, place in _group_rows(rows, codes):
                outcome = judged.count(place, coarse=True)
                cells[ProfileKey(window, version, ((name, values[code]),))] = _table_profile(
                    part, plan, when[place], outcome, True
                )
        for crossing in plan.crossings:
            for segment, place in _crossing_rows(crossing, told):
                count = rows.num_rows if isinstance(place, slice) else len(place)
                cells[ProfileKey(window, version, segment)] = _crossing_profile(count, judged.count(place, coarse=True))
    return Profile(cells, undated)


def split_by_window(batch: Any, plan: ProfilePlan) -> Iterator[tuple[float, str, Any, Floats]]:
    """Window, version, rows and their times; one of each."""
    spec = plan.spec
    dated = spec.time != "" and spec.time in batch.schema.names
    when = times_by_row(batch.column(spec.time)) if dated else np.full(batch.num_rows, np.nan)
    starts = np.floor(when / spec.window) * spec.window if spec.time else np.zeros(batch.num_rows)
    if len(starts) and np.all(starts == starts[0]):  # as nearly every batch: nothing to sort
        windows, codes = starts[:1], np.zeros(len(starts), dtype=np.int64)
    else:
        windows, codes = np.unique(starts, return_inverse=True)
    versions = [""]
    if spec.version and spec.version in batch.schema.names:
        version_codes, names = factorize(batch.column(spec.version))
        versions = [*names, ""]
        codes = codes * len(versions) + np.where(version_codes < 0, len(names), version_codes)
    for code, rows, place in _group_rows(batch, codes):
        yield float(windows[code // len(versions)]), versions[code % len(versions)], rows, when[place]


def _encode_segments(rows: Any, name: str, values: frozenset[str]) -> tuple[Ints, list[str]]:
    """Per row the number of its segment, and the segments' names; no rows where the column is missing."""
    if name not in rows.schema.names:
        return np.zeros(0, dtype=np.int64), []
    codes, names = factorize(rows.column(name))
    shown = [shorten_category(text) for text in names]
    told = [text if text in values else OTHER for text in shown] + [MISSING]
    unique = sorted(set(told))
    number = {text: place for place, text in enumerate(unique)}
    return np.array([number[text] for text in told], dtype=np.int64)[codes], unique


def _crossing_rows(
    crossing: Crossing, segment_codes: Mapping[str, tuple[Ints, list[str]]]
) -> Iterator[tuple[Segment, Any]]:
    """Each crossing that is told apart and occurs, and the places of its rows."""
    (left, names), (right, others) = (segment_codes[column] for column in crossing.columns)
    if not (len(left) and len(right)):
        return
    one, other = crossing.columns
    for code, place in _group_positions(left * len(others) + right):
        values = names[code // len(others)], others[code % len(others)]
        if values in crossing.values:
            yield ((one, values[0]), (other, values[1])), place


def _group_rows(batch: Any, codes: Ints) -> Iterator[tuple[int, Any, Any]]:
    """Code, rows and their places for each code that occurs."""
    groups = list(_group_positions(codes))
    if len(groups) < 2:
        yield from ((code, batch, place) for code, place in groups)
        return
    taken = batch.take(to_arrow(np.concatenate([place for _, place in groups])))
    begin = 0
    for code, place in groups:
        yield code, taken.slice(begin, len(place)), place
        begin += len(place)


def _group_positions(codes: Ints) -> Iterator[tuple[int, Any]]:
    """Code and places of rows for each code that occurs."""
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


def _crossing_profile(rows: int, outcome: PerformanceCounts) -> TableProfile:
    """What is known of a crossing: no columns, only how well predictions did."""
    return TableProfile(rows, pairs=outcome.pairs, scores=outcome.scores, sums=outcome.sums)


def _table_profile(
    rows: Any, plan: ProfilePlan, when: Floats, outcome: PerformanceCounts, coarse: bool = False
) -> TableProfile:
    names = set(rows.schema.names)
    columns: dict[str, ColumnProfile] = {}
    formats: dict[str, CategoricalProfile] = {}
    for column in plan.columns:
        array = rows.column(column.name) if column.name in names else None
        if column.is_numeric:
            columns[column.name] = _numeric_profile(array, column, rows.num_rows, coarse)
            continue
        counts, missing = ({}, rows.num_rows) if array is None else count_texts(array)
        columns[column.name] = CategoricalProfile.of(counts, column.vocabulary, missing)
        if not coarse and array is not None and is_text_type(array.type):
            formats[column.name] = CategoricalProfile.of(count_shapes(counts), column.formats)
    spec = plan.spec
    dated = bool(len(when)) and not np.isnan(when[0])
    return TableProfile(
        rows.num_rows,
        columns,
        formats,
        outcome.pairs,
        outcome.scores,
        outcome.sums if coarse else {**outcome.sums, **_sum_value(rows, spec, names)},
        ids=DistinctProfile.of(*hash_ids(rows.column(spec.id))) if spec.id in names and not coarse else None,
        oldest=float(when.min()) if dated else np.nan,
        newest=float(when.max()) if dated else np.nan,
        samples={} if coarse or not spec.sampled_columns else sample_columns(rows, spec, dict(plan.embedding_widths)),
    )


def _sum_value(rows: Any, spec: MeasureSpec, names: set[str]) -> dict[str, ExactSums]:
    """What the rows are worth together, exactly; of those that say so."""
    if spec.value not in names:
        return {}
    values = floats_by_row(rows.column(spec.value))
    return {VALUE_SUM: ExactSums.of({VALUE_SUM: values[np.isfinite(values)]})}


def _numeric_profile(array: Any, column: ColumnPlan, rows: int, coarse: bool) -> NumericProfile:
    edges = column.coarse if coarse else column.edges
    assert edges is not None  # noqa: S101
    if array is None:
        return NumericProfile.of(np.zeros(0), edges, missing=rows)
    values, missing, other = parse_numbers(array)
    return NumericProfile.of(values, edges, missing, other, guide=None if coarse else column.guide)


WORKERS = 2


def profile_batches(batches: Iterable[Any], plan: ProfilePlan, workers: int = WORKERS) -> Profile:
    """The profile of all batches. At most ``workers + 1`` of them are in memory, however many there are."""
    total = Profile()
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Profile]] = deque()
        for batch in batches:
            waiting.append(pool.submit(profile_partition, batch, plan))
            if len(waiting) > workers:
                total = total.merge(waiting.popleft().result())
        while waiting:
            total = total.merge(waiting.popleft().result())
    return total
