"""Points so far off that one alone would move a baseline for weeks: a value in another unit, a counter read twice."""

from __future__ import annotations

import numpy as np

from ..stats.arrays import Bools, Floats, Ints
from ..timeutil import DAY, WEEK

WEEKS = 3
"""Weeks before a point that say how far points lie from their median."""
MIN_POINTS = 7
"""Points, over a day at least, without which nothing is known."""
FAR = 10.0
"""How many times as far as any of those weeks a point pulls the mean."""
MAX_RUN = 6
"""More of them in a row are a change."""
MAX_RUNS = 2
"""More often in those weeks it is a custom, such as a job that runs once a week."""
YOUNG = 2 * WEEK
"""So long after its first point a series is looked at day by day, later week by week."""


def find_outliers(times: Floats, values: Floats, exposure: Floats) -> Bools | None:
    """Which points are outliers by the points before them; ``None``: none of them.

    A point pulls the mean by its distance from the median, times its exposure. Where all points before were equal the
    median itself says what is far.
    """
    found = np.zeros(len(times), np.bool_)
    runs: list[float] = []
    blocks = _blocks(times)
    is_near = _are_near(times, values, exposure, blocks)
    for place, (start, stop) in enumerate(blocks):
        if is_near[place] and not runs:
            continue
        before = np.arange(np.searchsorted(times, times[start] - WEEKS * WEEK), start)
        before = before[~found[before]] if runs else before
        if len(before) < MIN_POINTS or times[start - 1] - times[before[0]] < DAY - 1:
            continue
        middle = float(np.median(values[before]))
        usual = float((exposure[before] * np.abs(values[before] - middle)).max())
        usual = usual or abs(middle) * float(exposure[before].max())
        far = start + np.flatnonzero(exposure[start:stop] * np.abs(values[start:stop] - middle) > FAR * usual)
        for run in _runs(far) if usual > 0 else ():
            since = float(times[run[0]])
            recent = sum(since - WEEKS * WEEK < other for other in runs)
            if len(run) <= MAX_RUN and recent < MAX_RUNS:
                found[run] = True
                runs.append(since)
    return found if runs else None


def _are_near(times: Floats, values: Floats, exposure: Floats, blocks: list[tuple[int, int]]) -> list[bool]:
    """Blocks without outliers for certain, as most: half of the range of the values before is the least distance of its
    farther end from the median, so an outlier lies several ranges outside. Medians take long."""
    if not blocks:
        return []
    starts = [start for start, _ in blocks]
    lows, highs = (edge.reduceat(values, starts).tolist() for edge in (np.minimum, np.maximum))
    oldest = np.searchsorted(starts, np.searchsorted(times, times[starts] - WEEKS * WEEK)).tolist()
    most = float(exposure.max())
    beyond = FAR / 2 * float(exposure.min()) / most - 1 if most > 0 else 0.0
    near = []
    for place, first in enumerate(oldest):
        low, high = min(lows[first:place], default=np.inf), max(highs[first:place], default=-np.inf)
        reach = beyond * (high - low)
        near.append(reach > 0 and low - reach <= lows[place] and highs[place] <= high + reach)
    return near


def _blocks(times: Floats) -> list[tuple[int, int]]:
    """First row of each day (later: of each week since 1970), and the row after its last."""
    if not len(times):
        return []
    number = np.where(times < times[0] + YOUNG, times // DAY, times // WEEK * 7)
    starts = np.flatnonzero(np.diff(number, prepend=-np.inf)).tolist()
    return list(zip(starts, [*starts[1:], len(times)], strict=True))


def _runs(rows: Ints) -> list[Ints]:
    """Rows in a row."""
    return np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
