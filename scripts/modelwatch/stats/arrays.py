"""The names of the array types used throughout the numerics, and of a segment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]

Segment = tuple[tuple[str, str], ...]
"""``(("region", "eu"),)``, or two pairs for a crossing; sorted by column; empty for the whole."""
