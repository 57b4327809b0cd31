"""Which points of two series belong to the same time."""

from __future__ import annotations

import numpy as np

from .arrays import Floats, Ints

MIN_REACH, MAX_REACH = 1.0, 600.0
"""Seconds that two points of one time are apart at most, by the spacing of the points."""


def nearest_rows(times: Floats, own: Floats) -> Ints:
    """For each of ``times`` the index in ``own`` of the time that is nearest to it and to no other, or -1.

    Both are seconds, ascending. Two times belong together within half the usual spacing of ``times``.
    """
    if not len(own) or not len(times):
        return np.full(len(times), -1)
    nearest = _nearest(own, times)
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    reach = min(max(MIN_REACH, spacing / 2), MAX_REACH)
    is_mutual = _nearest(times, own)[nearest] == np.arange(len(times))
    return np.where(is_mutual & (np.abs(own[nearest] - times) <= reach), nearest, -1)


def _nearest(places: Floats, wanted: Floats) -> Ints:
    """For each of ``wanted`` the index of the nearest of ``places``."""
    after = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(places[before] - wanted) <= np.abs(places[after] - wanted), before, after)
