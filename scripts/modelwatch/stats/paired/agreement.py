"""How far two models say the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import z_value

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    observed: float
    """Share of rows with the same prediction."""
    kappa: float
    """Cohen's, NaN where both always say one and the same."""
    low: float
    high: float
    n: int


def agreement(table: Floats, level: float) -> Agreement:
    """From ``table[i, j]``: rows for which one says ``i`` and the other ``j``.

    Kappa with the large-sample variance of Fleiss, Cohen and Everitt (1969, Psychological Bulletin 72:323-327), as
    ``statsmodels.stats.inter_rater.cohens_kappa`` reports it.
    """
    n = float(table.sum())
    if not n > 0:
        return Agreement(math.nan, math.nan, math.nan, math.nan, 0)
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    seen, chance = float(np.trace(share)), float(rows @ columns)
    if chance >= 1:
        return Agreement(seen, math.nan, math.nan, math.nan, int(n))
    kappa = (seen - chance) / (1 - chance)
    inside = np.diag(share) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    sums = columns[:, None] + rows[None, :]
    outside = (1 - kappa) ** 2 * float((share * sums**2).sum() - np.diag(share) @ np.diag(sums) ** 2)
    variance = (float(inside) + outside - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = z_value(level) * math.sqrt(max(variance, 0.0))
    return Agreement(seen, kappa, max(-1.0, kappa - half), min(1.0, kappa + half), int(n))
