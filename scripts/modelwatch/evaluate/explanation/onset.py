"""When a series became worse than its baseline, and the version that came with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...model.finding import Track
from ...model.rule import Aggregate, Direction
from ...model.series import PulledSeries, Series
from ...stats.arrays import Floats
from ...stats.changepoint import degradation_onset

MAX_LEAD_POINTS = 2.0
"""Points that a change may seem to lie before the deployment that made it, for noise."""


@dataclass(frozen=True, slots=True)
class Onset:
    time: float | None = None
    range: tuple[float, float] | None = None
    """The earliest and the latest time that are as plausible."""
    version: str = ""
    version_since: float | None = None


def find_onset(track: Track, pull: PulledSeries | None, row: int) -> Onset:
    """The first point of the worse stretch that holds at ``row``; nothing where no change is found.

    Where a window's value is the mean of its points, it is looked for among the points; else among windows that do not
    overlap. The version is the one first seen within a window's length before, or with the change. It is taken for the
    change where it is a plausible beginning: else noise would move that from one evaluation to the next.
    """
    change = track.value[row] - track.baseline[row]
    if not math.isfinite(change) or change == 0:
        return Onset()
    times, values, weights = _history(track, pull, row)
    worse = {Direction.HIGHER: -1, Direction.LOWER: 1, None: 1 if change > 0 else -1}[track.rule.better]
    interval = degradation_onset(values, track.baseline[row], worse_sign=worse, weights=weights)
    if interval is None:
        return Onset()
    spacing = float(np.median(np.diff(times)))
    time, earliest, latest = (float(times[at]) for at in (interval.best, interval.earliest, interval.latest))
    deployments = sorted(pull.deployments if pull else (), key=lambda deployment: deployment.since)
    # The oldest version in the history was not deployed then, it was only seen first.
    for deployment in sorted(deployments[1:], key=lambda deployment: -deployment.since):
        begin = deployment.since
        if begin > max(latest, time + MAX_LEAD_POINTS * spacing) or begin < time - track.rule.window:
            continue
        time = begin if earliest <= begin <= latest else max(time, begin)
        return Onset(time, (max(earliest, begin), max(latest, begin)), deployment.version, begin)
    return Onset(time, (earliest, latest))


def _history(track: Track, pull: PulledSeries | None, row: int) -> tuple[Floats, Floats, Floats | None]:
    name = track.rule.metric.name
    matches = (
        series for series in (pull.series if pull else ()) if series.name == name and series.labels == track.labels
    )
    series = next(matches, None)
    if series is not None and track.rule.aggregate is Aggregate.MEAN:
        return points_between(series, track.grid.start - track.rule.window, track.grid.time(row))
    stride = max(1, math.ceil(track.rule.window / track.grid.step))
    rows = np.arange(row, -1, -stride)[::-1]
    values = np.asarray(track.value)[rows]
    known = np.isfinite(values)
    times: Floats = track.grid.start + rows.astype(np.float64) * track.grid.step
    return times[known], values[known], None


def points_between(series: Series, start: float, end: float) -> tuple[Floats, Floats, Floats | None]:
    """Times, values and weights (``None``: none are logged) of the points after ``start``, until ``end``."""
    times, values = (np.asarray(column) for column in (series.times, series.values))
    usable = np.isfinite(values) & (times > start) & (times <= end)
    if series.weights is None:
        return times[usable], values[usable], None
    weights = np.asarray(series.weights)
    known = np.isfinite(weights) & (weights > 0)
    usual = float(np.median(weights[known])) if known.any() else 1.0
    # No rows, no value; an unknown count weighs as the usual one.
    usable &= ~(weights <= 0)
    return times[usable], values[usable], np.where(known, weights, usual)[usable]
