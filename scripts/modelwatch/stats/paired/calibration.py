"""How far probabilities are from what happened."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CALIBRATION_BINS = 10


def calibration_error(positive: Bools, probability: Floats) -> float:
    """Expected calibration error over ten bins of equal width, right-closed (Naeini, Cooper and Hauskrecht 2015;
    Guo et al. 2017): the mean distance of what was said from what happened, bins weighed by their rows.

    NaN without rows, or where something is no probability.
    """
    if not len(probability) or not (probability.min() >= 0 and probability.max() <= 1):
        return math.nan
    place = np.clip(np.ceil(probability * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    said = np.bincount(place, weights=probability, minlength=CALIBRATION_BINS)
    happened = np.bincount(place, weights=positive, minlength=CALIBRATION_BINS)
    return float(np.abs(said - happened).sum() / len(probability))
