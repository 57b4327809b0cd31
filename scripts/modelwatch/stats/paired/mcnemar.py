"""Two shares of the same rows: McNemar's test and Tango's interval of their difference.

Both look at the rows where exactly one of the two is right, and at equality they are the same test: with 25 such rows
or more, the interval at ``1 - alpha`` excludes 0 exactly where the p-value is below ``alpha``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..intervals import z_of
from .difference import Difference, undefined

Floats = NDArray[np.float64]

FEW = 25
"""Below so many rows in which the two differ, the test is exact."""
HALVINGS = 54


@dataclass(frozen=True, slots=True)
class McNemar:
    p: float
    """Two-sided."""
    statistic: float
    """Chi-square with one degree of freedom; of the exact test the smaller of the two counts."""
    exact: bool


def mcnemar(gained: int, lost: int) -> McNemar:
    """Whether one is right more often than the other (McNemar 1947): binomial below ``FEW`` rows that differ, else
    chi-square without continuity correction, as ``statsmodels.stats.contingency_tables.mcnemar``."""
    from scipy.special import bdtr, chdtrc

    total, fewer = gained + lost, min(gained, lost)
    if total < FEW:
        # Half a probability on either side: the binomial test with a probability of one half.
        return McNemar(min(1.0, 2 * float(bdtr(fewer, total, 0.5))) if total else 1.0, float(fewer), True)
    statistic = (gained - lost) ** 2 / total
    return McNemar(float(chdtrc(1, statistic)), statistic, False)


def tango(gained: ArrayLike, lost: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Score interval of the difference ``(gained - lost) / n`` of two shares of the same ``n`` rows (arrays).

    Tango (1998, Statistics in Medicine 17:891-908). It stays open where no row differs: with ``n`` rows alike the
    difference may still be as large as ``z^2 / (n + z^2)``. NaN where ``n`` is 0.
    """
    b, c, rows = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (gained, lost, n)))
    z = z_of(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (b - c) / rows
    below = _root(b, c, rows, z, np.full(b.shape, -1.0), middle)
    above = _root(b, c, rows, -z, middle, np.full(b.shape, 1.0))
    return below, above


def _root(b: Floats, c: Floats, n: Floats, z: float, low: Floats, high: Floats) -> Floats:
    """Where the score falls to ``z``, by halving; it falls from one end to the other."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = _score(b, c, n, middle) > z
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.where(n > 0, (low + high) / 2, np.nan)


def _score(b: Floats, c: Floats, n: Floats, delta: Floats) -> Floats:
    """Standardised distance of the observed difference from ``delta``, variance from the share of lost rows that is
    most likely under ``delta``."""
    two = 2 * n
    linear = -b - c + (two - b + c) * delta
    constant = -c * delta * (1 - delta)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (np.sqrt(np.maximum(linear**2 - 4 * two * constant, 0.0)) - linear) / (2 * two)
        variance = np.maximum(n * (2 * share + delta * (1 - delta)), 0.0)
        apart = b - c - n * delta
        return np.where(variance > 0, apart / np.sqrt(np.where(variance > 0, variance, 1.0)), np.sign(apart) * np.inf)


def shares(champion: int, candidate: int, gained: int, lost: int, n: int, level: float) -> Difference:
    """Of two shares of the same ``n`` rows, from how many each got right and how many it alone did."""
    if n <= 0:
        return undefined(0)
    low, high = tango(gained, lost, n, level)
    test = mcnemar(gained, lost)
    how = f"Tango's score interval; McNemar's {'exact ' if test.exact else ''}test"
    return Difference(champion / n, candidate / n, float(low), float(high), n, how, test.p, gained, lost)
