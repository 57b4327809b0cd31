"""Limits out of the reference itself: what a statistic reaches without any change, at the sizes of both samples.

Where the distribution under no change is known for large samples (PSI, Jensen-Shannon, Hellinger and chi-square by
chi-square; Kolmogorov-Smirnov by Smirnov's limit; Cramer-von Mises by Anderson's) the limit is its quantile. For total
variation and Wasserstein the reference is drawn against itself, seeded. So that quiet and noisy features alarm alike.

Large samples make everything significant, so a tier needs an effect as well: ``is_real``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import binned_statistics, cdf_statistics
from .methods import MIN_RELIABLE_COUNT, DriftStatistic, resolve_method
from .p_values import DRAWS, SEED, empirical_p_value, empirical_quantile, largest_standard_deviation, scaled_statistic

Floats = NDArray[np.float64]

FALSE_ALARM_RATE = 0.01
"""False alarms per window and feature, where nobody says otherwise."""
LEAST_EFFECT = {
    "psi": 0.1,
    "jensen_shannon": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "chi_square": 0.1,
    "ks": 0.1,
    "wasserstein": 0.1,
    "cramer_von_mises": 0.005,
}
"""Smaller effects are of no consequence, however certain: about a shift by a quarter of a standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class NullDistribution:
    """What one statistic does without any change."""

    method: str
    df: float = 0.0
    """Bins less one."""
    draws: Floats | None = None
    """Ascending: values drawn without change, over the root of 1/n + 1/m."""
    tail_slope: float | None = None
    """How they go on beyond the last of them: see ``largest_deviation``."""

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
    method: str,
    reference: ArrayLike,
    n: float,
    m: float,
    *,
    bin_ends: Floats | None = None,
    piecewise_linear: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> NullDistribution:
    """The null of ``method`` for a reference of counts in bins, between a sample of ``n`` and one of ``m`` values.

    ``points``: for Wasserstein, where each bin ends (with ``lines`` values lie evenly between, else at the points).
    The same seed gives the same limit, so that an evaluation says the same whenever it is repeated.
    """
    method = resolve_method(method)
    r = np.asarray(reference, dtype=np.float64)
    total = float(r.sum())
    filled = int((r > 0).sum())
    if method not in ("total_variation", "wasserstein"):
        return NullDistribution(method, df=float(max(filled - 1, 0)))
    if total <= 0:
        return NullDistribution(method, draws=np.zeros(1))
    random = np.random.default_rng(seed)
    sizes = (max(round(n), 1), max(round(m), 1))
    left, right = (random.multinomial(size, r / total, size=draws) for size in sizes)
    values = scaled_statistic(method, left, right, bin_ends, piecewise_linear)
    slope = largest_standard_deviation(method, r / total, bin_ends, piecewise_linear)
    return NullDistribution(
        method, draws=np.sort(values / np.sqrt(binned_statistics.sampling_variance(*sizes))), tail_slope=slope
    )


def is_real(
    drift: DriftStatistic, rate: float = FALSE_ALARM_RATE, least: float | None = None, p_value: float | None = None
) -> bool | None:
    """Whether a feature drifted: an effect of at least ``least``, and not by chance. ``None`` (undecided) with fewer
    than 100 values on a side, or where nothing is defined. ``p_value``: one corrected for the number of features."""
    p = drift.p_value if p_value is None else p_value
    if not drift.reliable or p is None or math.isnan(p):
        return None
    return drift.effect >= (LEAST_EFFECT[drift.method] if least is None else least) and p <= rate


def enough(n: ArrayLike, m: ArrayLike) -> NDArray[np.bool_]:
    """Whether both sides hold enough values to say anything."""
    return np.asarray((np.asarray(n) >= MIN_RELIABLE_COUNT) & (np.asarray(m) >= MIN_RELIABLE_COUNT))


def _cramer_von_mises_quantile(rate: float, n: ArrayLike, m: ArrayLike) -> Floats:
    """Where the tail of Cramer-von Mises is ``rate``, by bisection (the tail falls)."""
    shape = np.broadcast(np.asarray(n), np.asarray(m)).shape
    low, high = np.zeros(shape), np.full(shape, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = cdf_statistics.cramer_von_mises_p_value(middle, n, m) > rate
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
