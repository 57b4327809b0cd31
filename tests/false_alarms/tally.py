"""How many of so many windows alarmed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

DOUBT = 0.01
"""How often a bound may be wrong."""


@dataclass(frozen=True, slots=True)
class Tally:
    windows: int = 0
    alarms: int = 0
    with_effect: int = 0
    """Alarms whose effect also reaches the least that a tier asks for."""

    @classmethod
    def of(cls, alarms: ArrayLike, effect: ArrayLike = True) -> Tally:
        alarm = np.asarray(alarms, dtype=np.bool_)
        return cls(alarm.size, int(alarm.sum()), int((alarm & np.asarray(effect, dtype=np.bool_)).sum()))

    def __add__(self, other: Tally) -> Tally:
        sums = self.windows + other.windows, self.alarms + other.alarms, self.with_effect + other.with_effect
        return Tally(*sums)

    @property
    def share(self) -> float:
        return self.alarms / self.windows if self.windows else math.nan

    def least(self, tests: int = 1) -> float:
        """99 % lower bound of the rate (Clopper and Pearson 1934, one-sided); with Bonferroni's correction where it is
        one of several ``tests``."""
        k, n = self.alarms, self.windows
        return float(beta.ppf(DOUBT / tests, k, n - k + 1)) if k else 0.0

    @property
    def power(self) -> float:
        return self.with_effect / self.windows if self.windows else math.nan
