"""Values that a metric cannot have by what it did before: constant, perfect, or far better than ever.

Such values are judged by the series' own past alone, whatever its tiers say. A metric that rests by nature (it is
mostly constant, has few values, comes from few rows, is perfect by design) has rested before, and is left alone.
"""

from __future__ import annotations

import math

import numpy as np

from ..model.finding import Cause
from ..model.rule import Direction, Rule
from ..stats.arrays import Bools, Floats, Ints
from ..timeutil import DAY, HOUR, WEEK
from .points import Points

MIN_PAST, MIN_CHANGES = DAY, 24
"""What is known of a series (seconds, values unlike the one before) before a perfect run says anything. Any other run
of equal values, and values better than ever, need a week: some series stand still on weekends."""
MIN_RUN, MIN_RUN_POINTS = 8 * HOUR, 5
"""The shortest run of equal values that counts: a night without traffic is shorter, or was seen before."""
LONGER_THAN_BEFORE = 3
"""How many times longer (in points) than the longest run before it a run has to be."""
CHANCE = 1e-8
"""Of a run of equal values by chance: as often as two neighbours were equal before, or as few rows can make it."""
MIN_BEST, MIN_BEST_POINTS, MIN_PAST_POINTS = 12 * HOUR, 6, 50
"""The shortest run of values better than ever that counts, and how many points have to come before it."""
NEARER = 4
"""How many times nearer to perfect than usual each of those values is; the past never was once. A good release halves
what is left to perfect at most."""
RESTING_KINDS = frozenset({"data-quality", "label-quality", "label-delay", "error-rate"})
"""Kinds whose best value is where they belong: no rows missing, no errors. That says nothing about a leak."""


def implausible_points(rule: Rule, points: Points) -> Ints | None:
    """For each point the code of the cause that makes it implausible, 0 where nothing does; ``None``: no point is."""
    values, times = points.values, points.times
    if len(values) <= MIN_CHANGES:
        return None
    causes = np.zeros(len(values), dtype=np.int64)
    equal = values[1:] == values[:-1]
    pairs = equal[1:] & equal[:-1]
    if (pairs[2:] & pairs[:-2]).any():  # five in a row; of most series, none
        _mark_constant(rule, points, equal, causes)
    gaps = _gaps_to_perfect(rule, values)
    if gaps is not None:
        _mark_best(gaps, times, causes)
    return causes if causes.any() else None


def implausible_rows(rule: Rule, points: Points, at: Floats) -> Ints | None:
    """The cause of the newest point at each of these times (ascending); ``None``: no point is implausible."""
    causes = implausible_points(rule, points)
    if causes is None:
        return None
    newest = np.searchsorted(points.times, at, side="right") - 1
    return np.where(newest >= 0, causes[newest], 0)


def _mark_constant(rule: Rule, points: Points, equal: Bools, causes: Ints) -> None:
    """Mark the runs that are longer than the past allows, from their first point on: that is when it began."""
    values, times = points.values, points.times
    starts = np.flatnonzero(np.append(True, ~equal))
    lengths = np.diff(np.append(starts, len(values)))
    longest_before = np.maximum.accumulate(lengths)[:-1]
    longer = lengths[1:] > LONGER_THAN_BEFORE * longest_before
    for run in np.flatnonzero(longer[MIN_CHANGES - 1 :]) + MIN_CHANGES:
        start, end = int(starts[run]), int(starts[run] + lengths[run])
        # Of the points before, those that begin no run equal their neighbour. One more, so that nothing is certain.
        share = (start - run + 1) / (start + 1)
        needed = max(LONGER_THAN_BEFORE * longest_before[run - 1], math.log(CHANCE) / math.log(share), MIN_RUN_POINTS)
        is_perfect = _is_best(rule, float(values[start]))
        past = times[start - 1] - times[0]
        if _is_resting(rule, float(values[start])) or past < (MIN_PAST if is_perfect else WEEK):
            continue
        is_long = end - start > needed and times[end - 1] - times[start - 1] >= MIN_RUN
        if is_long and not _can_be_luck(points, start, end):
            causes[start:end] = (Cause.PERFECT if is_perfect else Cause.CONSTANT).code


def _is_best(rule: Rule, value: float) -> bool:
    return rule.better is not None and value == (1.0 if rule.better is Direction.HIGHER else 0.0)


def _is_resting(rule: Rule, value: float) -> bool:
    return rule.kind in RESTING_KINDS and (value == 0 or _is_best(rule, value))


def _can_be_luck(points: Points, start: int, end: int) -> bool:
    """Of a run at 0 or 1: whether its rows are so few that a rate as before can come out like that."""
    value, weights, before = points.values[start], points.weights, points.values[:start]
    if weights is None or value not in (0.0, 1.0) or before.min() < 0 or before.max() > 1:
        return False
    counts = np.nan_to_num(weights)
    unlike = float(np.abs(before - value) @ counts[:start])  # rows that came out otherwise
    share = (unlike + 0.5) / (float(counts[:start].sum()) + 1)
    return share < 1 and float(counts[start:end].sum()) * math.log1p(-share) > math.log(CHANCE)


def _gaps_to_perfect(rule: Rule, values: Floats) -> Floats | None:
    """How far each value is from the best possible one; ``None`` where nothing is known about that."""
    if rule.better is None or rule.kind in RESTING_KINDS or values.min() < 0:
        return None
    if rule.better is Direction.LOWER:
        return values
    return 1 - values if values.max() <= 1 else None


def _mark_best(gaps: Floats, times: Floats, causes: Ints) -> None:
    """Mark the first run of values that are nearer to perfect than anything before, once it is long enough."""
    if gaps.min() * NEARER > gaps.max() or not gaps[:MIN_PAST_POINTS].all():
        return  # as of most series
    usual = float(np.median(gaps))
    low = gaps * NEARER <= usual
    start = int(low.argmax())
    if not low[start] or usual <= 0 or start < MIN_PAST_POINTS:
        return
    if times[start - 1] - times[0] < WEEK:
        return
    end = start + (int(low[start:].argmin()) or len(low) - start)
    if end - start >= MIN_BEST_POINTS and times[end - 1] - times[start - 1] >= MIN_BEST:
        causes[start:end][causes[start:end] == 0] = Cause.TOO_GOOD.code
