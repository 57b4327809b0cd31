"""Raw columns of any type as numbers or as categories; what is neither is left out and counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from numbers import Real

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def numbers(column: Iterable[object]) -> tuple[Floats, int]:
    """The finite numbers of a column, ascending, and how many cells were left out.

    Booleans are 0 and 1, dates seconds since the epoch (naive ones as UTC), decimals and fractions floats. Left out are
    empty cells, NaN, NaT, infinities (numbers beyond a double among them), texts and whatever else is no number.
    """
    array = column if isinstance(column, np.ndarray) else np.array(list(column), dtype=object)
    if array.dtype.kind in "Mm":
        filled = array[~np.isnat(array)]
        unit = "datetime64[us]" if array.dtype.kind == "M" else "timedelta64[us]"
        return np.sort(filled.astype(unit).astype(np.int64) / 1e6), array.size - filled.size
    if array.dtype.kind not in "biuf":
        array = np.array([_number(cell) for cell in array.ravel()], dtype=np.float64)
    values = array.ravel().astype(np.float64)
    kept = values[np.isfinite(values)]
    return np.sort(kept), values.size - kept.size


def categories(column: Iterable[object]) -> tuple[dict[str, int], int]:
    """How often each category occurs, by its text, and how many cells are missing (None, NaN, NaT)."""
    counts: Counter[str] = Counter()
    missing = 0
    for cell in column:
        if _is_missing(cell):
            missing += 1
        else:
            counts[cell if isinstance(cell, str) else str(cell)] += 1
    return dict(counts), missing


def aligned(reference: Mapping[str, float], current: Mapping[str, float]) -> tuple[Floats, Floats]:
    """The counts of both sides over all their categories, in the order of their names; 0 for one that is unseen."""
    names = sorted(reference.keys() | current.keys())
    both = ([side.get(name, 0) for name in names] for side in (reference, current))
    first, second = (np.array(side, dtype=np.float64) for side in both)
    return first, second


def _number(cell: object) -> float:
    if isinstance(cell, datetime | date):
        moment = np.datetime64(cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell, "us")
        offset = cell.utcoffset() if isinstance(cell, datetime) else None
        return float(moment.astype(np.int64)) / 1e6 - (offset.total_seconds() if offset else 0.0)
    if isinstance(cell, Real | Decimal | np.bool_):
        try:
            return float(cell)
        except (OverflowError, ValueError):
            return math.nan
    return math.nan


def _is_missing(cell: object) -> bool:
    if cell is None or (isinstance(cell, float | np.floating) and math.isnan(cell)):
        return True
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return type(cell).__name__ in ("NaTType", "NAType")  # pandas' own, without importing it
