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
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, Ints
from ..special_functions import gamma_tail, normal_tail, normal_tail_quantile
from . import binned_statistics
from .methods import BINNED_STATISTICS, statistic

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
        tail = np.empty(many.shape)
        for rows, way in ((many, _many_categories_tail), (~many, _few_categories_tail)):
            if rows.any():
                tail[rows] = way(scaled[rows], shares[rows])
    return tail


def _few_categories_tail(scaled: Floats, shares: Floats) -> Floats:
    """Of at most four categories; a set and all others differ by as much, so that half of the sets do."""
    filled = (shares > 0).sum(axis=-1)
    largest = -np.sort(-shares, axis=-1)[..., : MANY_CATEGORIES - 1]
    total = np.zeros(np.shape(scaled))
    for size in range(1, largest.shape[-1]):
        for chosen in combinations(range(1, largest.shape[-1]), size):
            p = largest[..., list(chosen)].sum(axis=-1)
            own = 2 * normal_tail(scaled / np.sqrt(p * (1 - p)))
            total += np.where((p > 0) & (chosen[-1] < filled), own, 0.0)
    return np.where(filled > 1, np.minimum(total, 1.0), 1.0)


def _many_categories_tail(scaled: Floats, shares: Floats) -> Floats:
    mean, variance, third = _cumulants(shares)
    shape = 4 * variance**3 / third**2
    return gamma_tail(shape, np.maximum(shape + np.sqrt(shape / variance) * (2 * scaled - mean), 0.0))


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


def _sum_over_pairs(left: Floats, right: Floats) -> Floats:
    """The sum over all i and j that differ of ``left[i] * other[j]``."""
    return np.asarray(left.sum(axis=-1) * right.sum(axis=-1) - (left * right).sum(axis=-1))


DRAWS = 2000
TAIL_DRAWS = 10
"""Draws beyond a value that make its tail known by counting."""
CLEAR_AFTER = 150
"""Draws after which a value is taken for clear that lies half again as far as the furthest of them."""
MAX_PERMUTED = 10**9
"""Values that can be dealt; of more, both sides are drawn from what they have in common."""
NEAR_ALARM = 0.3
"""P-values from here on are left as the distribution of large samples gives them."""
SEED = 20_260_101


def scaled_statistic(method: str, left: ArrayLike, right: ArrayLike, bin_ends: Floats | None = None) -> Floats:
    """The statistic without its p-value, of many tables at once, on a scale that grows with the root of 1/n + 1/m
    (so PSI and chi-square by their roots). ``bin_ends``: for Wasserstein; by default one step apart."""
    value = statistic(method, left, right, bin_ends)
    if method == "chi_square":
        n, m = (np.sum(side, axis=-1) for side in (left, right))
        value = value * binned_statistics.sampling_variance(n, m)
    return np.sqrt(value) if method in ("psi", "chi_square") else value


def permutation_p_value(method: str, reference: ArrayLike, current: ArrayLike) -> float:
    """The p-value of a statistic of bins by permutation: the values are dealt anew to both sides.

    Exact for any distribution and size, as far as the bins do not depend on which side is the reference. Draws end once
    ten reached the statistic (Besag and Clifford 1991), so that windows without change cost little, and where it lies
    far beyond all of them. Counts are rounded to whole numbers. NaN for an empty side.
    """
    r, c = (np.rint(np.asarray(side, dtype=np.float64)).astype(np.int64) for side in (reference, current))
    n, m = int(r.sum()), int(c.sum())
    if not n or not m:
        return math.nan
    # Seeded by the data too: one seed for all would deal all windows alike, and share its luck among them.
    random = np.random.default_rng([SEED, crc32(r.tobytes() + c.tobytes())])
    observed = float(scaled_statistic(method, r, c)) * (1 - 1e-12)
    draws = np.empty(0)
    reached, furthest, batch = 0, 0.0, 50
    while reached < TAIL_DRAWS and len(draws) < DRAWS:
        if len(draws) >= CLEAR_AFTER and observed > 1.5 * furthest:
            break
        new_draws = scaled_statistic(method, *_permute_counts(random, r + c, n, m, batch))
        draws = np.concatenate([draws, new_draws])
        reached += int((new_draws >= observed).sum())
        furthest = max(furthest, float(new_draws.max()))
        batch = min(2 * batch, 400)
    slope = largest_standard_deviation(method, (r + c) / (n + m))
    if slope is not None:
        slope *= math.sqrt(1 / n + 1 / m)
    return float(empirical_p_value(np.sort(draws), np.asarray(observed), slope))


def binned_p_values(method: str, reference: ArrayLike, current: ArrayLike) -> Floats:
    """P-values of a statistic of bins, one a row of counts: by the distribution of large samples where every bin is
    filled; else by permutation, except where the chi-square of the table says that no alarm is near."""
    r, c = np.broadcast_arrays(np.asarray(reference, np.float64), np.asarray(current, np.float64))
    shape = r.shape[:-1]
    r, c = (side.reshape(-1, side.shape[-1]) for side in (r, c))
    many = (method == "total_variation") & (binned_statistics.degrees_of_freedom(r, c) >= MANY_CATEGORIES - 1)
    expected = np.where(many, MANY_MIN_EXPECTED, binned_statistics.MIN_EXPECTED)
    filled = binned_statistics.has_expected_counts(r, c, expected)
    p_values = np.empty(len(r))
    for rows, way in ((filled, method), (~filled, "chi_square")):
        if rows.any():
            p_values[rows] = _large_sample_p_values(way, r[rows], c[rows])
    for row in np.flatnonzero(~filled & (p_values < NEAR_ALARM)):
        used = (r[row] > 0) | (c[row] > 0)
        p_values[row] = permutation_p_value(method, r[row, used], c[row, used])
    return p_values.reshape(shape)


def _large_sample_p_values(method: str, r: Floats, c: Floats) -> Floats:
    if method == "total_variation":
        return total_variation_p_value(binned_statistics.total_variation(r, c), r, c)
    n, m, df = r.sum(axis=1), c.sum(axis=1), binned_statistics.degrees_of_freedom(r, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        return binned_statistics.chi_square_p_value(
            binned_statistics.to_chi_square(method, BINNED_STATISTICS[method](r, c), n, m, df), df
        )


def empirical_p_value(draws: Floats, value: Floats, tail_slope: float | None = None) -> Floats:
    """The share of ``draws`` (ascending) that reach ``value``; beyond the last ten what is likely or at most so.

    With ``tail_slope``, the largest standard deviation of what the statistic is the greatest of (see
    ``largest_standard_deviation``):
    of the supremum of a Gaussian process no normal quantile grows slower than that (Ehrhard's inequality), so this is
    an upper bound, and right far out. Without: a gamma distribution of the squares, which has the draws' own mean and
    variance (a sum of weighted chi-squares, after Satterthwaite 1946).
    """
    reached = len(draws) - np.searchsorted(draws, value, side="left")
    share = (reached + 1) / (len(draws) + 1)
    squares = draws * draws
    mean, variance = float(squares.mean()), float(squares.var())
    if mean <= 0 or variance <= 0:
        return np.where(np.isnan(value), np.nan, np.where(value > 0, 1 / (len(draws) + 1), 1.0))
    if tail_slope is None or len(draws) < 2 * TAIL_DRAWS:
        beyond = gamma_tail(mean**2 / variance, np.square(value) * mean / variance)
    else:
        last, normal = _tail_anchor(draws)
        beyond = normal_tail(normal + (value - last) / tail_slope)
    tail = np.where(reached >= TAIL_DRAWS, share, np.minimum(beyond, TAIL_DRAWS / len(draws)))
    return np.where(np.isnan(value), np.nan, tail)


def empirical_quantile(draws: Floats, rate: float, tail_slope: float | None = None) -> float:
    """What a share ``rate`` of ``draws`` (ascending) exceeds; as ``empirical_p_value`` beyond the last ten."""
    place = math.ceil((len(draws) + 1) * (1 - rate)) - 1
    if len(draws) - place >= TAIL_DRAWS:
        return float(draws[place])
    squares = draws * draws
    mean, variance = float(squares.mean()), float(squares.var())
    if mean <= 0 or variance <= 0:
        return 0.0
    if tail_slope is not None and len(draws) >= 2 * TAIL_DRAWS:
        last, normal = _tail_anchor(draws)
        return last + tail_slope * (normal_tail_quantile(rate) - normal)
    from scipy.special import gammainccinv

    return math.sqrt(float(gammainccinv(mean**2 / variance, rate)) * variance / mean)


def largest_standard_deviation(method: str, shares: Floats, bin_ends: Floats | None = None) -> float | None:
    """Over the root of 1/n + 1/m: of total variation, the greatest difference of any set of bins, half; of
    Wasserstein, the greatest mean difference of any function of slope 1, the standard deviation of the values."""
    if method == "total_variation":
        return 0.5
    if method != "wasserstein":
        return None
    ends = np.arange(len(shares), dtype=np.float64) if bin_ends is None else bin_ends
    values = (ends + np.append(ends[:1], ends[:-1])) / 2
    return math.sqrt(max(float(shares @ (values - shares @ values) ** 2), 0.0)) or None


def _tail_anchor(draws: Floats) -> tuple[float, float]:
    """The least of the last ten draws, and its place in a normal distribution."""
    return float(draws[-TAIL_DRAWS]), normal_tail_quantile(TAIL_DRAWS / len(draws))


def _permute_counts(random: np.random.Generator, pooled: Ints, n: int, m: int, size: int) -> tuple[Ints, Ints]:
    if n + m < MAX_PERMUTED:
        left = random.multivariate_hypergeometric(pooled, n, size=size, method="marginals")
        return left, pooled - left
    shares = pooled / float(n + m)
    return random.multinomial(n, shares, size=size), random.multinomial(m, shares, size=size)


def adjust_p_values(p_values: ArrayLike, axis: int = -1) -> Floats:
    """Benjamini and Hochberg (1995): of the features whose adjusted p-value is at most q, a share of at most q is
    expected to be a false alarm. NaN (no test was made) stays NaN and does not count among the tests.

    The same as scipy's ``false_discovery_control`` where no value is missing; many windows at once along other axes.
    """
    p = np.moveaxis(np.asarray(p_values, dtype=np.float64), axis, -1)
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    ranked = np.take_along_axis(p, order, axis=-1)
    tests = np.sum(~np.isnan(p), axis=-1, keepdims=True)
    raised = ranked * tests / np.arange(1, p.shape[-1] + 1)
    least = np.fmin.accumulate(raised[..., ::-1], axis=-1)[..., ::-1]
    result = np.empty_like(p)
    np.put_along_axis(result, order, np.where(np.isnan(ranked), np.nan, np.minimum(least, 1.0)), axis=-1)
    return np.moveaxis(result, -1, axis)
