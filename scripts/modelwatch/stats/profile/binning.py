"""Edges of a numeric profile, chosen once from the reference.

They bound what binning can cost, whatever the other side looks like. Kolmogorov-Smirnov: between two neighbouring edges
lies at most 1/QUANTILES of the reference, and a value that holds more is a bin of its own, so that the largest
difference at the edges is within 1/QUANTILES of the largest anywhere (both sides only ever ascend). Wasserstein: edges
lie densest where the square root of the density is high, which is where a number of bins loses least of the distance,
and a ladder of growing steps reaches far beyond both extremes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, sort_distinct
from .numeric import NumericProfile

QUANTILE_EDGES = 800
DENSITY_EDGES = 1000
"""Edges placed by the square root of the density."""
FIRST_STEP = 0.005
"""Of the interquartile range: the ladder's first step beyond the reference's extremes."""
GROWTH = 1.03
LADDER_RANGES = 1000.0
"""The ladder's length in ranges (least to greatest) of the reference."""
MAX_DISTINCT = 400
"""Up to so many different values, each is a bin, and so is every gap between two of them."""
HUGE = 2.0**900


def choose_edges(values: ArrayLike) -> Floats:
    """Strictly ascending finite edges for a reference column; NaN and infinities in ``values`` are left out.

    At most about 4,000 edges. Without a finite value: decades on both sides of 0.
    """
    return edges_of_order_statistics(sort_finite(values))


def sort_finite(values: ArrayLike) -> Floats:
    """The finite values in ascending order; -0.0 becomes 0.0."""
    column = np.asarray(values, dtype=np.float64).ravel()
    finite = np.isfinite(column)
    ordered = np.sort(column if finite.all() else column[finite])
    ordered += 0.0
    return ordered


def edges_of_order_statistics(ordered: Floats) -> Floats:
    """``choose_edges`` of finite values that ascend."""
    if not len(ordered):
        decades = 10.0 ** np.arange(-6, 16)
        return np.concatenate([-decades[::-1], [0.0], decades])
    if max(abs(ordered[0]), abs(ordered[-1])) <= HUGE:
        edges = _edges_of(ordered)
    else:
        scale = 2.0**-100
        with np.errstate(over="ignore"):
            edges = _edges_of(ordered * scale) / scale
    return sort_distinct(edges[np.isfinite(edges)] + 0.0)


def coarsen_edges(profile: NumericProfile, bins: int = 64) -> Floats:
    """At most ``bins - 1`` of the profile's edges, nearest above its quantiles: for segments, and for histograms."""
    if len(profile.edges) < bins or not profile.n:
        return profile.edges[:: max(1, -(-len(profile.edges) // (bins - 1)))]
    return edges_at(profile, np.arange(1, bins) / bins)


def edges_at(profile: NumericProfile, shares: Floats) -> Floats:
    """The profile's edges nearest above these quantiles, each once."""
    at = np.searchsorted(np.cumsum(profile.counts), shares * profile.n, side="left")
    return np.asarray(profile.edges[sort_distinct(np.minimum(at, len(profile.edges) - 1))])


def _edges_of(ordered: Floats) -> Floats:
    is_new = ordered[1:] != ordered[:-1]
    if np.count_nonzero(is_new) < MAX_DISTINCT:
        distinct = np.append(ordered[:1], ordered[1:][is_new])
        inner = np.concatenate([distinct, np.nextafter(distinct, -np.inf)])
    else:
        inner = np.concatenate([_quantile_edges(ordered), _density_edges(ordered)])
    before = np.nextafter(ordered[:1], -np.inf)
    return np.concatenate([before, inner, *_outer_edges(ordered)])


def _quantile_edges(ordered: Floats) -> Floats:
    """Order statistics at equal ranks; before a value that holds more than its share, its predecessor too."""
    ranks = np.ceil(np.linspace(0, 1, QUANTILE_EDGES + 1) * len(ordered)).astype(np.int64) - 1
    share = len(ordered) // QUANTILE_EDGES  # a value that holds more is found again so many places further
    heavy = sort_distinct(ordered[: len(ordered) - share][ordered[share:] == ordered[: len(ordered) - share]])
    return np.concatenate([ordered[np.maximum(ranks, 0)], heavy, np.nextafter(heavy, -np.inf)])


def _density_edges(ordered: Floats) -> Floats:
    places = sort_distinct(np.linspace(0, len(ordered) - 1, min(len(ordered), 4 * DENSITY_EDGES)).astype(np.int64))
    points = ordered[places]
    weight = np.sqrt(np.diff(points) * np.diff(places))
    total = np.concatenate([[0.0], np.cumsum(weight)])
    return np.interp(np.linspace(0, total[-1], DENSITY_EDGES + 1), total, points)


def _outer_edges(ordered: Floats) -> tuple[Floats, Floats]:
    low, high = ordered[0], ordered[-1]
    lower, upper = ordered[int(0.25 * (len(ordered) - 1))], ordered[int(0.75 * (len(ordered) - 1))]
    span = high - low or max(abs(high), 1.0)
    first = max(FIRST_STEP * (upper - lower), span * 1e-6) if upper > lower else span * FIRST_STEP
    first = max(first, np.finfo(np.float64).tiny)  # of a few denormal values a part would be 0
    steps = int(np.ceil(np.log1p(LADDER_RANGES * span / first * (GROWTH - 1)) / np.log(GROWTH)))
    away = first * (GROWTH ** np.arange(1, steps + 1) - 1) / (GROWTH - 1)
    return low - away[::-1], high + away
