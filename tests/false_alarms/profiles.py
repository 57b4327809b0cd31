"""Profiles against a captured one, as they are read from a file: edges fixed by a reference, counts between them."""

from __future__ import annotations

import numpy as np

from modelwatch.stats.drift.methods import METHODS, of_bins
from modelwatch.stats.drift.null_distribution import FALSE_ALARM_RATE, LEAST_EFFECT
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile

from .tally import Tally
from .worlds import Rng, World, values_of

CAPTURED = 10_000
"""Rows of the reference; every window has one of its own, so that they do not share its luck."""


def alarms(before: World, after: World, size: int, windows: int, rng: Rng) -> dict[str, Tally]:
    found = np.zeros((2, windows, len(METHODS)), dtype=np.bool_)
    for window in range(windows):
        healthy = values_of(before, rng, CAPTURED)
        captured = NumericProfile.of(healthy, choose_edges(healthy))
        current = NumericProfile.of(values_of(after, rng, size), captured.edges)
        for place, method in enumerate(METHODS):
            drift = of_bins(method, captured, current)
            alarm = drift.reliable and drift.p_value is not None and drift.p_value <= FALSE_ALARM_RATE
            found[:, window, place] = alarm, drift.effect >= LEAST_EFFECT[method]
    return {method: Tally.of(found[0, :, place], found[1, :, place]) for place, method in enumerate(METHODS)}
