"""Rows of many numbers (embeddings): complete ones, and seeded samples of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .drift.methods import DriftStatistic, emptiness_reason, reliability_notes, undefined_drift

Floats = NDArray[np.float64]


def finite_rows(table: ArrayLike) -> tuple[Floats, int]:
    """The rows (n x d; a single column may come flat) without a missing or infinite value, and how many others."""
    rows = np.asarray(table, dtype=np.float64)
    if rows.ndim == 1:
        rows = rows.reshape(-1, 1)
    whole = np.isfinite(rows).all(axis=1)
    return rows[whole], int(len(rows) - whole.sum())


def sample_rows(rows: Floats, max_rows: int, random: np.random.Generator) -> Floats:
    """At most this many of the rows, drawn without replacement."""
    if len(rows) <= max_rows:
        return rows
    return np.asarray(rows[np.sort(random.choice(len(rows), max_rows, replace=False))])


CLASSIFIER_MAX_ROWS = 5000
"""Rows a side that are looked at; of more, a seeded sample."""
FOLDS = 2
CLASSIFIER_METHOD = "domain_classifier"


def domain_classifier(
    reference: ArrayLike, current: ArrayLike, *, max_rows: int = CLASSIFIER_MAX_ROWS, seed: int = 0
) -> DriftStatistic:
    """The AUC with which a cross-validated logistic regression tells current rows (n x d) from those of the reference.

    0.5 where nothing moved. Every row is scored by a model that has not seen it; the AUC is the mean over both halves,
    so that scores of different models are never compared. Its effect is the distance from 0.5, times two. The p-value
    is that of Mann and Whitney, one-sided, in each half on its own; twice the lesser, since the halves' models share
    their rows crosswise (over more folds the means of the AUC are spread far wider than one sample's).
    Rows with a value that is missing or infinite are left out; needs at least two rows a side.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (r, lost), (c, gone) = finite_rows(reference), finite_rows(current)
    n, m = len(r), len(c)
    nothing = emptiness_reason(n, m) or ("" if min(n, m) >= FOLDS else f"fewer than {FOLDS} rows on a side")
    if nothing:
        return undefined_drift(CLASSIFIER_METHOD, n, m, nothing)
    if r.shape[1] != c.shape[1]:
        raise ValueError("both sides need the same columns")
    random = np.random.default_rng(seed)
    r, c = sample_rows(r, max_rows, random), sample_rows(c, max_rows, random)
    rows, side = np.concatenate([r, c]), np.repeat([0, 1], [len(r), len(c)])
    found, chances = [], []
    for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, side):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced"))
        model.fit(rows[fit], side[fit])
        found.append(float(roc_auc_score(side[held], model.decision_function(rows[held]))))
        chances.append(_mann_whitney_p_value(found[-1], int((side[held] == 0).sum()), int((side[held] == 1).sum())))
    value = float(np.mean(found))
    notes = (f"left out as incomplete: {lost} and {gone} rows",) if lost or gone else ()
    return DriftStatistic(
        CLASSIFIER_METHOD,
        value,
        min(FOLDS * min(chances), 1.0),
        max(2 * value - 1, 0.0),
        n,
        m,
        (*notes, *reliability_notes(n, m)),
    )


def _mann_whitney_p_value(auc: float, n: int, m: int) -> float:
    """P(AUC >= auc) without change, by the normal approximation of Mann and Whitney (1947)."""
    from scipy.special import ndtr

    deviation = np.sqrt((n + m + 1) / (12.0 * n * m))
    return float(ndtr(-(auc - 0.5) / deviation))


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
