"""Which rows to have labelled, where not all can be: how many of each stratum, and which.

Rows are drawn by a hash of their id: the same rows for the same log, whatever its order. Every row of a stratum has the
same, known probability to be drawn, so that what is computed of the labels can be weighted back to all rows (Horvitz
and Thompson 1952, Journal of the American Statistical Association 47:663-685).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Hashes, Ints

FLOOR = 2
"""Rows of each stratum, if the budget allows: two labels are the least from which an error can be estimated."""


LEAST_DEVIATION = 0.02
"""Nowhere is a model so sure that nothing is worth a look."""


FLOOR_SHARE = 0.5
"""No stratum gets less than this share of what its size is worth. No weight is then more than twice the usual one, and
the labels are worth at least half as many of equal weights (Kish 1965), however uncertain one stratum is."""


def allocate_evenly(sizes: Ints, budget: int) -> Ints:
    """Rows to draw by stratum: at least ``FLOOR`` of each, or one, as far as it has them, and the rest by size.

    Raises ValueError for a budget below one row of each.
    """
    return _allocate(sizes, sizes.astype(np.float64), np.zeros(len(sizes), np.int64), budget)


def allocate_by_uncertainty(sizes: Ints, deviations: Floats, budget: int) -> Ints:
    """Rows to draw by stratum so that the mean over all rows gets the narrowest interval (Neyman 1934, Journal of the
    Royal Statistical Society 97:558-625), as frequent as ``sizes * deviations``, with ``FLOOR_SHARE`` of what
    ``allocate_evenly`` gives. ``deviations``: the standard deviation of what is measured (right or wrong) in a stratum.

    Labels that are there do not count: they came early, and say little of rows whose labels come late, or never. At
    least one row of each stratum, so that the weights of what is drawn add up to all rows. Raises ValueError for a
    budget below that.
    """
    wanted = np.maximum(deviations, LEAST_DEVIATION) * sizes.astype(np.float64)
    least = np.floor(FLOOR_SHARE * min(budget, int(sizes.sum())) * sizes / sizes.sum())
    return _allocate(sizes, wanted, least.astype(np.int64), budget)


def effective_rows(weights: Floats) -> float:
    """How many equally weighted rows would be as certain (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def _allocate(sizes: Ints, wanted: Floats, least: Ints, budget: int) -> Ints:
    budget = min(budget, int(sizes.sum()))
    floors = (np.minimum(sizes, np.maximum(each, least)) for each in (FLOOR, 1))
    floor = next((one for one in floors if one.sum() <= budget), np.minimum(sizes, 1))
    if floor.sum() > budget:
        raise ValueError(f"{budget} rows are fewer than {floor.sum()} strata.")
    low, high = 0.0, float(sizes.max() / wanted.min())
    for _ in range(200):  # water-filling: one level to which all strata are filled, within their bounds
        level = (low + high) / 2
        total = np.clip(level * wanted, floor, sizes).sum()
        low, high = (level, high) if total < budget else (low, level)
    exact = np.clip(high * wanted, floor, sizes)
    taken = np.maximum(np.floor(exact + 1e-9).astype(np.int64), floor)
    rest = budget - int(taken.sum())
    # What rounding leaves goes to the largest remainders, then to whichever stratum has rows.
    order = np.lexsort((np.arange(len(sizes)), -(exact - taken)))
    while rest > 0:
        room = order[taken[order] < sizes[order]][:rest]
        taken[room] += 1
        rest -= len(room)
    return taken


def draw_from_strata(hashes: Hashes, strata: Ints, takes: Ints) -> Ints:
    """The places of the rows that are drawn: of each stratum those with the smallest hashes."""
    order = np.lexsort((hashes, strata))
    sizes = np.bincount(strata, minlength=len(takes))
    begins = np.cumsum(sizes) - sizes
    rank = np.arange(len(order)) - begins[strata[order]]
    return np.asarray(order[rank < takes[strata[order]]])


def draw_systematically(hashes: Hashes, strata: Ints, budget: int) -> Ints:
    """As above where there are more strata than rows to draw: every k-th row in the order of the strata, so that each
    group of neighbours gets its share. Every row has the same probability."""
    order = np.lexsort((hashes, strata))
    if budget >= len(order):
        return np.asarray(order)
    step = len(order) / budget
    start = float(hashes.min() & np.uint64(0xFFFFFFFF)) / 2.0**32 * step  # The lowest bits are as if drawn.
    return np.asarray(order[np.floor(start + step * np.arange(budget)).astype(np.int64)])
