"""The names of the array types used throughout the numerics, and what NumPy offers only together with ``numpy.ma``."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
Numbers = TypeVar("Numbers", bound=NDArray[Any])

Segment = tuple[tuple[str, str], ...]
"""``(("region", "eu"),)``, or two pairs for a crossing; sorted by column; empty for the whole."""


def sort_distinct(values: Numbers) -> Numbers:
    """The different values of a line of numbers without NaN, ascending: ``np.unique``, whose first call imports
    ``numpy.ma`` (10 ms)."""
    ordered = np.sort(values)
    is_new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered[is_new]  # type: ignore[return-value]


def median(values: Floats) -> float:
    """The median of those that are not NaN; NaN without one. ``np.nanmedian`` imports ``numpy.ma``, too."""
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return float("nan")
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
