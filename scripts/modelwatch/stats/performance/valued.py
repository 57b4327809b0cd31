"""Metrics in which a row counts for what it is worth: the share of revenue that was predicted right."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..intervals import z_value
from ..profile.sums import ExactSums, to_float
from .estimate import Estimate, undefined_estimate

Floats = NDArray[np.float64]


def value_sums(metric: ArrayLike, worth: ArrayLike) -> ExactSums:
    """Sums over the rows whose metric and worth are finite, and whose worth is not negative."""
    x, v = np.asarray(metric, dtype=np.float64), np.asarray(worth, dtype=np.float64)
    kept = np.isfinite(x) & np.isfinite(v) & (v >= 0)
    x, v = x[kept], v[kept]
    with np.errstate(over="ignore", invalid="ignore"):
        square = v * v
        return ExactSums.of({"v": v, "vx": v * x, "v2": square, "v2x": square * x, "v2x2": square * x * x})


def value_weighted_mean(found: ExactSums, name: str, *, share: bool) -> Estimate:
    """The mean weighed by worth. ``n`` is the count of rows alike in worth that would say as much: (sum v)^2 / sum v^2
    (Kish 1965). The interval is that of a ratio of two means (linearised); of a ``share`` within [0, 1].

    NaN where nothing is worth anything, or sums are beyond all floats.
    """
    v, vx, v2, v2x, v2x2 = (found.exact_mean(column) for column in ("v", "vx", "v2", "v2x", "v2x2"))
    if v is None or vx is None or v2 is None or v2x is None or v2x2 is None or not v:
        return undefined_estimate(name)
    mean, n = vx / v, to_float(v * v / v2 * found.n)
    variance = to_float((v2x2 - 2 * mean * v2x + mean * mean * v2) / (v * v)) / max(found.n - 1, 1)
    value, half = to_float(mean), z_value() * math.sqrt(max(variance, 0.0)) if found.n > 1 else math.nan
    low, high = (max(value - half, 0.0), min(value + half, 1.0)) if share else (value - half, value + half)
    return Estimate(name, value, low, high, n)
