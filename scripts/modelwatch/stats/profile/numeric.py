"""The profile of a numeric column: counts in right-closed bins, and what is no finite number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints

Counts = NDArray[np.signedinteger[Any]]


class ProfileMismatchError(ValueError):
    """Profiles that cannot be added: they were taken with other edges, vocabularies or bounds."""


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile:
    """Counts in right-closed bins. Never written to after it is made."""

    edges: Floats
    """k finite numbers, strictly ascending."""
    counts: Counts
    """k + 1 counts of finite values: (-inf, e0], (e0, e1], ..., (e(k-1), inf). Of 16, 32 or 64 bits, as ``n`` needs: of
    hourly windows there are many, each of few rows."""
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

    @classmethod
    def of(cls, values: Floats, edges: Floats, missing: int = 0, other_types: int = 0) -> NumericProfile:
        """The profile of float64 ``values``, which are left as they are; ``missing`` is added to the NaN among them.

        Sorting the values and looking the edges up in them is several times faster than looking every value up
        among the edges: NumPy sorts with vector instructions.
        """
        ordered = np.sort(values)
        begin = int(np.searchsorted(ordered, -np.inf, side="right"))
        end, numbers = np.searchsorted(ordered, [np.inf, np.nan], side="left").tolist()
        finite = ordered[begin:end]
        counts = count_in_bins(finite, edges)
        low, high = _extremes(finite)
        return cls(
            edges,
            counts.astype(count_type(len(finite))),
            n=len(finite),
            missing=missing + len(ordered) - numbers,
            infinite_low=begin,
            infinite_high=numbers - end,
            low=low,
            high=high,
            other_types=other_types,
        )

    @classmethod
    def of_order_statistics(cls, ordered: Floats, edges: Floats) -> NumericProfile:
        """The profile of finite values that ascend."""
        low, high = _extremes(ordered)
        counts = count_in_bins(ordered, edges).astype(count_type(len(ordered)))
        return cls(edges, counts, n=len(ordered), low=low, high=high)

    @property
    def rows(self) -> int:
        """Every cell that was seen."""
        return self.n + self.missing + self.infinite_low + self.infinite_high + self.other_types

    def merge(self, other: NumericProfile) -> NumericProfile:
        """Both together. Raises ``ProfileMismatchError`` where the edges differ."""
        if self.edges is not other.edges and not np.array_equal(self.edges, other.edges):
            raise ProfileMismatchError("numeric profiles with other edges cannot be added.")
        n = self.n + other.n
        return NumericProfile(
            self.edges,
            np.add(self.counts, other.counts, dtype=count_type(n)),
            n,
            self.missing + other.missing,
            self.infinite_low + other.infinite_low,
            self.infinite_high + other.infinite_high,
            float(np.fmin(self.low, other.low)),
            float(np.fmax(self.high, other.high)),
            self.other_types + other.other_types,
        )

    def coarsen(self, edges: Floats) -> NumericProfile:
        """The same over fewer edges, each of which is one of ``self.edges``; exact. Raises ``ProfileMismatchError``."""
        at = np.searchsorted(self.edges, edges)
        if np.any(at >= len(self.edges)) or not np.array_equal(self.edges[at], edges):
            raise ProfileMismatchError("a coarser profile needs edges of the finer one.")
        below = np.concatenate([[0], np.cumsum(self.counts)[at], [self.n]])
        return replace(self, edges=edges, counts=np.diff(below).astype(self.counts.dtype))

    def quantile(self, q: float) -> float:
        """The quantile, linear within its bin: off by at most the bin's width. NaN where there is no finite value."""
        return self.quantiles([q])[0]

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Several quantiles."""
        if not self.n:
            return [np.nan] * len(shares)
        below = np.cumsum(self.counts)  # up to the end of each bin
        ranks = [share * self.n for share in shares]
        last = len(below) - 1
        places = [min(place, last) for place in np.searchsorted(below, ranks, side="left").tolist()]
        quantiles = []
        for rank, place in zip(ranks, places, strict=True):
            count = int(self.counts[place])
            share = (rank - (int(below[place]) - count)) / max(count, 1)
            low = self.low if place == 0 else min(max(float(self.edges[place - 1]), self.low), self.high)
            high = self.high if place == last else min(max(float(self.edges[place]), self.low), self.high)
            quantiles.append(low * (1 - share) + high * share)
        return quantiles

    def mean(self) -> float:
        """The mean, every value taken at the middle of its bin (the ends of the outer ones are the extremes)."""
        if not self.n:
            return np.nan
        filled = np.flatnonzero(self.counts)
        middles = bin_middles(self.edges, filled, self.low, self.high)
        return float(np.sum(middles * (self.counts[filled] / self.n)))


def bin_middles(edges: Floats, bins: Ints, low: float, high: float) -> Floats:
    """The middle of each of ``bins``, by ascending number; ``low`` lies in the first one and ``high`` in the last, and
    are the ends of what these hold."""
    if not len(bins) or not len(edges):
        return np.full(len(bins), low / 2 + high / 2)
    begins, ends = edges.take(bins - 1, mode="clip"), edges.take(bins, mode="clip")
    begins[0], ends[-1] = low, high
    return np.asarray(begins / 2 + ends / 2)


def count_type(n: int) -> type[np.signedinteger[Any]]:
    """The smallest signed integer that holds the count of any of ``n`` values: sums of unsigned ones are no int64."""
    return np.int16 if n < 1 << 15 else np.int32 if n < 1 << 31 else np.int64


def _extremes(ordered: Floats) -> tuple[float, float]:
    return (float(ordered[0]) + 0.0, float(ordered[-1]) + 0.0) if len(ordered) else (np.nan, np.nan)


def count_in_bins(ordered: Floats, edges: Floats) -> Ints:
    """Counts in right-closed bins of ascending finite values; -0.0 is 0.0."""
    if len(ordered) < len(edges):
        return np.bincount(np.searchsorted(edges, ordered), minlength=len(edges) + 1)
    ends = np.empty(len(edges) + 2, dtype=np.int64)
    ends[0], ends[1:-1], ends[-1] = 0, np.searchsorted(ordered, edges, side="right"), len(ordered)
    return ends[1:] - ends[:-1]
