"""Journals as a profile and as files of rows. What cannot be counted with the rest is set aside, and stops nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..profiling.arrow_columns import to_text
from ..profiling.profiler import profile_partition
from ..stats.profile.codec import to_bytes
from ..stats.profile.table import Profile
from .arrow_rows import record_batches, select_rows
from .recorder_plan import RecorderPlan
from .row_sample import choose_rows
from .settings import RecorderSettings

KINDS_OF_ROWS = ("sample", "kept")
MAX_TRIES = 500
"""Of counting parts of a batch. What then still fails is set aside unchanged."""
MAX_SEARCHED_COLUMNS = 200
"""A row with more columns is set aside whole."""
CELLS = 7
"""The place of a row's features in its entry."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedUnit:
    """What was recorded by one call: the entry of a row (a list), or a batch."""

    content: Any
    process: str

    @property
    def rows(self) -> int:
        return 1 if isinstance(self.content, list) else int(self.content["n"])

    @property
    def columns(self) -> Mapping[Any, Any]:
        columns: Mapping[Any, Any] = self.content[CELLS] if isinstance(self.content, list) else self.content["columns"]
        return columns

    def with_columns(self, columns: Mapping[Any, Any]) -> RecordedUnit:
        """The same with other features."""
        if isinstance(self.content, list):
            return replace(self, content=[*self.content[:CELLS], columns])
        return replace(self, content={**self.content, "columns": columns})


@dataclass(frozen=True, slots=True)
class UnfitUnit:
    """What is set aside, and why. ``columns``: those that do not fit; the others are counted if ``is_whole`` is
    false."""

    unit: RecordedUnit
    problem: str
    """The class of the error: its text may hold cells."""
    columns: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class CountedRows:
    """``plan``: with what these rows have taught. ``files``: by kind of rows a Parquet file."""

    plan: RecorderPlan
    profile: Profile = field(default_factory=Profile)
    files: Mapping[str, bytes] = field(default_factory=dict)


def units_of(frames: Iterable[Mapping[str, Any]]) -> list[RecordedUnit]:
    """The calls whose rows are in the frames of a journal."""
    return [
        RecordedUnit(content, frame["process"]) for frame in frames for content in (*frame["rows"], *frame["batches"])
    ]


def count_fitting(
    units: Sequence[RecordedUnit], plan: RecorderPlan, settings: RecorderSettings
) -> tuple[CountedRows, list[UnfitUnit]]:
    """Count what can be counted together; the rest comes back. Raises OSError and MemoryError, which rows do not
    cause."""
    return _Search(plan, settings).count_units(list(units))


class _Search:
    """Halves what fails, until it is a single call, and leaves that out, or the columns of it that fail alone."""

    def __init__(self, plan: RecorderPlan, settings: RecorderSettings) -> None:
        self._plan, self._settings, self._tries = plan, settings, 0

    def count_units(self, units: list[RecordedUnit]) -> tuple[CountedRows, list[UnfitUnit]]:
        counted = self._try(units)
        if isinstance(counted, CountedRows):
            return counted, []
        unfit: list[UnfitUnit] = []
        groups = [*self._fitting_groups(units, counted, unfit)]
        together = self._try([unit for group in groups for unit in group])
        if isinstance(together, CountedRows):
            return together, unfit
        total, fitting = CountedRows(self._plan), list[RecordedUnit]()
        for group in groups:  # each fits alone
            more = self._try([*fitting, *group])
            if isinstance(more, CountedRows):
                total, fitting = more, [*fitting, *group]
            else:
                unfit += [UnfitUnit(unit, more) for unit in group]
        return total, unfit

    def _fitting_groups(
        self, units: list[RecordedUnit], problem: str, unfit: list[UnfitUnit]
    ) -> Iterator[list[RecordedUnit]]:
        """``units`` have failed together, by ``problem``."""
        if len(units) == 1 and self._tries < MAX_TRIES:
            yield from self._fitting_columns(units[0], problem, unfit)
        elif len(units) <= 1 or self._tries >= MAX_TRIES:
            unfit += [UnfitUnit(unit, problem) for unit in units]
        else:
            middle = len(units) // 2
            for part in (units[:middle], units[middle:]):
                counted = self._try(part)
                if isinstance(counted, CountedRows):
                    yield part
                else:
                    yield from self._fitting_groups(part, counted, unfit)

    def _fitting_columns(
        self, unit: RecordedUnit, problem: str, unfit: list[UnfitUnit]
    ) -> Iterator[list[RecordedUnit]]:
        columns = unit.columns
        failing: list[Any] = []
        if len(columns) <= MAX_SEARCHED_COLUMNS:
            failing = [
                name for name in columns if isinstance(self._try([unit.with_columns({name: columns[name]})]), str)
            ]
        names = tuple(map(str, failing))
        rest = unit.with_columns({name: cells for name, cells in columns.items() if name not in failing})
        fits = bool(0 < len(failing) < max(len(columns), 2)) and isinstance(self._try([rest]), CountedRows)
        unfit.append(UnfitUnit(unit, problem, names, is_whole=not fits))
        if fits:
            yield [rest]

    def _try(self, units: list[RecordedUnit]) -> CountedRows | str:
        """What was counted, or the class of the error."""
        self._tries += 1
        try:
            return _count(units, self._plan, self._settings)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a cell of any content may break any part of what counts it
            return type(error).__name__


def _count(units: Sequence[RecordedUnit], plan: RecorderPlan, settings: RecorderSettings) -> CountedRows:
    plan = copy.deepcopy(plan, {id(plan.reference): plan.reference, id(plan.spec): plan.spec})
    batches = record_batches(_frames_of(units), settings)
    plan.learn(batches)
    profile_plan = plan.profile_plan()
    profile, kinds = Profile(), dict[str, list[Any]]()
    for batch in batches:
        profile = profile.merge(profile_partition(batch, profile_plan))
        if settings.folder:
            for kind, mask in zip(KINDS_OF_ROWS, choose_rows(batch, settings), strict=True):
                if mask.any():
                    kinds.setdefault(kind, []).append(select_rows(batch, mask))
    profile.whole()
    to_bytes(profile, {})
    return CountedRows(plan, profile, {kind: _to_parquet(parts) for kind, parts in kinds.items()})


def _frames_of(units: Iterable[RecordedUnit]) -> Iterator[Mapping[str, Any]]:
    rows = []
    for unit in units:
        if isinstance(unit.content, list):
            rows.append(unit.content)
        else:
            yield {"process": unit.process, "rows": [], "batches": [unit.content]}
    yield {"process": "", "rows": rows, "batches": []}


def _to_parquet(batches: Iterable[Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    tables = _with_common_types(batches)
    output = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.concat_tables(tables, promote_options="permissive"), output, compression="zstd")
    content: bytes = output.getvalue().to_pybytes()
    return content


def _with_common_types(batches: Iterable[Any]) -> list[Any]:
    """Tables whose columns can be joined: of types that are not all numbers text, as where files of a log differ."""
    import pyarrow as pa

    tables = [pa.Table.from_arrays(batch.columns, batch.schema.names) for batch in batches]
    types: dict[str, set[Any]] = {}
    for table in tables:
        for name, kind in zip(table.schema.names, table.schema.types, strict=True):
            if not pa.types.is_null(kind):
                types.setdefault(name, set()).add(kind)
    for name, kinds in types.items():
        if len(kinds) > 1 and not kinds <= {pa.int64(), pa.float64()}:
            tables = [_as_text(table, name) for table in tables]
    return tables


def _as_text(table: Any, name: str) -> Any:
    place = table.schema.get_field_index(name)
    if place < 0:
        return table
    return table.set_column(place, name, to_text(table.column(place).combine_chunks()))
