"""The result of one paired comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """``champion`` and ``candidate`` are NaN where the metric is not defined, ``low`` and ``high`` (bounds of
    candidate minus champion) where there is no interval for it."""

    champion: float
    candidate: float
    low: float
    high: float
    n: int
    """Rows that it is about; of a ranking queries."""
    how: str = ""
    """Method of the interval, as text."""
    p: float = math.nan
    """Two-sided p-value of a test of its own, where there is one."""
    gained: int = -1
    """Rows that the candidate alone got right; -1 where that is no question."""
    lost: int = -1
    """Rows that the champion alone got right."""
    unit: str = "rows"
    """What ``n``, ``gained`` and ``lost`` count: ``rows`` or ``queries``."""

    @property
    def value(self) -> float:
        return self.candidate - self.champion

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def undefined_difference(n: int, champion: float = math.nan, candidate: float = math.nan, how: str = "") -> Difference:
    return Difference(champion, candidate, math.nan, math.nan, n, how)
