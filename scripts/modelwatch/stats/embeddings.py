"""Drift of embeddings (rows of many numbers): a domain classifier, and the maximum mean discrepancy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Floats


def _complete_samples(reference: ArrayLike, current: ArrayLike, max_rows: int) -> tuple[Floats, Floats] | None:
    """Both sides' rows (n x d; a single column can come flat) without a missing or infinite value, at most ``max_rows``
    of each; ``None`` where a side has fewer than two. Raises ValueError where their columns differ."""
    random = np.random.default_rng(0)
    sides = []
    for table in (reference, current):
        rows = np.asarray(table, dtype=np.float64)
        rows = rows.reshape(-1, 1) if rows.ndim == 1 else rows
        rows = rows[np.isfinite(rows).all(axis=1)]
        if len(rows) > max_rows:
            rows = rows[np.sort(random.choice(len(rows), max_rows, replace=False))]
        sides.append(rows)
    if min(map(len, sides)) < 2:
        return None
    if sides[0].shape[1] != sides[1].shape[1]:
        raise ValueError("both sides need the same columns")
    return sides[0], sides[1]


CLASSIFIER_MAX_ROWS = 5000
"""Rows a side that are looked at; of more, a seeded sample."""
FOLDS = 2


def domain_classifier(reference: ArrayLike, current: ArrayLike) -> float:
    """The AUC with which a cross-validated logistic regression tells current rows (n x d) from those of the reference.

    0.5 where nothing moved. Every row is scored by a model that has not seen it; the AUC is the mean over both halves,
    so that scores of different models are never compared. Rows with a value that is missing or infinite are left out;
    NaN with fewer than two rows a side.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    samples = _complete_samples(reference, current, CLASSIFIER_MAX_ROWS)
    if samples is None:
        return np.nan
    rows, side = np.concatenate(samples), np.repeat([0, 1], list(map(len, samples)))
    areas = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, side):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced"))
        model.fit(rows[train], side[train])
        areas.append(float(roc_auc_score(side[test], model.decision_function(rows[test]))))
    return float(np.mean(areas))


MMD_MAX_ROWS = 500
"""Rows a side that are looked at (the cost is quadratic); of more, a seeded sample."""


def mmd(reference: ArrayLike, current: ArrayLike) -> float:
    """The squared maximum mean discrepancy between rows (n x d): Gretton et al. (2012), the unbiased estimate of lemma
    6, which can be negative.

    The kernel is Gaussian, exp(-|x - y|^2 / (2 s^2)), s the median distance between all rows. Rows with a missing or
    infinite value are left out; NaN with fewer than two rows a side.
    """
    samples = _complete_samples(reference, current, MMD_MAX_ROWS)
    if samples is None:
        return np.nan
    kernel = _gaussian_kernel(np.concatenate(samples))
    n, m = map(len, samples)
    within, beyond, between = kernel[:n, :n].sum(), kernel[n:, n:].sum(), kernel[:n, n:].mean()
    return float(within / (n * (n - 1)) + beyond / (m * (m - 1)) - 2 * between)


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
