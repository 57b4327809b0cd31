"""Means of daily amounts, with intervals that allow for days that resemble their neighbours and their weekday."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats
from .intervals import z_value

WEEK_LAGS = 7
"""Days over which amounts resemble each other, the same weekday included."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class DailyMean:
    """The mean of some days; ``se`` is NaN for fewer than two."""

    mean: float
    se: float
    days: int


def widen(mean: DailyMean, lags: int = WEEK_LAGS) -> DailyMean:
    """``mean`` with a standard error whose normal 95 % interval holds for few days, too: a variance with so many lags
    is otherwise too small. Critical values by Kiefer and Vogelsang (2005, Econometric Theory 21:1130-1164) for Bartlett
    weights."""
    if mean.days < 2:
        return mean
    share = min(1.0, (lags + 1) / mean.days)
    critical = z_value() + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3
    return DailyMean(mean.mean, mean.se * critical / z_value(), mean.days)


def daily_mean(values: Floats, lags: int = WEEK_LAGS) -> DailyMean:
    """The mean of daily amounts with its standard error by Newey and West (1987, Econometrica 55:703-708): Bartlett
    weights up to ``lags`` days, times n / (n - 1). Without days the mean is NaN."""
    n = len(values)
    if n == 0:
        return DailyMean(math.nan, math.nan, 0)
    mean = float(np.mean(values))
    if n == 1:
        return DailyMean(mean, math.nan, 1)
    apart = values - mean
    total = float(apart @ apart)
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(apart[lag:] @ apart[:-lag])
    return DailyMean(mean, math.sqrt(max(total, 0.0) / n / (n - 1)), n)


def t_interval(estimate: float, se: float, df: float, level: float = LEVEL) -> tuple[float, float]:
    """``estimate`` -+ Student's quantile times ``se``; NaN where ``se`` is or ``df`` is not positive."""
    if not se >= 0 or not df > 0:
        return math.nan, math.nan
    from scipy.special import stdtrit

    half = float(stdtrit(df, 0.5 + level / 2)) * se
    return estimate - half, estimate + half


def difference_of_means(one: DailyMean, other: DailyMean) -> tuple[float, float, float]:
    """``one - other`` with its standard error and degrees of freedom (Welch 1947)."""
    a, b = one.se**2, other.se**2
    if not a + b > 0:
        return one.mean - other.mean, math.sqrt(a + b), float(max(one.days + other.days - 2, 0))
    df = (a + b) ** 2 / (a**2 / (one.days - 1) + b**2 / (other.days - 1))
    return one.mean - other.mean, math.sqrt(a + b), df
