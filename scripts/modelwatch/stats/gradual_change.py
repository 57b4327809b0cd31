"""Tells a change that came day by day from one that came at once, and how fast it goes.

Models of daily means are compared by least squares: a level that changes at once, or in two steps, and one that changes
by the same amount every day from some day on. How much likelier one is than another follows from the squares that are
left over and the number of parameters (Schwarz 1978).
Patterns of the week are fitted with both. The pace is the median slope between two days (Theil 1950, Sen 1968), which
a few odd days do not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints
from .noise import NORMAL_MEDIAN

MIN_DAYS = 14
"""Days that must be known."""
MIN_LENGTH = 7
"""Days that a gradual change lasts at least."""
MIN_ODDS = 3.0
"""Nats by which gradual must be likelier than at once: odds of 20 to 1."""
STEADY = 0.3
"""The last third of the change must be at least so fast, as a share of the whole: otherwise it is over."""
MIN_SQUARES = 1e-12
"""What is left over is taken as at least this share of the whole: daily means of a drawn line leave nothing."""


@dataclass(frozen=True, slots=True)
class GradualFit:
    """A level, and from some day on the same change every day."""

    day: int
    """The day on which the change began."""
    a_day: float
    """Median change from one day to the next."""
    level: float
    """Before it began, on the average day of the week."""
    spread: float
    """Standard deviation of a day's mean, from the median distance."""

    def at(self, days: Floats) -> Floats:
        return self.level + self.a_day * np.maximum(days - self.day, 0.0)


def fit_gradual_change(days: Ints, means: Floats) -> GradualFit | None:
    """The change that is under way; ``None`` where the metric changed at once, not at all, or no more.

    ``days``: numbers of days that are known, ascending; ``means``: the metric's mean on each.
    """
    if len(days) < MIN_DAYS:
        return None
    weekly = np.equal.outer(days % 7, np.unique(days % 7)).astype(np.float64)
    basis = np.linalg.qr(weekly)[0]

    def without_weeks(columns: Floats) -> Floats:
        return columns - basis @ (basis.T @ columns)

    starts = np.arange(1, len(days))
    left = without_weeks(means)
    total = float(left @ left)
    steps = without_weeks((np.arange(len(days))[:, None] >= starts).astype(np.float64))
    ramps = without_weeks(np.maximum(days[:, None] - days[starts - 1], 0).astype(np.float64))
    step, ramp, twice = _explained(steps, left), _explained(ramps, left), _explained_by_two(steps, left)
    at_once, gradual, in_two = (max(total - float(found.max()), MIN_SQUARES * total) for found in (step, ramp, twice))
    # Two steps have two parameters more, which count half the log of the number of days each.
    odds = min(np.log(at_once / gradual), np.log(in_two / gradual) + 2 * np.log(len(days)) / len(days))
    if not total > 0 or len(days) / 2 * odds < MIN_ODDS:
        return None
    begin = int(ramp.argmax())
    if len(days) - 1 - begin < MIN_LENGTH:
        return None
    column = ramps[:, begin]
    before = means - float(column @ left) / float(column @ column) * np.maximum(days - days[begin], 0)
    weekday = basis @ (basis.T @ before)
    level = float(weekday.mean())
    adjusted = means - weekday + level
    slope = _median_slope(days[begin:], adjusted[begin:])
    late = begin + 2 * (len(days) - begin) // 3
    if slope == 0 or _median_slope(days[late:], adjusted[late:]) / slope < STEADY:
        return None
    rest = adjusted - level - slope * np.maximum(days - days[begin], 0)
    return GradualFit(int(days[begin]), slope, level, float(np.median(np.abs(rest))) / NORMAL_MEDIAN)


def _explained(columns: Floats, left: Floats) -> Floats:
    """How much of the squares each column explains."""
    size = (columns**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained: Floats = np.where(size > 1e-9, (left @ columns) ** 2 / size, 0.0)
    return explained


def _explained_by_two(columns: Floats, left: Floats) -> Floats:
    """The same of each pair of columns together."""
    first, second = np.triu_indices(columns.shape[1], 1)
    square, both = columns.T @ columns, columns.T @ left
    a, b, ab = square[first, first], square[second, second], square[first, second]
    size = a * b - ab**2
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (both[first] ** 2 * b - 2 * both[first] * both[second] * ab + both[second] ** 2 * a) / size
    explained: Floats = np.where(size > 1e-9 * a * b, found, 0.0)
    return explained


def _median_slope(days: Ints, values: Floats) -> float:
    """Theil's and Sen's estimate: the median slope of all pairs."""
    first, second = np.triu_indices(len(days), 1)
    if not len(first):
        return 0.0
    return float(np.median((values[second] - values[first]) / (days[second] - days[first])))
