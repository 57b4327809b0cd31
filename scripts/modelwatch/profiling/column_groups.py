"""Profile a whole table in one reading: a few columns at a time, held in memory while their edges and vocabularies are
chosen from a sample and all of their rows are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any

from ..model.prediction_log import MeasureSpec
from ..stats.profile.table import TableProfile
from .input_columns import reason_not_an_input
from .label_join import without_missing_labels
from .log_files import FilesLog
from .plan_inference import concatenate_arrays, infer_and_profile, infer_column, require_named_columns, sample_batches
from .profiler import WORKERS, profile_column
from .readers import PredictionLog

GROUP_BYTES = 24 << 20
"""Memory of a group of columns. Each worker holds one."""
CELL_BYTES = 8


def profile_table(
    log: PredictionLog, spec: MeasureSpec, only_inputs: bool | None = None
) -> tuple[TableProfile, dict[str, str]]:
    """The profile of a table, without windows, versions and segments, by a plan that is inferred from the table itself;
    and the columns that are left out as no inputs, and why. ``only_inputs`` as in ``infer_plan``.

    Features that are small enough are read once. All other columns are read together, and twice: several of them decide
    what a label or a score is. Raises SourceError for a missing column.
    """
    names = log.names()
    only_inputs = not spec.features if only_inputs is None else only_inputs
    require_named_columns(log, spec)
    features = spec.feature_columns(names)
    independent = [name for name in features if name not in spec.role_columns and name not in spec.segments]
    groups = list(_column_groups(log, independent))
    if not groups:
        plan, profile = infer_and_profile(without_missing_labels(log, spec), spec, only_inputs)
        return profile.whole(), dict(plan.omitted)
    grouped = {name for group in groups for name in group}
    remaining = tuple(name for name in features if name not in grouped)
    others = [name for name in names if name in (spec.role_columns | {*spec.segments, *remaining})]
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = list(pool.map(lambda group: _profile_group(log, group, only_inputs), groups))
    omitted = {name: reason for _, reasons in parts for name, reason in reasons.items()}
    if others:
        rest = without_missing_labels(ColumnsOf(log, others), spec)
        plan, profile = infer_and_profile(rest, replace(spec, features=remaining), only_inputs)
        table, omitted = profile.whole(), omitted | dict(plan.omitted)
    else:
        table = TableProfile(log.rows() or 0)
    return reduce(TableProfile.merge, (part for part, _ in parts), table), omitted


def _column_groups(log: PredictionLog, features: Sequence[str]) -> Iterator[Sequence[str]]:
    """The features to hold together; none if the table is no Parquet file, or too long."""
    rows = log.rows() if isinstance(log, FilesLog) else None
    if not isinstance(log, FilesLog) or not rows or rows * CELL_BYTES > GROUP_BYTES:
        return
    compact = log.compact_columns()
    columns = [name for name in features if name in compact]
    size = max(1, min(GROUP_BYTES // (rows * CELL_BYTES), -(-len(columns) // WORKERS)))
    for first in range(0, len(columns), size):
        yield columns[first : first + size]


def _profile_group(log: PredictionLog, names: Sequence[str], only_inputs: bool) -> tuple[TableProfile, dict[str, str]]:
    """The profiles of these columns alone: a table of no rows, which adds up with those of other columns; and those
    that are left out as no inputs."""
    spec = MeasureSpec()
    batches = list(log.batches(names))
    sample = sample_batches(batches, sum(batch.num_rows for batch in batches))
    parts, omitted = [], {}
    for name in names:
        cells = concatenate_arrays([batch.column(name) for batch in sample])
        if only_inputs and (reason := reason_not_an_input(name, cells)):
            omitted[name] = reason
            continue
        column = infer_column(name, cells, None, spec)
        for batch in batches:
            profile, shapes = profile_column(batch.column(name), batch.num_rows, column)
            parts.append(TableProfile(columns={name: profile}, formats={} if shapes is None else {name: shapes}))
    return reduce(TableProfile.merge, parts, TableProfile()), omitted


class ColumnsOf:
    """A prediction log with some of the columns of another one."""

    def __init__(self, log: PredictionLog, names: Sequence[str]) -> None:
        self.log = log
        self.where = log.where
        self._names = tuple(names)

    def names(self) -> tuple[str, ...]:
        return self._names

    def rows(self) -> int | None:
        return self.log.rows()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return self.log.batches([name for name in columns if name in self._names])
