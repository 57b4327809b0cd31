"""How often a series gets a point, measured from its points, and how long it may stay without one.

A series that is logged at regular times is overdue after twice its usual gap; pauses that recur, such as nights and
weekends, may last as long again. A series that is logged at irregular times is overdue when a gap is so long that its
own gaps would bring one about once a year. What is usual is learned from the gaps since the cadence last changed.
"""

from __future__ import annotations

import math
from bisect import bisect, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..timeutil import DAY, WEEK

LATE_GAPS = 2
"""A point is overdue after so many usual gaps."""
MIN_GAPS = 2
"""With fewer gaps nothing is known to be usual."""
LONG_GAP = 1.9
"""Gaps longer than so many usual ones are no jitter; a point that is missing on a grid makes one of two."""
IRREGULAR_SHARE = 0.1
"""A series is irregular if this share of its gaps is long,"""
IRREGULAR_PER_WEEK = 2
"""or, after two weeks, so many a week are."""
MAX_EXCESS = 8.0
"""A long gap counts as at most so many medians longer than the shortest of them: an outage is not usual."""
FALSE_ALARM = 365 * DAY
"""The mean time after which a healthy series with irregular gaps is called overdue."""
FASTER = 3.0
"""Gaps shorter than the usual one by this factor are of another cadence,"""
FASTER_GAPS, FASTER_SPAN = 8, 2.0
"""once there are so many in a row, and they last for so many of the usual ones: a burst is no cadence."""
SLOWER_GAPS, SLOWER_SPAN = 3, DAY
"""So many gaps in a row that are alike, were overdue each, and last for so long (seconds) are of another cadence."""
PAUSES, PAUSE_SHARE = 3, 0.3
"""So many pauses that are alike and fill this share of the time are usual, however long their cycle: a campaign that
runs on three of ten days. Outages fill less."""
MAX_OUTLIERS = 2
"""Longer pauses that are no part of them."""
_PAUSE_MARGIN = 1.1


def usual_gap(times: Sequence[float]) -> float:
    """The median time (seconds) between two points of ``times``, which ascend; 0 where there are fewer than two."""
    gaps = sorted(after - before for before, after in pairwise(times) if after > before)
    return gaps[len(gaps) // 2] if gaps else 0.0


@dataclass(slots=True)
class Cadence:
    """What is usual in a series, and its long gaps up to a point."""

    gap: float
    """The usual one (seconds): the median."""
    shortest: float
    """A gap than which few are shorter (5 %): of points that lie on a grid, its step."""
    every: float
    """Nothing is overdue before the next evaluation is due, since the newest points may still be on their way."""
    long: list[float] = field(default_factory=list)
    """Ascending."""

    @classmethod
    def of(cls, ordered: Sequence[float], every: float) -> Cadence:
        """``ordered``: all gaps of the series, ascending."""
        count = len(ordered)
        return cls(float(ordered[count // 2]), float(ordered[count // 20]), every) if count else cls(0.0, 0.0, every)

    @property
    def least_limit(self) -> float:
        return max(LATE_GAPS * self.gap, self.every)

    def add(self, gap: float) -> None:
        if gap > LONG_GAP * self.gap:
            insort(self.long, gap)

    def overdue_after(self, count: int, span: float) -> float:
        """Seconds after its newest point from which the series is overdue, which has ``count`` gaps in ``span``
        seconds."""
        limit = self.least_limit
        weeks = max(1, int(span // WEEK))
        if len(self.long) >= weeks and self.long[-weeks] > LATE_GAPS * self.gap:
            # Usual is what occurred as often as there were weeks; before two weeks have passed any pause may be.
            limit = max(limit, self.long[-weeks] * _PAUSE_MARGIN)
        limit = max(limit, self._cyclic_pause(span) * _PAUSE_MARGIN)
        if self._is_irregular(count, weeks):
            limit = max(limit, self._rare_gap(span), self.long[-2] * _PAUSE_MARGIN)
        return limit

    def _is_irregular(self, count: int, weeks: int) -> bool:
        by_share = IRREGULAR_SHARE * count
        needed = min(by_share, IRREGULAR_PER_WEEK * weeks) if weeks > 1 else by_share
        return len(self.long) >= max(2, needed)

    def _cyclic_pause(self, span: float) -> float:
        """The longest of the pauses that fill much of the time; 0 where there are none."""
        count = len(self.long)
        for last in range(count - 1, max(count - 2 - MAX_OUTLIERS, PAUSES - 2), -1):
            longest = self.long[last]
            first = bisect(self.long, longest / LONG_GAP)
            most = (last + 1 - first) * longest
            if last + 1 - first >= PAUSES and most >= PAUSE_SHARE * span <= math.fsum(self.long[first : last + 1]):
                return longest
        return 0.0

    def _rare_gap(self, span: float) -> float:
        """The gap that is exceeded once in ``FALSE_ALARM``, if long ones fall off exponentially beyond the shortest of
        them (on a grid: geometrically), predicted from as many as there are (a Lomax distribution). 0 where all are
        equal."""
        least, middle = self.long[0], self.long[len(self.long) // 2]
        step = self.shortest if least > 1.75 * self.shortest else 0.0
        most = MAX_EXCESS * max(middle - least, step / 4)
        above = bisect(self.long, least + most)
        total = math.fsum(self.long[:above]) - least * above + most * (len(self.long) - above)
        excess = total / len(self.long)
        if excess <= 1e-9 * least:
            return 0.0
        scale = step / math.log1p(step / excess) if step > 0 else excess
        count = len(self.long)
        return least + scale * count * math.expm1(max(0.0, math.log(count * FALSE_ALARM / span)) / count)


def series_overdue_after(times: Sequence[float], every: float) -> float:
    """Seconds after the newest of ``times``, which ascend, from which a series is overdue."""
    gaps = [after - before for before, after in pairwise(times) if after > before]
    gaps = gaps[cadence_starts(gaps, every)[-1] :]
    return _of_all(sorted(gaps), every).overdue_after(len(gaps), math.fsum(gaps))


def cadence_starts(gaps: Sequence[float], every: float) -> list[int]:
    """The places of the gaps with which each cadence of a series begins; the first is 0."""
    starts = [0]
    known: list[float] = []
    fast: list[float] = []
    slow: list[float] = []
    for place, gap in enumerate(gaps):
        usual = known[len(known) // 2] if len(known) >= MIN_GAPS else gap
        is_fast, is_slow = gap * FASTER < usual, gap > LATE_GAPS * usual
        fast, slow = _extend(fast, gap, known, belongs=is_fast), _extend(slow, gap, known, belongs=is_slow)
        if is_fast and len(fast) >= FASTER_GAPS and math.fsum(fast) >= FASTER_SPAN * usual:
            starts.append(place + 1 - len(fast))
            known, fast = sorted(fast), []
        elif is_slow and len(slow) >= SLOWER_GAPS and math.fsum(slow) >= SLOWER_SPAN:
            while len(slow) > SLOWER_GAPS and math.fsum(slow[1:]) >= SLOWER_SPAN:
                insort(known, slow.pop(0))
            if max(slow) <= LONG_GAP * min(slow) and min(slow) > _overdue_after_all(known, every):
                starts.append(place + 1 - len(slow))
                known, slow = sorted(slow), []
        elif not is_fast and not is_slow:
            insort(known, gap)
    return starts


def _extend(run: list[float], gap: float, known: list[float], *, belongs: bool) -> list[float]:
    """``run`` with one more gap; where it does not belong to it, the run is over, and known."""
    if belongs:
        return [*run, gap]
    for one in run:
        insort(known, one)
    return []


def _overdue_after_all(ordered: Sequence[float], every: float) -> float:
    return _of_all(ordered, every).overdue_after(len(ordered), math.fsum(ordered))


def _of_all(ordered: Sequence[float], every: float) -> Cadence:
    cadence = Cadence.of(ordered, every)
    for gap in ordered:
        cadence.add(gap)
    return cadence
