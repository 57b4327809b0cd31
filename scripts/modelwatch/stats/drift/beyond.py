"""Wasserstein beyond the reference's range: not by bins, which grow with the distance, but by exact sums."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@runtime_checkable
class Summed(Protocol):
    """What a profile that was taken with exact sums offers (``stats.profile.NumericProfile``)."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The two edges beyond which values are summed up exactly; ``None`` where they are not."""
        ...

    def excess(self) -> tuple[float, float]:
        """How far values lie below the first and above the second, on average over all values."""
        ...


def correction(reference: object, current: object, gap: Floats, points: Floats) -> float:
    """What the sums add to the area between two piecewise straight distribution functions, whose difference at
    ``points`` is ``gap``. 0 where both sides have no sums, or not over the same range."""
    if not (isinstance(reference, Summed) and isinstance(current, Summed)):
        return 0.0
    span = reference.span
    if span is None or span != current.span:
        return 0.0
    (under, over), (lower, upper) = reference.excess(), current.excess()
    below, above = points <= span[0], points >= span[1]
    # Below, the side with more there lies above the other; beyond the range, under it.
    return _more(under - lower, gap[below], points[below]) + _more(upper - over, gap[above], points[above])


def _more(exact: float, gap: Floats, points: Floats) -> float:
    """By how much the exact area of one end is larger than that of its bins."""
    with np.errstate(over="ignore", invalid="ignore"):
        binned = float(((gap[:-1] + gap[1:]) / 2 * np.diff(points)).sum())
    more = abs(exact) - abs(binned)
    return more if math.isfinite(more) else 0.0
