"""After what time the outcomes of predictions are complete: stated, or measured as the delays of labels are."""

from __future__ import annotations

import math

import numpy as np

from ..model.business import BusinessSpec
from ..model.experiment import AUTO_LAG
from ..stats.arrays import Floats
from ..stats.labels.delay import Cohort, DelayHistory
from ..stats.profile.delays import DelayProfile
from ..timeutil import DAY
from .business_rows import BusinessRows


def outcome_lag(spec: BusinessSpec, rows: BusinessRows, now: float) -> float:
    """Seconds. 0 where outcomes have no time; infinite where the log reaches back too short a time to measure it."""
    if spec.lag != AUTO_LAG:
        return spec.lag
    if spec.outcomes is None or not spec.outcomes.time or rows.outcomes is None:
        return 0.0
    latest = np.full(len(rows.times), -np.inf)
    np.maximum.at(latest, rows.outcomes.predictions, rows.outcomes.times)
    age, is_known = DelayHistory(_cohorts(rows.times, latest - rows.times, rows, now)).usual_age(now)
    return age if is_known else math.inf


def _cohorts(times: Floats, delays: Floats, rows: BusinessRows, now: float) -> list[Cohort]:
    """By UTC day."""
    order = np.argsort(times, kind="stable")
    days = np.floor(times[order] / DAY)
    begins = np.flatnonzero(np.append(True, days[1:] != days[:-1])) if len(days) else np.zeros(0, np.int64)
    found = []
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        members = order[begin:end]
        has = rows.has_outcome[members]
        known = np.where(has, delays[members], np.nan)
        profile = DelayProfile.of(known, now - times[members], np.zeros(len(members), np.int64), ("outcome",), has)
        found.append(Cohort(float(days[begin]) * DAY, (float(days[begin]) + 1) * DAY, profile))
    return found
