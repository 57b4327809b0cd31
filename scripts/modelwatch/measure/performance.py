"""Performance that the counts of a profile give by themselves: no row is read again."""

from __future__ import annotations

import numpy as np

from ..stats.profile.numeric import NumericProfile
from ..stats.profile.table import PAIR, TableProfile

Scalars = dict[str, float]


def of_table(table: TableProfile) -> Scalars:
    """Accuracy from confusion counts (exact), the area under the ROC curve where there are two labels and a score,
    mean absolute error, its root mean square and bias of a regression (to within a bin). ``n``: rows with a label.

    Of two labels the later one in alphabetical order is the positive one: 1, true, yes.
    """
    found: Scalars = {}
    if table.pairs is not None and table.pairs.n:
        right = sum(count for pair, count in table.pairs.all.items() if len(set(pair.split(PAIR, 1))) == 1)
        found |= {"accuracy": right / table.pairs.n, "n": float(table.pairs.n)}
    if len(table.scores) == 2:
        negative, positive = (table.scores[name] for name in sorted(table.scores))
        area = roc_area(positive, negative)
        if not np.isnan(area):
            found |= {"auc": area, "auc_n": float(positive.n + negative.n)}
    if table.errors is not None and table.errors.n:
        found |= {**_errors(table.errors), "n": float(table.errors.n)}
    return found


def roc_area(positive: NumericProfile, negative: NumericProfile) -> float:
    """P(a positive scores higher) + P(both score alike) / 2; scores of one bin are alike. NaN where a side is empty."""
    if not positive.n or not negative.n:
        return np.nan
    below = np.concatenate([[0], np.cumsum(negative.counts)[:-1]]) + negative.counts / 2
    return float(np.sum(positive.counts / positive.n * (below / negative.n)))


def _errors(profile: NumericProfile) -> Scalars:
    ends = np.concatenate([[profile.low], np.clip(profile.edges, profile.low, profile.high), [profile.high]])
    filled = np.flatnonzero(profile.counts)
    middles = ends[filled] / 2 + ends[filled + 1] / 2
    share = profile.counts[filled] / profile.n
    return {
        "mae": float(np.sum(np.abs(middles) * share)),
        "rmse": float(np.sqrt(np.sum(middles**2 * share))),
        "bias": float(np.sum(middles * share)),
    }
