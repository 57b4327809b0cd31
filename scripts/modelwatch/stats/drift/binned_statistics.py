"""Statistics of two rows of counts over the same bins or categories, along the last axis (many windows at once).

Counts need not be whole: histograms that were laid on other bins hold parts. Shares come from the counts; a bin that is
empty on both sides counts for nothing. Rows without a count on either side give NaN.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Bools, Floats
from ..special_functions import chi_square_tail

EMPTY_BIN_COUNT = 0.5
"""What an empty bin counts as in PSI: half an observation."""

SPARSE_FACTOR = 1.6
"""See ``sparse_inflation``."""

MIN_EXPECTED = 10.0
"""See ``has_expected_counts``."""


def psi(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Population stability index: the sum of (q - p) ln(q / p) over the bins, p of the reference, q of the current.

    It is infinite where a bin is empty on one side, so there an empty share counts as half an observation (0.5 / n),
    which says as much as the sample can say and no more. A fixed floor (Evidently's 1e-4, deepchecks' 0.01, which lift
    every smaller share) makes the answer depend on the size of the sample, or explode.
    """
    p, q, n, m, is_filled = _shares(reference, current)
    p, q = np.where(p > 0, p, EMPTY_BIN_COUNT / n[..., None]), np.where(q > 0, q, EMPTY_BIN_COUNT / m[..., None])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(is_filled, (q - p) * np.log(q / p), 0.0)
    return _nan_where_empty(terms.sum(axis=-1), n, m)


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Jensen-Shannon distance to base 2, in [0, 1]: the root of the divergence (scipy's ``jensenshannon(base=2)``)."""
    p, q, n, m, _ = _shares(reference, current)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0)
    divergence = (left + right).sum(axis=-1) / 2
    return _nan_where_empty(np.sqrt(np.clip(divergence, 0.0, 1.0)), n, m)


def hellinger(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Hellinger distance in [0, 1]: the root of half the sum of (sqrt p - sqrt q) squared."""
    p, q, n, m, _ = _shares(reference, current)
    apart = np.sqrt(p) - np.sqrt(q)
    return _nan_where_empty(np.sqrt(np.clip((apart * apart).sum(axis=-1) / 2, 0.0, 1.0)), n, m)


def total_variation(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Total variation distance in [0, 1]: half the sum of |p - q|, the share that sits in another bin."""
    p, q, n, m, _ = _shares(reference, current)
    return _nan_where_empty(np.clip(np.abs(p - q).sum(axis=-1) / 2, 0.0, 1.0), n, m)


def chi_square(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Pearson's statistic of the two-sample table: both sides are samples, neither is exact.

    (A test that takes the reference for exact alarms at 0.31-0.36 where it says 0.05, with equal counts on both sides.)
    """
    p, q, n, m, is_filled = _shares(reference, current)
    total = n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (p * n[..., None] + q * m[..., None]) / total[..., None]
        terms = np.where(is_filled, (p - q) ** 2 / pooled, 0.0)
    return _nan_where_empty(terms.sum(axis=-1) * n * m / total, n, m)


def degrees_of_freedom(reference: ArrayLike, current: ArrayLike) -> Floats:
    """Degrees of freedom: bins that hold something on either side, less one."""
    _, _, _, _, is_filled = _shares(reference, current)
    return np.asarray(np.maximum(is_filled.sum(axis=-1) - 1, 0), dtype=np.float64)


def chi_square_p_value(statistic: ArrayLike, df: ArrayLike) -> Floats:
    """P(chi-square with ``df`` degrees of freedom >= statistic); 1 where there is only one bin."""
    df = np.asarray(df, dtype=np.float64)
    p = np.where(df > 0, chi_square_tail(np.where(df > 0, df, 1.0), np.maximum(statistic, 0.0)), 1.0)
    return np.asarray(np.where(np.isnan(np.asarray(statistic, dtype=np.float64)), np.nan, p))


def to_chi_square(method: str, value: ArrayLike, n: ArrayLike, m: ArrayLike, df: ArrayLike) -> Floats:
    """The statistic on the scale on which, without any change, it is chi-square with ``df``.

    All of these are f-divergences, which agree near p = q (second order) up to a factor: PSI / (1/n + 1/m), 8 ln 2 JS^2
    over the same, 8 H^2 over the same; for PSI see Yurdakul and Naranjo (2020). That holds for large samples; with few
    values a bin their logarithms and roots have longer tails, and the scale is ``sparse_inflation`` times as wide.
    """
    value = np.asarray(value, dtype=np.float64)
    if method == "chi_square":
        return value
    scale = {"psi": value, "jensen_shannon": 8 * math.log(2) * value**2, "hellinger": 8 * value**2}[method]
    return np.asarray(scale / (sampling_variance(n, m) * sparse_inflation(n, m, df)))


def from_chi_square(method: str, statistic: ArrayLike, n: ArrayLike, m: ArrayLike, df: ArrayLike) -> Floats:
    """The way back: the value of ``method`` that lies at ``statistic`` on the scale of chi-square."""
    statistic = np.asarray(statistic, dtype=np.float64)
    if method == "chi_square":
        return np.asarray(statistic + 0 * sampling_variance(n, m))
    scale = statistic * sampling_variance(n, m) * sparse_inflation(n, m, df)
    return np.asarray(
        {"psi": scale, "jensen_shannon": np.sqrt(scale / (8 * math.log(2))), "hellinger": np.sqrt(scale / 8)}[method]
    )


def has_expected_counts(reference: ArrayLike, current: ArrayLike, expected: ArrayLike = MIN_EXPECTED) -> Bools:
    """Whether every bin that holds anything expects at least ten values on either side: then the distribution of large
    samples holds. Beside a large reference a rare category alarms in 27 % of windows at a nominal 1 %."""
    r, c = np.broadcast_arrays(np.asarray(reference, np.float64), np.asarray(current, np.float64))
    both = r + c
    n, m = r.sum(axis=-1), c.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.min(np.where(both > 0, both, np.inf), axis=-1, initial=np.inf) * np.minimum(n, m) / (n + m)
    return np.asarray(least >= np.asarray(expected))


def sampling_variance(n: ArrayLike, m: ArrayLike) -> Floats:
    """1/n + 1/m: the variance that two samples of these sizes bring with them."""
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.asarray(n, dtype=np.float64) + 1.0 / np.asarray(m, dtype=np.float64))


def sparse_inflation(n: ArrayLike, m: ArrayLike, df: ArrayLike) -> Floats:
    """1 + 1.6 bins / min(n, m); measured: it holds 5 %, 1 % and 0.1 % for up to 10 bins from 100 values on."""
    few = np.minimum(np.asarray(n, dtype=np.float64), np.asarray(m, dtype=np.float64))
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 + SPARSE_FACTOR * (np.asarray(df, dtype=np.float64) + 1) / few)


def cohens_w(reference: ArrayLike, current: ArrayLike) -> Floats:
    """The effect behind chi-square: Cohen's w of the table in which both sides weigh the same, in [0, 1].

    With equal sizes this is Cramer's V. Taken from the statistic at unequal sizes, a single row in a thousand of a
    category that a large reference has not seen would count as 0.5; here it counts as 0.02, at any sizes.
    """
    p, q, n, m, _ = _shares(reference, current)
    both = p + q
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(both > 0, (p - q) ** 2 / both, 0.0)
    return _nan_where_empty(np.sqrt(np.clip(terms.sum(axis=-1) / 2, 0.0, 1.0)), n, m)


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats, Floats, Floats, Bools]:
    """Shares (NaN for a side without counts) and totals of both sides, and which bins hold anything."""
    r, c = np.broadcast_arrays(np.asarray(reference, np.float64), np.asarray(current, np.float64))
    if r.shape[-1:] == (0,):
        r, c = np.zeros((*r.shape[:-1], 1)), np.zeros((*r.shape[:-1], 1))
    n, m = r.sum(axis=-1), c.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return r / n[..., None], c / m[..., None], n, m, (r > 0) | (c > 0)


def _nan_where_empty(value: Floats, n: Floats, m: Floats) -> Floats:
    return np.where((n > 0) & (m > 0), value, np.nan)
