"""E-detectors: sequential tests whose mean time to a false alarm holds however often one looks.

An e-value is a number that is at most 1 on average where nothing is wrong; a likelihood ratio is one. The detector
of Shin, Ramdas and Rinaldo (2023, arXiv:2203.03532) starts a test at every point, and adds their products:
``M = (M + w) e``. Here ``w`` is the time since the point before, so that ``M`` grows by time, not by points: where
nothing is wrong, ``M`` minus the time that has passed is a supermartingale, and the mean time until ``M`` first
reaches a budget ``c`` is at least ``c``, for any rate of logging and of looking. All of it in logarithms.
"""

from __future__ import annotations

import math

import numpy as np

from ..timeutil import DAY
from .arrays import Floats, Ints

TAIL_DEGREES = 5.0
"""Degrees of freedom of the tails of means: an outlier of 10 standard deviations counts as 9 nats, not 50."""
MAX_COUNT_EVIDENCE = 5.0
"""Nats of a single point of a sum: one burst alone proves no rise."""
MAX_TAIL_EVIDENCE = 5.0
"""Nats of a single mean by how unlikely it is, whatever its size: one glitch alone proves nothing."""


def proportion_log_e(successes: Floats, trials: Floats, bound: Floats, alternatives: Floats) -> Floats:
    """log e of each point: binomial likelihood ratio of each alternative to the bound; (alternatives, points).

    ``bound`` (points) and ``alternatives`` (alternatives, points) lie strictly between 0 and 1. For alternatives on
    one side of the bound the ratio is an e-value for every proportion on the other side. Counts need not be whole:
    divided by a dispersion they weigh less.
    """
    failures = trials - successes
    ratio: Floats = successes * np.log(alternatives / bound) + failures * np.log((1 - alternatives) / (1 - bound))
    return ratio


def count_log_e(rates: Floats, exposure: Floats, bound: Floats, alternatives: Floats) -> Floats:
    """log e of each point: Poisson likelihood ratio of each alternative to the bound; (alternatives, points).

    ``rates`` (points) are counts over ``exposure``, ``bound`` (points) and ``alternatives`` (alternatives, points) are
    positive rates. Divided by a dispersion the exposure weighs less: then the ratio has the mean and the variance of
    the counts right, and nothing more, so a single point counts at most ``MAX_COUNT_EVIDENCE``.
    """
    ratio: Floats = exposure * (rates * np.log(alternatives / bound) - (alternatives - bound))
    return np.minimum(ratio, MAX_COUNT_EVIDENCE)


def location_log_e(excess: Floats, shifts: Floats) -> Floats:
    """log e of each point: likelihood ratio of a shift to none under Student's t; (shifts, points).

    ``excess`` (points): how far beyond the bound, in standard deviations; ``shifts`` (shifts, points): the same of
    each alternative. The promise is that of an approximation: it holds where the noise is no heavier than t with
    ``TAIL_DEGREES``.
    """
    power = (TAIL_DEGREES + 1) / 2
    ratio: Floats = power * (np.log1p(excess**2 / TAIL_DEGREES) - np.log1p((excess - shifts) ** 2 / TAIL_DEGREES))
    return ratio


def tail_log_e(excess: Floats) -> Floats:
    """log e of each point by how unlikely so large an excess is under Student's t, for a change of any size: a ratio to
    a shift says the less, the further beyond the shift a point lies. One shape.

    ``1 / (2 sqrt p)`` of the tail's probability p is 1 on average (Shafer and others 2011, Statistical Science
    26:84-101), and at most 1 of what lies lower.
    """
    angle = np.arctan(excess / math.sqrt(TAIL_DEGREES))
    cosine = np.cos(angle)
    # The distribution function for 5 degrees of freedom (Abramowitz and Stegun 26.7.3).
    below = (angle + np.sin(angle) * cosine * (1 + 2 / 3 * cosine**2)) / math.pi
    log_e: Floats = -np.log(2 * np.sqrt(np.maximum(0.5 - below, math.exp(-2 * MAX_TAIL_EVIDENCE) / 4)))
    return log_e


def most_proportion_log_e(p: Floats, trials: Floats, bound: Floats) -> Floats:
    """The most that ``proportion_log_e`` can be of points that lie beyond the bound, whatever the alternative: that of
    the point's own proportion. Points on the other side give 0 at most. One shape."""
    rest = 1 - p
    ratio = np.log(np.where(p > 0, p, bound) / bound), np.log(np.where(rest > 0, rest, 1 - bound) / (1 - bound))
    most: Floats = trials * (p * ratio[0] + rest * ratio[1])
    return most


def most_location_log_e(excess: Floats) -> Floats:
    """The same of ``location_log_e`` (and of ``tail_log_e``): a shift as large as the excess, which is positive."""
    most: Floats = (TAIL_DEGREES + 1) / 2 * np.log1p(excess**2 / TAIL_DEGREES)
    return most


def log_evidence(log_e: Floats, log_start: Floats) -> Floats:
    """log M at each point, averaged over the alternatives; ``log_start`` is log w of each point."""
    total = np.cumsum(log_e, axis=1)
    before = np.zeros_like(total)
    before[:, 1:] = total[:, :-1]
    paths = total + np.logaddexp.accumulate(log_start - before, axis=1)
    top = paths.max(axis=0)
    evidence: Floats = top + np.log(np.exp(paths - top).mean(axis=0))
    return evidence


def log_end_starts(elapsed: Floats) -> Floats:
    """log w of each point for a test of whether something is over: 1 for the first point, where that is likely, and
    then 1 a day. So M is at most 1 on average from the first, and has grown by 1 a day: it reaches c falsely after
    c - 1 days on average at the soonest (Shiryaev and Roberts), or from the first point
    with a chance of 1 / c (Ville 1939).

    ``elapsed``: seconds since the test began, of the point before the first one, and of each.
    """
    weights = np.diff(elapsed) / DAY
    weights[:1] = 1.0
    log_start: Floats = np.log(weights)
    return log_start


def evidence_bound(log_e: Floats, log_start: Floats) -> Floats:
    """An upper bound of log M over all points, at a fifth of its cost: every test begins where it suits best.

    ``log_e``: (..., alternatives, points); one bound for each of the leading places.
    """
    total = np.cumsum(log_e, axis=-1)
    lowest = np.minimum(np.minimum.accumulate(total, axis=-1), 0.0)
    highest = np.max(total[..., 1:] - lowest[..., :-1], axis=-1, initial=-np.inf)
    highest = np.maximum(highest, total[..., 0])
    top = highest.max(axis=-1, keepdims=True)
    mean: Floats = top[..., 0] + np.log(np.exp(highest - top).mean(axis=-1))
    return mean + float(np.log(np.exp(log_start).sum()))


def best_start(log_e: Floats) -> Ints:
    """At each point the first point of the stretch that ends there and speaks most for the alternative."""
    before = np.zeros(len(log_e))
    np.cumsum(log_e[:-1], out=before[1:])
    is_lowest = before <= np.minimum.accumulate(before)
    starts: Ints = np.maximum.accumulate(np.where(is_lowest, np.arange(len(log_e)), 0))
    return starts
