"""Sums of real numbers that are the same in whatever order, and in whatever parts, they are added up.

Float addition depends on its order, so a total is kept as a whole number of steps of 2^-1126: every float64 is one, and
whole numbers of Python have no end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ..arrays import Floats

UNIT_BITS = 1126
_HALF_BITS = 26
"""Bits: with halves of a mantissa, 2^26 rows add up without rounding in a float64."""


@dataclass(frozen=True, slots=True)
class ExactSums:
    """Totals of several columns over the same ``n`` rows."""

    n: int = 0
    totals: Mapping[str, int | None] = field(default_factory=dict)
    """``None`` where some value was NaN or infinite; such a sum stays unknown."""

    @classmethod
    def of(cls, columns: Mapping[str, Floats]) -> ExactSums:
        """Of columns of one length, at most 2^26 rows."""
        totals = {name: exact_total(values) for name, values in columns.items()}
        return cls(len(next(iter(columns.values()), ())), totals)

    @classmethod
    def from_hits(cls, name: str, hits: int, n: int) -> ExactSums:
        """Of a column that is 1 in ``hits`` rows of ``n``, and 0 in the others."""
        return cls(n, {name: hits << UNIT_BITS})

    def merge(self, other: ExactSums) -> ExactSums:
        """Both together. A column that one side lacks, although it has rows, is unknown."""
        if not self.n or not other.n:
            return self if self.n else other
        names = sorted({*self.totals, *other.totals})
        return ExactSums(
            self.n + other.n, {name: _add_totals(self.totals.get(name), other.totals.get(name)) for name in names}
        )

    def mean(self, name: str) -> float:
        """NaN without rows, where the sum is unknown, and where the mean is beyond all floats."""
        exact = self.exact_mean(name)
        return math.nan if exact is None else to_float(exact)

    def exact_mean(self, name: str) -> Fraction | None:
        """The mean as a fraction, from which differences can be taken without losing digits."""
        total = self.totals.get(name)
        return None if total is None or not self.n else Fraction(total, self.n << UNIT_BITS)


def _add_totals(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def to_float(value: Fraction) -> float:
    """NaN beyond all floats."""
    try:
        return float(value)
    except OverflowError:
        return math.nan


def exact_total(values: Floats) -> int | None:
    """The sum of at most 2^26 values, in steps of 2^-1126; ``None`` where one is not finite."""
    if not np.isfinite(values).all():
        return None
    if not len(values):
        return 0
    mantissas, exponents = np.frexp(values)
    whole = (mantissas * 2.0**53).astype(np.int64)
    low = int(exponents.min())
    places = exponents - low
    upper = np.bincount(places, weights=whole >> _HALF_BITS)
    lower = np.bincount(places, weights=whole & ((1 << _HALF_BITS) - 1))
    total = 0
    for place in np.flatnonzero((upper != 0) | (lower != 0)).tolist():
        total += ((int(upper[place]) << _HALF_BITS) + int(lower[place])) << place
    return total << (low - 53 + UNIT_BITS)
