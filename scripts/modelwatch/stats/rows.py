"""Rows of many numbers (embeddings): complete ones, and seeded samples of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def finite_rows(table: ArrayLike) -> tuple[Floats, int]:
    """The rows (n x d; a single column may come flat) without a missing or infinite value, and how many others."""
    rows = np.asarray(table, dtype=np.float64)
    if rows.ndim == 1:
        rows = rows.reshape(-1, 1)
    whole = np.isfinite(rows).all(axis=1)
    return rows[whole], int(len(rows) - whole.sum())


def sample_rows(rows: Floats, max_rows: int, random: np.random.Generator) -> Floats:
    """At most this many of the rows, drawn without replacement."""
    if len(rows) <= max_rows:
        return rows
    return np.asarray(rows[np.sort(random.choice(len(rows), max_rows, replace=False))])
