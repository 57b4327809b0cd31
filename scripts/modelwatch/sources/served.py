"""Which version served when, from the times at which each was seen."""

from __future__ import annotations

from array import array
from typing import Any

SILENCE_SECONDS = 3600.0
"""Seconds without a point after which a version counts as no longer serving, where its points usually stand closer."""
SILENCE_SPACINGS = 3
"""As above, in usual spacings of its points."""


def deployment_starts(times: array[float], versions: array[int]) -> list[tuple[float, int]]:
    """``(since, version)``, oldest first, no version twice in a row, from points in any order (seconds, UTC).

    A version that was never seen before serves from its first point on. An older one serves again from its first point
    after the present one has fallen silent (a rollback); while both are seen, the newer one keeps serving. Negative
    versions are unknown ones and say nothing.
    """
    import numpy as np

    when, which = np.asarray(times), np.asarray(versions)
    order = np.argsort(when, kind="stable")
    order = order[which[order] >= 0]
    when, which = when[order], which[order]
    seen = {place: np.unique(when[which == place]) for place in dict.fromkeys(which.tolist())}
    found: list[tuple[float, int]] = []
    known: set[int] = set()
    for place in _version_changes(which):
        time, version = float(when[place]), int(which[place])
        if found and version == found[-1][1]:
            continue
        if version not in known or _has_gone_silent(seen[found[-1][1]], time):
            found.append((time, version))
            known.add(version)
    return found


def _version_changes(which: Any) -> list[int]:
    """Where the version differs from that of the point before."""
    import numpy as np

    if not len(which):
        return []
    return [0, *(np.flatnonzero(which[1:] != which[:-1]) + 1).tolist()]


def _has_gone_silent(times: Any, time: float) -> bool:
    """Whether a version with points at ``seen`` has none for long from ``time`` on."""
    import numpy as np

    later = np.searchsorted(times, time, side="left")
    if later == len(times):
        return True
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return bool(times[later] - time > max(SILENCE_SECONDS, SILENCE_SPACINGS * spacing))
