"""Reads the result of a query through DuckDB, in batches whose cells are bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import SourceError, first_line, require_extra
from .arrow_columns import DIGEST_CHARACTERS, HEAD_CHARACTERS, MAX_CELL_BYTES, plain_types, shorten_texts
from .parquet_files import BATCH_ROWS, MAX_TEXT_BYTES

NUMBER_BYTES = 16
"""Of a number in a list, at most."""
_DUCKDB_SETTINGS: dict[str, str | int | float | list[str]] = {
    "memory_limit": "150MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_NEEDED_EXTENSION = re.compile(r"(?:requires the extension|installing and loading the) (\w+)")
_WIDE = frozenset({"blob", "bit", "list", "array", "struct", "map", "union"})
"""Types whose cells can take more than a few bytes, beside text."""


class QueryLog:
    """The result of a query, read through DuckDB. It may read whatever this process may read; DuckDB installs and loads
    no extension but those that are named (``httpfs`` for ``https://`` and ``s3://``)."""

    def __init__(self, query: str, extensions: Sequence[str] = (), where: str = "measure: {query}") -> None:
        self.query = query.rstrip().rstrip(";")
        self.extensions = tuple(extensions)
        self.where = where

    def names(self) -> tuple[str, ...]:
        return tuple(self._run_query(f"SELECT * FROM ({self.query}) LIMIT 0").columns)  # noqa: S608

    def rows(self) -> int | None:
        return None

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        head = self._run_query(f"SELECT * FROM ({self.query}) LIMIT 0")  # noqa: S608
        kinds = dict(zip(head.columns, head.types, strict=True))
        selected = {name: kinds[name] for name in columns if name in kinds}
        cells = ", ".join(_bounded_cell(_quote(name), kind.id) for name, kind in selected.items())
        try:
            rows = self._rows_that_fit(selected)
            reader = self._run_query(f"SELECT {cells} FROM ({self.query})").to_arrow_reader(rows)  # noqa: S608
            for batch in reader:
                yield shorten_texts(plain_types(batch))
        except Exception as error:
            raise self._to_source_error(error) from error

    def _rows_that_fit(self, kinds: Mapping[str, Any]) -> int:
        """Rows a batch: fewer where cells are so long that a batch of them would not fit in memory. DuckDB holds equal
        cells once, and hands over each of them."""
        sizes = [_cell_bytes(_quote(name), kind) for name, kind in kinds.items() if kind.id in _WIDE]
        if not sizes:
            return BATCH_ROWS
        longest = ", ".join(f"max({size})" for size in sizes)
        (row,) = self._run_query(f"SELECT {longest} FROM ({self.query})").fetchall()  # noqa: S608
        return max(1, min(BATCH_ROWS, MAX_TEXT_BYTES // max(1, *(size or 0 for size in row))))

    def _run_query(self, query: str) -> Any:
        with require_extra("profiling", where=self.where):
            import duckdb
        try:
            connection = duckdb.connect(config=_DUCKDB_SETTINGS)
            for name in self.extensions:
                connection.install_extension(name)
                connection.load_extension(name)
            return connection.sql(query)
        except duckdb.Error as error:
            raise self._to_source_error(error) from error

    def _to_source_error(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        needed = _NEEDED_EXTENSION.search(str(error))
        hint = f"Name it: `measure: {{extensions: [{needed[1]}]}}`." if needed else ""
        return SourceError(f"DuckDB cannot read this: {first_line(error)}", hint=hint, where=self.where)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bounded_cell(name: str, kind: str) -> str:
    """The SQL of a column, in which a long text is what ``shorten_texts`` makes of it, so none is handed over whole."""
    if kind not in ("varchar", "json"):
        return name
    short = f"left({name}, {HEAD_CHARACTERS}) || '~' || left(sha256({name}), {DIGEST_CHARACTERS})"
    return f"CASE WHEN strlen({name}) > {MAX_CELL_BYTES} THEN {short} ELSE {name} END AS {name}"


def _cell_bytes(name: str, kind: Any) -> str:
    """The SQL of how many bytes a cell takes, about."""
    if kind.id == "blob":
        return f"octet_length({name})"
    if kind.id in ("list", "array") and kind.child.id not in (*_WIDE, "varchar", "json"):
        return f"len({name}) * {NUMBER_BYTES}"
    return f"strlen(CAST({name} AS VARCHAR)) * {NUMBER_BYTES}"
