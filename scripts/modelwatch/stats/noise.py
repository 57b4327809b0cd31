"""How a healthy series varies: by hour and weekday, and more than its counts explain.

Everything is fitted to whole days, to the three weeks before a day, and for many days at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..timeutil import DAY, HOUR
from .arrays import Bools, Floats, Ints

WEEKS = 3
"""Weeks of history behind a fit."""
BLOCKS = (1, 6, 24, 72)
"""Hours over which the variance is compared with that of counts alone: the longer ones see what neighbouring hours
have in common. Each is a multiple of the one before."""
PRIOR_DISPERSION, PRIOR_BLOCKS = 1.5, 3.0
"""What is assumed before anything is known, and for how many blocks it counts; for longer blocks the dispersion of the
shorter ones is assumed."""
MIN_DISPERSION = 1.0
"""Counts vary no less than chance."""
MAX_STEP = 16.0
"""A step between neighbours counts at most this many medians: one jump is no noise."""
MAX_RESIDUAL = 5.0
"""An hour counts as at most so many standard deviations from the median of its hour of the day (Huber 1981): one
outlier neither becomes a pattern nor hides what comes in the next three weeks."""
NORMAL_MEDIAN = 0.6745
"""Median of the distance from the mean, in standard deviations."""

Stretches = list[tuple[float, float]]
"""First and last time of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """One row a fit."""

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
        fit = np.searchsorted(self.days, (times // DAY).astype(np.int64), side="right") - 1
        return np.where(fit >= 0, self.level[np.maximum(fit, 0)], np.nan)

    def _scale(self, rows: Ints) -> Floats:
        return self.level[rows] if self.is_relative else np.zeros(len(rows))

    def at(self, times: Floats) -> tuple[Floats, Floats, Floats]:
        """Seasonal effect, dispersion and variance at each time, as the newest fit before it has them."""
        day = (times // DAY).astype(np.int64)
        fit = np.searchsorted(self.days, day, side="right") - 1
        known, row = fit >= 0, np.maximum(fit, 0)
        hour = (times % DAY // HOUR).astype(np.int64)
        weekday = (day - self.days[row]) % 7
        effect = _add_effects(self.weekdays[row, weekday], self.hours[row, hour], self._scale(row))
        return (
            np.where(known, effect, 0.0),
            np.where(known, self.dispersion[row], PRIOR_DISPERSION),
            np.where(known, self.variance[row], np.nan),
        )

    def mean_effect(self, times: Floats, window: float) -> Floats:
        """Mean of the seasonal effects over the hours of a window (seconds) that ends with the hour of each time."""
        day = (times // DAY).astype(np.int64)
        row = np.searchsorted(self.days, day, side="right") - 1
        known, row = row >= 0, np.maximum(row, 0)
        scale = self._scale(np.arange(len(self.days)))[:, None, None]
        pattern = _add_effects(self.weekdays[:, :, None], self.hours[:, None, :], scale).reshape(len(self.days), -1)
        total = np.cumsum(np.concatenate([np.zeros((len(pattern), 1)), pattern, pattern], axis=1), axis=1)
        week = pattern.shape[1]
        hours = max(1, round(window / HOUR))
        end = (day - self.days[row]) % 7 * 24 + (times % DAY // HOUR).astype(np.int64) + week + 1
        part = total[row, end] - total[row, end - hours % week]
        return np.where(known, (hours // week * total[row, week] + part) / hours, 0.0)


def _add_effects(weekdays: Floats, hours: Floats, level: Floats) -> Floats:
    """Effects of weekday and hour together; with a ``level`` (0: none) those of the hour grow with the weekday's."""
    effect = weekdays + hours
    return effect + _ratio(weekdays * hours, level) if level.any() else effect


def fit_noise(
    times: Floats,
    values: Floats,
    exposure: Floats,
    days: Ints,
    *,
    is_proportion: bool,
    is_count: bool = False,
) -> Noise:
    """Seasonal effects and dispersion on each of ``days``, from points on which nothing happened.

    ``exposure`` (points): the count behind each value, 1 where none is known, 0 where a point does not count. The
    variance of a value of exposure 1 is p (1 - p) for proportions, that of all hours for counts (of rare events most
    steps are 0), else that of the steps between neighbours.
    """
    weight, moment, steps = _hourly(times, values, exposure, days)
    level = _ratio(moment.sum(axis=(1, 2, 3)), weight.sum(axis=(1, 2, 3)))
    residual = moment - weight * level[:, None, None, None]
    if is_count:
        variance = _ratio(_ratio(residual**2, weight).sum(axis=(1, 2, 3)), (weight > 0).sum(axis=(1, 2, 3)))
    else:
        variance = np.maximum(level * (1 - level), 1e-6) if is_proportion else _variance_of_steps(steps)
    residual = _without_outliers(residual, weight, variance)
    by_day, daily = weight.sum(axis=3), residual.sum(axis=3)
    # How far the effects shrink depends on the dispersion, and that on the effects: whole days tell enough to begin.
    weekdays = _shrunken_means(daily.sum(axis=1), by_day.sum(axis=1), variance)
    spread = variance * _dispersion(daily - by_day * weekdays[:, None], by_day, variance, (1, 3))
    weekdays = _shrunken_means(daily.sum(axis=1), by_day.sum(axis=1), spread)
    weights = weight.sum(axis=1)
    left = residual.sum(axis=1) - weights * weekdays[:, :, None]
    hours = _shrunken_means(left.sum(axis=1), weights.sum(axis=1), spread)
    scale = level if is_count else np.zeros(len(level))
    effect = _add_effects(weekdays[:, None, :, None], hours[:, None, None, :], scale[:, None, None, None])
    dispersion = _dispersion(residual - weight * effect, weight, variance, BLOCKS, 0.0 if is_count else MIN_DISPERSION)
    known = np.where(weight.sum(axis=(1, 2, 3)) > 0, level, np.nan)
    return Noise(days, weekdays, hours, dispersion, variance, known, is_count)


def _hourly(times: Floats, values: Floats, exposure: Floats, days: Ints) -> tuple[Floats, Floats, Floats]:
    """Exposure, exposure times value, and the scaled square of the step from the hour before, of each hour behind each
    fit: (fits, weeks, days of the week, hours). The step is NaN where there is none."""
    first = int(days[0]) - 7 * WEEKS
    length = 24 * int(days[-1] - first)
    hour = np.floor(times / HOUR).astype(np.int64) - 24 * first
    inside = (hour >= 0) & (hour < length)
    weight = np.bincount(hour[inside], exposure[inside], length)
    moment = np.bincount(hour[inside], (exposure * values)[inside], length)
    steps = np.full(length, np.nan)
    filled = np.flatnonzero(weight > 0)
    mean, share = moment[filled] / weight[filled], 1 / weight[filled]
    steps[filled[1:]] = np.diff(mean) ** 2 / (share[1:] + share[:-1])
    rows = 24 * (days - first - 7 * WEEKS)[:, None] + np.arange(24 * 7 * WEEKS)
    weight, moment, steps = (column[rows].reshape(-1, WEEKS, 7, 24) for column in (weight, moment, steps))
    return weight, moment, steps


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
    capped = np.where(known, np.minimum(flat, MAX_STEP * middle[:, None]), 0.0)
    return np.where(enough, capped.sum(axis=1) / np.maximum(count, 1), np.nan)


def _dispersion(
    residual: Floats, weight: Floats, variance: Floats, blocks: Sequence[int], least: float = MIN_DISPERSION
) -> Floats:
    """The largest ratio of the variance of ``blocks`` of cells to that of independent counts."""
    count, length = len(residual), 1
    dispersion, largest = np.full(count, PRIOR_DISPERSION), np.full(count, least)
    both = np.stack([residual, weight]).reshape(2, count, -1)
    for block in blocks:
        both = both.reshape(2, count, -1, block // length).sum(axis=3) if block > length else both
        residual, weight = both
        length = block
        ratios = _ratio(residual**2, variance[:, None] * weight)
        dispersion = (ratios.sum(axis=1) + PRIOR_BLOCKS * dispersion) / ((weight > 0).sum(axis=1) + PRIOR_BLOCKS)
        largest = np.fmax(largest, dispersion)
    return largest


def exclude(times: Floats, stretches: Stretches) -> Bools:
    """Points outside all stretches (both ends included)."""
    keep = np.ones(len(times), np.bool_)
    for start, end in stretches:
        keep &= (times < start) | (times > end)
    return keep
