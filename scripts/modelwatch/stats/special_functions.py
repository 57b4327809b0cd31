"""Tails of the normal, gamma, chi-square and Kolmogorov distributions on arrays, in NumPy.

SciPy has them too, but importing ``scipy.special`` costs as much as judging fifty features.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats

MAX_SHAPE = 2000.0
"""Shapes of gamma distributions up to here take few terms; SciPy's expansions for large shapes take over."""
MAX_TERMS = 2000
EPSILON = 2.0**-53
FEW = 8
"""Up to so many numbers are computed one by one: each operation of NumPy costs as much as ten of Python."""
KOLMOGOROV_SPLIT = 1.0
"""Here both series for Kolmogorov's distribution converge in a few terms."""
Real = TypeVar("Real", float, Floats)


def normal_tail(x: ArrayLike) -> Floats:
    """P(N >= x) of a standard normal number; NaN stays NaN."""
    x = np.asarray(x, dtype=np.float64)
    root = math.sqrt(0.5)
    return np.array([math.erfc(one * root) / 2 for one in x.ravel().tolist()]).reshape(x.shape)


def normal_tail_quantile(p: float) -> float:
    """The x at which ``normal_tail`` is ``p``, strictly between 0 and 1."""
    return -NormalDist().inv_cdf(p)


def kolmogorov_tail(x: ArrayLike) -> Floats:
    """P(K >= x), K the limit of the scaled Kolmogorov-Smirnov distance; 1 from 0 down, NaN stays NaN.

    Kolmogorov's alternating series, and for small x its theta transform (DLMF 20.7(viii)).
    """
    x = np.asarray(x, dtype=np.float64)
    large, small = np.maximum(x, KOLMOGOROV_SPLIT), np.clip(x, 0.03, KOLMOGOROV_SPLIT)
    k = np.arange(1, 8).reshape(-1, *(1,) * x.ndim)
    far = 2 * ((-1.0) ** (k + 1) * np.exp(-2 * (k * large) ** 2)).sum(axis=0)
    near = 1 - np.sqrt(2 * np.pi) / small * np.exp(-(((2 * k - 1) * np.pi / small) ** 2) / 8).sum(axis=0)
    return np.asarray(np.where(np.isnan(x), np.nan, np.where(x >= KOLMOGOROV_SPLIT, far, near)))


def chi_square_tail(df: ArrayLike, x: ArrayLike) -> Floats:
    """P(chi-square with ``df`` > 0 degrees of freedom >= x), x >= 0."""
    return gamma_tail(np.asarray(df, np.float64) / 2, np.asarray(x, np.float64) / 2)


def gamma_tail(shape: ArrayLike, x: ArrayLike) -> Floats:
    """P(G >= x), G of a gamma distribution with ``shape`` > 0 and scale 1: the regularized upper incomplete gamma
    function, within 1e-11 of its value. NaN where an argument is NaN, or the shape is not positive."""
    a, x = np.broadcast_arrays(np.asarray(shape, np.float64), np.asarray(x, np.float64))
    usable = (a > 0) & (x >= 0) & (a <= MAX_SHAPE) & (x < np.inf)
    tail = np.full(a.shape, np.nan)
    if usable.any():
        tail[usable] = _finite_gamma_tail(a[usable], x[usable])
    rest = ~usable & (a > 0) & (x >= 0)
    if rest.any():
        from scipy.special import gammaincc

        tail[rest] = gammaincc(a[rest], x[rest])
    return tail


def _finite_gamma_tail(a: Floats, x: Floats) -> Floats:
    """One-dimensional arguments."""
    if len(a) <= FEW:
        return np.array([_gamma_tail_of_one(*one) for one in zip(a.tolist(), x.tolist(), strict=True)])
    shapes, place = np.unique(a, return_inverse=True)
    log_gamma = np.array([math.lgamma(shape) for shape in shapes.tolist()])[place]
    with np.errstate(divide="ignore", under="ignore"):
        factor = np.exp(a * np.log(x) - x - log_gamma)
    upper = x >= a + 1
    tail = np.empty_like(a)
    tail[upper] = factor[upper] * _continued_fraction(a[upper], x[upper])
    tail[~upper] = 1 - factor[~upper] * _power_series(a[~upper], x[~upper])
    return np.clip(tail, 0.0, 1.0)


def _gamma_tail_of_one(a: float, x: float) -> float:
    if not x:
        return 1.0
    factor = math.exp(a * math.log(x) - x - math.lgamma(a))
    tail = factor * _continued_fraction(a, x) if x >= a + 1 else 1 - factor * _power_series(a, x)
    return min(max(tail, 0.0), 1.0)


def _power_series(a: Real, x: Real) -> Real:
    """The lower incomplete gamma function over x^a e^-x, for x < a + 1 (DLMF 8.7.1)."""
    term = total = 1 / a
    for k in range(1, MAX_TERMS):
        term = term * (x / (a + k))
        total = total + term
        if _largest(term / total) <= EPSILON:
            break
    return total


def _continued_fraction(a: Real, x: Real) -> Real:
    """The upper incomplete gamma function over x^a e^-x, for x >= a + 1 (DLMF 8.9.2, by the method of Lentz)."""
    b = x + 1 - a
    c, d = b * math.inf, 1 / b
    result = d
    for k in range(1, MAX_TERMS):
        step = k * (a - k)
        b = b + 2
        d = 1 / (step * d + b)
        c = b + step / c
        result = result * c * d
        if _largest(abs(c * d - 1)) <= 4 * EPSILON:
            break
    return result


def _largest(value: Real) -> float:
    return value if isinstance(value, float) else float(np.max(value, initial=0.0))
