"""Cells as plain values, which are safe to keep: whatever a caller records, as a number, a text, a list of numbers or
nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

MAX_CHARACTERS = 4000
"""Of a text. A longer one is its beginning and a digest of the whole."""
HEAD_CHARACTERS = 1000
SHORT_TEXT = 64
"""Characters that need no look: neither long, nor counted as memory."""
MAX_NUMBERS = 8192
"""Of a list, such as an embedding; a longer one counts as a text."""
MAX_INTEGER = 2**63
MASKED = "masked"
SCALARS = frozenset((int, float, bool, type(None)))
UNREADABLE = "unreadable"
"""Instead of a cell that cannot even be shown."""


class RowError(ValueError):
    """A row cannot be recorded; the text says why, and holds nothing of the row."""


def plain_value(value: Any) -> Any:
    """``value`` as an integer of 64 bits, a float, a boolean, a text, a list of these, or ``None``. Never raises."""
    try:
        return _plain_value(value)
    except Exception:  # noqa: BLE001 - a cell of a foreign type may raise anything, also in __str__
        return UNREADABLE


def _plain_value(value: Any) -> Any:
    kind = value.__class__
    if kind is str:
        return shorten_text(value)
    if kind is int:
        return value if -MAX_INTEGER <= value < MAX_INTEGER else float(value)
    if kind in SCALARS:
        return value
    if isinstance(value, Enum):
        return _plain_value(value.value)
    if isinstance(value, bool | int | float):  # of a class of their own, such as numpy.float64
        return _plain_value(bool(value) if isinstance(value, bool) else _as_number(value))
    if isinstance(value, Decimal):
        return None if value.is_nan() else float(value)
    if isinstance(value, datetime | date | time):
        return _as_missing_or_text(value.isoformat())
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray):
        return shorten_text(bytes(value[: 4 * MAX_CHARACTERS]).decode("utf-8", "backslashreplace"))
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a scalar of NumPy, PyTorch, ...
        if getattr(getattr(value, "dtype", None), "kind", "") in "Mm" and str(value) == "NaT":
            return None
        item = value.item()
        return _plain_value(item) if item.__class__ is not kind else str(item)
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        is_flat = len(value) <= MAX_NUMBERS and all(isinstance(cell, int | float) for cell in value)
        return [_plain_value(cell) for cell in value] if is_flat else _as_json(value)
    if isinstance(value, Mapping):
        return _as_json(value)
    return _as_missing_or_text(value)


def _as_number(value: Any) -> int | float:
    return float(value) if isinstance(value, float) else int(value)


def _as_json(value: Any) -> str:
    return shorten_text(json.dumps(value, default=str, skipkeys=True, ensure_ascii=False))


def _as_missing_or_text(value: Any) -> str | None:
    text = str(value)
    if text.startswith("<") and " at 0x" in text:
        return UNREADABLE  # an address in memory, another one in each row
    return None if text in ("NaT", "<NA>") else shorten_text(text)


def shorten_text(text: str) -> str:
    """The text, or of a long one its beginning and a digest; as UTF-8 can write it."""
    if len(text) > MAX_CHARACTERS:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        text = f"{text[:HEAD_CHARACTERS]}~{digest}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def hash_cell(value: Any, key: bytes) -> str | None:
    """A keyed digest of the cell's text, 16 hexadecimal digits: equal cells stay equal. ``None`` stays."""
    if is_missing(value):
        return None
    return hashlib.blake2b(str(value).encode("utf-8", "replace"), digest_size=8, key=key[:64]).hexdigest()


def is_missing(cell: Any) -> bool:
    """Whether a plain cell holds nothing: ``None`` or NaN."""
    return cell is None or (cell.__class__ is float and math.isnan(cell))


def protect_cells(cells: dict[str, Any], masked: Iterable[str], hashed: Iterable[str], key: bytes) -> None:
    """Masks and hashes the named cells in place; a column (a list of cells) cell by cell."""
    for names, change in ((masked, _mask_cell), (hashed, lambda cell: hash_cell(cell, key))):
        for name in names:
            if name in cells:
                content = cells[name]
                is_column = content.__class__ is list
                cells[name] = [change(cell) for cell in content] if is_column else change(content)


def _mask_cell(cell: Any) -> str | None:
    return None if is_missing(cell) else MASKED


def plain_column(values: Any, rows: int, *, as_list: bool = False, protect: Callable[[Any], Any] | None = None) -> Any:
    """A column of a batch, copied: for an array of numbers bytes, with its type and a blank before them, else a list of
    plain values. Bytes are no container, so that a buffer full of them costs the garbage collector nothing.

    Accepts lists and tuples, NumPy arrays, and whatever has ``to_numpy`` or ``to_pylist`` (pandas, Polars, Arrow).
    ``as_list``: also numbers as a list. ``protect``: what each nested cell goes through first. A single value stands
    for ``rows`` of them. Raises RowError for another length, and whatever a foreign array raises.
    """
    if isinstance(values, str | bytes | int | float | None) or (getattr(values, "ndim", None) == 0):
        return [plain_value(values)] * rows
    if isinstance(values, Mapping):
        raise RowError("a column is a mapping; give a list or an array of cells")
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()
    elif not hasattr(values, "tobytes") and hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if len(values) != rows:
        raise RowError(f"a column has {len(values)} rows, and not {rows}")
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind and kind in "fiub" and values.ndim == 1 and values.dtype.itemsize <= 8:
        return values.tolist() if as_list else b"%s %s" % (values.dtype.str.encode(), values.tobytes())
    if kind == "M":
        return [None if cell == "NaT" else str(cell) for cell in values.astype(str).tolist()]
    return [
        cell
        if (kind := cell.__class__) is float or (kind is str and len(cell) < SHORT_TEXT)
        else plain_value(cell if protect is None else protect(cell))
        for cell in values
    ]


def columns_of(batch: Any) -> Mapping[Any, Any]:
    """The columns of a batch by name: of a mapping, a list of rows, or a data frame or table (pandas, Polars, Arrow).
    Raises RowError for anything else."""
    if isinstance(batch, Mapping):
        return batch
    if isinstance(batch, list | tuple) and batch and all(isinstance(row, Mapping) for row in batch):
        keys = dict.fromkeys(name for row in batch for name in row)
        return {name: [row.get(name) for row in batch] for name in keys}
    names = getattr(batch, "column_names", None) or getattr(batch, "columns", None)
    if names is not None and hasattr(batch, "__getitem__") and not isinstance(batch, type):
        return {name: batch[name] for name in list(names)}
    raise RowError("record_batch takes columns by name, a list of mappings, or a data frame")
