"""NumPy arrays in, ``array.array`` columns out; the names of the array types used throughout this package."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from ..stats.arrays import Floats


def double_array(values: Floats) -> array[float]:
    """Typecode d."""
    column = array("d")
    column.frombytes(values.astype(np.float64, copy=False).tobytes())
    return column


def byte_array(values: NDArray[np.generic]) -> array[int]:
    """Typecode b."""
    column = array("b")
    column.frombytes(values.astype(np.int8, copy=False).tobytes())
    return column


def int_array(values: NDArray[np.generic]) -> array[int]:
    """Typecode i."""
    column = array("i")
    column.frombytes(values.astype(np.intc, copy=False).tobytes())
    return column


def as_numpy(column: array[float] | array[int]) -> NDArray[np.generic]:
    """The column as an array that shares its memory."""
    return np.asarray(column)


def nans(count: int) -> Floats:
    return np.full(count, np.nan)


def finite_or_none(column: Floats) -> float | None:
    """The first number of a column, ``None`` where it is NaN or infinite."""
    return float(column[0]) if np.isfinite(column[0]) else None
