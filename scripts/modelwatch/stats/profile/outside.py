"""What lies beyond the edges' reach is summed up exactly, since there a bin may be as wide as the distance.

Beyond the greatest value of one side the area between two distribution functions is the mean excess of the other: with
exact sums Wasserstein's distance is exact there, however far values went.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .sums import UNIT_BITS, exact_total, to_float

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outside:
    """Exact totals of the values up to ``low`` and above ``high``, two of the edges, in steps of 2^-1126."""

    low: float
    high: float
    under: int = 0
    over: int = 0

    def of(self, finite: Floats) -> Outside:
        """With the same bounds, of these finite values."""
        return replace(
            self, under=exact_total(finite[finite <= self.low]), over=exact_total(finite[finite > self.high])
        )

    def merge(self, other: Outside) -> Outside:
        """Both together; the bounds are the same."""
        return replace(self, under=self.under + other.under, over=self.over + other.over)

    def excess(self, below: int, above: int, n: int) -> tuple[float, float]:
        """How far values lie below ``low`` and above ``high``, on average over ``n`` values of which so many do; NaN
        where that is beyond all floats."""
        under = Fraction(self.low) * below - Fraction(self.under, 1 << UNIT_BITS)
        over = Fraction(self.over, 1 << UNIT_BITS) - Fraction(self.high) * above
        return to_float(under / n), to_float(over / n)
