"""Two areas under the ROC curve on the same rows (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837-845).

Placements from midranks (Sun and Xu 2014, IEEE Signal Processing Letters 21:1389-1393). Checked against the published
comparison of albumin, total protein and K-G score in 43 patients of the paper's own example: SAS/STAT User's Guide, the
LOGISTIC procedure, example "Comparing Receiver Operating Characteristic Curves".
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..intervals import z_value
from .difference import Difference, undefined_difference

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
DELONG_METHOD = "DeLong's paired interval"


def delong(positive: ArrayLike, champion: ArrayLike, candidate: ArrayLike, level: float) -> Difference:
    """AUC of both and the interval of their difference; ``positive`` is true or false a row, scores are no NaN.

    Undefined where a class has no row; no interval where a class has one row, or where the estimated variance is 0
    (the same order on both sides, or two perfect ones): it would claim to know what it cannot.
    """
    is_positive = np.asarray(positive, dtype=np.bool_)
    one, other = (placements(is_positive, np.asarray(score, dtype=np.float64)) for score in (champion, candidate))
    n, m = len(one[0]), len(one[1])
    if not n or not m:
        return undefined_difference(n + m, how=DELONG_METHOD)
    areas = float(one[0].mean()), float(other[0].mean())
    if n < 2 or m < 2:
        return undefined_difference(n + m, *areas, how=DELONG_METHOD)
    apart = [theirs - ours for ours, theirs in zip(one, other, strict=True)]
    error = math.sqrt(float(apart[0].var(ddof=1)) / n + float(apart[1].var(ddof=1)) / m)
    if not error > 1e-12:
        return undefined_difference(n + m, *areas, how=DELONG_METHOD)
    value, half = areas[1] - areas[0], z_value(level) * error
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(*areas, max(-1.0, value - half), min(1.0, value + half), n + m, DELONG_METHOD, p)


def placements(positive: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Of every positive row the share of negatives that it beats (ties half), of every negative the share of positives
    that beat it, each in the order of the rows."""
    order = np.argsort(score)
    ranked = score[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])) if len(ranked) else np.zeros(0, np.int64)
    side = positive[order]
    hits = np.add.reduceat(side.astype(np.float64), starts) if len(starts) else np.zeros(0)
    sizes = np.diff(np.append(starts, len(ranked)))
    misses = sizes - hits
    n, m = float(hits.sum()), float(misses.sum())
    below, above = np.cumsum(misses) - misses, np.cumsum(hits) - hits
    found = np.empty(len(score))
    with np.errstate(invalid="ignore", divide="ignore"):
        beats, beaten = (below + misses / 2) / m, 1 - (above + hits / 2) / n
    found[order] = np.where(side, np.repeat(beats, sizes), np.repeat(beaten, sizes))
    return found[positive], found[~positive]
