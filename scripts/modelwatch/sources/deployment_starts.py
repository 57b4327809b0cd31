"""Which version served when, from the points that versions logged."""

from __future__ import annotations

from array import array
from typing import Any

from ..timeutil import HOUR

UNKNOWN_VERSION = -1
SILENCE_SECONDS = HOUR
"""Seconds without a point after which a version counts as no longer serving, where its points usually stand closer."""
SILENCE_SPACINGS = 3
"""As above, in usual spacings of its points."""


def deployment_starts(times: array[float], versions: array[int]) -> list[tuple[float, int]]:
    """``(since, version)``, oldest first, no version twice in a row, from points in any order (seconds, UTC).

    A version that was never seen before serves from its first point on. An older one serves again from its first point
    after the present one has fallen silent (a rollback); while both are seen, the newer one keeps serving. Negative
    versions are unknown and ignored.
    """
    import numpy as np

    when, which = np.asarray(times), np.asarray(versions)
    order = np.argsort(when, kind="stable")
    order = order[which[order] >= 0]
    when, which = when[order], which[order]
    times_of = {place: np.unique(when[which == place]) for place in dict.fromkeys(which.tolist())}
    starts: list[tuple[float, int]] = []
    known: set[int] = set()
    for place in np.flatnonzero(np.diff(which, prepend=UNKNOWN_VERSION)):
        time, version = float(when[place]), int(which[place])
        if starts and version == starts[-1][1]:
            continue
        if version not in known or _has_gone_silent(times_of[starts[-1][1]], time):
            starts.append((time, version))
            known.add(version)
    return starts


def _has_gone_silent(times: Any, time: float) -> bool:
    """Whether a version with points at ``times`` has none for long from ``time`` on."""
    import numpy as np

    later = np.searchsorted(times, time, side="left")
    if later == len(times):
        return True
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return bool(times[later] - time > max(SILENCE_SECONDS, SILENCE_SPACINGS * spacing))
