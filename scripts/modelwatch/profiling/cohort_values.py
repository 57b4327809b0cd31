"""What predictions brought, by cohort and age: only cohorts whose outcomes are complete are in a total.

The youngest prediction of a cohort decides how old the cohort is, so that each value at an age is of all of its
predictions at that age. A young cohort is compared with older ones at its own age, never with their totals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..model.experiment import AUTO_LAG, CohortCurve, CohortsSpec, CohortValues
from ..stats.arrays import Floats, Ints
from ..timeutil import DAY
from .business_rows import BusinessRows
from .label_timing import AGES

STEPS = 24
"""Ages of a curve, up to the lag."""
MAX_COHORTS = 60
"""The newest ones are shown."""


def measure_cohorts(spec: CohortsSpec, rows: BusinessRows, lag: float, stated: float, now: float) -> CohortValues:
    """The curves of all cohorts that are over at ``now``. ``lag``: seconds, infinite where it is not known yet;
    ``stated``: as the configuration has it."""
    inside = rows.times <= now
    oldest = float(now - rows.times[inside].min()) if inside.any() else 0.0
    reach = lag if math.isfinite(lag) else oldest
    ages = _ages(reach)
    numbers, begins = _number_cohorts(rows.times, spec.window, now)
    curves = list(_curves(spec, rows, (numbers, begins), ages, now, lag))
    mature = [curve for curve in curves if curve.is_mature]
    predictions = sum(curve.predictions for curve in mature)
    total = sum(curve.values[-1] * curve.predictions for curve in mature) / predictions if predictions else None
    notes = (
        ()
        if math.isfinite(lag)
        else ("when outcomes are complete is not known yet: no cohort counts as mature. State it with `lag`.",)
    )
    shown = tuple(_with_usual(curve, mature) for curve in curves[-MAX_COHORTS:])
    return CohortValues(spec.value, lag, stated != AUTO_LAG, shown, total, predictions, notes)


def _ages(reach: float) -> Floats:
    """Those of a curve: even steps, and the days that are published."""
    if reach <= 0:
        return np.zeros(1)
    steps, published = np.arange(1, STEPS + 1) / STEPS * reach, np.array(AGES) * DAY
    return np.unique(np.concatenate([steps, published[published <= reach]]))


def _number_cohorts(times: Floats, window: float, now: float) -> tuple[Ints, Floats]:
    """By row the place of its cohort, -1 where that is not over; and where each cohort begins."""
    starts = np.floor(times / window) * window
    begins, places = np.unique(starts, return_inverse=True)
    is_over = begins + window <= now
    return (np.where(is_over[places], places, -1) if len(times) else places).astype(np.int64), begins


def _curves(
    spec: CohortsSpec, rows: BusinessRows, cohorts: tuple[Ints, Floats], ages: Floats, now: float, lag: float
) -> Iterator[CohortCurve]:
    places, begins = cohorts
    events = rows.events_with(spec.value)
    values = np.nan_to_num(events.numbers[spec.value])
    of_event = places[events.predictions]
    times = np.where(np.isnan(events.times), rows.times[events.predictions], events.times)
    event_ages = np.maximum(times - rows.times[events.predictions], 0.0)
    steps = np.searchsorted(ages, event_ages, side="left")
    counted = (of_event >= 0) & (steps < len(ages))
    flat = of_event[counted] * len(ages) + steps[counted]
    sums = np.bincount(flat, values[counted], len(begins) * len(ages)).reshape(-1, len(ages)).cumsum(axis=1)
    counts = np.bincount(places[places >= 0], minlength=len(begins))
    for place, begin in enumerate(begins.tolist()):
        if not counts[place]:
            continue
        age = now - (begin + spec.window)
        reached = int(np.searchsorted(ages, age, side="right"))
        shown = tuple((sums[place, :reached] / counts[place]).tolist())
        yield CohortCurve(
            begin, begin + spec.window, int(counts[place]), tuple(ages[:reached].tolist()), shown, age >= lag, None
        )


def _with_usual(curve: CohortCurve, mature: list[CohortCurve]) -> CohortCurve:
    if curve.is_mature or not curve.values or not mature:
        return curve
    place, predictions = len(curve.values) - 1, sum(one.predictions for one in mature)
    usual = sum(one.values[place] * one.predictions for one in mature) / predictions
    as_usual = curve.values[-1] / usual if usual else None
    return CohortCurve(curve.begin, curve.end, curve.predictions, curve.ages, curve.values, curve.is_mature, as_usual)
