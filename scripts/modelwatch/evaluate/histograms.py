"""Histograms of many windows on common bins: counts added up, and how far re-binning can be wrong.

A histogram says how many values lie at or below each end of its bins, and nothing in between: there values are taken to
lie evenly. At a common edge inside a bin the count below is off by at most what that bin holds; so beside it stand the
least and the greatest count possible. Where all histograms share their edges nothing is lost.

A histogram of categories has a bin for each, at a place that follows from its name, and one for all others beyond
``OTHERS``: categories are compared one by one, and nothing is ever laid otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.series import Histograms
from ..stats.profile.histogram import CATEGORIES, OTHERS
from .columns import Floats, doubles

FINE = 64
"""Common bins of statistics of distribution functions; one row of a profile in history has about as many."""

SAMPLE = 64
"""Of so many histograms, spread evenly, common bins are chosen."""


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
        parts = {id(part): part for part in (self.even, self.least, self.most, self.n)}
        done = {name: np.array([part[one].sum(axis=0) for one in rows]) for name, part in parts.items()}
        return Below(*(done[id(part)] for part in (self.even, self.least, self.most, self.n)))


def lay(some: Histograms, rows: Sequence[int], points: Floats) -> Below:
    """The chosen histograms on common points, ascending."""
    shape = (len(rows), len(points))
    even, least, most, n = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(len(rows))
    alike: dict[bytes, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(some.edges[row].tobytes(), []).append(place)
    for content, places in alike.items():
        edges = np.frombuffer(content)
        below = np.zeros((len(places), len(edges)))
        np.cumsum([some.counts[rows[place]] for place in places], axis=1, out=below[:, 1:])
        right, left = (np.searchsorted(edges, points, side=side) for side in ("right", "left"))
        least[places] = below[:, np.maximum(right - 1, 0)]
        most[places] = below[:, np.minimum(left, len(edges) - 1)]
        begin = np.minimum(np.maximum(right - 1, 0), len(edges) - 2)
        # A difference of huge edges would overflow; halves of tiny ones would be nothing.
        scale = 0.5 if max(abs(edges[0]), abs(edges[-1])) > 1e307 else 1.0
        start, end = edges[begin] * scale, edges[begin + 1] * scale
        inside = np.minimum(np.maximum((points * scale - start) / (end - start), 0.0), 1.0)
        even[places] = below[:, begin] + inside * (below[:, begin + 1] - below[:, begin])
        n[places] = below[:, -1]
    return Below(even, least, most, n)


def common_points(some: Histograms, rows: Sequence[int], bins: int) -> Floats:
    """Ends of ``bins`` bins at quantiles of these histograms together, the last end beyond all values.

    Taken from the histograms' own edges where they share them, so that nothing is lost.
    """
    distinct = {edges.tobytes(): np.asarray(edges) for edges in (some.edges[row] for row in rows)}
    spread = np.unique(np.concatenate(list(distinct.values())))
    shared = _shared(list(distinct.values()), spread)
    if len(spread) > 4 * FINE and len(distinct) > 1:
        spread = spread[np.unique(np.linspace(0, len(spread) - 1, 4 * FINE).astype(np.int64))]
    # Where the quantiles lie need not be known to the last digit: a sample of many histograms does.
    few = [*rows[:: max(1, len(rows) // SAMPLE)], rows[-1]]
    below = lay(some, few, spread).even.sum(axis=0)
    if below[-1] <= 0:
        few = list(rows)
        below = lay(some, few, spread).even.sum(axis=0)
    if below[-1] <= 0:
        return spread[-1:]
    if len(shared) < len(spread):
        exact = lay(some, few, shared).even.sum(axis=0)
        if _widest(exact) <= 1.5 * max(_widest(below), below[-1] / bins):
            spread, below = shared, exact
    wanted = below[-1] * np.arange(1, bins) / bins
    inner = np.unique(spread[np.clip(np.searchsorted(below, wanted * (1 - 1e-12)), 0, len(spread) - 1)])
    return np.append(inner[inner < spread[-1]], spread[-1])


def _shared(distinct: Sequence[Floats], spread: Floats) -> Floats:
    """The points at which every histogram counts exactly: its edges, and all that lies beyond them.

    Histograms of one profile differ in their ends alone, which follow the extremes: they are looked at together.
    """
    groups: dict[bytes, tuple[Floats, float, float]] = {}
    for edges in distinct:
        inner = edges[1:-1]
        _, low, high = groups.get(inner.tobytes(), (inner, np.inf, -np.inf))
        groups[inner.tobytes()] = inner, min(low, float(edges[0])), max(high, float(edges[-1]))
    exact = np.ones(len(spread), np.bool_)
    for inner, low, high in groups.values():
        exact &= (spread <= low) | (spread >= high) | np.isin(spread, inner)
    return spread[exact]


def _widest(below: Floats) -> float:
    """How many values the fullest of the stretches between points holds."""
    return float(np.diff(below, prepend=0.0).max(initial=0.0))


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


def with_one_more(some: Histograms, edges: Sequence[float], counts: Sequence[float]) -> Histograms:
    """A histogram that stands for no time, such as a captured reference, behind all rows."""
    one = (doubles(np.asarray(edges, np.float64)), doubles(np.asarray(counts, np.float64)))
    return replace(some, edges=(*some.edges, one[0]), counts=(*some.counts, one[1]))


def places_of(some: Histograms, rows: Sequence[int]) -> Floats:
    """Where the categories stand that occur in these histograms, ascending; all others as one, last."""
    found = [np.asarray(some.edges[row])[:-1][np.asarray(some.counts[row]) > 0] for row in rows]
    places = np.unique(np.concatenate(found)) if found else np.empty(0)
    return np.append(places[places < OTHERS], OTHERS)


def lay_categories(some: Histograms, rows: Sequence[int], places: Floats) -> Below:
    """The chosen histograms category by category: ``even`` and its bounds are running sums, all the same."""
    counts, n = np.zeros((len(rows), len(places))), np.zeros(len(rows))
    for place, row in enumerate(rows):
        given = np.asarray(some.counts[row])
        at = np.minimum(np.searchsorted(places, np.asarray(some.edges[row])[:-1]), len(places) - 1)
        np.add.at(counts[place], at, given)
        n[place] = given.sum()
    below = np.cumsum(counts, axis=1)
    return Below(below, below, below, n)


def merged(some: Histograms, rows: Sequence[int], categorical: bool) -> tuple[Floats, Floats]:
    """One histogram of all of these: edges and counts, exact where they share their edges."""
    if not categorical:
        points = common_points(some, rows, 8 * FINE)
        below = lay(some, rows, points).even.sum(axis=0)
        first = min(some.edges[row][0] for row in rows)
        edges = np.append(first, points)
        return edges, np.diff(below, prepend=0.0)
    places = places_of(some, rows)
    counts = np.diff(lay_categories(some, rows, places).even.sum(axis=0), prepend=0.0)
    kept = np.sort(np.argsort(-counts[:-1], kind="stable")[:CATEGORIES])
    others = counts.sum() - counts[kept].sum()
    spots = [*places[kept].tolist(), *([OTHERS] if others else [])]
    amounts = [*counts[kept].tolist(), *([others] if others else [])]
    return side_by_side(spots, amounts)


def side_by_side(places: Sequence[float], counts: Sequence[float]) -> tuple[Floats, Floats]:
    """A bin ``[place, place + 1)`` for each of the ascending places, with empty bins between them."""
    edges: list[float] = []
    bins: list[float] = []
    for place, count in zip(places, counts, strict=True):
        if edges and edges[-1] < place:
            bins.append(0.0)
        if not edges or edges[-1] < place:
            edges.append(place)
        edges.append(place + 1.0)
        bins.append(count)
    return np.array(edges), np.array(bins)
