"""How long an experiment that has not begun will take, from the units of the weeks before it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import SourceError
from ..model.experiment import ExperimentPlan, ExperimentSpec, MissingOutcome, PlannedEffect
from ..stats.experiments.effect import measure_effect
from ..stats.experiments.moments import Moments
from ..stats.experiments.planning import required_units
from ..timeutil import DAY
from .business_rows import BusinessRows
from .column_buffers import Codes
from .experiment_units import assign_units

PERIOD = 28 * DAY
"""So long is looked back, beyond the time that units are followed."""
LIFTS = (0.01, 0.02, 0.05, 0.1, 0.2)
MIN_UNITS = 30


def plan_experiment(
    spec: ExperimentSpec, rows: BusinessRows, now: float, follow_up: float, missing: MissingOutcome
) -> ExperimentPlan:
    """``rows``: from ``PERIOD`` and the follow-up before ``now``, all of one arm. Raises SourceError for too few."""
    since = now - PERIOD - follow_up
    everybody = np.zeros(len(rows.times), dtype=np.int64)
    before = replace(spec, start=since, until=now - follow_up, arms=((spec.control, 1.0),), segments=())
    alike = replace(rows, texts={**rows.texts, spec.arm: Codes(everybody, (spec.control,))})
    units = assign_units(before, alike, follow_up, missing)
    values = np.concatenate([units.values[0], units.covariates], axis=1)
    values = values[~np.isnan(values).any(axis=1)]
    if len(values) < MIN_UNITS:
        message = f"{len(values)} units of the last {PERIOD / DAY:.0f} days have a value; a plan takes {MIN_UNITS}."
        raise SourceError(message, where=rows.where)
    moments = Moments.of(values)
    effect = measure_effect(moments, moments, (1.0, 1.0), is_ratio=spec.metrics[0].is_ratio)
    variance = float(effect.variance) * len(values) / 2
    shares = dict(zip(spec.arm_names, spec.shares, strict=True))
    treatment, control = min(shares[arm] for arm in spec.treatments), shares[spec.control]
    pair = treatment + control
    unit_variance, alpha = variance * pair * (1 / treatment + 1 / control), spec.alpha / len(spec.treatments)
    daily = len(values) / (PERIOD / DAY)
    value = float(effect.control)
    effects = []
    for lift in LIFTS:
        needed = required_units(lift * abs(value), unit_variance, spec.units * pair, alpha) / pair
        days = needed / daily + follow_up / DAY
        is_known = math.isfinite(days)
        effects.append(
            PlannedEffect(lift, lift * value, round(needed) if is_known else None, days if is_known else None)
        )
    return ExperimentPlan(spec, now, follow_up, value, daily, float(effect.reduction), tuple(effects))
