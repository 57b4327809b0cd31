"""How much of a drop lies where an input moved."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from .decompose import decompose
from .intervals import z_value

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
