"""Histograms laid on common points, and their sums over stretches of time.

Windows overlap, so each would add up most of what its neighbour did. Running totals give all of them by one difference,
and here without losing a digit: counts are whole numbers, and what interpolation puts between them is rounded to parts
of a value that are so small that nobody sees them, and that add up exactly.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...model.series import Histograms
from ...stats.arrays import Bools, Floats, Ints, sort_distinct
from ...stats.profile.wandb_histogram import MAX_CATEGORIES, OTHER_CATEGORIES_START, category_bins
from ..windows import RowRanges

FRACTION_PARTS = 2.0**40
"""Into so many parts a value is divided: 1e-12 of it is the most that rounding changes in one histogram."""
MAX_EXACT = 2.0**53
"""Below this float64 holds every whole number, so that sums of whole numbers are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class CumulativeCounts:
    """Per histogram (row) and common point (column) how many values lie at or below it."""

    estimate: Floats
    """Where values lie evenly within their bins."""
    lower: Floats
    upper: Floats
    """Both the same array as ``estimate`` where all points are ends of bins."""
    n: Floats
    """Values in the whole histogram."""

    @property
    def counts(self) -> Floats:
        """Between a point and the one before it."""
        return np.diff(self.estimate, axis=1, prepend=0.0)

    @property
    def size(self) -> int:
        """How many numbers it holds, an array that counts twice once."""
        return sum({id(part): part.size for part in (self.estimate, self.lower, self.upper, self.n)}.values())

    def take(self, chosen: slice | Ints) -> CumulativeCounts:
        return self._map_columns(lambda part: [part[chosen]])[0]

    def sum_windows(self, windows: Sequence[RowRanges]) -> list[CumulativeCounts]:
        """For each of these columns of windows, one row a window: its histograms added up."""
        add = _running_sums if self._is_exact() else _plain_sums
        return self._map_columns(lambda part: add(part, windows))

    def _map_columns(self, change: Callable[[Floats], list[Floats]]) -> list[CumulativeCounts]:
        """Parts that are one array stay one."""
        parts = (self.estimate, self.lower, self.upper, self.n)
        changed = {key: change(part) for key, part in {id(part): part for part in parts}.items()}
        return [CumulativeCounts(*columns) for columns in zip(*(changed[id(part)] for part in parts), strict=True)]

    def _is_exact(self) -> bool:
        """Whether running totals lose nothing."""
        if len(self.n) > MAX_EXACT / FRACTION_PARTS or not self.n.sum() < MAX_EXACT:
            return False
        return all(bool((part == np.floor(part)).all()) for part in (self.lower, self.upper))


def _running_sums(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    whole = np.floor(part)
    sums = _differences(whole, windows)
    if (whole == part).all():
        return sums
    rest = _differences(np.rint((part - whole) * FRACTION_PARTS), windows)
    return [one + more / FRACTION_PARTS for one, more in zip(sums, rest, strict=True)]


def _differences(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    total = np.concatenate([np.zeros((1, *part.shape[1:])), np.cumsum(part, axis=0)])
    return [total[spans.hi] - total[spans.lo] for spans in windows]


def _plain_sums(part: Floats, windows: Sequence[RowRanges]) -> list[Floats]:
    """For counts that are not whole, or too many."""
    return [np.array([part[lo:hi].sum(axis=0) for lo, hi in zip(spans.lo, spans.hi, strict=True)]) for spans in windows]


FINE_BINS = 64
"""Common bins of statistics of distribution functions, where histograms do not share their edges."""
MAX_CELLS = 4_000_000
"""Where they do, every shared edge is used, up to so many histograms times edges: 1,500 times those of a profile."""

SAMPLE_SIZE = 64
"""Of so many histograms, spread evenly, common bins are chosen."""


def rebin(histograms: Histograms, rows: Sequence[int], points: Floats) -> CumulativeCounts:
    """The chosen histograms on common points, ascending."""
    shape = (len(rows), len(points))
    even, least, most, n = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(len(rows))
    alike: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(len(histograms.edges[row]), []).append(place)
    for places in alike.values():
        chosen = [rows[place] for place in places]
        numbers: dict[bytes, int] = {}
        which = np.array([numbers.setdefault(histograms.edges[row].tobytes(), len(numbers)) for row in chosen])
        distinct = np.array([np.frombuffer(edges) for edges in numbers])
        below = np.zeros((len(places), distinct.shape[1]))
        counts = np.frombuffer(b"".join([histograms.counts[row] for row in chosen])).reshape(len(chosen), -1)
        np.cumsum(counts, axis=1, out=below[:, 1:])
        at = np.minimum(distinct[0].searchsorted(points), distinct.shape[1] - 1)
        if len(distinct) == 1 and (distinct[0][at] == points).all():  # all of them have these points as edges
            least[places] = most[places] = even[places] = below[:, at]
        else:
            least[places], most[places], even[places] = _counts_at(below, distinct, which, points)
        n[places] = below[:, -1]
    return CumulativeCounts(least, least, least, n) if (least == most).all() else CumulativeCounts(even, least, most, n)


def _counts_at(below: Floats, edges: Floats, which: Ints, points: Floats) -> tuple[Floats, Floats, Floats]:
    """Least, most and even counts at or below the points; ``edges``: those of row ``i`` are ``edges[which[i]]``."""
    last = edges.shape[1] - 1
    right = np.array([ends.searchsorted(points, side="right") for ends in edges])
    under = np.maximum(right - 1, 0)
    is_edge = np.take_along_axis(edges, under, axis=1) == points
    over = np.minimum(np.where(is_edge & ~_are_even(edges)[:, None], under, right), last)
    begin = np.minimum(under, last - 1)
    # A difference of huge edges would overflow; halves of tiny ones would be nothing.
    scale = np.where(np.maximum(np.abs(edges[:, :1]), np.abs(edges[:, -1:])) > 1e307, 0.5, 1.0)
    start, end = (np.take_along_axis(edges, at, axis=1) * scale for at in (begin, begin + 1))
    width = end - start
    inside = np.divide(points * scale - start, width, out=np.zeros_like(width), where=width > 0)
    inside = np.minimum(np.maximum(inside, 0.0), 1.0)
    if len(edges) == 1:  # columns are taken whole
        low, high, first, second = (below[:, at[0]] for at in (under, over, begin, begin + 1))
    else:
        by_row = (at[which] for at in (under, over, begin, begin + 1))
        low, high, first, second = (np.take_along_axis(below, at, axis=1) for at in by_row)
        inside = inside[which]
    return low, high, first + inside * (second - first)


def _are_even(edges: Floats) -> Bools:
    """Which rows of edges are evenly spaced, as NumPy and W&B make them. Such bins hold their lower end; those of a
    profile, which are not, hold their upper end.

    A whole number on an edge is above it in one histogram, and below it in another one whose range ends there: in 39 %
    of windows an alarm at a nominal 1 %.
    """
    widths = np.diff(edges, axis=1)
    return np.asarray(np.ptp(widths, axis=1) <= 1e-6 * np.abs(widths).max(axis=1))


def common_bin_ends(histograms: Histograms, rows: Sequence[int], bins: int, max_shared: int = 0) -> Floats:
    """Ends of ``bins`` bins at quantiles of these histograms together, the last end beyond all values.

    Taken from the histograms' own edges where they share them, so that nothing is lost. ``max_shared``: return every
    shared edge, up to so many; and in any case begin with the lowest edge, at which nothing is counted yet.
    """
    distinct = {edges.tobytes(): edges for edges in (histograms.edges[row] for row in rows)}
    spread = sort_distinct(np.frombuffer(b"".join(distinct)))
    if len(distinct) == 1 and len(spread) <= max_shared:
        return spread
    first = spread[:1] if max_shared else spread[:0]
    shared = spread[_is_exact_at(list(distinct.values()), spread)]
    if len(spread) > 4 * FINE_BINS and len(distinct) > 1:
        spread = spread[sort_distinct(np.linspace(0, len(spread) - 1, 4 * FINE_BINS).astype(np.int64))]
    # Where the quantiles lie need not be known to the last digit: a sample of many histograms does.
    sample = list(dict.fromkeys([*rows[:: max(1, len(rows) // SAMPLE_SIZE)], rows[-1]]))
    below = rebin(histograms, sample, spread).estimate.sum(axis=0)
    if below[-1] <= 0:
        sample = list(rows)
        below = rebin(histograms, sample, spread).estimate.sum(axis=0)
    if below[-1] <= 0:
        return spread[-1:]
    exact = below if np.array_equal(shared, spread) else rebin(histograms, sample, shared).estimate.sum(axis=0)
    if _fullest_bin(exact) <= 1.5 * max(_fullest_bin(below), below[-1] / bins):
        spread, below = shared, exact
        if len(shared) <= max_shared:
            return spread
    ranks = below[-1] * np.arange(1, bins) / bins
    inner = sort_distinct(spread[np.clip(np.searchsorted(below, ranks * (1 - 1e-12)), 0, len(spread) - 1)])
    return sort_distinct(np.concatenate([first, inner[inner < spread[-1]], spread[-1:]]))


def _is_exact_at(distinct: Sequence[array[float]], spread: Floats) -> Bools:
    """Of these ascending points those at which every histogram counts exactly: at its edges (of even bins only the
    last), and where nothing of it lies on one side."""
    exact = [edges[-1:] if len(distinct) > 1 and _are_even(np.array([edges]))[0] else edges for edges in distinct]
    places, holders = np.unique(np.frombuffer(b"".join(exact)), return_counts=True)
    count = np.zeros(len(spread), np.int64)
    count[np.searchsorted(spread, places)] = holders
    first, last = (np.sort([edges[end] for edges in distinct]) for end in (0, -1))
    above = len(distinct) - np.searchsorted(first, spread, side="right")
    under = np.searchsorted(last, spread, side="left")
    return np.asarray(count + above + under == len(distinct))


def _fullest_bin(below: Floats) -> float:
    """How many values the fullest of the stretches between points holds."""
    return float(np.diff(below, prepend=0.0).max(initial=0.0))


def closest_shares(reference: CumulativeCounts, current: CumulativeCounts) -> Floats:
    """The shares of the current side at or below each point, as near to the reference's as both sides' bins allow.

    What differs even so is no matter of bins. One row a window.
    """
    n, m = reference.n[:, None], current.n[:, None]
    share = reference.estimate / n
    low = current.lower / m - (reference.upper / n - share)
    high = current.upper / m + (share - reference.lower / n)
    return np.asarray(np.clip(np.maximum.accumulate(np.clip(share, low, high), axis=1), 0.0, 1.0))


def rebinning_error(side: CumulativeCounts) -> Floats:
    """Per row the most by which a share at or below any point can be wrong."""
    off = np.maximum(side.upper - side.estimate, side.estimate - side.lower).max(axis=1, initial=0.0)
    return np.asarray(off / np.where(side.n > 0, side.n, np.nan))


def rebin_categories(histograms: Histograms, rows: Sequence[int]) -> tuple[Floats, CumulativeCounts]:
    """Where the categories stand that occur in the chosen histograms, ascending, all others as one, last; and the
    histograms category by category: the estimate and its bounds are running sums."""
    starts, bin_counts, row_of = _nonempty_bins(histograms, rows)
    places = sort_distinct(starts)
    places = np.append(places[places < OTHER_CATEGORIES_START], OTHER_CATEGORIES_START)
    at = row_of * len(places) + np.minimum(np.searchsorted(places, starts), len(places) - 1)
    counts = np.bincount(at, weights=bin_counts, minlength=len(rows) * len(places)).reshape(len(rows), len(places))
    below: Floats = np.cumsum(counts, axis=1, dtype=np.float64)
    return places, CumulativeCounts(below, below, below, below[:, -1])


def _nonempty_bins(histograms: Histograms, rows: Sequence[int]) -> tuple[Floats, Floats, Ints]:
    """All bins that hold anything, in one line: where each begins, its count, and which of the rows it is of."""
    sizes = np.array([len(histograms.counts[row]) for row in rows])
    counts = np.frombuffer(b"".join([histograms.counts[row] for row in rows]))
    filled = np.flatnonzero(counts > 0)
    row_of = np.repeat(np.arange(len(rows)), sizes)[filled]
    edges = np.frombuffer(b"".join([histograms.edges[row] for row in rows]))
    return edges[filled + row_of], counts[filled], row_of  # of every row before there is one edge more


def merge_histograms(histograms: Histograms, rows: Sequence[int], categorical: bool) -> tuple[Floats, Floats]:
    """One histogram of all of these: edges and counts, exact where they share their edges."""
    if not categorical:
        edges = common_bin_ends(histograms, rows, 8 * FINE_BINS, 8 * FINE_BINS)
        return edges, np.diff(rebin(histograms, rows, edges).estimate.sum(axis=0))
    places, binned = rebin_categories(histograms, rows)
    counts = np.diff(binned.estimate.sum(axis=0), prepend=0.0)
    commonest = np.sort(np.argsort(-counts[:-1], kind="stable")[:MAX_CATEGORIES])
    others = counts.sum() - counts[commonest].sum()
    spots = [*places[commonest].tolist(), *([OTHER_CATEGORIES_START] if others else [])]
    amounts = [*counts[commonest].tolist(), *([others] if others else [])]
    return category_bins(spots, amounts)
