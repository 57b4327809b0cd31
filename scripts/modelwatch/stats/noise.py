"""How a healthy series varies: by hour and weekday, and more than its counts explain.

Everything is fitted to whole days, to the three weeks before a day (longer, where points are rare): for many days at
once, and for many series that have points at the same times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..timeutil import DAY, HOUR
from .arrays import Bools, Floats, Ints

WEEKS = 3
"""Weeks of history behind a fit; a multiple of it where points are rare."""
MAX_WEEKS = 18 * WEEKS
BLOCKS = (1, 6, 24, 72)
"""Hours over which the variance is compared with that of counts alone: the longer ones see what neighbouring hours
have in common. Each is a multiple of the one before."""
PRIOR_DISPERSION, PRIOR_BLOCKS = 1.5, 3.0
"""What is assumed before anything is known, and for how many blocks it counts; for longer blocks the dispersion of the
shorter ones is assumed."""
MIN_DISPERSION = 1.0
"""Counts vary no less than chance."""
MIN_REPEATS = 2
"""An hour or a weekday that has been seen less often has no pattern: what it differs by is noise."""
MAX_STEP = 16.0
"""A step between neighbours counts at most this many medians: one jump is no noise."""
MIN_STEPS = 3
"""Where most neighbours are equal, the median is that of the steps that are not 0; fewer are one glitch, no noise."""
EQUAL = 1e-9
"""Neighbours that differ by less are equal (relative): their means are rounded."""
MAX_RESIDUAL = 5.0
"""An hour counts as at most so many standard deviations from the median of its hour of the day (Huber 1981): one
outlier neither becomes a pattern nor hides what comes in the next three weeks."""
NORMAL_MEDIAN = 0.6745
"""Median of the distance from the mean, in standard deviations."""

Stretches = list[tuple[float, float]]
"""First and last time of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """One row a fit, of one series, or of each of several: (..., fits)."""

    days: Ints
    """The day (since 1970) on which each fit is made, ascending: it knows the days before."""
    weekdays: Floats
    """What to add to the level, by days after ``days`` modulo 7."""
    hours: Floats
    """The same by the hour of the day."""
    dispersion: Floats
    """Variance over that of independent counts, at least 1 (sigma z squared of Laney's p' chart, 2002)."""
    variance: Floats
    """Variance of a value of exposure 1; NaN where it is unknown."""
    level: Floats
    """Mean of the values, by their exposure; NaN where there is none."""
    is_relative: bool = False
    """Whether hours add a share of the level of their weekday, not always the same."""

    def level_at(self, times: Floats) -> Floats:
        """The level at each time, as the newest fit before it has it."""
        row = self._rows(times)
        return np.where(row >= 0, self.level[..., np.maximum(row, 0)], np.nan)

    def _rows(self, times: Floats) -> Ints:
        """The newest fit before each time; -1 where there is none."""
        return np.searchsorted(self.days, (times // DAY).astype(np.int64), side="right") - 1

    def at(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """Seasonal effect, dispersion and variance at each time, as the newest fit before it has them."""
        row = self._rows(times)
        known, row = row >= 0, np.maximum(row, 0)
        effect = self._pattern()[..., row, self._hours_of_week(times, row)]
        return (
            np.where(known, effect, 0.0),
            np.where(known, self.dispersion[..., row], PRIOR_DISPERSION),
            np.where(known, self.variance[..., row], np.nan),
        )

    def mean_effect(self, times: Floats, window: float) -> Floats:
        """Mean of the seasonal effects over the hours of a window (seconds) that ends with the hour of each time."""
        row = self._rows(times)
        known, row = row >= 0, np.maximum(row, 0)
        pattern = self._pattern()
        week = pattern.shape[-1]
        total = np.zeros((*pattern.shape[:-1], 2 * week + 1))
        np.cumsum(np.concatenate([pattern, pattern], axis=-1), axis=-1, out=total[..., 1:])
        hours = max(1, round(window / HOUR))
        end = self._hours_of_week(times, row) + week + 1
        part = total[..., row, end] - total[..., row, end - hours % week]
        return np.where(known, (hours // week * total[..., row, week] + part) / hours, 0.0)

    def _pattern(self) -> Floats:
        """The effect of every hour of the week that begins with a fit: (..., fits, hours)."""
        scale = self.level if self.is_relative else np.zeros(self.level.shape)
        effect = _add_effects(self.weekdays[..., :, None], self.hours[..., None, :], scale[..., None, None])
        return effect.reshape(*self.level.shape, -1)

    def _hours_of_week(self, times: Floats, row: Ints) -> Ints:
        """The hour of each time, in the week that begins with its fit."""
        hours: Ints = (times // HOUR).astype(np.int64) - 24 * self.days[row]
        return hours % (7 * 24)

    def fitted_at(self, times: Floats) -> Floats:
        """When the newest fit before each time was made; -infinite where there is none."""
        row = self._rows(times)
        return np.where(row >= 0, self.days[np.maximum(row, 0)] * DAY, -np.inf)


def fit_weeks(times: Floats, fewest: int) -> int:
    """Weeks that a fit looks back on, so that it sees ``fewest`` points at their usual distance."""
    if len(times) < 2:
        return WEEKS
    gap = float(np.median(np.diff(times)))
    return int(np.clip(np.ceil(fewest * gap / (WEEKS * 7 * DAY)) * WEEKS, WEEKS, MAX_WEEKS))


def _add_effects(weekdays: Floats, hours: Floats, level: Floats) -> Floats:
    """Effects of weekday and hour together; with a ``level`` (0: none) those of the hour grow with the weekday's."""
    effect = weekdays + hours
    return effect + _ratio(weekdays * hours, level) if level.any() else effect


def fit_noise(
    times: Floats,
    values: Floats,
    exposure: Floats,
    days: Ints,
    fewest: int,
    *,
    is_proportion: bool,
    is_count: bool = False,
) -> Noise:
    """Seasonal effects and dispersion on each of ``days``, from points on which nothing happened.

    ``values`` and ``exposure`` (..., points) are those of one series, or of each of several. An exposure is the count
    behind a value, 1 where none is known, 0 where a point does not count. The variance of a value of exposure 1 is
    p (1 - p) for proportions, that of all hours for counts (of rare events most steps are 0), else that of the steps
    between neighbours. Where points are rare, a fit looks back far enough to see ``fewest`` of them.
    """
    hourly = _hourly(times, values, exposure, days, fit_weeks(times, fewest))
    weight, moment = hourly.weight, hourly.moment
    level = _ratio(moment.sum(axis=(1, 2, 3)), weight.sum(axis=(1, 2, 3)))
    residual = moment - weight * level[:, None, None, None]
    if is_count:
        variance = _ratio(_ratio(residual**2, weight).sum(axis=(1, 2, 3)), (weight > 0).sum(axis=(1, 2, 3)))
    else:
        variance = np.maximum(level * (1 - level), 1e-6) if is_proportion else _variance_of_steps(hourly.steps())
    inside = _without_outliers(residual, weight, variance)
    if inside is not residual:  # neither is one in the level: what is left of it is added to every hour's effect
        off = _ratio(inside.sum(axis=(1, 2, 3)), weight.sum(axis=(1, 2, 3)))
        level, residual = level + off, inside - weight * off[:, None, None, None]
    by_day, daily = weight.sum(axis=3), residual.sum(axis=3)
    # How far the effects shrink depends on the dispersion, and that on the effects: whole days tell enough to begin.
    is_repeated = (by_day > 0).sum(axis=1) >= MIN_REPEATS
    weekdays = np.where(is_repeated, _shrunken_means(daily.sum(axis=1), by_day.sum(axis=1), variance), 0.0)
    spread = variance * _dispersion(daily - by_day * weekdays[:, None], by_day, variance, (1, 3))
    weekdays = np.where(is_repeated, _shrunken_means(daily.sum(axis=1), by_day.sum(axis=1), spread), 0.0)
    weights = weight.sum(axis=1)
    left = residual.sum(axis=1) - weights * weekdays[:, :, None]
    hours = _shrunken_means(left.sum(axis=1), weights.sum(axis=1), spread)
    hours = np.where((weight > 0).sum(axis=(1, 2)) >= MIN_REPEATS, hours, 0.0)
    scale = level if is_count else np.zeros(len(level))
    effect = _add_effects(weekdays[:, None, :, None], hours[:, None, None, :], scale[:, None, None, None])
    dispersion = _dispersion(residual - weight * effect, weight, variance, BLOCKS, 0.0 if is_count else MIN_DISPERSION)
    known = np.where(weight.sum(axis=(1, 2, 3)) > 0, level, np.nan)
    shape = (*values.shape[:-1], len(days))

    def by_series(column: Floats) -> Floats:
        return column.reshape(*shape, *column.shape[1:])

    return Noise(
        days,
        weekdays=by_series(weekdays),
        hours=by_series(hours),
        dispersion=by_series(dispersion),
        variance=by_series(variance),
        level=by_series(known),
        is_relative=is_count,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Hourly:
    """The hours of some series, and which of them lie behind each fit: (series, hours) and (fits, hours)."""

    exposure: Floats
    total: Floats
    """Exposure times value."""
    behind: Ints
    weeks: int

    @property
    def weight(self) -> Floats:
        """The exposure behind each fit of each series: (series x fits, weeks, days of the week, hours)."""
        return self._by_fit(self.exposure)

    @property
    def moment(self) -> Floats:
        return self._by_fit(self.total)

    def steps(self) -> Floats:
        """The scaled square of the step from the hour before that has points; NaN where there is none."""
        steps = np.full(self.exposure.shape, np.nan)
        series, hour = np.nonzero(self.exposure > 0)
        exposure = self.exposure[series, hour]
        mean, share = self.total[series, hour] / exposure, 1 / exposure
        apart = np.diff(mean)
        apart[np.abs(apart) <= EQUAL * np.abs(mean[1:])] = 0.0
        step = apart**2 / (share[1:] + share[:-1])
        steps[series[1:], hour[1:]] = np.where(series[1:] == series[:-1], step, np.nan)
        return self._by_fit(steps)

    def _by_fit(self, column: Floats) -> Floats:
        return np.take(column, self.behind, axis=1).reshape(-1, self.weeks, 7, 24)


def _hourly(times: Floats, values: Floats, exposure: Floats, days: Ints, weeks: int) -> _Hourly:
    first = int(days[0]) - 7 * weeks
    length = 24 * int(days[-1] - first)
    hour = np.floor(times / HOUR).astype(np.int64) - 24 * first
    inside = (hour >= 0) & (hour < length)
    values, exposure = (column.reshape(-1, len(times))[:, inside] for column in (values, exposure))
    place = (hour[inside] + length * np.arange(len(values))[:, None]).ravel()
    weight, moment = (
        np.bincount(place, column.ravel(), length * len(values)).reshape(-1, length).astype(np.float64)
        for column in (exposure, exposure * values)
    )
    behind = 24 * (days - first - 7 * weeks)[:, None] + np.arange(24 * 7 * weeks)
    return _Hourly(weight, moment, behind, weeks)


def _ratio(above: Floats, below: Floats) -> Floats:
    """A quotient that is 0 where ``below`` is 0."""
    nothing = np.zeros(np.broadcast(above, below).shape)
    return np.divide(above, below, out=nothing, where=below > 0)


def _without_outliers(residual: Floats, weight: Floats, variance: Floats) -> Floats:
    """Residuals of hours (fits, weeks, days of the week, hours), none further out than ``MAX_RESIDUAL``."""
    square = variance[:, None, None, None] * weight
    if not (residual**2 > (1 - 1e-9) * MAX_RESIDUAL**2 * square).any():  # mostly: medians take long
        return residual
    scale = np.sqrt(square)
    distance = _ratio(residual, scale)
    rows = np.flatnonzero((np.abs(distance) > MAX_RESIDUAL).any(axis=(1, 2, 3)))
    if not len(rows):
        return residual
    distance, is_known = distance[rows], weight[rows] > 0
    middle = np.median(distance, axis=(1, 2), keepdims=True)
    away = np.sort(np.where(is_known, np.abs(distance - middle), np.inf).reshape(len(rows), -1), axis=1)
    half = is_known.sum(axis=(1, 2, 3)) // 2
    robust = np.maximum(away[np.arange(len(rows)), half] / NORMAL_MEDIAN, 1.0)[:, None, None, None]
    inside = residual.copy()
    inside[rows] = np.clip(distance, middle - MAX_RESIDUAL * robust, middle + MAX_RESIDUAL * robust) * scale[rows]
    return inside


def _shrunken_means(sums: Floats, weight: Floats, variance: Floats) -> Floats:
    """Mean of each group (fits, groups), shrunk towards 0 as far as chance explains how far the means lie apart.

    Empirical Bayes by the method of moments (Morris 1983, JASA 78:47-55).
    """
    mean = _ratio(sums, weight)
    chance = _ratio(variance[:, None], weight)
    apart = _ratio((weight * (mean**2 - chance)).sum(axis=1), weight.sum(axis=1))
    apart = np.where((weight > 0).sum(axis=1) > 1, np.maximum(apart, 0.0), 0.0)[:, None]
    shrunk: Floats = mean * _ratio(apart, apart + chance)
    return shrunk


def _variance_of_steps(steps: Floats) -> Floats:
    """Variance of a value of exposure 1 from the steps between neighbours, in which the level cancels (von Neumann
    1941); NaN below two steps."""
    flat = steps.reshape(len(steps), -1)
    known = np.isfinite(flat)
    count = known.sum(axis=1)
    middle = np.full(len(flat), np.nan)
    enough = count > 1
    if enough.any():
        middle[enough] = np.nanmedian(flat[enough], axis=1)
    for row in np.flatnonzero((middle == 0) & ((flat > 0).sum(axis=1) >= MIN_STEPS)).tolist():
        middle[row] = np.median(flat[row][flat[row] > 0])
    capped = np.where(known, np.minimum(flat, MAX_STEP * middle[:, None]), 0.0)
    return np.where(enough, capped.sum(axis=1) / np.maximum(count, 1), np.nan)


def _dispersion(
    residual: Floats, weight: Floats, variance: Floats, blocks: Sequence[int], least: float = MIN_DISPERSION
) -> Floats:
    """The largest ratio of the variance of ``blocks`` of cells to that of independent counts."""
    count, length = len(residual), 1
    dispersion, largest = np.full(count, PRIOR_DISPERSION), np.full(count, least)
    residual, weight = residual.reshape(count, -1), weight.reshape(count, -1)
    for block in blocks:
        residual, weight = (_block_sums(column, block // length) for column in (residual, weight))
        length = block
        ratios = _ratio(residual**2, variance[:, None] * weight)
        dispersion = (ratios.sum(axis=1) + PRIOR_BLOCKS * dispersion) / ((weight > 0).sum(axis=1) + PRIOR_BLOCKS)
        largest = np.fmax(largest, dispersion)
    return largest


def _block_sums(rows: Floats, length: int) -> Floats:
    """Sums of so many neighbours each."""
    if length == 1:
        return rows
    sums: Floats = np.einsum("ijk->ij", rows.reshape(len(rows), -1, length))  # several times as fast as .sum(axis=2)
    return sums


def exclude(times: Floats, stretches: Stretches) -> Bools:
    """Points outside all stretches (both ends included)."""
    keep = np.ones(len(times), np.bool_)
    for start, end in stretches:
        keep &= (times < start) | (times > end)
    return keep
