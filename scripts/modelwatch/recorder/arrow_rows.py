"""Journals as Arrow record batches, in the columns of a prediction log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..profiling.arrow_columns import to_arrow, to_mask, to_text
from .settings import RecorderSettings

ENTRY_PLACES = {"time": 0, "id": 1, "version": 2, "prediction": 3, "score": 4, "latency": 5, "error": 6}
"""Where the parts of a row lie in its entry; its features are behind them."""
WIDE = {"i": np.int64, "u": np.uint64, "f": np.float64}
"""The types of numbers, by the kind of NumPy's."""
FORM_ROWS = 1 << 16
"""Rows of one record batch, about."""


def record_batches(frames: Iterable[Mapping[str, Any]], settings: RecorderSettings) -> Iterator[Any]:
    """``pyarrow.RecordBatch``es with the rows of the frames; the order of rows is not kept."""
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
    return to_arrow(values.astype(WIDE[kind]))


def to_array(cells: list[Any]) -> Any:
    """Plain cells as an Arrow array; a column of mixed types becomes one of numbers, or of texts."""
    import pyarrow as pa

    kinds = {cell.__class__ for cell in cells}
    if kinds <= {float, type(None)}:
        missing = np.array([cell is None for cell in cells], dtype=np.bool_)
        return to_arrow(np.array([0.0 if cell is None else cell for cell in cells]), missing if missing.any() else None)
    if kinds <= {float, int, type(None)} and float in kinds:
        return to_array([None if cell is None else float(cell) for cell in cells])
    try:
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return to_text(pa.array([None if cell is None else _as_text(cell) for cell in cells], pa.string()))


def _as_text(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _to_batch(columns: dict[str, Any], rows: int, settings: RecorderSettings) -> Any:
    """Segments always have a column: those who read the rows name it."""
    import pyarrow as pa

    for name in settings.measure["segments"]:
        columns.setdefault(name, pa.nulls(rows, pa.string()))
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def select_rows(batch: Any, mask: Any) -> Any:
    """The rows for which the mask (NumPy) is true."""
    import pyarrow as pa

    return batch if mask.all() else batch.filter(pa.array(mask.tolist(), pa.bool_()))


def is_filled(batch: Any, name: str) -> Any:
    """By row, whether its cell of the column holds something."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.bool_)
    return to_mask(batch.column(name).is_valid())
