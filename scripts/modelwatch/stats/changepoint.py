"""When a series of means changed: all changes at once, and the start of the newest stretch that is worse than normal.

``find_change_points`` finds the exact optimum of the penalised least-squares cost, the one that PELT finds (Killick,
Fearnhead and Eckley 2012); the tests compare it with ``ruptures``. It is written here because it has to weigh points by
their counts, which ruptures does not, and because an import of ruptures takes longer than judging a thousand rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats, Ints

MAX_POINTS = 2000
"""Points that ``degradation_onset`` looks at, from the newest back: the search is quadratic."""
MIN_STRETCH = 2
"""Points that a stretch has at least."""
ENDS_AT_ONCE = 32
"""Ends of stretches whose costs are computed together."""
PENALTY_FACTOR = 3.0
"""A further change must lower the cost by this many times ``variance * log(points)``."""

PLAUSIBLE = 9.0
"""A start is plausible if it fits worse than the best by at most this many times the variance: the true start of a step
of half the noise or more is among them in at least 95 of 100 simulated series."""


@dataclass(frozen=True, slots=True)
class OnsetInterval:
    """Where a worse stretch begins, as indices of points: the best start, and the plausible ones around it."""

    best: int
    earliest: int
    latest: int


def find_change_points(
    values: ArrayLike, weights: ArrayLike | None = None, *, penalty: float | None = None, min_stretch: int = MIN_STRETCH
) -> Ints:
    """Where a new stretch begins (indices, ascending, without 0), for the least ``cost + penalty * stretches``.

    The cost of a stretch is the weighted sum of squares around its mean. ``penalty`` is by default
    ``PENALTY_FACTOR * noise_variance(values, weights) * log(points)``. Values must be finite, weights greater than 0.
    Fewer than two stretches' points, or a constant series: no change.
    """
    x, w = _validated_columns(values, weights)
    count = len(x)
    size = float(np.abs(x).max(initial=0.0))
    if count < 2 * min_stretch or size == 0.0:
        return np.zeros(0, dtype=np.int64)
    # Scaled, so that no square overflows, and centred: the cost is a difference of running sums, which loses digits
    # far from zero.
    x = x / size
    price = PENALTY_FACTOR * noise_variance(x, w) * math.log(count) if penalty is None else penalty / size / size
    x = x - np.average(x, weights=w)
    mass, first, second = (np.append(0.0, np.cumsum(column)) for column in (w, w * x, w * x * x))
    best = np.full(count + 1, np.inf)
    best[0] = -price
    origin = np.zeros(count + 1, dtype=np.int64)
    for begin in range(min_stretch, count + 1, ENDS_AT_ONCE):
        ends = np.arange(begin, min(begin + ENDS_AT_ONCE, count + 1))
        before = slice(0, int(ends[-1]) - min_stretch + 1)
        total, total_x, total_xx = (column[ends, None] - column[before] for column in (mass, first, second))
        with np.errstate(divide="ignore", invalid="ignore"):  # starts behind their end are not looked at
            cost = np.maximum(total_xx - total_x**2 / total, 0.0)
        for end, row in zip(ends.tolist(), cost, strict=True):
            last = end - min_stretch + 1
            penalised = best[:last] + row[:last] + price
            # Of equals the later start would split nothing into two: the first one wins.
            chosen = int(penalised.argmin())
            best[end], origin[end] = penalised[chosen], chosen
    starts: list[int] = []
    at = int(origin[count])
    while at > 0:
        starts.append(at)
        at = int(origin[at])
    return np.array(starts[::-1], dtype=np.int64)


def noise_variance(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Variance of a point of weight 1 around a mean that changes rarely: from the middle difference of neighbours.

    The median of ``|x_{i+1} - x_i| / sqrt(1/w_i + 1/w_{i+1})`` over that of a standard normal. Where more than half of
    the neighbours are equal it is the mean square instead, so that a few noisy points still count.
    """
    x, w = _validated_columns(values, weights)
    if len(x) < 2:
        return 0.0
    with np.errstate(over="ignore"):  # infinite, where it is beyond all floats
        scaled = np.abs(np.diff(x)) / np.sqrt(1 / w[1:] + 1 / w[:-1])
        middle = np.median(scaled) / 0.6744897501960817
        return float(middle * middle if middle > 0 else np.mean(scaled**2))


def degradation_onset(
    values: ArrayLike, normal: float, *, worse_sign: int, weights: ArrayLike | None = None
) -> OnsetInterval | None:
    """The first point of the newest unbroken run of stretches that lie on the worse side of ``normal``.

    ``worse_sign`` is -1 where lower is worse, else 1. Going back, a stretch counts while it is further from ``normal``
    than its own noise, and at least a quarter as far as the stretch after it. ``None`` where the newest stretch is not
    worse, or covers the whole series (it began before the first point). The first point itself is where a step, or a
    line that leaves the level before it (a slow fall), fits best.
    """
    x, w = _validated_columns(values, weights)
    skipped = max(0, len(x) - MAX_POINTS)
    x, w = x[skipped:], w[skipped:]
    size = float(np.abs(x).max(initial=abs(normal))) or 1.0
    x, normal = x / size, normal / size
    inner = find_change_points(x, w)
    edges = [0, *(int(edge) for edge in inner), len(x)]
    if len(edges) < 3:
        return None
    unit = noise_variance(x, w)
    stretches = [slice(low, high) for low, high in pairwise(edges)]
    # How far each stretch lies on the worse side, and how far its own noise reaches.
    away = [worse_sign * (float(np.average(x[rows], weights=w[rows])) - normal) for rows in stretches]
    sure = [2 * math.sqrt(unit / float(w[rows].sum())) for rows in stretches]
    if not away[-1] > sure[-1]:
        return None
    first = len(away) - 1
    while first > 0 and away[first - 1] > max(away[first] / 4, sure[first - 1]):
        first -= 1
    if first == 0:
        return None
    start, until = edges[first - 1], edges[first + 1]
    return _fit_onset(x[start:until], w[start:until], PLAUSIBLE * unit, skipped + start)


def _fit_onset(x: Floats, w: Floats, margin: float, offset: int) -> OnsetInterval:
    """Where a level ends, by the better of a step and a line that starts at the level, each with its best start.
    ``margin``: by how much a plausible start may cost more; ``offset``: the index of the first point.

    Every start's sums of squares at once, out of running sums of the centred points: up to each start, without it, and
    from each start on.
    """
    x = x - np.average(x, weights=w)
    place = np.arange(1.0, len(x))  # a start at index s counts its points 1, 2, ... from s on
    mass, first, second = (np.cumsum(column)[:-1] for column in (w, w * x, w * x * x))
    level = first / mass
    before = second - level * first
    rank = np.arange(float(len(x)))
    columns = (w, w * x, w * x * x, w * rank, w * rank * rank, w * rank * x)
    mass, first, second, ranks, squares, product = (np.cumsum(column[::-1])[::-1][1:] for column in columns)
    ramp = ranks - (place - 1) * mass
    ramp_squares = squares - 2 * (place - 1) * ranks + (place - 1) ** 2 * mass
    along = product - (place - 1) * first - level * ramp
    step = second - first**2 / mass
    line = second - 2 * level * first + level**2 * mass - along**2 / ramp_squares
    cost = before + np.minimum(step, line)
    best = int(np.argmin(cost))
    unlikely = np.flatnonzero(cost > cost[best] + margin)
    earliest = int(unlikely[unlikely < best].max(initial=-1)) + 1
    latest = int(unlikely[unlikely > best].min(initial=len(cost))) - 1
    return OnsetInterval(*(1 + offset + start for start in (best, earliest, latest)))


def _validated_columns(values: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    x = np.asarray(values, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.shape != w.shape or not (np.isfinite(x).all() and np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("values must be finite, with as many weights greater than 0")
    return x, w
