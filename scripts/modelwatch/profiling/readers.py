"""Read prediction logs in batches: Parquet and CSV files, folders, globs, W&B artifacts, and queries through DuckDB."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ..clients.retry import RetryPolicy
from ..clients.wandb import open_api, translate_wandb_error
from ..clients.wandb_artifacts import TABLES, download_artifact
from ..errors import (
    SourceError,
    check_columns,
    csv_separator,
    did_you_mean,
    require_extra,
    shorten,
    unreadable_table,
)
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..regular_file import read_regular_file, require_regular_file
from .arrow_columns import is_text_type, plain_types, shorten_texts
from .query_log import BATCH_ROWS, MAX_TEXT_BYTES, QueryLog

FEW_COLUMNS = 4
"""Up to so many columns a batch has"""
LONG_BATCH_ROWS = 1 << 17
"""rows: a column is counted by sorting, which costs less in longer parts."""
MAX_CHUNK_BYTES = 1 << 31
"""Of one column of texts or lists in a row group."""
MAX_EXPANSION = 20
"""A column of lists may have more only if each byte of it, uncompressed, becomes no more than so many."""
CELL_BYTES = 16
"""Of a number in a list, or of what a text in it takes besides its own bytes."""
MAX_CSV_ROW = 8 << 20
"""Bytes."""
MAX_COLUMNS = 20_000
MAX_TABLE_BYTES = 256 << 20
"""Of a W&B table, which is read as a whole."""
TABLE_SUFFIX = ".table.json"
_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")


class PredictionLog(Protocol):
    """The rows of a prediction log, which can be read several times."""

    where: str

    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""

    def rows(self) -> int | None:
        """The number of rows, if it is known without reading them."""

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """``pyarrow.RecordBatch``es with those of ``columns`` that exist."""


def open_log(location: str, extensions: Sequence[str] = ()) -> PredictionLog:
    """Open a file, a folder, a glob or a URL, which DuckDB reads with ``extensions``. Raises SourceError if it holds no
    table."""
    if "://" in location:
        quoted = location.replace("'", "''")
        return QueryLog(f"SELECT * FROM '{quoted}'", extensions, location)  # noqa: S608 - the user's own query
    with require_extra("profiling", where=location):
        import pyarrow  # noqa: F401
    folder = Path(location)
    matches = map(str, folder.rglob("*")) if folder.is_dir() else glob.glob(location, recursive=True)
    files = sorted(matches)
    tables = [path for path in files if path.endswith((*_PARQUET, *_CSV)) and not _is_hidden(path, folder)]
    if not tables and not folder.is_dir() and files:
        raise SourceError("this is neither a Parquet (.parquet, .pq) nor a CSV (.csv) file.", where=location)
    for path in tables:
        require_regular_file(path)
    if not tables:
        hint = "Check `measure: {files}`: a file, a folder, a glob or a URL."
        raise SourceError("there is no Parquet or CSV file here.", hint=hint, where=location)
    return FilesLog(tables)


def _is_hidden(path: str, folder: Path) -> bool:
    """Whether the file, or a folder on the way to it, keeps books for another program (``_delta_log``, ``.cache``)."""
    parts = Path(path).relative_to(folder).parts if folder.is_dir() else (Path(path).name,)
    return any(part[0] in "._" for part in parts)


class FilesLog:
    """Files, one after the other, sorted by name. Columns of CSV files are text, whatever they look like."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self.where = self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for path in self.paths for name in _column_names(path)))

    def rows(self) -> int | None:
        import pyarrow.parquet

        if not all(path.endswith(_PARQUET) for path in self.paths):
            return None
        return sum(int(pyarrow.parquet.read_metadata(path).num_rows) for path in self.paths)

    def types(self, columns: Sequence[str]) -> dict[str, Any]:
        """The Arrow types of those columns that exist: of files that differ, one that holds the cells of all."""
        import pyarrow as pa

        found: dict[str, Any] = {}
        for path in self.paths:
            for name, kind in _column_types(path).items():
                found[name] = common_type(found.get(name, pa.null()), kind)
        return {name: found[name] for name in columns if name in found}

    def compact_columns(self) -> frozenset[str]:
        """Columns of which a row takes at most eight bytes in memory: numbers, times, and texts that repeat. None if a
        file is not Parquet; of files that differ, those that are compact in all."""
        if not all(path.endswith(_PARQUET) for path in self.paths):
            return frozenset()
        return frozenset.intersection(*map(_compact_columns, self.paths))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        for path in self.paths:
            try:
                for batch in _read_parquet(path, columns) if path.endswith(_PARQUET) else _read_csv(path, columns):
                    yield shorten_texts(plain_types(batch))
            except (OSError, pa.ArrowException, UnicodeError) as error:
                raise _unreadable(path, error) from error


def require_columns(log: PredictionLog, names: Sequence[str]) -> None:
    """Raises SourceError for the first of ``names`` that the log does not have."""
    check_columns(names, log.names(), log.where)


def absent_role_notes(names: Sequence[str], spec: MeasureSpec, roles: Sequence[str], *, known: bool) -> Iterator[str]:
    """A note for each of ``roles`` (keys of ``measure``) whose column is missing. One that is missing by a slip of the
    pen would leave the real column among the features. ``known``: that it is missing is worth a note in itself."""
    free = [name for name in names if name not in spec.role_columns and name not in spec.segments]
    for role in roles:
        column = getattr(spec, role)
        if not column or column in names:
            continue
        near = did_you_mean(column, free, "")
        taken = "" if not near or spec.features else " It counts as a feature now."
        if near or known:
            yield f"there is no column {column!r}, which `measure: {{{role}}}` names. {near}{taken}".rstrip()


def fetch_artifact(name: str, model: Model, env: Mapping[str, str], retry: RetryPolicy, scratch: Path) -> str:
    """Download ``entity/project/name:alias`` from the model's W&B server. Returns the folder of its Parquet and CSV
    files. Raises SourceError."""
    api = open_api(model.wandb_url(env), env.get("WANDB_API_KEY", ""), retry)
    folder = scratch / "artifact"
    try:
        download_artifact(api, api.artifact(name), TABLES, folder, retry)
    except Exception as error:
        raise translate_wandb_error(error, name) from error
    for path in sorted(folder.rglob(f"*{TABLE_SUFFIX}")):
        _convert_table(path)
    return str(folder)


def _column_names(path: str) -> list[str]:
    import pyarrow as pa

    try:
        if path.endswith(_PARQUET):
            with _open_parquet(path) as file:
                return _distinct(file.schema_arrow.names, path)
        from pyarrow import csv

        options = csv.ParseOptions(delimiter=_csv_separator(path), newlines_in_values=True)
        with csv.open_csv(path, csv.ReadOptions(block_size=MAX_CSV_ROW), options) as reader:
            return _distinct(reader.schema.names, path)
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> SourceError:
    if "straddling object" in str(error):
        return SourceError(f"a row has more than {MAX_CSV_ROW >> 20} MB.", hint="Is a quote not closed?", where=path)
    return unreadable_table(path, error)


def _column_types(path: str) -> dict[str, Any]:
    """The types in which the columns of a file are read, dictionaries decoded."""
    import pyarrow as pa

    if not path.endswith(_PARQUET):
        return dict.fromkeys(_column_names(path), pa.string())
    with _open_parquet(path) as file:
        empty = plain_types(pa.RecordBatch.from_pylist([], file.schema_arrow))
    kinds = zip(empty.schema.names, empty.schema.types, strict=True)
    return {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds}


def _compact_columns(path: str) -> frozenset[str]:
    import pyarrow as pa

    with _open_parquet(path) as file:
        schema = file.schema_arrow
        texts = [field.name for field in schema if is_text_type(field.type)]
        repeating = _dictionary_columns(file, texts)
    return frozenset([*repeating, *(field.name for field in schema if pa.types.is_primitive(field.type))])


def common_type(first: Any, second: Any) -> Any:
    """An Arrow type that holds the cells of both; text where no other does."""
    import pyarrow as pa

    try:
        schemas = [pa.schema([("x", first)]), pa.schema([("x", second)])]
        return pa.unify_schemas(schemas, promote_options="permissive").field("x").type
    except pa.ArrowException:
        return pa.string()


def _distinct(names: list[str], path: str) -> list[str]:
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"there are {len(names):,} columns; at most {MAX_COLUMNS:,} are read.", where=path)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceError(f"two columns are named {name!r}.", hint="Rename one of them.", where=path)
        seen.add(name)
    return names


def _open_parquet(path: str, dictionaries: Sequence[str] = ()) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(
        path, pre_buffer=False, buffer_size=1 << 18, read_dictionary=list(dictionaries), memory_map=False
    )


def _read_parquet(path: str, columns: Sequence[str]) -> Iterator[Any]:
    with _open_parquet(path) as file:
        schema = file.schema_arrow
        names = [name for name in columns if name in schema.names]
        every_text = [name for name in names if is_text_type(schema.field(name).type)]
        texts = _dictionary_columns(file, every_text)
    rows = LONG_BATCH_ROWS if len(names) <= FEW_COLUMNS else BATCH_ROWS
    wide = [name for name in names if _is_wide(schema.field(name).type)]
    rows = _rows_that_fit(path, [name for name in every_text if name not in texts], rows)
    rows = _wide_rows_that_fit(path, wide, rows)
    with _open_parquet(path, texts) as file:
        yield from file.iter_batches(batch_size=rows, columns=names, use_threads=False)


def _rows_that_fit(path: str, texts: list[str], rows: int) -> int:
    """``rows``, or fewer where texts are so long that a batch of them would not fit in memory."""
    import pyarrow.compute as pc

    if not texts:
        return rows
    longest = 1.0
    with _open_parquet(path, texts) as file:
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema in texts:
                    longest = max(longest, chunk.total_uncompressed_size / max(chunk.num_values, 1))
                    if chunk.total_uncompressed_size > MAX_CHUNK_BYTES:
                        name = shorten(chunk.path_in_schema, 80)
                        raise SourceError(f"the texts of column {name!r} have more than 2 GB a row group.", where=path)
            for batch in islice(file.iter_batches(1, [number], texts, use_threads=False), 1):
                lengths = [pc.max(pc.binary_length(column.dictionary)).as_py() for column in batch.columns]
                longest = max(longest, *(length or 0 for length in lengths))
    return max(min(rows, int(MAX_TEXT_BYTES / longest)), 1)


def _is_wide(kind: Any) -> bool:
    """Whether a cell that is no text can take more than a few bytes: lists, structures, binary cells."""
    import pyarrow as pa

    return not (is_text_type(kind) or pa.types.is_primitive(kind) or pa.types.is_dictionary(kind))


def _wide_rows_that_fit(path: str, names: list[str], rows: int) -> int:
    """``rows``, or fewer where lists are so long that a batch of them would not fit in memory. By a dictionary, or a
    run of equal values, a small file holds a value any number of times: numbers of values count, not its size."""
    if not names:
        return rows
    with _open_parquet(path) as file:
        schema = file.schema
        leaves = [place for place in range(len(schema)) if _belongs_to(schema.column(place).path, names)]
        texts = [schema.column(place).path for place in leaves if schema.column(place).physical_type == "BYTE_ARRAY"]
    largest = 1.0
    with _open_parquet(path, texts) as file:
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            row_bytes = 0.0
            for place in leaves:
                chunk, leaf = group.column(place), schema.column(place)
                width = CELL_BYTES + (leaf.length if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0)
                size = _chunk_bytes(path, chunk, width)
                if leaf.path in texts:
                    size = _chunk_bytes(path, chunk, width + _longest_entry(file, number, leaf.path))
                row_bytes += size / max(group.num_rows, 1)
            largest = max(largest, row_bytes)
    return max(min(rows, int(MAX_TEXT_BYTES / largest)), 1)


def _belongs_to(leaf: str, names: list[str]) -> bool:
    return any(leaf == name or leaf.startswith(f"{name}.") for name in names)


def _chunk_bytes(path: str, chunk: Any, width: int) -> int:
    """What a column of a row group takes in memory at most, if a value takes ``width`` bytes besides those of the file.
    Raises SourceError where that is too much."""
    stored = int(chunk.total_uncompressed_size)
    size = int(chunk.num_values) * width
    if size > max(MAX_CHUNK_BYTES, MAX_EXPANSION * stored):
        name = shorten(chunk.path_in_schema.removesuffix(".list.element"), 80)
        raise SourceError(f"the lists of column {name!r} have more than 2 GB a row group.", where=path)
    return size + stored


def _longest_entry(file: Any, group: int, leaf: str) -> int:
    """Bytes of the longest text in the dictionary of a row group. What is in no dictionary is in the file as often as
    in memory."""
    import pyarrow.compute as pc

    entries = [
        array.dictionary
        for batch in islice(file.iter_batches(1, [group], [leaf], use_threads=False), 1)
        for array in _leaf_arrays(batch.column(0))
        if hasattr(array, "dictionary")
    ]
    return max((pc.max(pc.binary_length(entry)).as_py() or 0 for entry in entries), default=0)


def _leaf_arrays(array: Any) -> Iterator[Any]:
    import pyarrow as pa

    if pa.types.is_struct(array.type):
        for place in range(array.type.num_fields):
            yield from _leaf_arrays(array.field(place))
    elif pa.types.is_nested(array.type):
        yield from _leaf_arrays(array.values)
    else:
        yield array


def _dictionary_columns(file: Any, texts: list[str]) -> list[str]:
    """Text columns to read as dictionaries: those in which a value takes less than the four bytes that its length alone
    would take without a dictionary. Ids, for example, are not among them."""
    if not file.metadata.num_row_groups:
        return texts
    group = file.metadata.row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    sizes = {chunk.path_in_schema: chunk.total_uncompressed_size / max(chunk.num_values, 1) for chunk in chunks}
    return [name for name in texts if sizes.get(name, 0.0) < 4]


def _csv_separator(path: str) -> str:
    """The comma, or what separates the names of a file whose first line has none."""
    import pyarrow as pa

    with pa.input_stream(path) as stream:
        head = stream.read(1 << 16)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError("this CSV file is in UTF-16.", hint="Write it in UTF-8.", where=path)
    return csv_separator(head.partition(b"\n")[0].decode("utf-8", "replace"))


def _read_csv(path: str, columns: Sequence[str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    names = _column_names(path)
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=[name for name in columns if name in names],
        strings_can_be_null=True,
        null_values=[""],
    )
    parse = csv.ParseOptions(delimiter=_csv_separator(path), newlines_in_values=True)
    with csv.open_csv(path, csv.ReadOptions(block_size=MAX_CSV_ROW), parse, options) as reader:
        yield from reader


def _convert_table(path: Path) -> None:
    """Write a W&B table as Parquet beside its file. A column of mixed types becomes one of texts."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        content = json.loads(read_regular_file(path, MAX_TABLE_BYTES))
        names, rows = [str(name) for name in content["columns"]], content["data"]
        columns = {name: _to_array([row[index] for row in rows]) for index, name in enumerate(names)}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise SourceError(f"this is not a readable W&B table: {error}", where=path.name) from error
    pyarrow.parquet.write_table(pa.table(columns), str(path).removesuffix(TABLE_SUFFIX) + ".parquet")


def _to_array(cells: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
        return pa.array(texts, pa.string())
