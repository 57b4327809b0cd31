"""How unusual each point of a series is, from the points before it alone.

Several lenses look at a point: its value, its distance from what is usual at this time of the day and of the week, its
step, shifts of level and changes of spread over hours and days, how calm the metric is, and memory of contexts: what
the same hours of the last days held, and the most similar state of all the past. What a lens shows is compared with all
that it showed before, by the tail of a generalized Pareto distribution (peaks over threshold: Pickands 1975, Annals of
Statistics 3:119-131; fitted by probability-weighted moments, Hosking and Wallis 1987, Technometrics 29:339-349). The
surprises, capped so that no lens decides alone, are averaged over the families of lenses. How long one waits for so
large an average by chance follows from its own largest values of every half day and, while there are few of them, from
those of other series. Points after a point never change its score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..timeutil import DAY, HOUR, WEEK
from .arrays import Floats, Ints

WARM_UP = 2 * DAY
"""The first points get no score: a daily pattern is news until it was seen once."""
MIN_POINTS = 30
"""The same, in points, for series of few points."""
BLOCK = 12 * HOUR
"""Within a block what is unusual counts once, and in the next one no more than in it: that is its echo."""
DAYS, WEEKS = 7, 4
"""Days and weeks back that say what is usual at a time."""
TAIL_SHARE, MIN_TAIL = 0.05, 10
"""The largest values so far to which a tail is fitted."""
GROWTH = 1.2
"""Tails are fitted anew when there are so many times as many points."""
MAX_EXCESS = 10.0
"""An excess counts at most this many medians in a fit, so that one accident does not hide the next."""
MAX_MEANS = 3.0
"""The same in means, where most of the values are one."""
PRIOR_SHAPE, PRIOR_SIZE = 0.15, 20.0
"""Shape of a tail before anything is known, and how many points that counts for."""
MAX_SHAPE = 0.5
MAX_SURPRISE = 16.0
"""Nats that a lens counts at most."""
BEYOND = 6.0
"""Nats that a lens may go beyond what its history alone can show."""
RECENT = 4 * HOUR
"""What a lens showed so recently may belong to the same accident, and is no record to compare with."""
BLOCK_SHARE = 0.2
"""The largest blocks, to which the last tail is fitted."""
MIN_BLOCKS, BLOCK_GROWTH = 3, 1.05
"""Blocks before the first fit, and how many times as many there are at the next one."""
PRIOR_SCALE, PRIOR_BLOCKS = 0.5, 10.0
"""Mean excess of a block before anything is known (nats), and how many blocks that counts for."""
COMMON_LEVEL, COMMON_SCALE, COMMON_BLOCKS = 3.0, 0.8, 30.0
"""Of the blocks of any healthy series one in e reaches a level and scale more nats; how many blocks that counts for."""
LIBRARY = 256
"""States of the past that a state is compared with."""
STATE = (HOUR, 4 * HOUR, 12 * HOUR)
"""A state is the means over so long, and the time of the day, which weighs so many standard deviations:"""
TIME_WEIGHT = 2.0
_FLAT, _HUGE = 1e-3, 1e6
"""Ratios of spreads stay between these."""


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyScores:
    """One row a point."""

    expected: Floats
    """What was usual at this time of the day in the week before."""
    surprise: Floats
    """Average over the families of lenses (nats)."""
    wait: Floats
    """Mean time between blocks as surprising as this point, where nothing is wrong (seconds); NaN in the beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """What one lens shows of each point; large is unusual."""

    family: str
    values: Floats
    span: float
    """Time that one value looks at (seconds): values that overlap are no independent experience."""


def score_points(times: Floats, values: Floats) -> AnomalyScores:
    """Scores of all points. ``times``: seconds, strictly ascending; ``values``: finite."""
    count = len(times)
    if count <= MIN_POINTS:
        return AnomalyScores(values.copy(), np.zeros(count), np.full(count, np.nan))
    series = _History(times, values - values[0])
    days = series.periods_before(DAY, DAYS)
    daily = _median(days, series.past_mean)
    surprise = average_surprise(times, list(_lenses(series, days, daily)))
    return AnomalyScores(daily + values[0], surprise, mean_wait(times, surprise))


class _History:
    """A column of a series with its running sums: means of any stretch of time, and what was usual."""

    def __init__(self, times: Floats, values: Floats, rows: dict[float, Ints] | None = None) -> None:
        self.times, self.values = times, values
        self._rows = {} if rows is None else rows
        self._sums = np.concatenate([[0.0], np.cumsum(values)])
        self._squares = np.concatenate([[0.0], np.cumsum(values**2)])
        before = np.maximum(np.arange(len(values)), 1)
        self.past_mean: Floats = self._sums[:-1] / before
        """Mean of all earlier points."""
        self.past_spread: Floats = np.sqrt(np.maximum(self._squares[:-1] / before - self.past_mean**2, 0.0))

    def column(self, values: Floats) -> _History:
        """Another column at the same times."""
        return _History(self.times, values, self._rows)

    def rows(self, back: float) -> Ints:
        """How many points are no later than ``back`` seconds before each point."""
        if back not in self._rows:
            self._rows[back] = np.searchsorted(self.times, self.times - back, side="right")
        return self._rows[back]

    def mean(self, begin: float, end: float) -> Floats:
        """Mean from ``begin`` seconds (exclusive) to ``end`` seconds before each point; NaN where nothing is there."""
        first, last = self.rows(begin), self.rows(end)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean: Floats = (self._sums[last] - self._sums[first]) / (last - first)
        return mean

    def spread(self, length: float) -> Floats:
        """Standard deviation of the ``length`` seconds that end with each point."""
        first, last = self.rows(length), self.rows(0.0)
        square = (self._squares[last] - self._squares[first]) / (last - first)
        spread: Floats = np.sqrt(np.maximum(square - self.mean(length, 0.0) ** 2, 0.0))
        return spread

    def ratio(self, above: Floats, below: Floats, length: float = DAY) -> Floats:
        """A quotient up to ``_HUGE``; 1 in the first day or ``length`` (seconds), and 0 over 0.

        In the beginning there is little to compare with, and extremes of then would hide those that come."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = above / below
        begin = int(np.searchsorted(self.times, self.times[0] + max(length, DAY)))
        ratio[:begin] = 1.0
        ratio[np.isnan(ratio)] = 1.0
        clipped: Floats = np.minimum(np.maximum(ratio, -_HUGE), _HUGE)
        return clipped

    def periods_before(self, period: float, count: int) -> Floats:
        """Means of the hour around the same time 1 to ``count`` periods before, (count, points); NaN where empty."""
        backs = [period * place for place in range(1, count + 1)]
        return np.stack([self.mean(back + HOUR / 2, back - HOUR / 2) for back in backs])


def _median(columns: Floats, otherwise: Floats) -> Floats:
    """Median over the first axis of what is known; ``otherwise`` where nothing is."""
    ordered = np.sort(columns, axis=0)
    known = np.isfinite(ordered).sum(axis=0)
    middle: Floats = np.take_along_axis(ordered, np.maximum([(known - 1) // 2, known // 2], 0), axis=0).mean(axis=0)
    return np.where(known > 0, middle, otherwise)


def _lenses(series: _History, days: Floats, daily: Floats) -> Iterator[Lens]:
    """All lenses, family by family. ``days``: the hour of each of the days before; ``daily``: what is usual then."""
    values = series.values
    residual = series.column(values - daily)
    from_week = series.column(values - _median(series.periods_before(WEEK, WEEKS), daily))
    yield from _both("value", values - series.past_mean, 0.0)
    yield from _both("value", series.mean(4 * HOUR, 0.0) - series.past_mean, 4 * HOUR)
    yield from _both("day", residual.values, 0.0)
    yield from _both("day", series.ratio(residual.values, _scale(days, daily, series.past_spread)), 0.0)
    yield from _both("day", residual.mean(HOUR, 0.0), HOUR)
    yield from _both("day", residual.mean(4 * HOUR, 0.0), 4 * HOUR)
    yield from _both("week", from_week.values, 0.0)
    yield from _both("week", from_week.mean(4 * HOUR, 0.0), 4 * HOUR)
    yield from _both("step", np.diff(values, prepend=values[0]), 0.0)
    for length, column in ((4 * HOUR, residual), (12 * HOUR, residual), (2 * DAY, series)):
        shift = column.mean(length, 0.0) - column.mean(2 * length, length)
        yield from _both("level", np.nan_to_num(shift), length)
    for length in (4 * HOUR, 12 * HOUR, 2 * DAY):
        yield Lens("spread", np.log1p(series.ratio(residual.spread(length), residual.past_spread, length)), length)
    for length in (12 * HOUR, 2 * DAY):
        quiet = series.ratio(series.spread(length), series.past_spread, length)
        yield Lens("spread", -np.log(np.maximum(quiet, _FLAT)), length)
    yield Lens("calm", np.log(_run_lengths(values)), 0.0)
    steps = series.column(np.abs(np.diff(values, prepend=values[0])))
    for length in (4 * HOUR, 12 * HOUR):
        calm = series.ratio(steps.mean(length, 0.0), steps.past_mean, length)
        yield Lens("calm", -np.log(np.maximum(calm, _FLAT)), length)
    yield from _both("half day", series.mean(12 * HOUR, 0.0) - series.past_mean, 12 * HOUR)
    low, high = range_of_same_hours(series)
    for length in (HOUR, 4 * HOUR):
        mean = series.mean(length, 0.0)
        yield Lens("context", np.nan_to_num(mean - high), length)
        yield Lens("context", np.nan_to_num(low - mean), length)
    yield Lens("context", nearest_state(series), 0.0)


def _run_lengths(values: Floats) -> Floats:
    """How many points in a row have had the same value, at each point."""
    rows = np.arange(len(values))
    since = np.maximum.accumulate(np.where(np.diff(values, prepend=np.nan) == 0, 0, rows))
    return (1 + rows - since).astype(np.float64)


def _both(family: str, values: Floats, span: float) -> tuple[Lens, Lens]:
    """Two lenses: what is high, and what is low."""
    return Lens(family, values, span), Lens(family, -values, span)


def _scale(days: Floats, daily: Floats, spread: Floats) -> Floats:
    """How far the hours at this time of the day lie apart, with a part of the spread of everything."""
    apart = np.abs(days - daily)
    known = np.isfinite(apart)
    mean: Floats = np.where(known, apart, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean + 0.2 * spread


def range_of_same_hours(series: _History) -> tuple[Floats, Floats]:
    """The lowest and the highest mean of the same hour, and of those beside it, of the last days: a weekend differs,
    and a job begins somewhat earlier, as they did before. NaN where nothing is known."""
    hour = np.floor(series.times / HOUR).astype(np.int64)
    hour -= hour[0] - 24 * DAYS - 1
    count = np.bincount(hour)
    with np.errstate(invalid="ignore"):
        means = np.bincount(hour, series.values) / count
    low, high = means.copy(), means.copy()
    for one, other in ((low, np.fmin), (high, np.fmax)):
        other(one[1:], means[:-1], out=one[1:])
        other(one[:-1], means[1:], out=one[:-1])
    days = [slice(24 * (DAYS - day), len(means) - 24 * day) for day in range(1, DAYS + 1)]
    known = hour - 24 * DAYS
    return np.fmin.reduce([low[day] for day in days])[known], np.fmax.reduce([high[day] for day in days])[known]


def nearest_state(series: _History) -> Floats:
    """How far the state of each point (means of the last hours, time of the day) lies from the most similar one of all
    the past but the last day, in standard deviations."""
    times, count, spread = series.times, len(series.times), series.past_spread
    angle = 2 * np.pi * times / DAY
    means = [series.mean(length, 0.0) for length in STATE]
    state = np.column_stack([*means, TIME_WEIGHT * spread * np.sin(angle), TIME_WEIGHT * spread * np.cos(angle)])
    size = (state**2).sum(axis=1)
    query, library = np.column_stack([-2 * state, np.ones(count)]), np.column_stack([state, size]).T
    distance = np.zeros(count)
    begin = max(MIN_POINTS, int(np.searchsorted(times, times[0] + DAY, side="right")) + 1)
    for first, last in pairwise(_refits(begin, count, GROWTH)):
        until = int(np.searchsorted(times, times[first] - DAY))
        past = np.unique(np.linspace(0, max(until - 1, 0), min(LIBRARY, max(until, 1))).astype(np.int64))
        squares = (query[first:last] @ library[:, past]).min(axis=1) + size[first:last]
        distance[first:last] = np.sqrt(np.maximum(squares, 0.0))
    return series.ratio(distance, spread)


def _refits(begin: int, count: int, growth: float) -> list[int]:
    """Rows at which something is fitted to all rows before, and the end."""
    rows = []
    while begin < count:
        rows.append(begin)
        begin = max(begin + 1, int(begin * growth))
    return [*rows, count] if rows else []


def average_surprise(times: Floats, lenses: list[Lens]) -> Floats:
    """The surprise of the most surprised lens of each family, less what having several is worth; averaged (nats)."""
    shown = np.stack([lens.values for lens in lenses])
    surprise = tail_surprise(shown, np.searchsorted(times, times - RECENT, side="right"))
    step = float(np.median(np.diff(times[: MIN_POINTS + 1])))
    elapsed = np.log(np.maximum(times - times[0], step))
    spans = np.log(np.maximum([[lens.span] for lens in lenses], step))
    np.minimum(surprise, np.maximum(elapsed - spans, 0.0) + BEYOND, out=surprise)
    np.clip(surprise, 0.0, MAX_SURPRISE, out=surprise)
    families = [lens.family for lens in lenses]
    parts = []
    for family in dict.fromkeys(families):
        rows = surprise[[place for place, name in enumerate(families) if name == family]]
        parts.append(np.maximum(rows.max(axis=0) - np.log(len(rows)), 0.0))
    # The fourth power: what only one family sees counts more than its share.
    average: Floats = np.sqrt(np.sqrt(np.mean(np.square(np.square(parts)), axis=0)))
    return average


def tail_surprise(shown: Floats, earlier: Ints) -> Floats:
    """-log of the probability of so large a value, given all values before it, row by row; 0 in the beginning
    and below the tail.

    ``shown``: (lenses, points); ``earlier``: how many points lie far enough before each point to hold a record.
    """
    surprise = np.zeros_like(shown)
    count = shown.shape[1]
    record = np.maximum.accumulate(shown, axis=1)
    once = np.log(np.maximum(np.arange(count), 1))
    for begin, end in pairwise(_refits(MIN_POINTS, count, GROWTH)):
        size = max(MIN_TAIL, int(TAIL_SHARE * begin))
        largest = np.sort(np.partition(shown[:, :begin], begin - size - 1, axis=1)[:, begin - size - 1 :], axis=1)
        threshold = largest[:, 0]
        shape, scale = fit_tail(largest[:, 1:] - threshold[:, None])
        scale = np.maximum(scale, np.finfo(float).tiny)
        lens, row = np.nonzero(shown[:, begin:end] > threshold[:, None])
        value = shown[lens, begin + row]
        tail = np.log(begin / size) + _log_excess(value - threshold[lens], shape[lens], scale[lens])
        # What is little beyond the record is little more surprising than that was, so that a slow trend is no alert
        # every day.
        known = earlier[begin + row]
        best = np.where(known > 0, record[lens, known - 1], np.inf)
        wider = scale[lens] + shape[lens] * np.maximum(best - threshold[lens], 0.0)
        beyond = once[known] + _log_excess(value - best, shape[lens], wider)
        surprise[lens, begin + row] = np.where((tail > once[known]) & (known > 0), np.minimum(tail, beyond), tail)
    return surprise


def _log_excess(excess: Floats, shape: Floats, scale: Floats) -> Floats:
    """-log of the probability that a generalized Pareto distribution exceeds ``excess``."""
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.clip(excess / scale, 0.0, _HUGE)
    beyond: Floats = np.log1p(shape * ratio) / shape
    return beyond


def fit_tail(excess: Floats) -> tuple[Floats, Floats]:
    """Shape and scale of the generalized Pareto distribution of each row's excesses, which ascend; (rows,) each.

    The shape is shrunk towards ``PRIOR_SHAPE`` and kept between a hundredth and ``MAX_SHAPE``.
    """
    size = excess.shape[1]
    bound = np.maximum(MAX_EXCESS * excess[:, size // 2], MAX_MEANS * excess.mean(axis=1))
    capped = np.minimum(excess, bound[:, None])
    mean = capped.mean(axis=1)
    weights = 1 - (np.arange(1, size + 1) - 0.35) / size
    weighted = (capped * weights).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.nan_to_num(2 - mean / (mean - 2 * weighted), nan=PRIOR_SHAPE, posinf=MAX_SHAPE, neginf=0.0)
    shape = np.clip(shape, 0.0, MAX_SHAPE)
    shape = np.maximum((size * shape + PRIOR_SIZE * PRIOR_SHAPE) / (size + PRIOR_SIZE), 0.01)
    return shape, mean * (1 - shape)


def mean_wait(times: Floats, surprise: Floats) -> Floats:
    """Mean time (seconds) between blocks that reach each point's surprise where nothing is wrong, from the blocks
    before and, while these are few, from what is common to all series; NaN in the beginning."""
    block = np.floor(times / BLOCK)
    starts = np.flatnonzero(np.diff(block, prepend=block[0] - 1))
    heights = np.maximum.reduceat(surprise, starts)
    first = int(np.searchsorted(times[starts], times[0] + WARM_UP))
    threshold, scale, rate, weight = np.zeros(len(starts)), np.ones(len(starts)), *np.zeros((2, len(starts)))
    for begin, end in pairwise(_refits(first + MIN_BLOCKS, len(starts), BLOCK_GROWTH)):
        past = np.sort(heights[first:begin])
        size = max(2, int(BLOCK_SHARE * len(past)))
        excess = past[-size:] - past[-size - 1]
        capped = np.minimum(excess, MAX_EXCESS * excess[size // 2])
        threshold[begin:end] = past[-size - 1]
        scale[begin:end] = (capped.sum() + PRIOR_BLOCKS * PRIOR_SCALE) / (size + PRIOR_BLOCKS)
        rate[begin:end] = np.log(len(past) / size)
        weight[begin:end] = len(past) / (len(past) + COMMON_BLOCKS)
    row = np.cumsum(np.diff(block, prepend=block[0]) > 0)
    own = rate[row] + (surprise - threshold[row]) / scale[row]
    common = (surprise - COMMON_LEVEL) / COMMON_SCALE
    wait = BLOCK * np.exp(np.minimum(weight[row] * own + (1 - weight[row]) * common, 100.0))
    echo = np.concatenate([[0.0], heights])[row]
    wait = np.where(surprise <= echo, np.minimum(wait, BLOCK), wait)
    warm = (times >= times[0] + WARM_UP) & (np.arange(len(times)) >= MIN_POINTS)
    return np.where(warm, wait, np.nan)
