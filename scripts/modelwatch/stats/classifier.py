"""Drift of embeddings and other rows of many numbers: can a classifier tell the reference from the current side?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .drift.result import DriftStatistic, emptiness_reason, reliability_notes, undefined_drift
from .rows import finite_rows, sample_rows

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
