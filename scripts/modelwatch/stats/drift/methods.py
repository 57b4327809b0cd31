"""The methods of measuring drift, by name, and the sample size below which none is reliable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from . import binned_statistics, cdf_statistics

QUANTILE_BINS = 10
"""Bins of ``BINNED_STATISTICS`` for a numeric feature: at the quantiles of both sides together."""
MIN_RELIABLE_COUNT = 100
"""With fewer values on either side a statistic is noise (PSI > 0.1 in 83 % of windows without any change)."""

BINNED_STATISTICS = {
    "psi": binned_statistics.psi,
    "jensen_shannon": binned_statistics.jensen_shannon,
    "hellinger": binned_statistics.hellinger,
    "total_variation": binned_statistics.total_variation,
    "chi_square": binned_statistics.chi_square,
}
"""Of counts over shared bins: numeric columns and categories alike."""
RATIO_METHODS = ("psi", "jensen_shannon", "hellinger", "chi_square")
"""Of these those whose terms are ratios of shares, so that rare bins have long tails."""
CDF_METHODS = ("ks", "wasserstein", "cramer_von_mises")
"""Of distribution functions: numeric columns only."""
METHODS = (*BINNED_STATISTICS, *CDF_METHODS)


def statistic(method: str, reference: ArrayLike, current: ArrayLike, ends: Floats | None = None) -> Floats:
    """One row a window of counts. ``ends``: where bins end, for Wasserstein; by default one step apart."""
    if method in BINNED_STATISTICS:
        return BINNED_STATISTICS[method](reference, current)
    if method == "cramer_von_mises":
        return cdf_statistics.cramer_von_mises(reference, current)
    gap = cdf_statistics.cdf_differences(reference, current)
    if method == "ks":
        return cdf_statistics.kolmogorov_smirnov(gap)
    return cdf_statistics.wasserstein(gap, np.arange(gap.shape[-1], dtype=np.float64) if ends is None else ends)
