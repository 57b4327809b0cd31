"""Confidence sequences: intervals that hold at all looks together, so that one may look daily and stop at any time.

The estimate of a difference of means, divided by its variance, is a Brownian motion whose time is 1 / variance,
however units are shared out among the arms over time (Jennison and Turnbull 2000, "Group Sequential Methods", ch. 3).
A mixture of normal distributions over the effect makes of it a martingale (Robbins 1970, Annals of Mathematical
Statistics 41:1397-1409), and Ville's inequality an interval at all times. That the estimate is only nearly normal, and
its variance estimated, is what asymptotic confidence sequences allow for (Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics
52:2613-2640): they hold from a first look on at which there are enough units, ``MIN_UNITS`` and ``MAX_SHARE`` here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Bools, Floats
from .effect import Effect

MIN_UNITS = 100
"""In each arm, before an interval is given."""
MAX_SHARE = 1 / 5
"""Of the variance that a single unit may have: of a proportion, about five events in the smaller arm."""


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Bounds of one shape; infinite where nothing is known yet."""

    low: Floats
    high: Floats


def mixture_scale(alpha: float) -> float:
    """The variance of the mixture over the variance at the planned units that makes the interval there the narrowest
    (Waudby-Smith and others 2024, appendix B.2)."""
    return -2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))


def boundary(information: Floats, alpha: float) -> Floats:
    """How many standard errors the interval reaches to either side. ``information``: the planned variance over that of
    today, 0 at the beginning and 1 at the planned units."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = mixture_scale(alpha) * information
        reach: Floats = np.sqrt((1 + 1 / scaled) * (np.log1p(scaled) - 2 * math.log(alpha)))
    return reach


def one_sided_boundary(information: Floats, alpha: float) -> Floats:
    """The same of a bound on one side alone (Howard, Ramdas, McAuliffe and Sekhon 2021, "Time-uniform, nonparametric,
    nonasymptotic confidence sequences", Annals of Statistics 49:1055-1080, equation 15)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = mixture_scale(2 * alpha) * information
        reach: Floats = np.sqrt((1 + 1 / scaled) * 2 * np.log1p(np.sqrt(1 + scaled) / (2 * alpha)))
    return reach


def is_ready(effect: Effect) -> Bools:
    """Whether there is enough for a normal approximation."""
    with np.errstate(invalid="ignore"):
        is_even = (effect.largest_share <= MAX_SHARE) & (effect.variance > 0)
        return np.asarray((effect.units >= MIN_UNITS) & is_even)


def difference_interval(effect: Effect, alpha: float) -> Interval:
    """Of the difference."""
    half = boundary(_information(effect), alpha) * np.sqrt(effect.variance)
    return Interval(effect.difference - half, effect.difference + half)


def one_sided_bounds(effect: Effect, alpha: float) -> Interval:
    """A lower and an upper bound of the difference, each of which holds alone with ``1 - alpha``."""
    half = one_sided_boundary(_information(effect), alpha) * np.sqrt(effect.variance)
    return Interval(effect.difference - half, effect.difference + half)


def lift_interval(effect: Effect, alpha: float) -> Interval:
    """Of the difference as a share of the control's value (Fieller 1954, JRSS B 16:175-185). Unbounded where the
    control's value cannot be distinguished from 0."""
    return _lift_bounds(effect, boundary(_information(effect), alpha))


def one_sided_lift_bounds(effect: Effect, alpha: float) -> Interval:
    """The same as a lower and an upper bound, each of which holds alone with ``1 - alpha``."""
    return _lift_bounds(effect, one_sided_boundary(_information(effect), alpha))


def shift_by_control(effect: Effect, share: float) -> Effect:
    """The effect plus a share of the size of the control's value: what is left of a margin."""
    signed = share * np.sign(effect.control)
    variance = effect.variance + 2 * signed * effect.covariance + signed**2 * effect.control_variance
    return replace(effect, difference=effect.difference + signed * effect.control, variance=variance)


def _lift_bounds(effect: Effect, reach: Floats) -> Interval:
    square = reach**2
    # All lifts l with (difference - l control)^2 <= square * variance of (difference - l control).
    a = effect.control**2 - square * effect.control_variance
    b = effect.difference * effect.control - square * effect.covariance
    c = effect.difference**2 - square * effect.variance
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
        is_bounded = a > 0
        low = np.where(is_bounded, (b - root) / a, -np.inf)
        high = np.where(is_bounded, (b + root) / a, np.inf)
    # Of a control below 0, a gain is a positive share, too.
    sign = np.sign(effect.control)
    return Interval(np.where(sign < 0, -high, low), np.where(sign < 0, -low, high))


def log_evidence_of_harm(effect: Effect, *, higher_is_better: bool, alpha: float) -> Floats:
    """log of the evidence that the treatment does harm: at most 1 on average, at any time, where it does none. The
    mixture of the one-sided bound: half a normal distribution."""
    scaled = mixture_scale(2 * alpha) * _information(effect)
    z = effect.difference / np.sqrt(effect.variance) * (-1 if higher_is_better else 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = z * np.sqrt(scaled / (1 + scaled))
        evidence: Floats = shift**2 / 2 - np.log1p(scaled) / 2 + math.log(2) + _log_normal_cdf(shift)
    return evidence


def _information(effect: Effect) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        information: Floats = effect.planned_variance / effect.variance
    return information


def _log_normal_cdf(z: Floats) -> Floats:
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr(z))
