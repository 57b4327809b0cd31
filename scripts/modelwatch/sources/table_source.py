"""The source that reads tables: CSV (compressed or not) and Parquet, one row per time, columns named by keys."""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, check_columns, csv_separator, require_extra, shorten, unreadable_table
from ..model.monitored_model import Model, TableSpec
from ..regular_file import require_regular_file
from .base import ReadContext, SourceResult
from .cell_parsing import parse_number, parse_number_text, parse_time, version_text
from .requirements import ReadRequest
from .series_builder import SeriesBuilder

if TYPE_CHECKING:
    import pandas as pd

MAX_NOTES = 5
"""Bad cells of one file that are reported one by one."""
MAX_SHOWN = 80
"""Characters of a bad cell."""
MAX_BYTES = 1 << 30
"""Of one file, once it is unpacked."""
MAX_CELLS = 20_000_000
"""In the columns that are read of one file: about 3 GB. A few kilobytes can hold a billion equal ones."""
MAX_HEAD = 1 << 20
"""Bytes of a CSV file's first line."""
_SIZE_HINT = "`table` is for metrics, one row per time; a prediction log is read by `measure`."
_UNPACK: dict[str, Callable[[str], Any]] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}


def read_tables(model: Model, request: ReadRequest, _context: ReadContext) -> SourceResult | None:
    """The file or glob of ``table: {path}``. Of two rows for one time the later row, or the later file by name, wins.

    Raises SourceError for a missing file or column, and for a file that is not a table.
    """
    spec = model.table
    if not spec:
        return None
    builder = SeriesBuilder(request)
    notes: list[str] = []
    paths = sorted(glob.glob(spec.path, recursive=True))
    if not paths:
        raise SourceError("there is no such file.", hint="Check `table: {path}`; globs are allowed.", where=spec.path)
    for path in paths:
        require_regular_file(path)
    order = 0
    for path in paths:
        table = _TableFile(path, spec)
        for row, time, version, cells in table.rows(builder.key_resolver.resolve):
            order += 1
            if time is None:
                table.bad_cells.append(f"{path}:{row}: no time in column {spec.time!r}")
            else:
                builder.add_cells(cells, time, float(order), version)
        notes += table.bad_cells[:MAX_NOTES]
        if len(table.bad_cells) > MAX_NOTES:
            notes.append(f"{path}: {len(table.bad_cells) - MAX_NOTES} more bad cells")
    return SourceResult(builder, tuple(notes))


def list_columns(spec: TableSpec) -> list[str]:
    """The columns of every file, each once. Raises SourceError."""
    names: dict[str, None] = {}
    for path in sorted(glob.glob(spec.path, recursive=True)):
        try:
            names |= dict.fromkeys(_TableFile(path, spec).column_names())
        except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise unreadable_table(path, error) from error
    return list(names)


class _TableFile:
    """One file. Row numbers are those that an editor shows for CSV (the header is 1), and count from 1 for Parquet."""

    def __init__(self, path: str, spec: TableSpec) -> None:
        self.path = path
        self.spec = spec
        self.bad_cells: list[str] = []
        self._separator = ","
        self._is_parquet = Path(path).suffix in (".parquet", ".pq")
        self._compression: Any = _COMPRESSIONS.get(Path(path).suffix.lower())

    def rows(
        self, resolve: Callable[[str], str | None]
    ) -> Iterable[tuple[int, float | None, str, list[tuple[str, float]]]]:
        """Per row: its number, time, version and the values under wanted keys."""
        try:
            rows = self._count_rows()
            names = self.column_names()
            check_columns(filter(None, (self.spec.time, self.spec.version)), names, self.path)
            keys = {name: key for name in names if (key := resolve(name)) is not None and name != self.spec.time}
            needed = dict.fromkeys([*keys, self.spec.time, *filter(None, [self.spec.version])])
            if rows * len(needed) > MAX_CELLS:
                raise SourceError(f"this file has more than {MAX_CELLS:,} cells.", hint=_SIZE_HINT, where=self.path)
            columns = self._read_columns(list(needed))
        except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise unreadable_table(self.path, error) from error
        first = 1 if self._is_parquet else 2
        times = [parse_time(cell) for cell in columns[self.spec.time]]
        versions = [version_text(cell) for cell in columns[self.spec.version]] if self.spec.version else None
        parsed = [(key, self._parse_values(columns[name], name, first)) for name, key in keys.items()]
        for place, time in enumerate(times):
            cells = [(key, value) for key, values in parsed if (value := values[place]) is not None]
            yield place + first, time, versions[place] if versions else "", cells

    def _count_rows(self) -> int:
        """At least the number of rows. Raises SourceError for what would not fit in memory, OSError for what cannot be
        read."""
        if self._is_parquet:
            with require_extra("profiling", where=self.path):
                import pyarrow.parquet

            about = pyarrow.parquet.read_metadata(self.path)
            rows, size = (
                about.num_rows,
                sum(about.row_group(row).total_byte_size for row in range(about.num_row_groups)),
            )
        else:
            rows, size = self._count_lines()
        if size > MAX_BYTES:
            raise SourceError(f"this file has more than {MAX_BYTES:,} bytes.", hint=_SIZE_HINT, where=self.path)
        return int(rows)

    def _count_lines(self) -> tuple[int, int]:
        """How many lines the file has once it is unpacked, and bytes; of a file that has too many, only that."""
        ends, size = {b"\n": 0, b"\r": 0}, 0
        with _UNPACK[self._compression](self.path) if self._compression else open(self.path, "rb") as file:
            while size <= MAX_BYTES and (part := file.read(MAX_HEAD)):
                size += len(part)
                for end in ends:
                    ends[end] += part.count(end)
                if size >= MAX_HEAD and not any(ends.values()):
                    hint = "Is it a CSV file?"
                    raise SourceError(f"its first line has more than {MAX_HEAD:,} bytes.", hint=hint, where=self.path)
        return max(ends.values()) + 1, size

    def column_names(self) -> list[str]:
        if self._is_parquet:
            with require_extra("profiling", where=self.path):
                import pyarrow.parquet

            return [str(name) for name in pyarrow.parquet.read_schema(self.path).names]
        import pandas as pd

        head: Any = partial(pd.read_csv, self.path, nrows=0, compression=self._compression)
        self._separator = csv_separator(",".join(map(str, head().columns)))
        return [str(name) for name in head(sep=self._separator).columns]

    def _read_columns(self, names: list[str]) -> dict[str, list[Any]]:
        """The cells of each column as plain Python values; ``None`` where one is empty."""
        import pandas as pd

        if not self._is_parquet:
            frame = pd.read_csv(
                self.path,
                sep=self._separator,
                usecols=names,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                compression=self._compression,
            )
            return {name: _plain_cells(frame[name]) for name in names}
        import pyarrow as pa
        import pyarrow.parquet

        schema = pyarrow.parquet.read_schema(self.path)
        texts = [name for name in names if pa.types.is_string(schema.field(name).type)]
        table = pyarrow.parquet.read_table(self.path, columns=names, read_dictionary=texts)
        repeated = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
        # Not through pandas, which makes an index of a column that pandas once wrote as one.
        frame = table.drop_columns(repeated).to_pandas(ignore_metadata=True, types_mapper=pd.ArrowDtype)
        return {name: _shared_cells(table[name]) if name in repeated else _plain_cells(frame[name]) for name in names}

    def _parse_values(self, cells: list[Any], name: str, first: int) -> list[float | None]:
        """Numbers, ``None`` where the cell is empty or (which is reported) not a number."""
        values: list[float | None] = []
        for place, cell in enumerate(cells):
            value = parse_number_text(cell) if isinstance(cell, str) else parse_number(cell)
            if value is None and cell is not None:
                shown = shorten(repr(cell), MAX_SHOWN)
                self.bad_cells.append(f"{self.path}:{place + first}: {shown} in column {name!r} is not a number")
            values.append(value)
        return values


def _plain_cells(column: pd.Series[Any]) -> list[Any]:
    """The cells as plain Python values; ``None`` where one is empty."""
    return [None if empty else cell for cell, empty in zip(column.tolist(), column.isna().tolist(), strict=True)]


def _shared_cells(column: Any) -> list[Any]:
    """The cells of a column of dictionaries, each value once: a small file can hold a long text a million times."""
    cells: list[Any] = []
    for chunk in column.chunks:
        values = chunk.dictionary.to_pylist()
        cells += [None if place is None else values[place] for place in chunk.indices.to_pylist()]
    return cells
