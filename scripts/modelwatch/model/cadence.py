"""How often a series gets a point, measured from its points, and how long it may stay without one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..timeutil import WEEK

LATE_GAPS = 2
"""A point is overdue after so many usual gaps."""
MIN_GAPS = 2
"""With fewer gaps nothing is known to be usual."""
_PAUSE_MARGIN = 1.1


def usual_gap(times: Sequence[float]) -> float:
    """The median time (seconds) between two points of ``times``, which ascend; 0 where there are fewer than two."""
    gaps = sorted(after - before for before, after in pairwise(times) if after > before)
    return gaps[len(gaps) // 2] if gaps else 0.0


def overdue_after(gap: float, pauses: Sequence[float], span: float, every: float) -> float:
    """Seconds after its newest point from which a series is overdue.

    ``gap``: the usual one. ``pauses``: the gaps of more than ``LATE_GAPS`` times as much, ascending, all within
    ``span`` seconds. What has paused as often as there were weeks (nights, weekends) may pause as long again, and
    before two weeks have passed any pause may be usual. Nothing is overdue before the next evaluation is due
    (``every``), since the newest points may still be on their way.
    """
    weeks = max(1, int(span // WEEK))
    longest = pauses[-weeks] * _PAUSE_MARGIN if len(pauses) >= weeks else 0.0
    return max(LATE_GAPS * gap, longest, every)


def series_overdue_after(times: Sequence[float], every: float) -> float:
    """``overdue_after`` of a series whose points have these times."""
    gap = usual_gap(times)
    pauses = sorted(after - before for before, after in pairwise(times) if after - before > LATE_GAPS * gap)
    return overdue_after(gap, pauses, times[-1] - times[0] if times else 0.0, every)
