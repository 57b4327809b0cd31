"""Local time, of many times at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from ..stats.arrays import Floats
from ..timeutil import DAY

MAX_DAYS = 4000
"""Before that the first offset is taken: times that far back are errors of the log."""


def local_times(times: Floats, zone: str) -> Floats:
    """What clocks in ``zone`` show, in seconds since 1970 as they count them. An hour can come twice, or not at all."""
    return times + utc_offsets(times, zone) if zone not in ("", "UTC") else times


def utc_offsets(times: Floats, zone: str) -> Floats:
    """Seconds by which clocks in ``zone`` are ahead of UTC at each time."""
    if zone in ("", "UTC") or not len(times):
        return np.zeros(len(times))
    last = int(times.max() // DAY) + 1
    first = max(int(times.min() // DAY), last - MAX_DAYS)
    changes, offsets = _offset_changes(zone, first, last)
    return offsets[np.searchsorted(changes, times, side="right")]


@lru_cache(maxsize=64)
def _offset_changes(zone: str, first: int, last: int) -> tuple[Floats, Floats]:
    """When the offset changes between two days (since 1970), and the offsets: the first one, and that after each."""
    info = ZoneInfo(zone)

    def offset(time: float) -> float:
        moment = datetime.fromtimestamp(time, UTC).astimezone(info).utcoffset()
        return moment.total_seconds() if moment else 0.0

    changes, offsets = [], [offset(first * DAY)]
    for day in range(first, last + 1):
        end = offset((day + 1) * DAY)
        if end != offsets[-1]:
            changes.append(_bisect(day, offsets[-1], offset))
            offsets.append(end)
    return np.array(changes), np.array(offsets)


def _bisect(day: int, before: float, offset: Callable[[float], float]) -> float:
    """The second of ``day`` from which on the offset is no longer ``before``."""
    low, high = day * int(DAY), (day + 1) * int(DAY)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == before else (low, middle)
    return float(high)
