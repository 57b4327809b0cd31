"""Bootstrap intervals of paired outcomes: of counts, of means, and of any function of rows.

BCa (Efron 1987, JASA 82:171-185) with the formulas of ``scipy.stats.bootstrap``: from the same draws it gives the same
bounds. SciPy itself draws rows and repeats the statistic once a row, which grows with the square of their number. What
depends on the rows only through counts needs neither: drawing rows with replacement and counting them is drawing the
counts from a multinomial (exactly), and leaving out one row is leaving out one of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..arrays import Floats, Ints
from ..performance.estimate import SEED, bootstrap_rows, percentile_interval

Statistic = Callable[[Floats], Floats]
"""From ``[draws, cells]`` (counts or means) to one number a draw, NaN where it is not defined."""

DRAWS = 2000
MAX_BCA_ROWS = 10_000
"""Rows up to which means are drawn by rows, with BCa; above, by the normal distribution of their sums."""
ROW_DRAWS = 400
MAX_DRAWN_ROWS = 10_000
"""A draw of rows has at most so many: see ``bootstrap_rows``."""
MAX_NUMBERS = 4_000_000
"""Numbers held at once."""
NO_INTERVAL = (math.nan, math.nan)
SIGN_FLIP_TEST = "sign-flip test"
MIN_DEFINED_SHARE = 0.95
"""Share of the draws in which a statistic must be defined for its interval to count."""


def bca_interval(draws: Floats, observed: float, left_out: Floats, times: Floats, level: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bounds; ``left_out`` are the values without one row, each of them ``times``.

    NaN where there is no interval: too few defined draws, no spread, or everything on one side of what was observed.
    """
    from scipy.special import ndtr, ndtri

    known = draws[np.isfinite(draws)]
    if (
        len(known) < MIN_DEFINED_SHARE * len(draws)
        or not len(known)
        or not math.isfinite(observed)
        or np.ptp(known) == 0
    ):
        return NO_INTERVAL
    share = float((known < observed).sum() + (known <= observed).sum()) / (2 * len(known))
    if not 0 < share < 1:
        return NO_INTERVAL
    bias, tail = float(ndtri(share)), float(ndtri((1 - level) / 2))
    pull = acceleration(left_out, times)
    places = [float(ndtr(bias + (bias + z) / (1 - pull * (bias + z)))) for z in (tail, -tail)]
    low, high = np.quantile(known, places)
    return float(low), float(high)


def acceleration(left_out: Floats, times: Floats) -> float:
    """A sixth of the skewness of what single rows contribute; 0 where they contribute nothing."""
    is_known = np.isfinite(left_out) & (times > 0)
    value, weight = left_out[is_known], times[is_known]
    if not weight.sum() > 0:
        return 0.0
    apart = np.average(value, weights=weight) - value
    spread = float((weight * apart**2).sum())
    return float((weight * apart**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0


def counts_interval(
    counts: Floats, statistic: Statistic, level: float, *, extra: Floats | None = None
) -> tuple[float, float]:
    """Bounds of a function of the counts of all cells, whatever the number of rows.

    ``extra`` is mass that is added to the counts before drawing, for where too few rows differ to be drawn from; the
    bounds are then plain percentiles, widened to hold what was observed.
    """
    random = np.random.default_rng(SEED)
    observed = float(statistic(counts[None])[0])
    base = counts if extra is None else counts + extra
    total = float(base.sum())
    if not (math.isfinite(observed) and total > 0):
        return NO_INTERVAL
    step = max(1, MAX_NUMBERS // max(len(counts), 1))
    parts = [
        statistic(random.multinomial(round(total), base / total, size=min(step, DRAWS - start)).astype(np.float64))
        for start in range(0, DRAWS, step)
    ]
    draws = np.concatenate(parts)
    if extra is not None:
        low, high = percentile_interval(draws, level)
        return min(low, observed), max(high, observed)
    filled = np.flatnonzero(counts >= 1)
    left_out = np.concatenate(
        [statistic(_leave_one_out(counts, filled[start : start + step])) for start in range(0, len(filled), step)]
    )
    return bca_interval(draws, observed, left_out, counts[filled], level)


def sum_by_place(counts: Floats, place: Ints, size: int) -> Floats:
    """Counts ``[draws, cells]`` added up by the place of each cell: ``[draws, size]``."""
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(place[order]) > 0))
    sums = np.zeros((len(counts), size))
    sums[:, place[order][starts]] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums


def _leave_one_out(counts: Floats, cells: Ints) -> Floats:
    tables = np.repeat(counts[None], len(cells), axis=0)
    tables[np.arange(len(cells)), cells] -= 1
    return tables


def means_interval(columns: Floats, statistic: Statistic, level: float) -> tuple[float, float]:
    """Bounds of a function of the means of columns ``[rows, columns]``.

    Up to ``MAX_BCA_ROWS`` rows BCa over rows; above, the means are drawn from the normal distribution that their sums
    have by then, so that memory holds no second copy of the rows.
    """
    n = len(columns)
    if n < 2:
        return NO_INTERVAL
    random = np.random.default_rng(SEED)
    means = columns.mean(axis=0)
    observed = float(statistic(means[None])[0])
    if n > MAX_BCA_ROWS:
        spread = np.atleast_2d(np.cov(columns, rowvar=False)) / n
        if not (np.isfinite(spread).all() and spread.any()):
            return NO_INTERVAL
        return percentile_interval(
            statistic(random.multivariate_normal(means, spread, size=DRAWS, method="svd")), level
        )
    step = max(1, MAX_NUMBERS // n)
    sides = [np.ascontiguousarray(column) for column in columns.T]
    parts = []
    for start in range(0, DRAWS, step):
        rows = random.integers(0, n, (min(step, DRAWS - start), n), dtype=np.int32)
        parts.append(statistic(np.stack([side.take(rows).mean(axis=1) for side in sides], axis=1)))
    left_out = statistic((means * n - columns) / (n - 1))
    return bca_interval(np.concatenate(parts), observed, left_out, np.ones(n), level)


def mean_interval(values: Floats, level: float) -> tuple[float, float]:
    """Bounds of one mean: BCa up to ``MAX_BCA_ROWS`` rows, above Student's (``scipy.stats.ttest_rel``)."""
    n = len(values)
    if n <= MAX_BCA_ROWS:
        return means_interval(values[:, None], lambda means: means[:, 0], level)
    from scipy.special import stdtrit

    spread = float(values.std(ddof=1))
    if not (math.isfinite(spread) and spread > 0):
        return NO_INTERVAL
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * spread / math.sqrt(n)
    value = float(values.mean())
    return value - half, value + half


def sign_flip_p_value(values: Floats) -> float:
    """Two-sided p-value of a sum: how often it would be as far from 0 if the sign of every value were chance (Fisher
    1935). Exact where the two models could be exchanged, however uneven the values are; beyond
    ``MAX_BCA_ROWS`` values by the normal distribution that the sum then has."""
    nonzero = values[values != 0]
    if not len(nonzero):
        return 1.0
    total = abs(float(nonzero.sum()))
    if len(nonzero) > MAX_BCA_ROWS:
        return math.erfc(total / math.sqrt(2 * float((nonzero**2).sum())))
    random = np.random.default_rng(SEED)
    step = max(1, MAX_NUMBERS // len(nonzero))
    beyond = 0
    for start in range(0, DRAWS, step):
        signs = random.integers(0, 2, (min(step, DRAWS - start), len(nonzero)), dtype=np.int8) * 2.0 - 1.0
        # Equal sums may differ in their last digits.
        beyond += int((np.abs(signs @ nonzero) >= total * (1 - 1e-12)).sum())
    return (beyond + 1) / (DRAWS + 1)


def rows_interval(n: int, statistic: Callable[[Ints], float], level: float) -> tuple[float, float]:
    """Bounds of any function of rows: percentiles of ``bootstrap_rows``."""
    if n < 2:
        return NO_INTERVAL
    observed = float(statistic(np.arange(n)))
    if not math.isfinite(observed):
        return NO_INTERVAL
    draws = bootstrap_rows(n, observed, statistic, draws=ROW_DRAWS, max_rows=MAX_DRAWN_ROWS)
    known = draws[np.isfinite(draws)]
    if len(known) < MIN_DEFINED_SHARE * len(draws) or np.ptp(known) == 0:
        return NO_INTERVAL
    return percentile_interval(known, level)
