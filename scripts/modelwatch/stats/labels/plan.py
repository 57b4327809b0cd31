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


def allocate_evenly(sizes: Ints, budget: int) -> Ints:
    """Rows to draw by stratum: at least ``FLOOR`` of each, or one, as far as it has them, and the rest by size.

    Raises ValueError for a budget below one row of each.
    """
    return _allocate(sizes, sizes.astype(np.float64), np.zeros(len(sizes)), budget)


def allocate_by_uncertainty(sizes: Ints, deviations: Floats, labelled: Ints, budget: int) -> Ints:
    """Rows to draw by stratum so that the mean over all rows gets the narrowest interval (Neyman 1934, Journal of the
    Royal Statistical Society 97:558-625), counting the labels that are there: in the end labels are as frequent as
    ``sizes * deviations``. ``deviations``: the standard deviation of what is measured (right or wrong) in a stratum.

    At least one row of each stratum, so that the weights of what is drawn add up to all rows. Raises ValueError for a
    budget below that.
    """
    wanted = np.maximum(deviations, LEAST_DEVIATION) * sizes.astype(np.float64)
    return _allocate(sizes, wanted, labelled.astype(np.float64), budget)


def _allocate(sizes: Ints, wanted: Floats, present: Floats, budget: int) -> Ints:
    budget = min(budget, int(sizes.sum()))
    floor = np.minimum(sizes, np.clip(FLOOR - present, 1, FLOOR).astype(np.int64))
    if floor.sum() > budget:
        floor = np.minimum(sizes, 1)
    if floor.sum() > budget:
        raise ValueError(f"{budget} rows are fewer than {floor.sum()} strata.")
    low, high = 0.0, float((sizes + present).max() / wanted.min())
    for _ in range(200):  # water-filling: one level to which all strata are filled, within their bounds
        level = (low + high) / 2
        total = np.clip(level * wanted - present, floor, sizes).sum()
        low, high = (level, high) if total < budget else (low, level)
    exact = np.clip(high * wanted - present, floor, sizes)
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
