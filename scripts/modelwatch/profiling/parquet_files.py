"""Read Parquet files in batches that fit in memory, whatever a small file may hold: long texts, lists, dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ..errors import SourceError, shorten
from .arrow_columns import is_text_type

BATCH_ROWS = 1 << 15
"""Rows a batch: large enough for vector instructions, small enough for two threads in a few dozen megabytes."""
FEW_COLUMNS = 4
"""Up to so many columns a batch has"""
LONG_BATCH_ROWS = 1 << 17
"""rows: a column is counted by sorting, which costs less in longer parts."""
MAX_TEXT_BYTES = 64 << 20
"""Of one text column in a batch that is read. A small file can hold a long text a million times."""
MAX_CHUNK_BYTES = 1 << 31
"""Of one column of texts or lists in a row group."""
MAX_EXPANSION = 20
"""A column of lists may have more only if each byte of it, uncompressed, becomes no more than so many."""
CELL_BYTES = 16
"""Of a number in a list, or of what a text in it takes besides its own bytes."""


def open_parquet(path: str, dictionaries: Sequence[str] = ()) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(
        path, pre_buffer=False, buffer_size=1 << 18, read_dictionary=list(dictionaries), memory_map=False
    )


def read_parquet(path: str, columns: Sequence[str]) -> Iterator[Any]:
    with open_parquet(path) as file:
        schema = file.schema_arrow
        names = [name for name in columns if name in schema.names]
        every_text = [name for name in names if is_text_type(schema.field(name).type)]
        texts = dictionary_columns(file, every_text)
    rows = LONG_BATCH_ROWS if len(names) <= FEW_COLUMNS else BATCH_ROWS
    wide = [name for name in names if _is_wide(schema.field(name).type)]
    rows = _rows_that_fit(path, [name for name in every_text if name not in texts], rows)
    rows = _wide_rows_that_fit(path, wide, rows)
    with open_parquet(path, texts) as file:
        yield from file.iter_batches(batch_size=rows, columns=names, use_threads=False)


def _rows_that_fit(path: str, texts: list[str], rows: int) -> int:
    """``rows``, or fewer where texts are so long that a batch of them would not fit in memory."""
    import pyarrow.compute as pc

    if not texts:
        return rows
    longest = 1.0
    with open_parquet(path, texts) as file:
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
    with open_parquet(path) as file:
        schema = file.schema
        leaves = [place for place in range(len(schema)) if _belongs_to(schema.column(place).path, names)]
        texts = [schema.column(place).path for place in leaves if schema.column(place).physical_type == "BYTE_ARRAY"]
    largest = 1.0
    with open_parquet(path, texts) as file:
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


def dictionary_columns(file: Any, texts: list[str]) -> list[str]:
    """Text columns to read as dictionaries: those in which a value takes less than the four bytes that its length alone
    would take without a dictionary. Ids, for example, are not among them."""
    if not file.metadata.num_row_groups:
        return texts
    group = file.metadata.row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    sizes = {chunk.path_in_schema: chunk.total_uncompressed_size / max(chunk.num_values, 1) for chunk in chunks}
    return [name for name in texts if sizes.get(name, 0.0) < 4]
