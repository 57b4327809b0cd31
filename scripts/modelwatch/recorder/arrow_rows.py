"""Journals as Arrow record batches, in the columns of a prediction log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..profiling.arrow_columns import to_arrow, to_mask, to_text
from ..profiling.time_columns import times_by_row
from .settings import RecorderSettings
from .values import is_missing

ENTRY_PLACES = {"time": 0, "id": 1, "version": 2, "prediction": 3, "score": 4, "latency": 5, "error": 6}
"""Where the parts of a row lie in its entry; its features are behind them."""
MAX_EXACT = 2.0**53
"""From here on floats skip whole numbers."""
NUMBERS = b"numbers"
"""In the metadata of a field with text: how many of its cells were recorded as numbers."""
FORM_ROWS = 1 << 16
"""Rows of one record batch, about."""


def record_batches(frames: Iterable[Mapping[str, Any]], settings: RecorderSettings) -> list[Any]:
    """``pyarrow.RecordBatch``es with the rows of the frames, in which a column has one type; the order of rows is not
    kept."""
    return _unify_columns([*_typed_batches(frames, settings)], settings.columns["time"])


def _typed_batches(frames: Iterable[Mapping[str, Any]], settings: RecorderSettings) -> Iterator[Any]:
    entries: list[Any] = []
    forms: dict[tuple[tuple[str, bytes], ...], list[tuple[Mapping[str, Any], str]]] = {}
    for frame in frames:
        entries += frame["rows"]
        for batch in frame["batches"]:
            form = tuple((name, _packed_type(column)) for name, column in batch["columns"].items())
            forms.setdefault(form, []).append((batch, frame["process"]))
    for begin in range(0, len(entries), FORM_ROWS):
        yield _entries_to_batch(entries[begin : begin + FORM_ROWS], settings)
    for batches in forms.values():
        part: list[tuple[Mapping[str, Any], str]] = []
        for batch in batches:
            part.append(batch)
            if sum(batch["n"] for batch, _ in part) >= FORM_ROWS:
                yield _join_batches(part, settings)
                part = []
        if part:
            yield _join_batches(part, settings)


def _entries_to_batch(entries: Sequence[Any], settings: RecorderSettings) -> Any:
    cells = [entry[7] for entry in entries]
    names = dict.fromkeys(name for row in cells for name in row)
    columns = {name: to_array([row.get(name) for row in cells]) for name in names}
    for role, place in ENTRY_PLACES.items():
        column = [entry[place] for entry in entries]
        _set_role(columns, role, column, settings)
    return _to_batch(columns, len(entries), settings)


def _join_batches(batches: Sequence[tuple[Mapping[str, Any], str]], settings: RecorderSettings) -> Any:
    """Batches of the same columns as one."""
    names = list(batches[0][0]["columns"])
    columns: dict[str, Any] = {}
    for name in names:
        parts = [batch["columns"][name] for batch, _ in batches]
        columns[name] = (
            _unpack(parts) if _packed_type(parts[0]) else to_array([cell for part in parts for cell in part])
        )
    for role in ENTRY_PLACES:
        if role not in ("time", "id", "version", "latency", "error") or settings.columns[role] in columns:
            continue
        values: list[Any] = []
        for batch, process in batches:
            if role == "id":
                values += [f"{process}-{batch['number']}-{row}" for row in range(batch["n"])]
            else:
                values += [batch[role]] * batch["n"]
        _set_role(columns, role, values, settings)
    return _to_batch(columns, sum(batch["n"] for batch, _ in batches), settings)


def _set_role(columns: dict[str, Any], role: str, cells: list[Any], settings: RecorderSettings) -> None:
    """Add the column of a role. One without any cell is left out, but latency and error, whose columns always exist."""
    import pyarrow as pa

    name = settings.columns[role]
    if not name:
        return
    if role == "version":
        cells = [cell or None for cell in cells]
    if any(cell is not None for cell in cells):
        columns[name] = to_array(cells)
    elif role in ("latency", "error") and name not in columns:
        columns[name] = pa.nulls(len(cells), pa.float64() if role == "latency" else pa.string())


def _packed_type(column: Any) -> bytes:
    """NumPy's name of the type of a column of bytes; empty for a list."""
    return column.partition(b" ")[0] if isinstance(column, bytes) else b""


def _unpack(parts: Sequence[Any]) -> Any:
    import pyarrow as pa

    name = _packed_type(parts[0])
    values = np.frombuffer(b"".join(part[len(name) + 1 :] for part in parts), dtype=np.dtype(name.decode()))
    kind = values.dtype.kind
    if kind == "b":
        return pa.array(values.tolist(), pa.bool_())
    if kind == "u" and len(values) and int(values.max()) >= 1 << 63:
        kind = "f"
    return _to_floats(values) if kind == "f" else to_arrow(values.astype(np.int64))


@dataclass(frozen=True, slots=True)
class _MixedColumn:
    """A column of numbers and others, as text."""

    texts: Any
    numbers: int


def to_array(cells: list[Any]) -> Any:
    """Plain cells as an Arrow array, or a column of mixed types."""
    import pyarrow as pa

    kinds = {cell.__class__ for cell in cells}
    if kinds <= {float, type(None)}:
        return _to_floats([np.nan if cell is None else cell for cell in cells])
    if kinds <= {float, int, bool, type(None)} and float in kinds:
        return to_array([None if cell is None else float(cell) for cell in cells])
    if kinds <= {int, bool, type(None)} and len(kinds & {int, bool}) == 2:
        return pa.array([None if cell is None else int(cell) for cell in cells])
    if not kinds & {float, list} or kinds <= {list, type(None)}:
        try:
            return pa.array(cells)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
    texts = to_text(pa.array([_as_text(cell) for cell in cells], pa.string()))
    numbers = sum(cell.__class__ in (int, float) and not is_missing(cell) for cell in cells)
    return _MixedColumn(texts, numbers)


def _to_floats(values: Any) -> Any:
    """An array of numbers in which NaN is missing."""
    values = np.asarray(values, np.float64)
    missing = np.isnan(values)
    return to_arrow(values, missing if missing.any() else None)


def _as_text(cell: Any) -> str | None:
    """As a column of its own type would be read: ``true``, 4 for 4.0, nothing for NaN."""
    if is_missing(cell):
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < MAX_EXACT:
        return str(int(cell))
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _to_batch(columns: dict[str, Any], rows: int, settings: RecorderSettings) -> Any:
    """Segments always have a column: those who read the rows name it."""
    import pyarrow as pa

    for name in settings.measure["segments"]:
        columns.setdefault(name, pa.nulls(rows, pa.string()))
    counts = {
        name: {NUMBERS: b"%d" % column.numbers} for name, column in columns.items() if isinstance(column, _MixedColumn)
    }
    arrays = {name: column.texts if isinstance(column, _MixedColumn) else column for name, column in columns.items()}
    fields = [pa.field(name, array.type, metadata=counts.get(name)) for name, array in arrays.items()]
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def _unify_columns(batches: list[Any], time: str) -> list[Any]:
    """The batches with one type for each column: numbers where all are, else text; ``time`` in seconds."""
    import pyarrow as pa

    kinds: dict[str, set[Any]] = {}
    for batch in batches:
        for name, kind in zip(batch.schema.names, batch.schema.types, strict=True):
            kinds.setdefault(name, set()).add(kind)
    mixed = {name: _common_type(found - {pa.null()}) for name, found in kinds.items() if len(found - {pa.null()}) > 1}
    if not mixed:
        return batches
    if time in mixed:
        mixed[time] = pa.float64()
        batches = [_with_seconds(batch, time) for batch in batches]
    return [
        pa.RecordBatch.from_arrays(
            [
                _to_type(column, mixed[name]) if name in mixed else column
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ],
            schema=pa.schema(
                [
                    pa.field(field.name, mixed[field.name], metadata=_number_count(batch, field, mixed[field.name]))
                    if field.name in mixed
                    else field
                    for field in batch.schema
                ]
            ),
        )
        for batch in batches
    ]


def _with_seconds(batch: Any, time: str) -> Any:
    place = batch.schema.get_field_index(time)
    seconds = _to_floats(times_by_row(batch.column(place)))
    return batch.set_column(place, time, seconds)


def _common_type(kinds: set[Any]) -> Any:
    import pyarrow as pa

    is_ = pa.types
    if all(is_.is_integer(kind) or is_.is_boolean(kind) for kind in kinds):
        return pa.int64()
    if all(is_.is_integer(kind) or is_.is_boolean(kind) or is_.is_floating(kind) for kind in kinds):
        return pa.float64()
    if all(
        is_.is_list(kind) and (is_.is_integer(kind.value_type) or is_.is_floating(kind.value_type)) for kind in kinds
    ):
        return pa.list_(pa.float64())
    return pa.string()


def _to_type(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    if array.type == kind:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    return to_text(array) if pa.types.is_string(kind) else array.cast(kind, safe=False)


def count_numbers(batch: Any, name: str) -> int:
    """How many cells of a column were recorded as numbers; text that reads as one is none."""
    import pyarrow as pa

    field, column = batch.schema.field(name), batch.column(name)
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
        return len(column) - int(column.null_count)
    return int((field.metadata or {}).get(NUMBERS, 0))


def _number_count(batch: Any, field: Any, kind: Any) -> dict[bytes, bytes] | None:
    import pyarrow as pa

    count = count_numbers(batch, field.name) if pa.types.is_string(kind) else 0
    return {NUMBERS: b"%d" % count} if count else None


def select_rows(batch: Any, mask: Any) -> Any:
    """The rows for which the mask (NumPy) is true."""
    import pyarrow as pa

    return batch if mask.all() else batch.filter(pa.array(mask.tolist(), pa.bool_()))


def is_filled(batch: Any, name: str) -> Any:
    """By row, whether its cell of the column holds something."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.bool_)
    return to_mask(batch.column(name).is_valid())
