"""P-values of statistics whose distribution without change is not known: the values of both sides are dealt anew."""

from __future__ import annotations

import math
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import counts, ordered
from .bins import merged

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS = 2000
ENDS = 10
"""Draws beyond a value that make its tail known by counting."""
SURE = 150
"""Draws after which a value is taken for clear that lies half again as far as the furthest of them."""
FINE = 64
"""Bins over both sides in which values are dealt anew."""
MOST = 10**9
"""Values that can be dealt; of more, both sides are drawn from what they have in common."""
SEED = 20_260_101


def distance(method: str, left: ArrayLike, right: ArrayLike, points: Floats | None, lines: bool) -> Floats:
    """Total variation, or Wasserstein between ``points`` (the ends of the bins; by default one step apart)."""
    if method == "total_variation":
        return counts.total_variation(left, right)
    places = np.arange(np.shape(left)[-1], dtype=np.float64) if points is None else points
    between = ordered.wasserstein_lines if lines else ordered.wasserstein_steps
    return between(ordered.gaps(left, right), places)


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
    reached the statistic (Besag and Clifford 1991), so that windows without change cost little, and where it lies far
    beyond all of them. Counts are taken for whole. NaN for an empty side.
    """
    r, c = (np.rint(np.asarray(side, dtype=np.float64)).astype(np.int64) for side in (reference, current))
    n, m = int(r.sum()), int(c.sum())
    if not n or not m:
        return math.nan
    # Seeded by the data too: one seed for all would deal all windows alike, and share its luck among them.
    random = np.random.default_rng([seed, crc32(r.tobytes() + c.tobytes())])
    seen = float(distance(method, r, c, points, lines)) * (1 - 1e-12)
    drawn = np.empty(0)
    reached, furthest, batch = 0, 0.0, 50
    while reached < ENDS and len(drawn) < most:
        if len(drawn) >= SURE and seen > 1.5 * furthest:
            break
        dealt = distance(method, *_deal(random, r + c, n, m, batch), points, lines)
        drawn = np.concatenate([drawn, dealt])
        reached += int((dealt >= seen).sum())
        furthest = max(furthest, float(dealt.max()))
        batch = min(2 * batch, 400)
    return float(drawn_tail(np.sort(drawn), np.asarray(seen)))


def dealt_p(points: Floats, reference: ArrayLike, current: ArrayLike, lines: bool) -> float:
    """Wasserstein's p-value from counts that end at ``points``, dealt anew in 64 bins of about equal numbers."""
    pooled = np.cumsum(np.asarray(reference, np.float64) + np.asarray(current, np.float64))
    wanted = np.arange(1, FINE) / FINE * pooled[-1]
    places = np.unique(np.searchsorted(pooled, wanted, side="left"))
    places = places[places < len(points) - 1]
    ends = np.append(points[places], points[-1])
    ends = ends / (float(np.abs(ends).max()) or 1.0)  # the p-value has no unit; huge numbers would overflow
    left, right = (merged(np.asarray(side), places) for side in (reference, current))
    return permuted_p("wasserstein", left, right, points=ends, lines=lines)


def drawn_tail(drawn: Floats, value: Floats) -> Floats:
    """The share of ``drawn`` (ascending) that reach ``value``; beyond the last ten by a gamma distribution of the
    squares, which has the draws' own mean and variance (a sum of weighted chi-squares, after Satterthwaite 1946)."""
    from scipy.special import gammaincc

    reached = len(drawn) - np.searchsorted(drawn, value, side="left")
    share = (reached + 1) / (len(drawn) + 1)
    squares = drawn * drawn
    mean, variance = float(squares.mean()), float(squares.var())
    if mean <= 0 or variance <= 0:
        return np.where(np.isnan(value), np.nan, np.where(value > 0, 1 / (len(drawn) + 1), 1.0))
    beyond = gammaincc(mean**2 / variance, np.square(value) * mean / variance)
    tail = np.where(reached >= ENDS, share, np.minimum(beyond, ENDS / len(drawn)))
    return np.where(np.isnan(value), np.nan, tail)


def drawn_quantile(drawn: Floats, rate: float) -> float:
    """What a share ``rate`` of ``drawn`` (ascending) exceeds; as ``drawn_tail`` beyond the last ten."""
    from scipy.special import gammainccinv

    place = math.ceil((len(drawn) + 1) * (1 - rate)) - 1
    if len(drawn) - place >= ENDS:
        return float(drawn[place])
    squares = drawn * drawn
    mean, variance = float(squares.mean()), float(squares.var())
    if mean <= 0 or variance <= 0:
        return 0.0
    return math.sqrt(float(gammainccinv(mean**2 / variance, rate)) * variance / mean)


def _deal(random: np.random.Generator, pooled: Ints, n: int, m: int, size: int) -> tuple[Ints, Ints]:
    if n + m < MOST:
        left = random.multivariate_hypergeometric(pooled, n, size=size, method="marginals")
        return left, pooled - left
    shares = pooled / float(n + m)
    return random.multinomial(n, shares, size=size), random.multinomial(m, shares, size=size)
