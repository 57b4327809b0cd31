"""How far two versions give the same answers on the same rows, right or wrong."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..intervals import z_value
from ..performance.estimate import Estimate, proportion, undefined_estimate

MIN_ROWS = 4
"""Fewer rows have no interval of a concordance."""


def matching_share(left: NDArray[np.generic], right: NDArray[np.generic], name: str = "agreement") -> Estimate:
    """The share of rows with the same answer, with Wilson's interval."""
    return proportion(name, float(np.count_nonzero(left == right)), float(len(left)))


def concordance(left: ArrayLike, right: ArrayLike, name: str = "agreement") -> Estimate:
    """Of numbers: Lin's concordance correlation coefficient (1989, Biometrics 45:255-268), 1 where all are equal; its
    interval by Fisher's z, with the variance of his correction (2000, 56:324-325).

    Rows in which one is not finite are left out. NaN without rows.
    """
    x, y = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]
    n = len(x)
    if not n:
        return undefined_estimate(name)
    if np.array_equal(x, y):
        return Estimate(name, 1.0, math.nan if n < MIN_ROWS else 1.0, 1.0, float(n))
    scale = float(max(np.abs(x).max(), np.abs(y).max()))
    x, y = x / scale, y / scale
    apart, spread_x, spread_y = float(x.mean() - y.mean()), float(x.var()), float(y.var())
    value = 2 * float(((x - x.mean()) * (y - y.mean())).mean()) / (spread_x + spread_y + apart**2)
    if not (spread_x > 0 and spread_y > 0) or n < MIN_ROWS:
        return Estimate(name, value, math.nan, math.nan, float(n))
    r = float(np.corrcoef(x, y)[0, 1])
    if abs(value) >= 1 or abs(r) >= 1 or r == 0:
        return Estimate(name, value, math.nan, math.nan, float(n))
    shift = apart**2 / math.sqrt(spread_x * spread_y)
    c2 = value**2
    variance = (
        (1 - r**2) * c2 / ((1 - c2) * r**2)
        + 2 * value**3 * (1 - value) * shift / (r * (1 - c2) ** 2)
        - value**4 * shift**2 / (2 * r**2 * (1 - c2) ** 2)
    ) / (n - 2)
    z, half = math.atanh(value), z_value() * math.sqrt(max(variance, 0.0))
    return Estimate(name, value, math.tanh(z - half), math.tanh(z + half), float(n))
