"""Single rows counted by score, to compare with what profiles count."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelwatch.stats.performance.calibration import ScoreCounts


def counts_of_rows(happened: ArrayLike, scores: ArrayLike) -> ScoreCounts | None:
    """The counts of single rows; rows whose score is NaN are left out. ``None`` as in ``counts_of_profiles``."""
    truth, p = np.asarray(happened, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    truth, p = truth[~np.isnan(p)], p[~np.isnan(p)]
    if not len(p) or p.min() < 0 or p.max() > 1:
        return None
    values, number = np.unique(p, return_inverse=True)
    yes, no = (np.bincount(number[side], minlength=len(values)).astype(np.float64) for side in (truth, ~truth))
    return ScoreCounts(values, yes, no)
