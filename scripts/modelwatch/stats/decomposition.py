"""The change of a weighted mean, split into what moved between segments (mix) and what happened inside them (rate).

The convention is the symmetric one (Kitagawa 1955, JASA 50:1168-1194): with shares ``s``, values ``v`` and the mean of
both sides written with a bar,

    rate_i = s̄_i (v1_i - v0_i)        mix_i = (s1_i - s0_i) (v̄_i - V̄)

where ``V̄`` is the mean of both totals. Neither side is the standard, no interaction is left over, and subtracting
``V̄`` changes no sum (the shares' changes add up to nothing) but makes the mix of one segment readable: growing is bad
only for a segment that is worse than the whole. A segment that is there on one side only has the same value on both: it
is new or has vanished, it did not get better or worse, so all that it does is mix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats
from .intervals import z_value


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """One row a segment. ``mix.sum() + rate.sum()`` is ``after - before``, but for rounding."""

    before: float
    """The weighted mean of the first side; NaN where that side is empty. Then everything else is NaN, too."""
    after: float
    mix: Floats
    rate: Floats
    share_before: Floats
    share_after: Floats

    @property
    def contributions(self) -> Floats:
        return self.mix + self.rate

    @property
    def total_mix(self) -> float:
        return math.fsum(self.mix)

    @property
    def total_rate(self) -> float:
        return math.fsum(self.rate)

    @property
    def total(self) -> float:
        """What the parts add up to: ``after - before``."""
        return math.fsum((*self.mix, *self.rate))


def decompose(n_before: ArrayLike, before: ArrayLike, n_after: ArrayLike, after: ArrayLike) -> Decomposition:
    """Split the change of the mean that ``n`` (counts or weights >= 0) weighs; all four of one length.

    A value that is not finite, or a count that is not, counts as a segment that is not there. An empty side, or no
    segment at all, gives NaN throughout; changes that are beyond float64 give NaN parts.
    """
    n0, v0 = _known_counts_and_values(n_before, before)
    n1, v1 = _known_counts_and_values(n_after, after)
    if not len(n0) == len(n1):
        raise ValueError(f"{len(n0)} segments before, {len(n1)} after")
    s0, s1 = _shares(n0), _shares(n1)
    left, right = np.where(n0 > 0, v0, v1), np.where(n1 > 0, v1, v0)
    total0, total1 = _dot(s0, left), _dot(s1, right)
    middle = total0 / 2 + total1 / 2
    with np.errstate(over="ignore"):
        rate = (s0 + s1) / 2 * (right - left)
        mix = (s1 - s0) * (left / 2 + right / 2 - middle)
    if np.isinf(rate).any() or np.isinf(mix).any():
        rate, mix = np.full(len(rate), np.nan), np.full(len(mix), np.nan)
    return Decomposition(total0, total1, mix, rate, s0, s1)


def _known_counts_and_values(n: ArrayLike, value: ArrayLike) -> tuple[Floats, Floats]:
    counts, values = np.asarray(n, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if counts.shape != values.shape or counts.ndim != 1:
        raise ValueError(f"counts of shape {counts.shape} for values of shape {values.shape}")
    known = np.isfinite(counts) & np.isfinite(values) & (counts > 0)
    return np.where(known, counts, 0.0), np.where(known, values, 0.0)


def _shares(n: Floats) -> Floats:
    largest = float(n.max(initial=0.0))
    if largest == 0.0:
        return np.full(len(n), np.nan)
    # Scaled first, so that huge counts cannot overflow in their sum.
    scaled = n / largest
    return np.asarray(scaled / math.fsum(scaled), dtype=np.float64)


def _dot(shares: Floats, values: Floats) -> float:
    return math.fsum(shares * values) if len(shares) and not np.isnan(shares[0]) else math.nan


MOVED_LEVEL = 0.99
MOVED_MIN_CHANGE = 0.1
"""A share that changes by less than this fraction of itself has not moved, however many rows there are."""


def change_in_moved_bins(n_before: ArrayLike, before: ArrayLike, n_after: ArrayLike, after: ArrayLike) -> float:
    """The part of the change of a mean that lies in those bins of an input whose share of rows moved.

    One row a bin of the input: its count and the metric's mean in it, on both sides. A bin has moved where its share
    changed by more than a tenth of the larger one and beyond chance (two proportions, 99 %, Bonferroni over the bins).
    The sum of those bins' contributions (mix and rate) is what lies there; NaN where a side is empty. It locates the
    drop, and proves no cause.
    """
    split = decompose(n_before, before, n_after, after)
    if not math.isfinite(split.total):
        return math.nan
    n0, n1 = (_total_count(side) for side in (n_before, n_after))
    pooled = (split.share_before * n0 + split.share_after * n1) / (n0 + n1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    apart = np.abs(split.share_after - split.share_before)
    far = apart > MOVED_MIN_CHANGE * np.maximum(split.share_after, split.share_before)
    sure = apart > z_value(1 - (1 - MOVED_LEVEL) / max(1, len(apart))) * error
    return math.fsum(split.contributions[far & sure])


def _total_count(counts: ArrayLike) -> float:
    known = np.asarray(counts, dtype=np.float64)
    return math.fsum(known[np.isfinite(known) & (known > 0)])
