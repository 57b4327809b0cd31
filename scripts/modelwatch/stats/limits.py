"""Limits out of the reference itself: what a statistic reaches without any change, at the sizes of both samples.

Where the distribution under no change is known for large samples (PSI, Jensen-Shannon, Hellinger and chi-square by
chi-square; Kolmogorov-Smirnov by Smirnov's limit; Cramer-von Mises by Anderson's) the limit is its quantile. For total
variation and Wasserstein the reference is drawn against itself, seeded. So that quiet and noisy features alarm alike.

Large samples make everything significant, so a tier needs an effect as well: ``is_real``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .drift import counts, ordered
from .drift.measures import method_of
from .drift.result import RELIABLE, Drift

Floats = NDArray[np.float64]

RATE = 0.01
"""False alarms per window and feature, where nobody says otherwise."""
DRAWS = 2000
ENDS = 10
"""Draws beyond a value that make its tail known by counting."""
SEED = 20_260_101
LEAST_EFFECT = {
    "psi": 0.1,
    "jensen_shannon": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "chi_square": 0.1,
    "ks": 0.1,
    "wasserstein": 0.1,
    "cramer_von_mises": 0.005,
}
"""Smaller effects are of no consequence, however certain: about a shift by a quarter of a standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Null:
    """What one statistic does without any change."""

    method: str
    df: float = 0.0
    """Bins less one."""
    drawn: Floats | None = None
    """Ascending: values drawn without change, over the root of 1/n + 1/m."""

    def p_value(self, value: ArrayLike, n: ArrayLike, m: ArrayLike) -> Floats:
        """How often chance alone gives ``value`` or more with ``n`` and ``m`` values; NaN where ``value`` is."""
        value = np.asarray(value, dtype=np.float64)
        if self.drawn is not None:
            return self._drawn_tail(value / np.sqrt(counts.spread(n, m)))
        if self.method == "ks":
            return ordered.kolmogorov_tail(value, n, m)
        if self.method == "cramer_von_mises":
            return ordered.cramer_von_mises_tail(value, n, m)
        return counts.tail(counts.as_chi_square(self.method, value, n, m, self.df), self.df)

    def limit(self, rate: float, n: ArrayLike, m: ArrayLike) -> Floats:
        """What chance alone exceeds in a share ``rate`` of windows."""
        from scipy.special import chdtri, kolmogi

        spread = np.sqrt(counts.spread(n, m))
        if self.drawn is not None:
            scaled = self._drawn_quantile(rate)
            return np.asarray(np.where(np.isfinite(spread), spread, np.nan) * scaled)
        if self.method == "ks":
            return np.asarray(kolmogi(rate) * spread)
        if self.method == "cramer_von_mises":
            return _inverse_cramer(rate, n, m)
        quantile = chdtri(self.df, rate) if self.df > 0 else 0.0
        return counts.of_chi_square(self.method, quantile, n, m, self.df)

    def _drawn_tail(self, scaled: Floats) -> Floats:
        """The share of draws that reach it; beyond the last ten by a gamma distribution of the squares, which has the
        draws' own mean and variance (a sum of weighted chi-squares, after Satterthwaite 1946)."""
        from scipy.special import gammaincc

        drawn = self.drawn if self.drawn is not None else np.empty(0)
        reached = len(drawn) - np.searchsorted(drawn, scaled, side="left")
        share = (reached + 1) / (len(drawn) + 1)
        squares = drawn * drawn
        mean, variance = float(squares.mean()), float(squares.var())
        if mean <= 0 or variance <= 0:
            return np.where(np.isnan(scaled), np.nan, np.where(scaled > 0, 1 / (len(drawn) + 1), 1.0))
        beyond = gammaincc(mean**2 / variance, np.square(scaled) * mean / variance)
        tail = np.where(reached >= ENDS, share, np.minimum(beyond, ENDS / len(drawn)))
        return np.where(np.isnan(scaled), np.nan, tail)

    def _drawn_quantile(self, rate: float) -> float:
        from scipy.special import gammainccinv

        drawn = self.drawn if self.drawn is not None else np.empty(0)
        place = math.ceil((len(drawn) + 1) * (1 - rate)) - 1
        if len(drawn) - place >= ENDS:
            return float(drawn[place])
        squares = drawn * drawn
        mean, variance = float(squares.mean()), float(squares.var())
        if mean <= 0 or variance <= 0:
            return 0.0
        return math.sqrt(float(gammainccinv(mean**2 / variance, rate)) * variance / mean)


def null_of(
    method: str,
    reference: ArrayLike,
    n: float,
    m: float,
    *,
    points: Floats | None = None,
    lines: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Null:
    """The null of ``method`` for a reference of counts in bins, between a sample of ``n`` and one of ``m`` values.

    ``points``: for Wasserstein, where each bin ends (with ``lines`` values lie evenly between, else at the points).
    The same seed gives the same limit, so that an evaluation says the same whenever it is repeated.
    """
    method = method_of(method)
    r = np.asarray(reference, dtype=np.float64)
    total = float(r.sum())
    filled = int((r > 0).sum())
    if method not in ("total_variation", "wasserstein"):
        return Null(method, df=float(max(filled - 1, 0)))
    if total <= 0:
        return Null(method, drawn=np.zeros(1))
    random = np.random.default_rng(seed)
    sizes = (max(round(n), 1), max(round(m), 1))
    left, right = (random.multinomial(size, r / total, size=draws) for size in sizes)
    values = _distance(method, left, right, points, lines)
    return Null(method, drawn=np.sort(values / np.sqrt(counts.spread(*sizes))))


def permuted_p(
    method: str,
    reference: ArrayLike,
    current: ArrayLike,
    *,
    points: Floats | None = None,
    lines: bool = False,
    most: int = DRAWS,
    seed: int = SEED,
) -> float:
    """The p-value of total variation or Wasserstein by permutation: the values of both sides dealt anew, bin by bin.

    Exact for any distribution and size, as far as the bins do not depend on who is the reference. Draws end once ten
    reached the statistic (Besag and Clifford 1991), so that windows without change cost little. NaN for an empty side.
    """
    r, c = (np.asarray(side, dtype=np.int64) for side in (reference, current))
    n, m = int(r.sum()), int(c.sum())
    if not n or not m:
        return math.nan
    method, pooled = method_of(method), r + c
    # Seeded by the data too: one seed for all would deal all windows alike, and share its luck among them.
    random = np.random.default_rng([seed, crc32(r.tobytes() + c.tobytes())])
    seen = _distance(method, r, c, points, lines) * (1 - 1e-12)
    drawn: list[Floats] = []
    reached, batch = 0, 50
    while reached < ENDS and sum(len(one) for one in drawn) < most:
        left = random.multivariate_hypergeometric(pooled, n, size=batch, method="marginals")
        drawn.append(_distance(method, left, pooled - left, points, lines))
        reached += int((drawn[-1] >= seen).sum())
        batch = min(2 * batch, 400)
    values = np.sort(np.concatenate(drawn))
    return float(Null(method, drawn=values / np.sqrt(counts.spread(n, m))).p_value(seen, n, m))


def _distance(method: str, left: ArrayLike, right: ArrayLike, points: Floats | None, lines: bool) -> Floats:
    if method == "total_variation":
        return counts.total_variation(left, right)
    places = np.arange(np.shape(left)[-1], dtype=np.float64) if points is None else points
    between = ordered.wasserstein_lines if lines else ordered.wasserstein_steps
    return between(ordered.gaps(left, right), places)


def is_real(drift: Drift, rate: float = RATE, least: float | None = None, p_value: float | None = None) -> bool | None:
    """Whether a feature drifted: an effect of at least ``least``, and not by chance. ``None`` (undecided) with fewer
    than 100 values on a side, or where nothing is defined. ``p_value``: one corrected for the number of features."""
    p = drift.p_value if p_value is None else p_value
    if not drift.reliable or p is None or math.isnan(p):
        return None
    return drift.effect >= (LEAST_EFFECT[drift.method] if least is None else least) and p <= rate


def enough(n: ArrayLike, m: ArrayLike) -> NDArray[np.bool_]:
    """Whether both sides hold enough values to say anything."""
    return np.asarray((np.asarray(n) >= RELIABLE) & (np.asarray(m) >= RELIABLE))


def _inverse_cramer(rate: float, n: ArrayLike, m: ArrayLike) -> Floats:
    """Where the tail of Cramer-von Mises is ``rate``, by bisection (the tail falls)."""
    shape = np.broadcast(np.asarray(n), np.asarray(m)).shape
    low, high = np.zeros(shape), np.full(shape, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = ordered.cramer_von_mises_tail(middle, n, m) > rate
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high
