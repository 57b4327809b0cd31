"""What lies beyond the edges' reach is summed up exactly, since there a bin may be as wide as the distance.

Beyond the greatest value of one side the area between two distribution functions is the mean excess of the other: with
exact sums Wasserstein's distance is exact there, however far values went.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .exact_sum import UNIT_BITS, exact_total, to_float
from .guide_table import GuideTable

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


Ints = NDArray[np.int64]


class ProfileMismatchError(ValueError):
    """Profiles that cannot be added: they were taken with other edges, vocabularies or bounds."""


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile:
    """Counts in right-closed bins. Never written to after it is made."""

    edges: Floats
    """k finite numbers, strictly ascending."""
    counts: Ints
    """k + 1 counts of finite values: (-inf, e0], (e0, e1], ..., (e(k-1), inf)."""
    n: int = 0
    """Finite values: the sum of ``counts``."""
    missing: int = 0
    """Empty cells and NaN."""
    infinite_low: int = 0
    infinite_high: int = 0
    low: float = np.nan
    """Least finite value; NaN where there is none."""
    high: float = np.nan
    other_types: int = 0
    """Cells that are no numbers."""
    outside: Outside | None = None
    """Exact sums of what lies beyond two of the edges."""

    @classmethod
    def empty(cls, edges: Floats, span: tuple[float, float] | None = None) -> NumericProfile:
        return cls(edges, np.zeros(len(edges) + 1, dtype=np.int64), outside=Outside(*span) if span else None)

    @classmethod
    def of(
        cls,
        values: Floats,
        edges: Floats,
        missing: int = 0,
        other_types: int = 0,
        *,
        guide: GuideTable | None = None,
        span: tuple[float, float] | None = None,
    ) -> NumericProfile:
        """The profile of float64 ``values``, which are left as they are; ``missing`` is added to the NaN among them.

        Sorting the values and looking the edges up in them is several times faster than looking every value up
        among the edges; with a ``guide`` for these edges only a few values have to be sorted. ``span``: two of the
        edges, beyond which values are summed up as well.
        """
        sure, rest = (None, values) if guide is None else guide.count(values)
        ordered = np.sort(rest)
        begin, end, numbers = (
            int(np.searchsorted(ordered, -np.inf, side="right")),
            int(np.searchsorted(ordered, np.inf, side="left")),
            int(np.searchsorted(ordered, np.nan, side="left")),
        )
        finite = ordered[begin:end]
        counts = count_in_bins(finite, edges) if sure is None else count_in_bins(finite, edges) + sure
        all_finite = finite if sure is None else values[np.isfinite(values)]
        low, high = _extremes(all_finite)
        return cls(
            edges,
            counts,
            n=int(counts.sum()),
            missing=missing + len(ordered) - numbers,
            infinite_low=begin,
            infinite_high=numbers - end,
            low=low,
            high=high,
            other_types=other_types,
            outside=Outside(*span).of(all_finite) if span else None,
        )

    @property
    def rows(self) -> int:
        """Every cell that was seen."""
        return self.n + self.missing + self.infinite_low + self.infinite_high + self.other_types

    @property
    def span(self) -> tuple[float, float] | None:
        """The edges beyond which values are summed up exactly."""
        return (self.outside.low, self.outside.high) if self.outside else None

    def excess(self) -> tuple[float, float]:
        """How far values lie below and above ``span``, on average over all finite values; NaN where that is unknown."""
        if self.outside is None or not self.n:
            return np.nan, np.nan
        first, last = np.searchsorted(self.edges, [self.outside.low, self.outside.high])
        below, above = int(self.counts[: first + 1].sum()), int(self.counts[last + 1 :].sum())
        return self.outside.excess(below, above, self.n)

    def merge(self, other: NumericProfile) -> NumericProfile:
        """Both together. Raises ProfileMismatch where the edges differ."""
        if (self.edges is not other.edges and not np.array_equal(self.edges, other.edges)) or self.span != other.span:
            raise ProfileMismatchError("numeric profiles with other edges cannot be added.")
        return NumericProfile(
            self.edges,
            self.counts + other.counts,
            self.n + other.n,
            self.missing + other.missing,
            self.infinite_low + other.infinite_low,
            self.infinite_high + other.infinite_high,
            float(np.fmin(self.low, other.low)),
            float(np.fmax(self.high, other.high)),
            self.other_types + other.other_types,
            self.outside.merge(other.outside) if self.outside and other.outside else None,
        )

    def coarsen(self, edges: Floats) -> NumericProfile:
        """The same over fewer edges, each of which is one of ``self.edges``; exact. Raises ProfileMismatch."""
        at = np.searchsorted(self.edges, edges)
        if np.any(at >= len(self.edges)) or not np.array_equal(self.edges[at], edges):
            raise ProfileMismatchError("a coarser profile needs edges of the finer one.")
        below = np.concatenate([[0], np.cumsum(self.counts)[at], [self.n]])
        return replace(self, edges=edges, counts=np.diff(below))

    def quantile(self, q: float) -> float:
        """The quantile, linear within its bin: off by at most the bin's width. NaN where there is no finite value."""
        if not self.n:
            return np.nan
        ends = np.concatenate([[self.low], np.clip(self.edges, self.low, self.high), [self.high]])
        below = np.concatenate([[0], np.cumsum(self.counts)])
        wanted = q * self.n
        at = min(max(int(np.searchsorted(below, wanted, side="left")), 1), len(below) - 1)
        share = (wanted - below[at - 1]) / max(int(self.counts[at - 1]), 1)
        low, high = float(ends[at - 1]), float(ends[at])
        return float(low * (1 - share) + high * share)

    def mean(self) -> float:
        """The mean, every value taken at the middle of its bin (the ends of the outer ones are the extremes)."""
        if not self.n:
            return np.nan
        ends = np.concatenate([[self.low], np.clip(self.edges, self.low, self.high), [self.high]])
        filled = np.flatnonzero(self.counts)
        middles = ends[filled] / 2 + ends[filled + 1] / 2
        return float(np.sum(middles * (self.counts[filled] / self.n)))


def _extremes(finite: Floats) -> tuple[float, float]:
    return (float(finite.min()) + 0.0, float(finite.max()) + 0.0) if len(finite) else (np.nan, np.nan)


def count_in_bins(ordered: Floats, edges: Floats) -> Ints:
    """Counts in right-closed bins of ascending finite values; -0.0 is 0.0."""
    ends = np.empty(len(edges) + 2, dtype=np.int64)
    ends[0], ends[1:-1], ends[-1] = 0, np.searchsorted(ordered, edges, side="right"), len(ordered)
    return ends[1:] - ends[:-1]
