"""Maximum mean discrepancy between two samples of rows (Gretton et al. 2012, JMLR 13:723-773)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .drift.result import DriftStatistic, emptiness_reason, reliability_notes, undefined_drift
from .rows import finite_rows, sample_rows

Floats = NDArray[np.float64]

MMD_MAX_ROWS = 500
"""Rows a side that are looked at (the cost is quadratic); of more, a seeded sample."""
PERMUTATIONS = 500
STOP_AFTER, BATCH = 10, 50
MMD_METHOD = "mmd"


def mmd(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    max_rows: int = MMD_MAX_ROWS,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> DriftStatistic:
    """The unbiased estimate of the squared discrepancy (their lemma 6; it may be negative) between rows (n x d).

    The kernel is Gaussian, exp(-|x - y|^2 / (2 s^2)), s the median distance between all rows. The p-value is by
    permutation, with one added above and below, and ends early once ten reached the estimate (Besag and Clifford 1991),
    so that windows without change cost little. Rows with a missing or infinite value are left out.
    """
    (r, lost), (c, gone) = finite_rows(reference), finite_rows(current)
    n, m = len(r), len(c)
    nothing = emptiness_reason(n, m) or ("" if min(n, m) > 1 else "fewer than 2 rows on a side")
    if nothing:
        return undefined_drift(MMD_METHOD, n, m, nothing)
    if r.shape[1] != c.shape[1]:
        raise ValueError("both sides need the same columns")
    random = np.random.default_rng(seed)
    r, c = sample_rows(r, max_rows, random), sample_rows(c, max_rows, random)
    kernel = _gaussian_kernel(np.concatenate([r, c]))
    side = np.repeat([1.0, 0.0], [len(r), len(c)])
    value = float(_mmd_estimates(kernel, side[:, None])[0])
    reached = dealt = 0
    while reached < STOP_AFTER and dealt < permutations:
        anew = random.permuted(np.tile(side, (min(BATCH, permutations - dealt), 1)), axis=1).T
        reached += int((_mmd_estimates(kernel, anew) >= value - 1e-12).sum())
        dealt += anew.shape[1]
    notes = (f"left out as incomplete: {lost} and {gone} rows",) if lost or gone else ()
    effect = float(np.sqrt(max(value, 0.0)))
    return DriftStatistic(
        MMD_METHOD, value, (reached + 1) / (dealt + 1), effect, n, m, (*notes, *reliability_notes(n, m))
    )


def _gaussian_kernel(rows: Floats) -> Floats:
    """Without its diagonal, which the unbiased estimate leaves out."""
    scale = float(np.abs(rows).max(initial=0.0)) or 1.0
    rows = rows / scale
    norms = (rows * rows).sum(axis=1)
    apart = np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0.0)
    median = float(np.median(apart[np.triu_indices(len(rows), 1)]))
    # Where most rows are equal the median is 0: then the mean, and where all are, any width will do.
    width = median or float(apart.mean()) or 1.0
    kernel = np.exp(-apart / (2 * width))
    np.fill_diagonal(kernel, 0.0)
    return np.asarray(kernel)


def _mmd_estimates(kernel: Floats, side: Floats) -> Floats:
    """One estimate a column of ``side``: 1 for rows that play the reference, 0 for the others."""
    n = side[:, 0].sum()
    m = len(side) - n
    other = 1.0 - side
    toward = kernel @ side
    within = (side * toward).sum(axis=0)
    between = (other * toward).sum(axis=0)
    beyond = kernel.sum() - within - 2 * between
    return np.asarray(within / (n * (n - 1)) + beyond / (m * (m - 1)) - 2 * between / (n * m))
