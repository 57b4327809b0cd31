"""Statistics of two distribution functions on common points, counted in integers where the counts are.

A running sum of float shares loses digits; here it is one of counts, and both sides are brought to one denominator
(``i m - j n``) before they are divided.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from ..special_functions import kolmogorov_tail

MAX_EXACT_DENOMINATOR = 2**62
"""Below this the common denominator n m fits into 64 bits."""
FAR_TAIL = 3.0
"""See ``_limit_tail``."""


def cdf_differences(reference: ArrayLike, current: ArrayLike) -> Floats:
    """F - G at the upper end of every bin, along the last axis; ``reference`` and ``current`` are counts in bins.
    NaN where a side is empty."""
    r, c = np.broadcast_arrays(np.asarray(reference), np.asarray(current))
    i, j = np.cumsum(r, axis=-1), np.cumsum(c, axis=-1)
    if i.shape[-1] == 0:
        return np.full((*i.shape[:-1], 1), np.nan)
    n, m = i[..., -1:], j[..., -1:]
    whole = (
        r.dtype.kind in "iu"
        and c.dtype.kind in "iu"
        and float(n.max(initial=0)) * float(m.max(initial=0)) < MAX_EXACT_DENOMINATOR
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        if whole:
            return np.asarray((i * m - j * n) / (n * m).astype(np.float64))
        apart = i / n - j / m
    return np.where((n > 0) & (m > 0), apart, np.nan)


def kolmogorov_smirnov(gap: Floats) -> Floats:
    """The largest distance between the two distribution functions, in [0, 1]."""
    return np.asarray(np.abs(gap).max(axis=-1))


def kolmogorov_smirnov_p_value(distance: ArrayLike, n: ArrayLike, m: ArrayLike) -> Floats:
    """Smirnov's limit: P(K >= sqrt(n m / (n + m)) D). A little cautious for small samples and for ties.

    One formula at every size: nothing flips where a rule would change from an exact to an approximate one.
    """
    n, m = np.asarray(n, dtype=np.float64), np.asarray(m, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.sqrt(n * m / (n + m)) * np.asarray(distance, dtype=np.float64)
    return kolmogorov_tail(scaled)


def wasserstein(gap: Floats, points: Floats) -> Floats:
    """The area between two distribution functions that run straight between ``points`` (ascending), where they differ
    by ``gap``: the integral of |F - G|. Before the first point they do not differ."""
    if len(points) < 2:
        return np.where(np.isnan(gap[..., 0]), np.nan, 0.0)
    left, right = gap[..., :-1], gap[..., 1:]
    size = np.abs(gap)
    both = size[..., :-1] + size[..., 1:]
    crossed = np.minimum(left * right, 0.0)  # of lines that cross: two triangles instead of a trapezium
    area = both / 2 + crossed / np.where(both > 0, both, 1.0)
    return np.asarray((area * np.diff(points)).sum(axis=-1))


def cramer_von_mises(reference: ArrayLike, current: ArrayLike) -> Floats:
    """The two-sample statistic T of Anderson (1962): n m / (n + m) times the mean of (F - G) squared over all values.

    Counts in bins, along the last axis; values lie evenly over their bin.
    """
    r, c = np.broadcast_arrays(np.asarray(reference), np.asarray(current))
    gap = cdf_differences(r, c)
    n, m = (np.asarray(side.sum(axis=-1), dtype=np.float64) for side in (r, c))
    before = np.concatenate([np.zeros((*gap.shape[:-1], 1)), gap[..., :-1]], axis=-1)
    squared = (before * before + before * gap + gap * gap) / 3
    both = (r + c).astype(np.float64)
    return np.asarray(n * m / (n + m) ** 2 * (both * squared).sum(axis=-1))


def cramer_von_mises_p_value(value: ArrayLike, n: ArrayLike, m: ArrayLike) -> Floats:
    """P(T >= value): T brought to the mean 1/6 and variance 1/45 of its limit (Anderson 1962)."""
    value, n, m = (np.asarray(argument, dtype=np.float64) for argument in (value, n, m))
    total = n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (1 + 1 / total) / 6
        product = n * m
        variance = (
            (total + 1) * (4 * product * total - 3 * (n * n + m * m) - 2 * product) / (45 * total**2 * 4 * product)
        )
        scaled = 1 / 6 + (value - mean) / np.sqrt(45 * variance)
    # Of one value a side T has no spread: it says nothing.
    scaled = np.where((product == 1) | (variance <= 0), 0.0, scaled)
    tail = np.where(value <= 0, 1.0, _limit_tail(np.maximum(scaled, 0.003)))
    return np.where(np.isnan(scaled), np.nan, tail)


def _limit_tail(x: Floats) -> Floats:
    """The tail of the limit of T: 1 less the series of Anderson and Darling (1952); from 3 on, where that difference
    loses its digits and the series needs ever more terms, its leading term for large x (Zolotarev 1961; within 2 %)."""
    from scipy.special import gammaln, kv

    near = np.minimum(x, FAR_TAIL)
    total = np.zeros(np.shape(x))
    for k in range(20):
        y = 4 * k + 1
        q = y * y / (16 * near)
        weight = np.exp(gammaln(k + 0.5) - gammaln(k + 1) - q) / (np.pi**1.5 * np.sqrt(near))
        total = total + weight * np.sqrt(y) * np.nan_to_num(kv(0.25, q))
    far = 2 / np.sqrt(np.pi**3 * x) * np.exp(-(np.pi**2) * x / 2)
    return np.where(x < FAR_TAIL, np.clip(1 - total, 0.0, 1.0), far)
