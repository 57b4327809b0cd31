"""Two shares of the same rows: McNemar's test and Tango's interval of their difference.

Both look at the rows where exactly one of the two is right, and at equality they are the same test: with 25 such rows
or more, the interval at ``1 - alpha`` excludes 0 exactly where the p-value is below ``alpha``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..intervals import z_value
from .result import Difference, undefined_difference

MIN_DISCORDANT = 25
"""Below so many rows in which the two differ, the test is exact."""
HALVINGS = 54


def mcnemar_test(gained: int, lost: int) -> float:
    """The two-sided p-value of one being right more often than the other (McNemar 1947): binomial below
    ``MIN_DISCORDANT`` rows that differ, else chi-square without continuity correction, as
    ``statsmodels.stats.contingency_tables.mcnemar``."""
    from scipy.special import bdtr, chdtrc

    total = gained + lost
    if total < MIN_DISCORDANT:
        # Half a probability on either side: the binomial test with a probability of one half.
        return min(1.0, 2 * float(bdtr(min(gained, lost), total, 0.5))) if total else 1.0
    return float(chdtrc(1, (gained - lost) ** 2 / total))


def tango_interval(gained: int, lost: int, n: int, level: float) -> tuple[float, float]:
    """Score interval of the difference ``(gained - lost) / n`` of two shares of the same ``n`` rows.

    Tango (1998, Statistics in Medicine 17:891-908). It stays open where no row differs: with ``n`` rows alike the
    difference may still be as large as ``z^2 / (n + z^2)``. NaN where ``n`` is 0.
    """
    if n <= 0:
        return math.nan, math.nan
    z, middle = z_value(level), (gained - lost) / n
    return _solve_score(gained, lost, n, z, -1.0, middle), _solve_score(gained, lost, n, -z, middle, 1.0)


def _solve_score(b: int, c: int, n: int, z: float, low: float, high: float) -> float:
    """Where the score falls to ``z``, by halving; it falls from one end to the other."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _score(b, c, n, middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _score(b: int, c: int, n: int, delta: float) -> float:
    """Standardised distance of the observed difference from ``delta``, variance from the share of lost rows that is
    most likely under ``delta``."""
    linear = (2 * n - b + c) * delta - b - c
    constant = -c * delta * (1 - delta)
    share = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * share + delta * (1 - delta))
    apart = b - c - n * delta
    if variance > 0:
        return apart / math.sqrt(variance)
    return math.copysign(math.inf, apart) if apart else 0.0


def compare_shares(champion: int, candidate: int, gained: int, lost: int, n: int, level: float) -> Difference:
    """Of two shares of the same ``n`` rows, from how many each got right and how many it alone did."""
    if n <= 0:
        return undefined_difference(0)
    low, high = tango_interval(gained, lost, n, level)
    how = f"Tango's score interval; {'exact ' if gained + lost < MIN_DISCORDANT else ''}test of McNemar"
    return Difference(champion / n, candidate / n, low, high, n, how, mcnemar_test(gained, lost), gained, lost)


@dataclass(frozen=True, slots=True)
class Agreement:
    observed: float
    """Share of rows with the same prediction."""
    kappa: float
    """Cohen's, NaN where both always say one and the same."""
    low: float
    high: float
    n: int


def agreement(table: Floats, level: float) -> Agreement:
    """From ``table[i, j]``: rows for which one says ``i`` and the other ``j``.

    Kappa with the large-sample variance of Fleiss, Cohen and Everitt (1969, Psychological Bulletin 72:323-327), as
    ``statsmodels.stats.inter_rater.cohens_kappa`` reports it.
    """
    n = float(table.sum())
    if not n > 0:
        return Agreement(math.nan, math.nan, math.nan, math.nan, 0)
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, chance = float(np.trace(share)), float(rows @ columns)
    if chance >= 1:
        return Agreement(observed, math.nan, math.nan, math.nan, int(n))
    kappa = (observed - chance) / (1 - chance)
    inside = np.diag(share) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    sums = columns[:, None] + rows[None, :]
    outside = (1 - kappa) ** 2 * float((share * sums**2).sum() - np.diag(share) @ np.diag(sums) ** 2)
    variance = (float(inside) + outside - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = z_value(level) * math.sqrt(max(variance, 0.0))
    return Agreement(observed, kappa, max(-1.0, kappa - half), min(1.0, kappa + half), int(n))
