"""Control charts: from standardised values to the points that signal.

``z`` (points): how many standard deviations each point lies above the centre line, oldest first. ``sides``: 1 for
signals above the centre, -1 for signals below; a pattern without a side counts for any. Run lengths are in
``run_length``.

Sources: Montgomery, Introduction to Statistical Quality Control (6th ed., 2009), chapters 6, 7 and 9; Western Electric,
Statistical Quality Control Handbook (1956); Nelson 1984, Journal of Quality Technology 16:237-239; Laney 2002,
Quality Engineering 14:531-537; Pierce and Schafer 1986, Journal of the American Statistical Association 81:977-986.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .arrays import Bools, Floats, Ints

MOVING_RANGE_SIGMA = 2 / np.sqrt(np.pi)
"""d2 of two: mean distance of two neighbours, in standard deviations (1.128)."""
MEMORY_LIMIT = 4.0
"""At most so many standard deviations of a point are expected to last: an outlier has no echo on the other side."""
_BLOCK = 64
BOUND = 1.645
"""Standard deviations of a one-sided 95 % bound."""
MAX_RESIDUAL = 5.0
"""A point counts at most so many standard deviations where the spread is measured."""


def shewhart_signals(z: Floats, limit: Floats | float, sides: Sequence[float]) -> Bools:
    """Points beyond ``limit`` standard deviations."""
    return _any_side([side * z > limit for side in sides])


def _any_side(signals: Sequence[Bools]) -> Bools:
    combined: Bools = np.any(signals, axis=0)
    return combined


def ewma(z: Floats, smoothing: float) -> Floats:
    """``y = smoothing * z + (1 - smoothing) * y``, which starts at 0 (Roberts 1959); ``smoothing`` in (0, 1]."""
    keep = 1 - smoothing
    lag = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    weights = np.where(lag >= 0, smoothing * keep ** np.maximum(lag, 0), 0.0)
    fade = keep ** np.arange(1, _BLOCK + 1)
    padded = np.zeros(-(-len(z) // _BLOCK) * _BLOCK)
    padded[: len(z)] = z
    blocks = padded.reshape(-1, _BLOCK) @ weights.T
    last = 0.0
    for block in blocks:
        block += last * fade
        last = block[-1]
    average: Floats = blocks.reshape(-1)[: len(z)]
    return average


def ewma_deviation(count: int, smoothing: float) -> Floats:
    """Exact standard deviation of the average at each of the first ``count`` points, in those of a point."""
    age = np.arange(1, count + 1)
    deviation: Floats = np.sqrt(smoothing / (2 - smoothing) * (1 - (1 - smoothing) ** (2 * age)))
    return deviation


def ewma_signals(z: Floats, smoothing: float, limit: Floats | float, sides: Sequence[float]) -> Bools:
    """Averages beyond ``limit`` of their own standard deviations, which grow until the start is forgotten."""
    return shewhart_signals(ewma(z, smoothing), limit * ewma_deviation(len(z), smoothing), sides)


def cusum(z: Floats, allowance: float, limit: Floats, head_start: float = 0.0) -> Floats:
    """The upper tabular CUSUM, ``s = max(0, s + z - allowance)``; it starts at ``head_start`` of its first limit.

    It is held at ``limit`` (points), where it signals: the first signal is the same, and after a recovery the sum
    falls at once instead of counting back what a long change has heaped up.
    """
    total = head_start * float(limit[0]) if len(limit) else 0.0
    sums = []
    for step, most in zip((z - allowance).tolist(), limit.tolist(), strict=True):
        total = min(max(total + step, 0.0), most)
        sums.append(total)
    return np.array(sums)


def cusum_signals(
    z: Floats, allowance: float, limit: Floats | float, sides: Sequence[float], head_start: float = 0.0
) -> Bools:
    """Points at which a sum reaches ``limit``. ``head_start`` 0.5 is the fast initial response of Lucas and Crosier
    (1982, Technometrics 24:199-205)."""
    limits = np.broadcast_to(np.asarray(limit, np.float64), z.shape)
    return _any_side([cusum(side * z, allowance, limits, head_start) >= limits for side in sides])


def holding(signals: Bools, is_back: Bools) -> Bools:
    """From each signal until the first point that is back: an average that hovers at its limit is one excursion."""
    row = np.arange(len(signals))
    newest, end = (np.maximum.accumulate(np.where(some, row, -1)) for some in (signals, is_back & ~signals))
    holds: Bools = newest > end
    return holds


def _count_of(flags: Bools, length: int) -> Ints:
    """How many of the newest ``length`` points have the flag, at each point."""
    total = np.cumsum(flags.astype(np.int64))
    before = np.zeros_like(total)
    before[length:] = total[:-length]
    return total - before


def _in_a_row(flags: Bools, length: int) -> Bools:
    complete: Bools = _count_of(flags, length) == length
    return complete


def _share_beyond(z: Floats, sides: Sequence[float], beyond: float, needed: int, length: int) -> Bools:
    """The point and enough of those before it lie beyond, on one side."""
    hits = [side * z > beyond for side in sides]
    return _any_side([hit & (_count_of(hit, length) >= needed) for hit in hits])


def _same_side(z: Floats, sides: Sequence[float], length: int) -> Bools:
    return _any_side([_in_a_row(side * z > 0, length) for side in sides])


def _trend(z: Floats, sides: Sequence[float], length: int) -> Bools:
    """Towards a side: every point beyond the one before."""
    steps = np.diff(z, prepend=np.nan)
    return _any_side([_in_a_row(side * steps > 0, length - 1) for side in sides])


def _alternation(z: Floats, length: int) -> Bools:
    turns = np.zeros(len(z), np.bool_)
    steps = np.diff(z)
    turns[2:] = steps[1:] * steps[:-1] < 0
    return _in_a_row(turns, length - 2)


NELSON: dict[int, Callable[[Floats, Sequence[float]], Bools]] = {
    1: lambda z, sides: shewhart_signals(z, 3.0, sides),
    2: lambda z, sides: _same_side(z, sides, 9),
    3: lambda z, sides: _trend(z, sides, 6),
    4: lambda z, _: _alternation(z, 14),
    5: lambda z, sides: _share_beyond(z, sides, 2.0, 2, 3),
    6: lambda z, sides: _share_beyond(z, sides, 1.0, 4, 5),
    7: lambda z, _: _in_a_row(np.abs(z) < 1, 15),
    8: lambda z, _: _in_a_row(np.abs(z) > 1, 8),
}
"""Nelson's tests: one point beyond 3 sigma; nine in a row on one side; six in a row rising or falling; fourteen in a
row alternating; two of three beyond 2 sigma; four of five beyond 1 sigma; fifteen in a row within 1 sigma; eight in a
row beyond 1 sigma on either side. 4, 7 and 8 have no side."""
WESTERN_ELECTRIC: dict[int, Callable[[Floats, Sequence[float]], Bools]] = {
    1: NELSON[1],
    2: NELSON[5],
    3: NELSON[6],
    4: lambda z, sides: _same_side(z, sides, 8),
}
"""One point beyond 3 sigma; two of three beyond 2; four of five beyond 1; eight in a row on one side."""


def rule_signals(
    z: Floats,
    tests: dict[int, Callable[[Floats, Sequence[float]], Bools]],
    rules: Sequence[int],
    sides: Sequence[float],
) -> Ints:
    """The first of ``rules`` that signals at each point, by number; 0 where none does.

    A rule signals at a point that completes its pattern and belongs to it.
    """
    signals = np.zeros(len(z), np.int64)
    for number in sorted(rules, reverse=True):
        signals[tests[number](z, sides)] = number
    return signals


def moving_range_deviation(z: Floats) -> float:
    """Standard deviation of independent points from the mean distance of neighbours: sigma z of Laney's charts, and the
    spread of an individuals chart. NaN below two points."""
    return float(np.abs(np.diff(z)).mean() / MOVING_RANGE_SIGMA) if len(z) > 1 else np.nan


def autocorrelation(z: Floats, is_neighbour: Bools) -> float:
    """Of neighbours, between 0 and 0.95; 0 where chance explains it.

    ``is_neighbour`` (points): whether a point follows the one before it without a gap. Corrected for the bias of
    short series (Marriott and Pope 1954, Biometrika 41:390-402).
    """
    apart = z - z.mean() if len(z) else z
    scale = float(np.square(apart).sum())
    pairs = int(is_neighbour[1:].sum())
    if pairs < 2 or not scale > 0:
        return 0.0
    raw = float((apart[1:] * apart[:-1])[is_neighbour[1:]].mean()) / (scale / len(z))
    corrected = raw + (1 + 3 * raw) / pairs
    return min(corrected, 0.95) if raw > 1.96 / np.sqrt(pairs) else 0.0


def innovations(z: Floats, correlation: Floats, is_neighbour: Bools) -> Floats:
    """What each point adds to what the point before it lets expect, standardised (Alwan and Roberts 1988, Journal of
    Business and Economic Statistics 6:87-95).

    Of a first-order autoregressive series with ``correlation`` (points) these are independent, so that every chart
    keeps its run length. A lasting shift shrinks to sqrt((1 - r) / (1 + r)) of itself, as it does in what can be known.
    """
    known = np.where(is_neighbour, correlation, 0.0)
    before = np.clip(np.concatenate([[0.0], z[:-1]]) if len(z) else z, -MEMORY_LIMIT, MEMORY_LIMIT)
    residual: Floats = (z - known * before) / np.sqrt(1 - known**2)
    return residual


def share_scores(values: Floats, centre: Floats | float, count: Floats, correction: float = 0.0) -> Floats:
    """Nearly normal scores of shares of ``count`` trials whose chance is ``centre`` (Pierce and Schafer): charts then
    signal as seldom on the long side of the binomial distribution as on the short one.

    ``correction``: by how many successes each is moved towards the centre; 0.5 for tails of single points.
    """
    p = np.clip(centre, 1e-12, 1 - 1e-12)
    x = _towards(values, p, correction / count)
    deviance = 2 * count * (_relative_entropy(x, p) + _relative_entropy(1 - x, 1 - p))
    skewness = (1 - 2 * p) / np.sqrt(count * p * (1 - p))
    scores: Floats = np.sign(x - p) * np.sqrt(np.maximum(deviance, 0.0)) + skewness / 6
    return scores


def rate_scores(values: Floats, centre: Floats | float, exposure: Floats, correction: float = 0.0) -> Floats:
    """The same for Poisson rates of so much exposure."""
    rate = np.maximum(centre, 1e-12)
    x = _towards(np.maximum(values, 0.0), rate, correction / exposure)
    deviance = 2 * exposure * (_relative_entropy(x, rate) - (x - rate))
    scores: Floats = np.sign(x - rate) * np.sqrt(np.maximum(deviance, 0.0)) + 1 / (6 * np.sqrt(exposure * rate))
    return scores


def _towards(values: Floats, centre: Floats | float, step: Floats) -> Floats:
    apart = values - centre
    moved: Floats = centre + np.sign(apart) * np.maximum(np.abs(apart) - step, 0.0)
    return moved


def _relative_entropy(x: Floats, p: Floats | float) -> Floats:
    """``x log(x / p)``, 0 at 0."""
    ratio = x / p
    entropy: Floats = x * np.log(np.where(ratio > 0, ratio, 1.0))
    return entropy


def dispersion_bound(z: Floats, smoothing: float) -> float:
    """Upper bound of how much more the average of ``z`` varies than that of independent points of variance 1: a ratio
    of variances, at least 1. Slow changes that the autocorrelation of neighbours does not show widen it.

    The middle of four stretches counts, so that one that was broken does not hide the next. In simulations the bound
    held in 89 % of the cases (hours of four weeks, 15 % of their variance wandering with an autocorrelation of 0.8).
    """
    average = ewma(np.clip(z, -MAX_RESIDUAL, MAX_RESIDUAL), smoothing)
    relative = average**2 / ewma_deviation(len(z), smoothing) ** 2
    ratio = float(np.median([part.mean() for part in np.array_split(relative, 4)]))
    kept = (1 - smoothing) ** 2
    degrees = len(z) * (1 - kept) / (1 + kept)  # of squares that neighbours have in common
    # The quantile of chi-square of Wilson and Hilferty (1931).
    low = max(1 - 2 / (9 * degrees) - BOUND * math.sqrt(2 / (9 * degrees)), 0.1) ** 3
    return max(ratio / low, 1.0)
