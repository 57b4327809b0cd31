"""The null distribution of a drift statistic: what it reaches without any change, at the sizes of both samples.

PSI, Jensen-Shannon, Hellinger and chi-square follow chi-square for large samples, Kolmogorov-Smirnov Smirnov's limit,
Cramer-von Mises Anderson's. For total variation and Wasserstein samples are drawn from what both sides have in
common, with a fixed seed. So quiet and noisy features alarm equally often.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, sort_distinct
from . import binned_statistics, cdf_statistics
from .p_values import DRAWS, SEED, empirical_p_value, empirical_quantile, largest_standard_deviation, scaled_statistic

FALSE_ALARM_RATE = 0.01
"""False alarms per window and feature, where the rule states no other rate."""
FINE_BINS = 64
"""Bins of equal counts in which the reference of Wasserstein is drawn; tails are halved further."""
CACHED_DRAWS = 250
"""So many draws at once fit into the processor's cache."""
MANY_VALUES = 10_000
"""From so many values on either side on, draws are normal numbers: a tenth of the time of multinomial ones."""


@dataclass(frozen=True, slots=True, eq=False)
class NullDistribution:
    """What one statistic does without any change."""

    method: str
    df: float = 0.0
    """Bins less one."""
    draws: Floats | None = None
    """Ascending: values drawn without change, over the root of 1/n + 1/m."""
    tail_slope: float | None = None
    """How they go on beyond the last of them: see ``largest_standard_deviation``."""

    def p_value(self, value: ArrayLike, n: ArrayLike, m: ArrayLike) -> Floats:
        """How often chance alone gives ``value`` or more with ``n`` and ``m`` values; NaN where ``value`` is."""
        value = np.asarray(value, dtype=np.float64)
        if self.draws is not None:
            return empirical_p_value(
                self.draws, value / np.sqrt(binned_statistics.sampling_variance(n, m)), self.tail_slope
            )
        if self.method == "ks":
            return cdf_statistics.kolmogorov_smirnov_p_value(value, n, m)
        if self.method == "cramer_von_mises":
            return cdf_statistics.cramer_von_mises_p_value(value, n, m)
        return binned_statistics.chi_square_p_value(
            binned_statistics.to_chi_square(self.method, value, n, m, self.df), self.df
        )

    def limit(self, rate: float, n: ArrayLike, m: ArrayLike) -> Floats:
        """What chance alone exceeds in a share ``rate`` of windows."""
        from scipy.special import chdtri, kolmogi

        spread = np.sqrt(binned_statistics.sampling_variance(n, m))
        if self.draws is not None:
            scaled = empirical_quantile(self.draws, rate, self.tail_slope)
            return np.asarray(np.where(np.isfinite(spread), spread, np.nan) * scaled)
        if self.method == "ks":
            return np.asarray(kolmogi(rate) * spread)
        if self.method == "cramer_von_mises":
            return _cramer_von_mises_quantile(rate, n, m)
        quantile = chdtri(self.df, rate) if self.df > 0 else 0.0
        return binned_statistics.from_chi_square(self.method, quantile, n, m, self.df)


def null_distribution(
    method: str, counts: ArrayLike, n: float, m: float, *, bin_ends: Floats | None = None, seed: int = SEED
) -> NullDistribution:
    """The null of ``method`` (its full name) between samples of ``n`` and ``m`` values that both follow the shares of
    ``counts`` in bins.

    ``bin_ends``: for Wasserstein, where each bin ends; by default one step apart. The same seed gives the same limit,
    so repeating an evaluation repeats its result.
    """
    total = np.asarray(counts, dtype=np.float64)
    if method not in ("total_variation", "wasserstein"):
        return NullDistribution(method, df=float(max(int((total > 0).sum()) - 1, 0)))
    if total.sum() <= 0:
        return NullDistribution(method, draws=np.zeros(1))
    sizes = (max(round(n), 1), max(round(m), 1))
    ends = np.arange(len(total), dtype=np.float64) if bin_ends is None else bin_ends
    if method == "wasserstein":
        total, ends = _merge_bins(total, ends, min(sizes))
    shares = total / total.sum()
    slope = largest_standard_deviation(method, shares, ends)
    if method == "wasserstein" and min(sizes) >= MANY_VALUES:
        return NullDistribution(method, draws=np.sort(_bridge_distances(shares, ends, seed)), tail_slope=slope)
    random = np.random.default_rng(seed)
    left, right = (random.multinomial(size, shares, size=DRAWS) for size in sizes)
    values = scaled_statistic(method, left, right, ends)
    return NullDistribution(
        method, draws=np.sort(values / np.sqrt(binned_statistics.sampling_variance(*sizes))), tail_slope=slope
    )


def _merge_bins(counts: Floats, ends: Floats, sample_size: int) -> tuple[Floats, Floats]:
    """Bins of about equal counts. Towards either end they hold half as many each time, as far as the smaller sample
    reaches: most of the distance between samples of a heavy tail lies there."""
    least = 1.0 / sample_size if sample_size < MANY_VALUES else 10.0 / sample_size
    tail = 0.5 ** np.arange(7, 40)
    tail = tail[tail > least]
    shares = np.concatenate([tail, np.arange(1, FINE_BINS) / FINE_BINS, 1 - tail, [1.0]])
    below = np.cumsum(counts)
    chosen = np.searchsorted(below, shares * below[-1] * (1 - 1e-12))
    before = np.searchsorted(below, 0.0, side="right") - 1
    chosen = sort_distinct(np.append(chosen, [max(int(before), 0)]))
    return np.diff(below[chosen], prepend=0.0), ends[chosen]


def _bridge_distances(shares: Floats, ends: Floats, seed: int) -> Floats:
    """Wasserstein of Brownian bridges: what the difference of two large samples' distribution functions is at the ends
    of bins of these shares, over the root of 1/n + 1/m."""
    draws, spread, below = _normal_draws(len(shares), seed), np.sqrt(shares)[:, None], np.cumsum(shares)[:, None]
    distances = []
    for first in range(0, DRAWS, CACHED_DRAWS):
        bridges = np.cumsum(draws[:, first : first + CACHED_DRAWS] * spread, axis=0)
        bridges -= below * bridges[-1]
        distances.append(cdf_statistics.wasserstein(bridges.T, ends))
    return np.concatenate(distances)


@lru_cache(8)
def _normal_draws(columns: int, seed: int) -> Floats:
    """One row a bin, so that sums over bins take vector instructions."""
    return np.ascontiguousarray(np.random.default_rng(seed).normal(size=(DRAWS, columns)).T)


def _cramer_von_mises_quantile(rate: float, n: ArrayLike, m: ArrayLike) -> Floats:
    """Where the tail of Cramer-von Mises is ``rate``, by bisection (the tail falls)."""
    shape = np.broadcast(np.asarray(n), np.asarray(m)).shape
    low, high = np.zeros(shape), np.full(shape, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = cdf_statistics.cramer_von_mises_p_value(middle, n, m) > rate
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
