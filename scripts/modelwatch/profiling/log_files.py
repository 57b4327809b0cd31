"""A prediction log in files: Parquet and CSV, one after the other, whose schemas may differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..errors import SourceError, first_line
from .arrow_columns import is_text_type, plain_types, shorten_texts
from .parquet_files import dictionary_columns, open_parquet, read_parquet

MAX_CSV_ROW = 8 << 20
"""Bytes."""
HEAD_BYTES = 1 << 16
"""Of a CSV file: most often more than the line of names."""
MAX_COLUMNS = 20_000
NUMBER, CATEGORY = "number", "category"
PARQUET_SUFFIXES = (".parquet", ".pq")
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
TABLE_SUFFIXES = (*PARQUET_SUFFIXES, *(kind + packed for kind in (".csv", ".tsv") for packed in ("", *_COMPRESSIONS)))
"""In small letters or capitals."""
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


class FilesLog:
    """Files, sorted by name. Columns of CSV files are text, whatever they look like, unless ``kinds`` says otherwise:
    ``NUMBER`` is read as numbers where every cell is one, ``CATEGORY`` as a dictionary. Folders between ``root``
    and a file that are called ``region=eu`` are columns, unless the file has one of that name (Hive's partitions).

    ``skipped`` gets the files that are truncated or of another format, and why; without it the first one is an error.
    """

    def __init__(
        self,
        paths: Sequence[str],
        root: str = "",
        skipped: MutableMapping[str, SourceError] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> None:
        self.paths = list(paths)
        self._kinds = dict(kinds or {})
        self.where = self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"
        self._root, self._skipped = root, skipped
        self._names: dict[str, tuple[str, ...]] | None = None

    def names(self) -> tuple[str, ...]:
        names = [name for path in self._names_by_path().values() for name in path]
        partitions = [name for path in self._readable_paths() for name in partition_values(path, self._root)]
        return tuple(dict.fromkeys([*names, *partitions]))

    def rows(self) -> int | None:
        import pyarrow.parquet

        paths = self._readable_paths()
        if not all(map(_is_parquet, paths)):
            return None
        return sum(int(pyarrow.parquet.read_metadata(path).num_rows) for path in paths)

    def types(self, columns: Sequence[str]) -> dict[str, Any]:
        """The Arrow types of those columns that exist: of files that differ, one that holds the cells of all."""
        import pyarrow as pa

        found: dict[str, Any] = {}
        for path in self._readable_paths():
            partitions = dict.fromkeys(partition_values(path, self._root), pa.string())
            for name, kind in (partitions | _column_types(path)).items():
                found[name] = common_type(found.get(name, pa.null()), kind)
        return {name: found[name] for name in columns if name in found}

    def compact_columns(self) -> frozenset[str]:
        """Columns of which a row takes at most eight bytes in memory: numbers, times, and texts that repeat. None if a
        file is not Parquet; of files that differ, those that are compact in all."""
        paths = self._readable_paths()
        if not all(map(_is_parquet, paths)):
            return frozenset()
        return frozenset.intersection(*map(_compact_columns, paths))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return (batch for _, batch in self.batches_by_file(columns))

    def batches_by_file(self, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """The batches of all files, each with the path of its file."""
        read = 0
        for path in self._readable_paths():
            rows = 0
            try:
                for batch in (
                    read_parquet(path, columns) if _is_parquet(path) else _read_csv(path, columns, self._kinds)
                ):
                    rows += batch.num_rows
                    yield path, self._with_partitions(path, shorten_texts(plain_types(batch)), columns)
            except _read_errors() as error:
                self._skip(path, _unreadable(path, error, rows), error)
            read += rows
        if not read and self._skipped and len(self._skipped) == len(self.paths):
            raise list(self._skipped.values())[-1]

    @property
    def skipped(self) -> Mapping[str, SourceError]:
        """The files that are broken, as far as they were read, and why."""
        return self._skipped or {}

    def parts(self) -> list[FilesLog]:
        """For each readable file a log of it alone. It can be pickled, and has its own list of broken files."""
        parts = []
        for path, names in self._names_by_path().items():
            part = copy(self)
            part._names, part._skipped = {path: names}, {}
            parts.append(part)
        return parts

    def _with_partitions(self, path: str, batch: Any, columns: Sequence[str]) -> Any:
        import pyarrow as pa

        own = self._names_by_path()[path]
        for name, value in partition_values(path, self._root).items():
            if name in columns and name not in own:
                place = pa.scalar(None if value is None else 0, pa.int32())
                values = pa.array([] if value is None else [value], pa.string())
                cells = pa.DictionaryArray.from_arrays(pa.repeat(place, batch.num_rows), values)
                batch = batch.append_column(name, cells)
        return batch

    def _readable_paths(self) -> list[str]:
        return list(self._names_by_path())

    def _names_by_path(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each file whose head can be read. Raises SourceError if no file can."""
        if self._names is None:
            names: dict[str, tuple[str, ...]] = {}
            for path in self.paths:
                try:
                    names[path] = tuple(_column_names(path))
                except SourceError as error:
                    if path == self.paths[-1] and not names:
                        raise
                    self._skip(path, error, error.__cause__)
            self._names = names
        return self._names

    def _skip(self, path: str, problem: SourceError, cause: BaseException | None) -> None:
        """Raises the problem unless the file itself is broken, and others make up for it: a disk that fails, or a file
        that may not be read, says nothing about the log."""
        if self._skipped is None or (isinstance(cause, OSError) and cause.errno) or len(self.paths) == 1:
            raise problem from cause
        self._skipped[path] = problem


def partition_values(path: str, root: str) -> dict[str, str | None]:
    """The columns that the names of folders between ``root`` and the file give."""
    folders = Path(path).relative_to(root).parts[:-1] if root else ()
    pairs = (folder.partition("=") for folder in folders if "=" in folder)
    return {unquote(name): None if value == _HIVE_NULL else unquote(value) for name, _, value in pairs if name}


def common_type(first: Any, second: Any) -> Any:
    """An Arrow type that holds the cells of both: text where they differ. Arrow's own promotion loses digits of large
    integers beside floats, and fails for decimals beside integers."""
    import pyarrow as pa

    if first == second or pa.types.is_null(second):
        return first
    return second if pa.types.is_null(first) else pa.string()


def _is_parquet(path: str) -> bool:
    return path.lower().endswith(PARQUET_SUFFIXES)


def _read_errors() -> tuple[type[Exception], ...]:
    """What readers raise for a file that is truncated, or is none of its kind."""
    import pyarrow as pa

    return (OSError, EOFError, UnicodeError, pa.ArrowException)


def _column_names(path: str) -> list[str]:
    try:
        if _is_parquet(path):
            with open_parquet(path) as file:
                return _distinct(file.schema_arrow.names, path)
        return _distinct(_csv_names(path), path)
    except _read_errors() as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception, rows: int = 0) -> SourceError:
    """``rows``: so many were read before."""
    if "straddling object" in str(error):
        return SourceError(f"a row has more than {MAX_CSV_ROW >> 20} MB.", hint="Is a quote not closed?", where=path)
    kind = "Parquet" if _is_parquet(path) else "CSV"
    hint = f"Its first {rows:,} rows count." if rows else ""
    return SourceError(f"this is not a readable {kind} file: {first_line(error)}", hint=hint, where=path)


def _column_types(path: str) -> dict[str, Any]:
    """The types in which the columns of a file are read, dictionaries decoded."""
    import pyarrow as pa

    if not _is_parquet(path):
        return dict.fromkeys(_column_names(path), pa.string())
    with open_parquet(path) as file:
        empty = plain_types(pa.RecordBatch.from_pylist([], file.schema_arrow))
    kinds = zip(empty.schema.names, empty.schema.types, strict=True)
    return {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds}


def _compact_columns(path: str) -> frozenset[str]:
    import pyarrow as pa

    with open_parquet(path) as file:
        schema = file.schema_arrow
        texts = [field.name for field in schema if is_text_type(field.type)]
        repeating = dictionary_columns(file, texts)
    return frozenset([*repeating, *(field.name for field in schema if pa.types.is_primitive(field.type))])


def _distinct(names: list[str], path: str) -> list[str]:
    _check_width(len(names), path)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceError(f"two columns are named {name!r}.", hint="Rename one of them.", where=path)
        seen.add(name)
    return names


def _check_width(columns: int, path: str) -> None:
    if columns > MAX_COLUMNS:
        raise SourceError(f"there are {columns:,} columns; at most {MAX_COLUMNS:,} are read.", where=path)


def _csv_names(path: str) -> list[str]:
    import pyarrow as pa

    for block in (HEAD_BYTES, MAX_CSV_ROW):  # A block is parsed as a whole.
        try:
            with _open_csv(path, block=block) as reader:
                return list(reader.schema.names)
        except pa.ArrowInvalid:
            if block == MAX_CSV_ROW:
                raise
    return []


def _open_csv(path: str, convert: Any = None, block: int = MAX_CSV_ROW) -> Any:
    """A reader of a CSV file, separated by commas, or by what separates the names in a first line without commas."""
    from pyarrow import csv

    with _open_stream(path) as stream:
        head = stream.read(HEAD_BYTES)
        if b"\n" not in head:
            head += stream.read(MAX_CSV_ROW)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError("this CSV file is in UTF-16.", hint="Write it in UTF-8.", where=path)
    names = head.splitlines()[0].decode("utf-8", "replace") if head else ""
    separator = csv_separator(names)
    _check_width(names.count(separator) + 1, path)  # Before pyarrow makes 8 KB of each column.
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    return csv.open_csv(_open_stream(path), csv.ReadOptions(block_size=block), parse, convert)


def csv_separator(names: str) -> str:
    """What separates the names in the first line: a comma, or what such files have instead of one."""
    return "," if "," in names else max(";\t|", key=names.count) if any(sign in names for sign in ";\t|") else ","


def _open_stream(path: str) -> Any:
    import pyarrow as pa

    return pa.input_stream(path, compression=_COMPRESSIONS.get(Path(path).suffix.lower()))


def _read_csv(path: str, columns: Sequence[str], kinds: Mapping[str, str]) -> Iterator[Any]:
    """Batches of a CSV file. Where a cell is not of its kind, the rest of the file is read as text."""
    import pyarrow as pa

    names = _column_names(path)
    rows = 0
    kinds = {name: kind for name, kind in kinds.items() if name in names and name in columns}
    if kinds:
        try:
            for batch in _read_csv_as(path, names, columns, kinds):
                rows += batch.num_rows
                yield batch
            return
        except pa.ArrowInvalid:  # A file that is broken raises again below.
            pass
    for batch in _read_csv_as(path, names, columns, {}):
        seen = min(rows, batch.num_rows)
        rows -= seen
        if seen < batch.num_rows:
            yield batch.slice(seen)


def _read_csv_as(path: str, names: Sequence[str], columns: Sequence[str], kinds: Mapping[str, str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    types = {NUMBER: pa.float64(), CATEGORY: pa.dictionary(pa.int32(), pa.string()), "": pa.string()}
    convert = csv.ConvertOptions(
        column_types={name: types[kinds.get(name, "")] for name in names},
        include_columns=[name for name in columns if name in names],
        strings_can_be_null=True,
        null_values=[""],
    )
    with _open_csv(path, convert) as reader:
        yield from reader
