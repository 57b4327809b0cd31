"""Rules with ``anomaly``: each evaluation says how unlike its own past the newest points of a series are.

Every point is scored by what came before it, so how often anybody looks changes nothing. A tier is reached by a point
so unusual that, where nothing is wrong, one waits for the tier's budget until the next such point. It holds for
``HOLD``, so that one accident is one alert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.rule import MEMORY_STEP, AnomalySpec, Direction, Rule
from ..stats.anomaly import BLOCK, AnomalyScores, score_points
from ..stats.arrays import Bools, Floats, Ints
from .aggregation import WindowStats
from .arrays import nans
from .baselines import Baseline
from .calendars import SeriesCalendar
from .detection import Detection
from .points import Points
from .windows import row_ranges

HOLD = BLOCK
"""How long (seconds) a tier holds after a point that reaches it."""


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyRows:
    """What is found at each evaluation time; ``value`` and ``baseline`` are of the most unusual new point."""

    stat: WindowStats
    reference: Baseline
    detection: Detection
    too_young: Bools
    """The window holds points, and the past is too short to judge them."""
    is_unknown: Bools
    """The newest point is of a day of the calendar about which nothing is known."""
    past_since: float | None
    """When the past of the series begins; ``None`` where there is none."""


def find_anomalies(
    rule: Rule, points: Points, at: Floats, share: float, calendar: SeriesCalendar | None = None
) -> AnomalyRows:
    """``at``: evaluation times; ``share``: how many series share the budget, each as much as this one.

    On days of the calendar is scored how far a point lies beyond what was seen on earlier ones. Where none are known
    the points count for nothing.
    """
    spec = rule.anomaly or AnomalySpec()
    ordinary = points.values if calendar is None else calendar.ordinary_values()
    oldest = np.floor((at[0] - spec.memory) / MEMORY_STEP) * MEMORY_STEP
    recent = (points.times > oldest) & (points.times <= at[-1])
    points, ordinary = points.select(recent), ordinary[recent]
    spans = row_ranges(points.times, at - rule.window, at)
    known = np.isfinite(ordinary)
    unknown = np.append(~known, False)[spans.hi - 1] & (spans.counts > 0)
    points, ordinary = points.select(known), ordinary[known]
    if not len(points.times):
        none = nans(len(at))
        stat = WindowStats(none, none, spans.counts, none, none)
        quiet = Detection(np.full(len(at), -1.0), frozenset())
        return AnomalyRows(stat, Baseline.missing(len(at)), quiet, np.zeros(len(at), np.bool_), unknown, None)
    scores = score_points(points.times, ordinary)
    reached = _reached_tiers(rule, ordinary, scores, share)
    row = _most_unusual(points.times, scores, at, rule.every)
    filled = (spans.counts > 0) & (points.times[row] > at - rule.window) & (points.times[row] <= at)
    usual = scores.expected + (points.values - ordinary)
    value, expected = (np.where(filled, column[row], np.nan) for column in (points.values, usual))
    return AnomalyRows(
        stat=WindowStats(value, nans(len(at)), spans.counts, nans(len(at)), nans(len(at))),
        reference=Baseline(expected, expected, expected, nans(len(at)), nans(len(at))),
        detection=Detection(np.where(spans.counts > 0, _held(points.times, reached, at), -1.0), frozenset()),
        too_young=filled & np.isnan(scores.wait[row]),
        is_unknown=unknown,
        past_since=float(points.times[0]),
    )


def _reached_tiers(rule: Rule, values: Floats, scores: AnomalyScores, share: float) -> Floats:
    """``Severity.code`` of the most severe tier that each point reaches; -1 for none."""
    wait = np.nan_to_num(scores.wait, nan=0.0)
    if rule.better is not None:
        is_good = values > scores.expected if rule.better is Direction.HIGHER else values < scores.expected
        wait = np.where(is_good, 0.0, wait)
    reached = np.full(len(wait), -1.0)
    for tier in rule.tiers:
        if tier.false_alarms is not None:
            np.maximum(reached, float(tier.severity.code), out=reached, where=wait >= tier.false_alarms * share)
    return reached


def _most_unusual(times: Floats, scores: AnomalyScores, at: Floats, every: float) -> Ints:
    """The most surprising point since the evaluation before; where there is none, the newest."""
    spans = row_ranges(times, at - every, at)
    newest = np.maximum(spans.hi - 1, 0)
    most = [
        low + int(scores.surprise[low:high].argmax()) if high > low else last
        for low, high, last in zip(spans.lo.tolist(), spans.hi.tolist(), newest.tolist(), strict=True)
    ]
    return np.array(most, dtype=np.int64)


def _held(times: Floats, reached: Floats, at: Floats) -> Floats:
    """The most severe tier that a point of the last ``HOLD`` reached, at each evaluation time."""
    held = np.full(len(at), -1.0)
    for place in np.flatnonzero(reached >= 0):
        first, last = np.searchsorted(at, [times[place], times[place] + HOLD], side="left")
        np.maximum(held[first:last], reached[place], out=held[first:last])
    return held
