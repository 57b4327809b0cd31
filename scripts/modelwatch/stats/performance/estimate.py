"""One metric with its interval and its count, and the intervals that are drawn by resampling counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, Ints
from ..intervals import LEVEL, wilson_bounds, z_value
from ..profile.exact_sum import ExactSums, to_float

DRAWS = 500
SEED = 7


@dataclass(frozen=True, slots=True)
class Estimate:
    """``value`` is NaN where the metric is not defined for the rows given; ``low`` and ``high`` where there is no
    interval for it."""

    name: str
    value: float
    low: float
    high: float
    n: float
    """Rows that the metric is about: of recall those of the class, of precision those predicted."""
    label: str = ""
    """The class; empty for the whole."""
    spread: float = math.nan
    """Of a mean of numbers, the standard deviation of single rows; NaN of a share, where its value says it."""


def undefined_estimate(name: str, n: float = 0.0, label: str = "") -> Estimate:
    return Estimate(name, math.nan, math.nan, math.nan, n, label)


def proportion(name: str, hits: float, n: float, label: str = "") -> Estimate:
    """``hits`` of ``n`` with Wilson's interval."""
    if not n > 0:
        return undefined_estimate(name, n, label)
    share = min(1.0, max(0.0, hits / n))
    low, high = wilson_bounds(share, n)
    return Estimate(name, share, low, high, n, label)


def equally_certain_rows(estimate: Estimate) -> float:
    """Rows whose plain share, or plain mean, would have an interval as wide as that of ``estimate``: the weight of a
    rule. At most its ``n``, and all of them where there is no interval."""
    half = (estimate.high - estimate.low) / 2
    if math.isnan(half) or half <= 0:
        return estimate.n
    p = min(max(estimate.value, 0.01), 0.99)
    deviation = math.sqrt(p * (1 - p)) if math.isnan(estimate.spread) else estimate.spread
    return max(1.0, min((z_value() * deviation / half) ** 2, estimate.n))


def mean_estimate(name: str, value: float, variance: float, n: float) -> Estimate:
    """A mean with a normal interval from the variance of single rows; none for fewer than two rows."""
    if not n > 0:
        return undefined_estimate(name, n)
    half = z_value() * math.sqrt(max(variance, 0.0) / (n - 1)) if n > 1 else math.nan
    return Estimate(name, value, value - half, value + half, n)


def mean_of_sums(sums: ExactSums, column: str, squares: str, name: str = "") -> Estimate:
    """The mean of a column of ``sums``; its interval where the column of its squares is there."""
    first, second = sums.exact_mean(column), sums.exact_mean(squares)
    value = sums.mean(column)
    if first is None or second is None or math.isnan(value):
        return Estimate(name or column, value, math.nan, math.nan, float(sums.n))
    try:
        variance = float(second - first * first)
    except OverflowError:
        variance = math.nan
    return mean_estimate(name or column, value, variance, float(sums.n))


def bootstrap_estimate(
    name: str,
    n: float,
    table: Floats,
    statistic: Callable[[Floats], Floats],
    label: str = "",
    *,
    intervals: bool = True,
) -> Estimate:
    """A function of counts, and with ``intervals`` its percentiles over ``DRAWS`` tables with as many rows.

    Drawing rows with replacement and counting them is drawing the table from a multinomial (exactly), so it costs the
    same for a hundred rows and for a billion. ``table`` holds the counts in one line, ``statistic`` takes
    ``[draws, cells]``. Draws in which the statistic is not defined are left out; NaN bounds where none is left.
    """
    value, total = float(statistic(table[None])[0]), float(table.sum())
    if not intervals or not math.isfinite(value) or not total > 0:
        return Estimate(name, value, math.nan, math.nan, n, label)
    drawn_tables = np.random.default_rng(SEED).multinomial(round(total), table / total, size=DRAWS)
    low, high = percentile_interval(statistic(drawn_tables.astype(np.float64)))
    # The estimate always lies in its own interval, also where resampling is skewed.
    return Estimate(name, value, min(low, value), max(high, value), n, label)


def bootstrap_rows(n: int, observed: float, statistic: Callable[[Ints], float], *, draws: int, max_rows: int) -> Floats:
    """Values of a function of rows (called with row numbers, with repetitions) over ``draws`` samples.

    Beyond ``max_rows`` so many are drawn, and the values are moved towards ``observed`` by the root of the share (the m
    out of n bootstrap): right for every statistic whose error falls with the root of the rows. What the function raises
    is not caught.
    """
    random = np.random.default_rng(SEED)
    size = min(n, max_rows)
    values = np.array([float(statistic(random.integers(0, n, size))) for _ in range(draws)])
    return np.asarray(observed + (values - observed) * math.sqrt(size / n))


def percentile_interval(draws: Floats, level: float = LEVEL) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def safe_divide(above: Floats, below: Floats) -> Floats:
    """NaN, silently, where ``below`` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def value_sums(metric: ArrayLike, worth: ArrayLike) -> ExactSums:
    """Sums over the rows whose metric and worth are finite, and whose worth is not negative."""
    x, v = np.asarray(metric, dtype=np.float64), np.asarray(worth, dtype=np.float64)
    is_usable = np.isfinite(x) & np.isfinite(v) & (v >= 0)
    x, v = x[is_usable], v[is_usable]
    with np.errstate(over="ignore", invalid="ignore"):
        square = v * v
        return ExactSums.of({"v": v, "vx": v * x, "v2": square, "v2x": square * x, "v2x2": square * x * x})


def value_weighted_mean(sums: ExactSums, name: str, *, share: bool) -> Estimate:
    """The mean weighed by worth. ``n`` is the count of rows alike in worth that would say as much: (sum v)^2 / sum v^2
    (Kish 1965). The interval is that of a ratio of two means (linearised); of a ``share`` within [0, 1].

    NaN where nothing is worth anything, or sums are beyond all floats.
    """
    v, vx, v2, v2x, v2x2 = (sums.exact_mean(column) for column in ("v", "vx", "v2", "v2x", "v2x2"))
    if v is None or vx is None or v2 is None or v2x is None or v2x2 is None or not v:
        return undefined_estimate(name)
    mean, n = vx / v, to_float(v * v / v2 * sums.n)
    variance = to_float((v2x2 - 2 * mean * v2x + mean * mean * v2) / (v * v)) / max(sums.n - 1, 1)
    value, half = to_float(mean), z_value() * math.sqrt(max(variance, 0.0)) if sums.n > 1 else math.nan
    low, high = (max(value - half, 0.0), min(value + half, 1.0)) if share else (value - half, value + half)
    return Estimate(name, value, low, high, n)
