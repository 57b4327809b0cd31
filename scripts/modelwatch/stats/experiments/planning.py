"""How many units an experiment takes to show an effect, and which effect a number of units can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from .confidence_sequence import boundary

POWER = 0.8
"""The chance to have found the effect by then."""
MAX_UNITS = 1e12


def minimal_effect(
    units: float,
    variances: Sequence[float],
    shares: Sequence[float],
    planned: float,
    alpha: float,
) -> float:
    """The smallest difference that ``units`` in all show with a probability of at least ``POWER``.

    ``variances``: of a unit of treatment and control; ``shares``: theirs of all units; ``planned``: units for which
    intervals are the narrowest. A bound: the chance that the interval of the last look excludes 0, and earlier looks
    only add to it.
    """
    of_one = sum(variance / share for variance, share in zip(variances, shares, strict=True))
    reach = float(boundary(np.asarray(units / planned), alpha))
    return (reach + NormalDist().inv_cdf(POWER)) * math.sqrt(of_one / units)


def required_units(
    effect: float,
    variances: Sequence[float],
    shares: Sequence[float],
    planned: float,
    alpha: float,
) -> float:
    """Units in all, at most, until a difference of ``effect`` shows with a probability of ``POWER``; arguments as
    above. Infinite beyond ``MAX_UNITS``."""
    low, high = 1.0, MAX_UNITS
    if effect == 0 or minimal_effect(high, variances, shares, planned, alpha) > abs(effect):
        return math.inf
    for _ in range(100):
        middle = math.sqrt(low * high)
        if minimal_effect(middle, variances, shares, planned, alpha) > abs(effect):
            low = middle
        else:
            high = middle
    return math.ceil(high)
