"""The methods of measuring drift, by name, and the sample size below which none is reliable."""

from __future__ import annotations

from . import binned_statistics

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
CDF_METHODS = ("ks", "wasserstein", "cramer_von_mises")
"""Of distribution functions: numeric columns only."""
METHODS = (*BINNED_STATISTICS, *CDF_METHODS)
