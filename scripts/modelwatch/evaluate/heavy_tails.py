"""Values whose tails are so heavy that their variance does not exist: then no budget of false alarms can be promised.

The noise that a detector knows is that of the past weeks. Of amounts such as revenue per order, the largest one that is
still to come has more weight than all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model.rule import Rule, SamplingModel
from ..stats.arrays import Floats

SHARES = (0.03, 0.1)
"""Of the values, those furthest from the median: a peak that comes every day is no tail at one of them."""
MIN_VALUES = 600
"""Fewer say too little about tails."""
HEAVY = 2.0
"""Below this index a distribution has no variance."""


def tail_index(values: Floats) -> float:
    """The index of the tails (Hill 1975); infinite where there are too few values to know it."""
    if len(values) < MIN_VALUES:
        return np.inf
    apart = np.sort(np.abs(values - np.median(values)))[::-1]
    return max(_hill(apart, int(len(apart) * share)) for share in SHARES)


def _hill(apart: Floats, count: int) -> float:
    """``apart`` descends."""
    if apart[count] <= 0:
        return np.inf
    total = float(np.log(apart[:count] / apart[count]).sum())
    return count / total if total > 0 else np.inf


def heavy_tail_note(rule: Rule, series: Sequence[Floats]) -> str:
    """The note about a rule whose detectors judge these values of its series; empty where there is nothing to note."""
    if rule.sampling_model not in (SamplingModel.MEAN, SamplingModel.COUNT):
        return ""
    heaviest = min(map(tail_index, series), default=np.inf)
    if heaviest >= HEAVY:
        return ""
    return (
        f"the tails of its values are so heavy (index {heaviest:.1f}; below 2 there is no variance) that its budget of "
        "false alarms is not promised: judge a quantile (`aggregate: p50`), or log amounts that are capped"
    )
