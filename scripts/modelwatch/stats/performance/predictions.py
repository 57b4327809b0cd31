"""What scores say before any label is known: how sure the model is."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Floats
from ..profile.numeric import NumericProfile, bin_middles


def entropy_bits(probabilities: Floats) -> Floats:
    """Shannon's entropy (1948) in bits of each row of ``[rows, classes]``: 0 for certainty, 1 for a coin that is
    tossed. A probability of 0 adds nothing."""
    positive = probabilities > 0
    logs = np.log2(np.where(positive, probabilities, 1.0))
    return np.asarray(-(np.where(positive, probabilities, 0.0) * logs).sum(axis=1))


def mean_confidence_and_entropy(scores: NumericProfile) -> tuple[float, float]:
    """The mean probability of the likelier one of two classes, and the mean entropy in bits, every score at the middle
    of its bin; NaN where scores are no probabilities, or there are none."""
    if not scores.n or scores.infinite_low or scores.infinite_high or not (scores.low >= 0 and scores.high <= 1):
        return math.nan, math.nan
    filled = np.flatnonzero(scores.counts)
    p = bin_middles(scores.edges, filled, scores.low, scores.high)
    confidence, weights = np.maximum(p, 1 - p), scores.counts[filled] / scores.n
    other = np.maximum(1 - confidence, np.finfo(np.float64).tiny)
    entropy = -(confidence * np.log2(confidence) + other * np.log2(other))
    return float(confidence @ weights), float(entropy @ weights)
