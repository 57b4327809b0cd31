"""How many units an experiment takes to show an effect, and which effect a number of units can show."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from .confidence_sequence import boundary

POWER = 0.8
"""The chance to have found the effect by then."""
MAX_UNITS = 1e12


def minimal_effect(units: float, unit_variance: float, planned: float, alpha: float) -> float:
    """The smallest difference that ``units`` in all show with a probability of at least ``POWER``.

    ``unit_variance``: the variance of the difference, times the units that it is of; ``planned``: units for which
    intervals are the narrowest. A bound: the chance that the interval of the last look excludes 0, and earlier looks
    only add to it.
    """
    reach = float(boundary(np.asarray(units / planned), alpha))
    return (reach + NormalDist().inv_cdf(POWER)) * math.sqrt(unit_variance / units)


def required_units(effect: float, unit_variance: float, planned: float, alpha: float) -> float:
    """Units in all, at most, until a difference of ``effect`` shows with a probability of ``POWER``; arguments as
    above. Infinite beyond ``MAX_UNITS``."""
    low, high = 1.0, MAX_UNITS
    if effect == 0 or minimal_effect(high, unit_variance, planned, alpha) > abs(effect):
        return math.inf
    for _ in range(100):
        middle = math.sqrt(low * high)
        if minimal_effect(middle, unit_variance, planned, alpha) > abs(effect):
            low = middle
        else:
            high = middle
    return math.ceil(high)
