"""The columns of a batch: which there are, and their cells as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .containers import NUMBERS, Inner, Parts, reader_of
from .conversion import Conversion, plain_value
from .protection import UNPROTECTED, Protection
from .values import SHORT_TEXT, RowError, bounded_columns


def columns_of(
    batch: Any, protection: Protection = UNPROTECTED, warn: Callable[[str], None] = lambda _: None
) -> dict[str, tuple[Any, Any]]:
    """By name the label and the cells of the columns of a batch: of a mapping, a list of rows, or a data frame or table
    (pandas, Polars, Arrow). ``warn`` takes the name of a column that is left out, since another one before it has the
    same. Raises RowError for anything else."""
    found: dict[str, tuple[Any, Any]] = {}
    conversion = Conversion(protection)
    for label, cells in bounded_columns(_pairs(batch, protection)):
        name = conversion.label(label)
        if name in found:
            warn(name)
        else:
            found[name] = (label, cells)
    return found


def _pairs(batch: Any, protection: Protection) -> Iterable[tuple[Any, Any]]:
    if isinstance(batch, Mapping):
        return batch.items()
    if isinstance(batch, list | tuple) and batch and all(isinstance(row, Mapping) for row in batch):
        keys = dict.fromkeys(name for row in batch for name in bounded_columns(row))
        return [(name, [row.get(name) for row in batch]) for name in keys]
    if isinstance(batch, type):
        raise RowError("record_batch takes columns by name, a list of mappings, or a data frame")
    if hasattr(batch, "column_names"):  # of Arrow
        return zip(batch.column_names, batch.columns, strict=True)
    if hasattr(batch, "get_columns"):  # of Polars
        return [(column.name, column) for column in batch.get_columns()]
    labels = getattr(batch, "columns", None)
    if labels is None or not hasattr(batch, "iloc"):
        raise RowError("record_batch takes columns by name, a list of mappings, or a data frame")
    if Conversion(protection).replacement(*labels.names):
        raise RowError("the names of its columns are cells that are masked or hashed")
    return [(label, batch.iloc[:, place]) for place, label in enumerate(labels)]


def plain_column(
    values: Any, rows: int, *, as_list: bool = False, label: Any = "", protection: Protection = UNPROTECTED
) -> Any:
    """A column of a batch, copied: for an array of numbers bytes, with its type and a blank before them, else a list of
    plain values. Bytes are no container, so that a buffer full of them costs the garbage collector nothing.

    Accepts lists and tuples, NumPy arrays, and whatever has ``to_numpy`` or ``to_pylist`` (pandas, Polars, Arrow).
    ``as_list``: also numbers as a list. ``label``: by its parts, and by a name of the cells themselves, they are
    protected here; by the whole name later. A single value stands for ``rows`` of them. Raises RowError for another
    length, and whatever a foreign array raises.
    """
    if isinstance(values, str | bytes | int | float | None) or getattr(values, "ndim", None) == 0:
        return [plain_value(values, protection)] * rows
    replace = _replacement(label, values, protection)
    values = _cells(values, protection)
    if len(values) != rows:
        raise RowError(f"a column has {len(values)} rows, and not {rows}")
    if replace is not None:
        return [replace(plain_value(cell)) for cell in values]
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind and kind in "fiub" and values.ndim == 1 and values.dtype.itemsize <= 8:
        return values.tolist() if as_list else b"%s %s" % (values.dtype.str.encode(), values.tobytes())
    if kind == "M":
        return [None if cell == "NaT" else str(cell) for cell in values.astype(str).tolist()]
    return [
        cell
        if (kind := cell.__class__) is float or (kind is str and len(cell) < SHORT_TEXT)
        else plain_value(cell, protection)
        for cell in values
    ]


def _replacement(label: Any, values: Any, protection: Protection) -> Callable[[Any], str | None] | None:
    """What becomes of the cells of a column that is protected by a part of its label, or by a name of its own."""
    own = getattr(values, "name", None)
    conversion = Conversion(protection)
    if not protection.names or (own is None and label.__class__ is str) or conversion.label(label) in protection.names:
        return None
    return conversion.replacement(label, *([] if own is None else [own]))


def _cells(values: Any, protection: Protection) -> Any:
    """The cells of a column as a list or an array of NumPy. Raises RowError for parts by name."""
    if hasattr(values, "tobytes") or type(values) in (list, tuple):
        return values
    if hasattr(values, "to_pylist"):
        return values.to_pylist()
    if hasattr(values, "get_columns") or (hasattr(values, "iloc") and hasattr(values, "columns")):
        return _rows_of_frame(values, protection)
    if hasattr(values, "iloc") and protection.names and values.index.dtype.kind not in NUMBERS:
        return _labelled_cells(values, Conversion(protection))
    if hasattr(values, "to_numpy"):
        is_nested = getattr(values.dtype, "is_nested", None)  # of Polars
        return values.to_list() if is_nested is not None and is_nested() else values.to_numpy()
    reader = reader_of(type(values))
    content = None if reader is None else reader(values)
    if isinstance(content, Parts):
        raise RowError("a column is a mapping; give a list or an array of cells")
    return content.value if isinstance(content, Inner) else values


def _labelled_cells(series: Any, conversion: Conversion) -> Any:
    """Of a series whose labels are texts, such as a row of a data frame; those with a protected label are replaced."""
    labels, cells = list(series.index), series.to_numpy()
    if conversion.replacement(*labels) is None:
        return cells
    replacements = [conversion.replacement(label) for label in labels]
    return [
        cell if replace is None else replace(plain_value(cell))
        for cell, replace in zip(cells, replacements, strict=True)
    ]


def _rows_of_frame(frame: Any, protection: Protection) -> Any:
    """Rows as lists, such as of embeddings; as mappings where a name within them is protected, or Polars has nested
    columns, of whose parts NumPy gets no names."""
    if any(column.dtype.is_nested() for column in getattr(frame, "get_columns", list)()):
        return frame.to_dicts()
    labels, cells = list(frame.columns), frame.to_numpy()
    if Conversion(protection).replacement(*labels) is None:
        return cells
    return [dict(zip(labels, row, strict=True)) for row in cells]
