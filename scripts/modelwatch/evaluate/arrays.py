"""NumPy arrays in, ``array.array`` columns out."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats.arrays import Floats


def to_array(typecode: str, values: NDArray[Any]) -> array[Any]:
    """The values as a column of a typecode that NumPy has as well: d, b or i."""
    return array(typecode, values.astype(typecode, copy=False).tobytes())


def nans(count: int) -> Floats:
    return np.full(count, np.nan)


def first_or_none(column: Floats) -> float | None:
    """The first number of a column, ``None`` where it is NaN or infinite."""
    return float(column[0]) if np.isfinite(column[0]) else None
