"""Evidence that a distribution has moved by more than a given distance: e-values of batches, and their e-detector.

A batch of ``n`` values is compared with a reference by Pearson's chi-square. Where the distributions are ``delta``
apart (the chi-square divergence, the sum of (q - p)^2 / p), the statistic follows a noncentral chi-square with
noncentrality ``n delta``. Its density ratio of a larger noncentrality to a smaller one grows with the statistic, so it
is an e-value for every distance up to the smaller one. All in logarithms.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Floats

UNIFORM_ORDER = 10.0
"""From this order on Bessel functions are taken from their uniform expansion (Debye; DLMF 10.41.3)."""
SCALE = {
    "psi": (1.0, 1),
    "jensen_shannon": (8 * math.log(2), 2),
    "hellinger": (8.0, 2),
    "chi_square": (4.0, 2),
    "total_variation": (4.0, 2),
    "squared_variation": (8.0, 1),
    "ks": (4.0, 2),
    "wasserstein": (1.0, 2),
    "cramer_von_mises": (2 * math.pi * math.sqrt(3), 1),
}
"""Factor and power that turn an effect into the chi-square divergence behind it. For f-divergences and Cohen's w to
second order; for total variation and Kolmogorov-Smirnov the least there can be (two halves); for Wasserstein and
Cramer-von Mises that of a small shift of a normal distribution."""


def divergence(method: str, effect: float) -> float:
    """The chi-square divergence behind an effect of ``method`` (its full name)."""
    factor, power = SCALE[method]
    return float(factor * effect**power)


def noncentral_log_ratio(statistic: Floats, df: Floats, least: Floats, sought: Floats) -> Floats:
    """log of the density of a noncentral chi-square at noncentrality ``sought`` over that at ``least`` (positive and
    smaller); the arguments broadcast."""
    order = df / 2 - 1
    root = np.sqrt(np.maximum(statistic, 1e-12))
    bessel = log_bessel(order, root * np.sqrt(sought)) - log_bessel(order, root * np.sqrt(least))
    return np.asarray(bessel - (sought - least) / 2 - order / 2 * np.log(sought / least))


def log_bessel(order: Floats, argument: Floats) -> Floats:
    """log of the modified Bessel function of the first kind, for orders from -1/2 on and positive arguments."""
    from scipy.special import ive

    order, argument = np.broadcast_arrays(order, argument)
    with np.errstate(all="ignore"):
        result = np.log(ive(order, argument)) + argument
        large = order >= UNIFORM_ORDER
        if large.any():
            result[large] = _uniform_log_bessel(order[large], argument[large])
    return np.asarray(result)


def _uniform_log_bessel(order: Floats, argument: Floats) -> Floats:
    scaled = argument / order
    t = 1 / np.sqrt(1 + scaled**2)
    exponent = order * (1 / t + np.log(scaled * t / (1 + t)))
    first, second = (3 * t - 5 * t**3) / 24, (81 * t**2 - 462 * t**4 + 385 * t**6) / 1152
    correction = np.log1p(first / order + second / order**2)
    return np.asarray(exponent + (np.log(t) - np.log(2 * np.pi * order)) / 2 + correction)


def reference_error(df: Floats, tests: int, rate: float) -> Floats:
    """What the divergence of a reference of one value from its source exceeds at most in a share ``rate`` of
    ``tests`` references (of m values: an m-th of it; Laurent and Massart 2000, lemma 1)."""
    far = math.log(max(tests, 1) / rate)
    return np.asarray(df + 2 * np.sqrt(df * far) + 2 * far)


def capped_log_evidence(log_e: Floats, log_start: Floats, cap: float) -> Floats:
    """log M of the e-detector after each batch (last axis): ``M = (M + w) e``, never above ``cap``, so that what is
    over is soon forgotten. A smaller M alarms no earlier. ``log_start``: log w of each batch."""
    evidence = np.empty_like(log_e)
    current = np.full(log_e.shape[:-1], -np.inf)
    for place in range(log_e.shape[-1]):
        current = np.minimum(np.logaddexp(current, log_start[place]) + log_e[..., place], cap)
        evidence[..., place] = current
    return evidence


def log_mean(log_values: Floats, axis: int) -> Floats:
    """log of the mean along an axis; minus infinity counts as 0."""
    return np.asarray(np.logaddexp.reduce(log_values, axis=axis) - math.log(log_values.shape[axis]))


def adjust_evidence(log_evidence: Floats) -> Floats:
    """e-BH (Wang and Ramdas 2022, JRSS B 84:822-852) along the first axis: test by test the largest budget at which it
    is among the discoveries.

    The k-th largest of K counts ``k / K`` times. A discovery at the budget c means that the mean of all is at least c,
    and the mean of e-detectors is one.
    """
    if not len(log_evidence):
        return log_evidence
    order = np.argsort(-log_evidence, axis=0, kind="stable")
    ranked = np.take_along_axis(log_evidence, order, axis=0)
    rank = np.arange(1, len(ranked) + 1).reshape(-1, *(1,) * (ranked.ndim - 1))
    weighted = ranked + np.log(rank / len(ranked))
    best = np.maximum.accumulate(weighted[::-1], axis=0)[::-1]
    result = np.empty_like(best)
    np.put_along_axis(result, order, best, axis=0)
    return result
