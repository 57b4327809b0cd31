"""Confidence intervals on arrays: Wilson for a proportion, normal for a mean, and the interval of a difference. Of a
single proportion exact bounds, too.

``scipy.stats`` is not used here on purpose: importing it costs more than judging a hundred healthy rules.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from .arrays import Floats

LEVEL = 0.95


@cache
def z_value(level: float = LEVEL) -> float:
    """The two-sided standard normal quantile: 1.96 for 0.95. ``level`` lies strictly between 0 and 1."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson_interval(p: Floats, n: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Score interval of a proportion ``p`` of ``n`` trials, without continuity correction (Wilson 1927).

    Arrays of one shape; ``p`` in [0, 1], ``n`` > 0 (it need not be whole). NaN where either is, or ``n`` is 0.
    """
    z = z_value(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = z * z / n
        centre = p + share / 2
        half = np.sqrt(np.maximum(p * (1 - p), 0.0) * share + share * share / 4)
        low = (centre - half) / (1 + share)
        high = (centre + half) / (1 + share)
    # The bounds hold exactly at 0 and 1, whatever the rounding.
    return np.minimum(np.maximum(low, 0.0), p), np.maximum(np.minimum(high, 1.0), p)


def wilson_bounds(p: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """``wilson_interval`` of one proportion, to the bit, without the cost of arrays; ``n`` > 0."""
    z = z_value(level)
    share = z * z / n
    centre = p + share / 2
    half = math.sqrt(max(p * (1 - p), 0.0) * share + share * share / 4)
    low, high = (centre - half) / (1 + share), (centre + half) / (1 + share)
    return min(max(low, 0.0), p), max(min(high, 1.0), p)


def binomial_bounds(count: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact bounds of a proportion of ``count`` in ``n`` trials, each one-sided at ``level`` (Clopper and Pearson
    1934, Biometrika 26:404-413). ``(0.0, 1.0)`` of no trial."""
    from scipy.special import betaincinv

    low = float(betaincinv(count, n - count + 1, 1 - level)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, level)) if count < n else 1.0
    return low, high


def normal_interval(mean: Floats, se: Floats) -> tuple[Floats, Floats]:
    """``mean`` -+ z times the standard error ``se``; arrays of one shape."""
    half = z_value() * se
    return mean - half, mean + half


def difference_interval(
    p1: Floats, l1: Floats, u1: Floats, p2: Floats, l2: Floats, u2: Floats
) -> tuple[Floats, Floats]:
    """Interval of ``p1 - p2`` from the intervals of both, by squaring and adding the distances to their bounds.

    With Wilson intervals this is method 10 of Newcombe (1998, Statistics in Medicine 17:873-890); for any other
    intervals of independent estimates it is MOVER (Zou and Donner 2008). A side that is exact has ``l = p = u``.
    """
    change = p1 - p2
    low = change - np.hypot(p1 - l1, u2 - p2)
    high = change + np.hypot(u1 - p1, p2 - l2)
    return low, high


def poisson_upper(count: int, exposure: float, level: float = LEVEL) -> float:
    """One-sided upper bound of a rate from ``count`` events in ``exposure`` (any unit of time): the rate at which so
    few events have a probability of ``1 - level`` (Garwood 1936, Biometrika 28:437-442). Infinite without exposure."""
    from scipy.special import gammainccinv

    return float(gammainccinv(count + 1, 1 - level)) / exposure if exposure > 0 else math.inf
