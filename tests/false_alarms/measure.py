"""Alarm rates of the default judgement of every method: p-value at the stated rate, from 100 values a side on.

A window and its reference are both fresh draws of one size. An alarm here is significance alone; the default asks for
an effect beside it (``with effect``), which only makes alarms fewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from modelwatch.stats.drift import counts, ordered
from modelwatch.stats.drift.bins import count, quantile_edges
from modelwatch.stats.drift.measures import BY_BINS, BY_ORDER, METHODS
from modelwatch.stats.drift.permutation import permuted_p
from modelwatch.stats.limits import LEAST_EFFECT, RATE, enough

from .worlds import Draw

FINE = 64
"""Bins over both sides in which values are dealt anew for Wasserstein's p-value."""


@dataclass(slots=True)
class Tally:
    windows: int = 0
    alarms: int = 0
    with_effect: int = 0

    @property
    def share(self) -> float:
        return self.alarms / self.windows if self.windows else math.nan

    @property
    def least(self) -> float:
        """99 % lower bound of the rate (Clopper and Pearson 1934, one-sided)."""
        k, n = self.alarms, self.windows
        return float(beta.ppf(0.01, k, n - k + 1)) if k else 0.0

    @property
    def power(self) -> float:
        return self.with_effect / self.windows if self.windows else math.nan


def alarms_of(
    before: Draw, after: Draw, size: int, windows: int, categories: bool, rng: np.random.Generator, rate: float = RATE
) -> dict[str, Tally]:
    tallies = {method: Tally() for method in (BY_BINS if categories else METHODS)}
    for _ in range(windows):
        one = before(rng, size), after(rng, size)
        found = _categories(*one) if categories else _numbers(*one)
        for method, (p_value, effect) in found.items():
            tally = tallies[method]
            tally.windows += 1
            alarm = bool(enough(size, size)) and p_value <= rate
            tally.alarms += alarm
            tally.with_effect += alarm and effect >= LEAST_EFFECT[method]
    return tallies


def _categories(r: np.ndarray, c: np.ndarray) -> dict[str, tuple[float, float]]:
    return _by_bins(r, c)


def _numbers(reference: np.ndarray, current: np.ndarray) -> dict[str, tuple[float, float]]:
    r, c = np.sort(reference), np.sort(current)
    n, m = len(r), len(c)
    edges = quantile_edges(r)
    found = _by_bins(count(r, edges), count(c, edges))
    both = np.concatenate([r, c])
    both.sort(kind="stable")
    points = both[np.append(both[1:] != both[:-1], True)]
    left, right = (np.diff(np.searchsorted(side, points, side="right"), prepend=0) for side in (r, c))
    gap = ordered.gaps(left, right)
    distance = float(ordered.kolmogorov_smirnov(gap))
    found["ks"] = float(ordered.kolmogorov_tail(distance, n, m)), distance
    square = float(ordered.cramer_von_mises(left, right))
    found["cramer_von_mises"] = float(ordered.cramer_von_mises_tail(square, n, m)), square * (n + m) / (n * m)
    moved = float(ordered.wasserstein_steps(gap, points))
    # By permutation over bins of both sides together.
    cuts = quantile_edges(both, FINE)
    ends = np.append(cuts, both[-1])
    p_value = permuted_p("wasserstein", count(r, cuts), count(c, cuts), points=ends)
    found["wasserstein"] = p_value, moved / float(np.std(r))
    return found


def _by_bins(r: np.ndarray, c: np.ndarray) -> dict[str, tuple[float, float]]:
    n, m = int(r.sum()), int(c.sum())
    found = {}
    for method, measure in BY_BINS.items():
        value = float(measure(r, c))
        if method == "total_variation":
            found[method] = permuted_p(method, r, c), value
            continue
        df = counts.freedom(r, c)
        p_value = float(counts.tail(counts.as_chi_square(method, value, n, m, df), df))
        found[method] = p_value, float(counts.cohens_w(value, n, m)) if method == "chi_square" else value
    return found


assert set(BY_BINS) | set(BY_ORDER) == set(METHODS)
