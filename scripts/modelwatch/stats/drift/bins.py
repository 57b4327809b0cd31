"""Bins: right-closed intervals (-inf, e0], (e0, e1], ..., (e_last, inf), and what lies in them.

Bins closed on the right, cut at the reference's quantiles, come out alike in NumPy, DuckDB, Polars and Spark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = 10
"""Bins of PSI and the other statistics of bins, where nobody says otherwise."""


class Binned(Protocol):
    """What a profile (``stats.profile.NumericProfile``) or a histogram offers."""

    @property
    def edges(self) -> Floats: ...
    @property
    def counts(self) -> NDArray[np.generic]:
        """One more than there are edges."""
        ...

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float:
        """Least and greatest value; NaN where there is none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Counts between edges; they need not be whole."""

    edges: Floats
    counts: NDArray[np.generic]
    low: float = np.nan
    high: float = np.nan


def quantile_edges(ordered: Floats, bins: int = QUANTILES) -> Floats:
    """Inner edges at the quantiles 1/bins ... of ascending values: values that occur, each once.

    Fewer than ``bins - 1`` edges where values repeat; none for a column without values. The greatest value is no edge:
    right of it nothing of the reference would lie. A constant has a bin of its own, with one on either side.
    """
    n = len(ordered)
    if not n:
        return np.empty(0)
    places = np.ceil(np.arange(1, bins) * n / bins).astype(np.int64) - 1
    edges = np.unique(ordered[np.clip(places, 0, n - 1)])
    if ordered[0] < ordered[-1]:
        return np.asarray(edges[edges < ordered[-1]])
    only = ordered[0]
    return np.array([np.nextafter(only, -np.inf), only])


def fixed_edges(low: float, high: float, bins: int = QUANTILES) -> Floats:
    """Inner edges of equally wide bins between two finite numbers, ascending, each once."""
    part = np.arange(1, bins) / bins
    return np.unique(low * (1 - part) + high * part)


def count(ordered: Floats, edges: Floats) -> Ints:
    """Counts of ascending values in the right-closed bins between ``edges``."""
    below = np.concatenate([[0], np.searchsorted(ordered, edges, side="right"), [len(ordered)]])
    return np.diff(below).astype(np.int64)


def coarse(binned: Binned, bins: int = QUANTILES) -> Ints:
    """Places of the edges that come nearest to the quantiles of ``binned``: bins for PSI out of a fine profile."""
    below = np.cumsum(np.asarray(binned.counts, np.float64))[:-1]
    total = float(np.sum(np.asarray(binned.counts, np.float64)))
    if not len(below) or total <= 0:
        return np.empty(0, dtype=np.int64)
    wanted = np.arange(1, bins) * total / bins
    places = np.clip(np.searchsorted(below, wanted - 1e-9 * total, side="left"), 0, len(below) - 1)
    places = np.unique(places)
    inner = places[below[places] < total]
    return inner if len(inner) else places[:1]


def merged(counts: NDArray[np.generic], places: Ints) -> NDArray[np.generic]:
    """``counts`` (last axis) summed between the edges at ``places``."""
    below = np.cumsum(counts, axis=-1)
    zero = np.zeros((*below.shape[:-1], 1), dtype=below.dtype)
    return np.diff(np.concatenate([zero, below[..., places], below[..., -1:]], axis=-1), axis=-1)


def out_of_range(ordered: Floats, low: float, high: float) -> float:
    """The share of ascending values outside [low, high], the reference's range; NaN without values.

    Quantile bins do not see how far a value lies: 1 % of rows in a new far mode moves PSI by 0.001. This does.
    """
    if not len(ordered):
        return np.nan
    if np.isnan(low) or np.isnan(high):
        return 1.0
    outside = np.searchsorted(ordered, low, side="left") + len(ordered) - np.searchsorted(ordered, high, side="right")
    return float(outside) / len(ordered)


def out_of_range_bins(current: Binned, low: float, high: float) -> tuple[float, float]:
    """As ``out_of_range`` from bins: at least and at most this share (a bin may lie across the bound)."""
    counts = np.asarray(current.counts, np.float64)
    total = float(counts.sum())
    if total <= 0:
        return np.nan, np.nan
    if np.isnan(low) or np.isnan(high):
        return 1.0, 1.0
    left = np.concatenate([[current.low], current.edges])
    right = np.concatenate([current.edges, [current.high]])
    beyond = (right < low) | (left >= high) & (right > high)
    across = ((left < low) | (right > high)) & ~beyond
    least = float(counts[beyond].sum()) / total
    return least, min(least + float(counts[across].sum()) / total, 1.0)
