"""Total variation without change, in closed form.

Of few categories it is the largest difference of any set of them, and the tails of all sets added up bound its own; for
two that is exact. Of many it is a sum of absolute differences, which is nearly normal.

The differences of shares are jointly normal for large samples, with the covariance diag(p) - p p' times 1/n + 1/m. Mean
and variance of the sum of their absolute values are exact (the covariance of |x| and |y| at a correlation rho is
2/pi (sqrt(1 - rho^2) + rho asin rho - 1), Nabeya 1951); of the third cumulant the terms of second order in rho are
taken. A gamma distribution with these three (Pearson's type III) is within a tenth of the tail at 1 %, from five
categories on. Since rho_ij^2 = u_i u_j with u = p / (1 - p), sums over pairs fall apart into sums over categories.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MANY_CATEGORIES = 5
"""Categories from which on the sum is near enough to its limit."""
MANY_MIN_EXPECTED = 3.0
"""Values to be expected in each of many, on the smaller side: no ratio is taken, so that few do. With half a value in
each of 500 categories it would alarm in 7 % of windows at a nominal 1 %."""
_SERIES = (1 / 2, 1 / 24, 1 / 80, 5 / 896, 7 / 2304, 21 / 11264)
"""sqrt(1 - x^2) + x asin x - 1 in powers of x^2."""
_MEAN = math.sqrt(2 / math.pi)
"""Of the absolute value of a standard normal number; its variance is 1 - 2/pi, its third cumulant the mean times
4/pi - 1."""


def total_variation_p_value(value: ArrayLike, reference: ArrayLike, current: ArrayLike) -> Floats:
    """P(total variation >= value) for counts (last axis: categories) of both sides, were they of one kind."""
    r, c = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    n, m = r.sum(axis=-1), c.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shares, scaled = (r + c) / (n + m)[..., None], np.asarray(value, dtype=np.float64) / np.sqrt(1 / n + 1 / m)
        many = (shares > 0).sum(axis=-1) >= MANY_CATEGORIES
        return np.where(many, _many_categories_tail(scaled, shares), _few_categories_tail(scaled, shares))


def _few_categories_tail(scaled: Floats, shares: Floats) -> Floats:
    """Of at most four categories; a set and all others differ by as much, so that half of the sets do."""
    from scipy.special import ndtr

    filled = (shares > 0).sum(axis=-1)
    largest = -np.sort(-shares, axis=-1)[..., : MANY_CATEGORIES - 1]
    total = np.zeros(np.shape(scaled))
    for size in range(1, largest.shape[-1]):
        for chosen in combinations(range(1, largest.shape[-1]), size):
            p = largest[..., list(chosen)].sum(axis=-1)
            own = 2 * ndtr(-scaled / np.sqrt(p * (1 - p)))
            total += np.where((p > 0) & (chosen[-1] < filled), own, 0.0)
    return np.where(filled > 1, np.minimum(total, 1.0), 1.0)


def _many_categories_tail(scaled: Floats, shares: Floats) -> Floats:
    from scipy.special import gammaincc

    mean, variance, third = _cumulants(shares)
    shape = 4 * variance**3 / third**2
    return np.asarray(gammaincc(shape, np.maximum(shape + np.sqrt(shape / variance) * (2 * scaled - mean), 0.0)))


def _cumulants(p: Floats) -> tuple[Floats, Floats, Floats]:
    """Of the sum of the absolute differences, over the root of 1/n + 1/m."""
    s, u = np.sqrt(p * (1 - p)), p / np.maximum(1 - p, 1e-300)
    su = s * u
    variance = (1 - 2 / math.pi) * (s * s).sum(axis=-1)
    power = np.ones_like(u)
    for factor in _SERIES:
        power = power * u
        variance = variance + 2 / math.pi * factor * _sum_over_pairs(s * power, s * power)
    single = (4 / math.pi - 1) * (s**3).sum(axis=-1)
    double = 3 * (1 - 2 / math.pi) * _sum_over_pairs(s * su, su)
    all_three = su.sum(axis=-1) ** 3 - 3 * su.sum(axis=-1) * (su**2).sum(axis=-1) + 2 * (su**3).sum(axis=-1)
    return _MEAN * s.sum(axis=-1), variance, _MEAN * (single + double) - _MEAN**3 * all_three


def _sum_over_pairs(one: Floats, other: Floats) -> Floats:
    """The sum over all i and j that differ of ``one[i] * other[j]``."""
    return np.asarray(one.sum(axis=-1) * other.sum(axis=-1) - (one * other).sum(axis=-1))
