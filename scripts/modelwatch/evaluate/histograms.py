"""Histograms of many windows on common bins: counts added up, and how far re-binning can be wrong.

A histogram says how many values lie at or below each end of its bins, and nothing in between: there values are taken to
lie evenly. At a common edge inside a bin the count below is off by at most what that bin holds; so beside it stand the
least and the greatest count possible. Where all histograms share their edges nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.series import Histograms
from .columns import Floats

FINE = 64
"""Common bins of statistics of distribution functions; one row of a profile in history has about as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Below:
    """Per histogram (row) and common point (column) how many values lie at or below it."""

    even: Floats
    """Where values lie evenly within their bins."""
    least: Floats
    most: Floats
    n: Floats
    """Values in the whole histogram."""

    def sums(self, rows: Sequence[slice]) -> Below:
        """One row for each of these stretches of histograms, merged."""
        parts = (self.even, self.least, self.most, self.n)
        return Below(*(np.array([part[one].sum(axis=0) for one in rows]) for part in parts))


def lay(some: Histograms, rows: Sequence[int], points: Floats) -> Below:
    """The chosen histograms on common points, ascending."""
    shape = (len(rows), len(points))
    even, least, most, n = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(len(rows))
    for place, row in enumerate(rows):
        edges, counts = np.asarray(some.edges[row]), np.asarray(some.counts[row])
        below = np.concatenate([[0.0], np.cumsum(counts)])
        even[place] = np.interp(points, edges, below)
        least[place] = below[np.clip(np.searchsorted(edges, points, side="right") - 1, 0, len(counts))]
        most[place] = below[np.clip(np.searchsorted(edges, points, side="left"), 0, len(counts))]
        n[place] = below[-1]
    return Below(even, least, most, n)


def common_points(some: Histograms, rows: Sequence[int], bins: int) -> Floats:
    """Ends of ``bins`` bins at quantiles of these histograms together, the last end beyond all values.

    Taken from the histograms' own edges where they share them, so that nothing is lost.
    """
    spread = np.unique(np.concatenate([np.asarray(some.edges[row]) for row in rows]))
    one = np.asarray(some.edges[rows[0]])
    if len(spread) > 4 * FINE and not np.array_equal(spread, one):
        spread = spread[np.unique(np.linspace(0, len(spread) - 1, 4 * FINE).astype(np.int64))]
    below = lay(some, rows, spread).even.sum(axis=0)
    if below[-1] <= 0:
        return spread[-1:]
    wanted = below[-1] * np.arange(1, bins) / bins
    inner = np.unique(spread[np.clip(np.searchsorted(below, wanted * (1 - 1e-12)), 0, len(spread) - 1)])
    return np.append(inner[inner < spread[-1]], spread[-1])


def nearest(reference: Below, current: Below) -> Floats:
    """The shares of the current side at or below each point, as near to the reference's as both sides' bins allow.

    What differs even so is no matter of bins. One row a window.
    """
    n, m = reference.n[:, None], current.n[:, None]
    there = reference.even / n
    low = current.least / m - (reference.most / n - there)
    high = current.most / m + (there - reference.least / n)
    return np.asarray(np.clip(np.maximum.accumulate(np.clip(there, low, high), axis=1), 0.0, 1.0))


def error(side: Below) -> Floats:
    """Per row the most by which a share at or below any point can be wrong."""
    off = np.maximum(side.most - side.even, side.even - side.least).max(axis=1, initial=0.0)
    return np.asarray(off / np.where(side.n > 0, side.n, np.nan))
