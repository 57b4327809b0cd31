"""One statistic of drift between rows of counts: the effect, and whether chance did it."""

from __future__ import annotations

import numpy as np

from ..stats.drift import counts as of_counts
from ..stats.drift import ordered as of_order
from ..stats.drift.measures import BY_BINS
from ..stats.drift.permutation import table_p
from ..stats.limits import null_of
from .below import Below
from .columns import Floats
from .histograms import nearest

SQUARED = "squared_variation"
"""Half of total variation squared: for categories what the effect of Cramer-von Mises is for numbers, as large."""
RARE = 5.0
"""Categories with fewer values than this to be expected on the smaller side count together (after Cochran 1954)."""


def by_numbers(method: str, reference: Below, current: Below, ends: Floats) -> tuple[Floats, Floats]:
    """Effect, and the p-value of the least that the bins allow, of each row."""
    n, m = reference.n, current.n
    with np.errstate(all="ignore"):
        r = np.diff(reference.even, axis=1, prepend=0.0)
        c = np.diff(current.even, axis=1, prepend=0.0)
        value, sure = _value(method, r, c, ends), _least(method, reference, current, ends)
        total = r.sum(axis=0)
        null = null_of(method, total, float(np.nanmedian(n)), float(np.nanmedian(m)), points=ends, lines=True)
        return _effect(method, value, n, m, (r, c), ends), null.p_value(sure, n, m)


def by_categories(method: str, reference: Below, current: Below) -> tuple[Floats, Floats]:
    """The same, category by category; the last column holds all others. ``method`` needs no order."""
    n, m = reference.n, current.n
    squared = method == SQUARED
    method = "total_variation" if squared else method
    with np.errstate(all="ignore"):
        r, c = _together(*(np.diff(side.even, axis=1, prepend=0.0) for side in (reference, current)))
        value = BY_BINS[method](r, c)
        effect = _effect(method, value, n, m, (r, c), np.empty(0))
        p_value = table_p(method, r, c)
    return effect**2 / 2 if squared else effect, p_value


def _together(r: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Rare categories, row by row, added to all others: their ratios would be noise."""
    n, m = r.sum(axis=1, keepdims=True), c.sum(axis=1, keepdims=True)
    rare = (r + c) * np.minimum(n, m) / (n + m) < RARE
    rare[:, -1] = True
    sides = []
    for side in (r, c):
        kept = np.where(rare, 0.0, side)
        kept[:, -1] = np.where(rare, side, 0.0).sum(axis=1)
        sides.append(kept)
    return sides[0], sides[1]


def unseen(reference: Below, current: Below) -> Floats:
    """Per row the share of values in categories that the reference never had."""
    r, c = (np.diff(side.even, axis=1, prepend=0.0) for side in (reference, current))
    new = np.where(r > 0, 0.0, c)[:, :-1].sum(axis=1)
    return np.asarray(new / np.where(current.n > 0, current.n, np.nan))


def _value(method: str, r: Floats, c: Floats, ends: Floats) -> Floats:
    if method in BY_BINS:
        return BY_BINS[method](r, c)
    if method == "cramer_von_mises":
        return of_order.cramer_von_mises(r, c, lines=True)
    gap = of_order.gaps(r, c)
    return of_order.kolmogorov_smirnov(gap) if method == "ks" else of_order.wasserstein_lines(gap, ends)


def _least(method: str, reference: Below, current: Below, ends: Floats) -> Floats:
    """The least that the bins allow."""
    n, m = reference.n[:, None], current.n[:, None]
    if method not in BY_BINS:
        r = np.diff(reference.even, axis=1, prepend=0.0)
        return _value(method, r, np.diff(nearest(reference, current), axis=1, prepend=0.0) * m, ends)
    apart = _least_apart(reference, current)
    if method == "total_variation":
        return np.asarray(np.abs(apart).sum(axis=1) / 2)
    # Measures of ratios ask what share a difference is held against, and where a histogram's own bin reaches over a
    # common edge even that is not known: a whole number that sits in such a bin is cut in two, and its lesser part may
    # be next to nothing (28 % false alarms of PSI at a nominal 1 %). So a share is taken for the most it may be.
    before = np.concatenate([np.zeros_like(n), reference.least[:, :-1]], axis=1)
    share = (reference.most - before) / n
    total = share.sum(axis=1)
    value = _value(method, share * n / total[:, None], np.maximum(share + apart, 0.0) * m / total[:, None], ends)
    return np.asarray(value * (np.sqrt(total) if method in ("jensen_shannon", "hellinger") else total))


def _least_apart(reference: Below, current: Below) -> Floats:
    """Bin by bin the difference of the shares, as little in all as the bins allow: the difference of the shares below
    a point stays what it was at the point before until it cannot."""
    n, m = reference.n[:, None], current.n[:, None]
    low, high = current.least / m - reference.most / n, current.most / m - reference.least / n
    apart = np.zeros_like(low)
    so_far = np.zeros(len(low))
    for place in range(low.shape[1]):
        now = np.clip(so_far, low[:, place], high[:, place])
        apart[:, place], so_far = now - so_far, now
    return apart


def _effect(method: str, value: Floats, n: Floats, m: Floats, rows: tuple[Floats, Floats], ends: Floats) -> Floats:
    r, c = rows
    if method == "chi_square":
        return of_counts.cohens_w(r, c)
    if method == "cramer_von_mises":
        return value * (n + m) / (n * m)
    if method == "wasserstein":
        middles = (ends + np.append(ends[0], ends[:-1])) / 2
        share = r / n[:, None]
        mean = (share * middles).sum(axis=1)
        spread = np.sqrt((share * (middles - mean[:, None]) ** 2).sum(axis=1))
        return np.asarray(np.where(spread > 0, value / spread, np.where(value > 0, np.inf, 0.0)))
    return value
