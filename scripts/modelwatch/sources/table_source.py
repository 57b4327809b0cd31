"""The source that reads tables of metrics, one row per time, columns named by keys: files as ``measure`` reads them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..errors import SourceError, check_columns, shorten
from ..model.monitored_model import TableSpec
from ..profiling.arrow_columns import column_or_nulls, read_numbers, shown_cells, texts_by_row
from ..profiling.log_files import FilesLog
from ..profiling.readers import open_files
from ..profiling.time_columns import local_time_hint, times_by_row, unreadable_times
from ..stats.arrays import Bools, Floats
from ..timeutil import format_utc
from .base import ReadContext, SourceResult
from .requirements import ReadRequest
from .series_builder import SeriesBuilder

MAX_SHOWN = 80
"""Characters of a bad cell."""
MAX_CELLS = 20_000_000
"""In the columns that are read: about 3 GB. A few kilobytes can hold a billion equal ones."""


def read_tables(spec: TableSpec, request: ReadRequest, context: ReadContext) -> SourceResult:
    """The files of ``table: {path}``. Of two rows for one time the later row, or the later file by name, wins.

    Raises SourceError for a missing file or column, where no row has a time, and if no file is a table; a file that
    cannot be read among others is left out, and noted.
    """
    skipped: dict[str, SourceError] = {}
    log = open_files(spec.path, "table: {path}", skipped)
    reader = _TableReader(log, spec, SeriesBuilder(request))
    reader.read(context)
    left_out = (f"left out: {problem}" for problem in skipped.values())
    hint = "" if spec.timezone else local_time_hint(reader.newest, request.logged_until, "table")
    future = [f"the newest row is of {format_utc(reader.newest)}, in the future. {hint}"] if hint else []
    return SourceResult(reader.builder, (*left_out, *reader.notes(), *future))


def list_columns(spec: TableSpec) -> list[str]:
    """The columns of every file, each once. Raises SourceError."""
    return list(open_files(spec.path, "table: {path}").names())


class _TableReader:
    """Reads the rows of all files into a builder, and counts the cells that are not what their column should hold."""

    def __init__(self, log: FilesLog, spec: TableSpec, builder: SeriesBuilder) -> None:
        names = log.names()
        check_columns(filter(None, (spec.time, spec.version)), names, log.where)
        resolve = builder.key_resolver.resolve
        self._keys = {name: key for name in names if (key := resolve(name)) is not None and name != spec.time}
        self._log, self._spec, self.builder = log, spec, builder
        self._bad_cells: dict[tuple[str, str], tuple[int, str]] = {}
        """By file and column how many there are, and the first one with its row, as text."""
        self.newest = -math.inf
        self._rows = self._cells = 0

    def read(self, context: ReadContext) -> None:
        """Take every row. Raises SourceError."""
        import numpy as np

        spec, first_row = self._spec, 1
        columns = [*dict.fromkeys([*self._keys, *filter(None, (spec.time, spec.version))])]
        unreadable: list[str | None] = []
        before, dated = "", False
        for path, batch in self._log.batches_by_file(columns):
            first_row, before = (1 if path != before else first_row), path
            context.check_time()
            self._cells += batch.num_rows * len(columns)
            if self._cells > MAX_CELLS:
                hint = "`table` is for metrics, one row per time; a prediction log is read by `measure`."
                raise SourceError(f"this table has more than {MAX_CELLS:,} cells.", hint=hint, where=self._log.where)
            cells = column_or_nulls(batch, spec.time)
            times = times_by_row(cells, spec.timezone)
            self._count_bad_cells(path, spec.time, cells, np.isnan(times), first_row)
            dated |= not np.isnan(times).all()
            unreadable += [] if dated else shown_cells(cells[: 3 - len(unreadable)])
            self._take_rows(path, batch, times, first_row)
            first_row += batch.num_rows
        if self._rows and not dated:
            raise unreadable_times(spec.time, unreadable, self._log.where)

    def _take_rows(self, path: str, batch: Any, times: Floats, first_row: int) -> None:
        import numpy as np

        values = []
        for name, key in self._keys.items():
            cells = column_or_nulls(batch, name)
            numbers, is_other = read_numbers(cells)
            self._count_bad_cells(path, name, cells, is_other, first_row)
            values.append((key, numbers.tolist()))
        version = self._spec.version
        versions = texts_by_row(column_or_nulls(batch, version), "").tolist() if version else [""] * batch.num_rows
        for row in np.flatnonzero(~np.isnan(times)).tolist():
            cells_of_row = [(key, column[row]) for key, column in values if column[row] == column[row]]
            self.builder.add_cells(cells_of_row, float(times[row]), float(self._rows + row), versions[row])
        self.newest = float(np.nanmax(times, initial=self.newest))
        self._rows += batch.num_rows

    def _count_bad_cells(self, path: str, name: str, cells: Any, is_bad: Bools, first_row: int) -> None:
        if is_bad.any():
            row = int(is_bad.argmax())
            first = f"{shorten(repr(shown_cells(cells[row : row + 1])[0]), MAX_SHOWN)} in row {first_row + row}"
            count, first = self._bad_cells.get((path, name), (0, first))
            self._bad_cells[path, name] = count + int(is_bad.sum()), first

    def notes(self) -> Iterator[str]:
        """How many cells of each file and column cannot be read."""
        for (path, name), (count, first) in self._bad_cells.items():
            kind, cells = "time" if name == self._spec.time else "number", "1 cell" if count == 1 else f"{count} cells"
            yield f"{path}: no {kind} in {cells} of column {name!r}; the first is {first}"
