"""What an experiment shows: effects at each look, sample ratios, guardrails, segments, and the decision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..model.experiment import (
    ArmCounts,
    ExperimentLook,
    ExperimentMetric,
    ExperimentResult,
    ExperimentSpec,
    GuardrailEffect,
    GuardrailState,
    MetricEffect,
    MissingOutcome,
    RequiredUnits,
    SegmentEffect,
)
from ..model.rule import Direction
from ..stats.arrays import Bools, Floats, Ints
from ..stats.drift.e_values import adjust_evidence
from ..stats.experiments.confidence_sequence import (
    difference_interval,
    is_ready,
    lift_interval,
    log_evidence_of_harm,
    one_sided_bounds,
    one_sided_lift_bounds,
    shift_by_control,
)
from ..stats.experiments.effect import Effect, measure_effect
from ..stats.experiments.moments import Moments
from ..stats.experiments.planning import minimal_effect, required_units
from ..stats.experiments.sample_ratio import sample_ratio_p
from ..timeutil import DAY
from .business_rows import BusinessRows
from .experiment_decision import decide
from .experiment_units import ExperimentUnits, assign_units, days_of, look_times, notes_on_values

MAX_SEGMENTS = 50
"""Values of one column that are looked at: those of most units."""
LONGEST_PLAN = 3650.0
"""Days."""


def analyse_experiment(
    spec: ExperimentSpec, rows: BusinessRows, now: float, follow_up: float, missing: MissingOutcome
) -> ExperimentResult:
    """Everything of an experiment at ``now``. ``follow_up``: seconds, infinite where it is not known yet. Raises
    SourceNameError for arms that are not as configured."""
    units = assign_units(spec, rows, follow_up, missing)
    looks = look_times(spec, now)
    analysis = _Analysis(spec, units, looks, days_of(units.entries + follow_up, looks))
    entered = analysis.counts(days_of(units.entries, looks), np.ones(len(units.arms), dtype=np.bool_))
    followed = analysis.counts(analysis.days, np.ones(len(units.arms), dtype=np.bool_))
    valued = analysis.counts(analysis.days, ~np.isnan(units.values[0][:, 0]))
    shares = np.array(spec.shares)
    srm_p, attrition_p = sample_ratio_p(entered, shares), sample_ratio_p(valued, shares)
    effects = [analysis.effects(place, metric) for place, metric in enumerate(spec.metrics)]
    guardrails = [
        analysis.guardrails(len(spec.metrics) + place, metric) for place, metric in enumerate(spec.guardrails)
    ]
    history = tuple(
        ExperimentLook(
            float(time),
            int(entered[place].sum()),
            float(srm_p[place]),
            tuple(effect for metric in effects for effect in metric[place]),
            tuple(effect for metric in guardrails for effect in metric[place]),
        )
        for place, time in enumerate(looks)
    )
    arms = tuple(
        ArmCounts(name, share, *(int(counts[-1, place]) for counts in (entered, followed, valued)))
        for place, (name, share) in enumerate(zip(spec.arm_names, spec.shares, strict=True))
    )
    undecided = ExperimentResult(
        spec=spec,
        as_of=now,
        follow_up=follow_up,
        arms=arms,
        mixed_units=units.mixed,
        srm_p=float(srm_p[-1]),
        attrition_p=float(attrition_p[-1]),
        looks=history,
        segments=tuple(analysis.segments()),
        required=analysis.plan_ahead(valued),
        notes=(*rows.notes, *units.notes, *notes_on_values(spec, units)),
    )
    return decide(undecided)


@dataclass(slots=True)
class _Analysis:
    spec: ExperimentSpec
    units: ExperimentUnits
    looks: Floats
    days: Ints
    """By unit the look from which on it was followed."""

    @property
    def alpha(self) -> float:
        """Of one treatment: Bonferroni's correction."""
        return self.spec.alpha / len(self.spec.treatments)

    def counts(self, days: Ints, counted: Bools) -> Floats:
        """Units up to each look, by arm."""
        groups = (days * len(self.spec.arms) + self.units.arms)[counted & (days < len(self.looks))]
        table = np.bincount(groups, minlength=len(self.looks) * len(self.spec.arms))
        return table.reshape(len(self.looks), -1).cumsum(axis=0).astype(np.float64)

    def effects(self, place: int, metric: ExperimentMetric) -> list[list[MetricEffect]]:
        """By look, one for each treatment."""
        moments = self._moments(place, self.days).accumulate()
        found = [
            _describe(self._effect(moments, arm, metric), metric.name, arm, self.alpha) for arm in self.spec.treatments
        ]
        return [list(of_look) for of_look in zip(*found, strict=True)]

    def guardrails(self, place: int, metric: ExperimentMetric) -> list[list[GuardrailEffect]]:
        """By look, one for each treatment."""
        moments = self._moments(place, self.days).accumulate()
        alpha = self.alpha / len(self.spec.guardrails)
        found = []
        for arm in self.spec.treatments:
            effect = self._effect(moments, arm, metric)
            described = _describe(effect, metric.name, arm, alpha)
            found.append(list(_guard(effect, described, metric, alpha)))
        return [list(of_look) for of_look in zip(*found, strict=True)]

    def segments(self) -> Iterator[SegmentEffect]:
        """The first metric by segment, at the newest look."""
        found: list[tuple[str, str, int, str, Effect]] = []
        done = self.days < len(self.looks)
        for column, codes in self.units.segments.items():
            counts = np.bincount(codes.places[done & (codes.places >= 0)], minlength=len(codes.names))
            for place in np.argsort(-counts, kind="stable")[:MAX_SEGMENTS].tolist():
                if not counts[place]:
                    continue
                days = np.where(codes.places == place, np.minimum(self.days, len(self.looks)), len(self.looks))
                moments = self._moments(0, np.where(days < len(self.looks), 0, 1), looks=1).accumulate()
                share = counts[place] / max(np.count_nonzero(done), 1)
                for arm in self.spec.treatments:
                    effect = self._effect(moments, arm, self.spec.metrics[0], share)
                    found.append((column, codes.names[place], int(counts[place]), arm, effect))
        if not found:
            return
        alpha = self.spec.alpha / len(found)
        metric = self.spec.metrics[0]
        is_harmed = self._harmed([effect for *_, effect in found], metric)
        for (column, value, count, arm, effect), harmed in zip(found, is_harmed, strict=True):
            (described,) = _describe(effect, metric.name, arm, alpha)
            yield SegmentEffect(column, value, count, described, bool(harmed))

    def _harmed(self, effects: list[Effect], metric: ExperimentMetric) -> Bools:
        """By e-BH over all segments and arms: at most ``alpha`` of those that are named are named by chance."""
        higher = metric.better is Direction.HIGHER
        evidence = np.array(
            [
                log_evidence_of_harm(effect, higher_is_better=higher, alpha=self.spec.alpha)[0]
                if is_ready(effect)[0]
                else -np.inf
                for effect in effects
            ]
        )
        return np.asarray(adjust_evidence(evidence[:, None])[:, 0] >= -math.log(self.spec.alpha))

    def plan_ahead(self, valued: Floats) -> RequiredUnits | None:
        """How long the first metric takes, of the treatment that knows least."""
        moments = self._moments(0, self.days).accumulate()
        plans = []
        for arm in self.spec.treatments:
            effect = self._effect(moments, arm, self.spec.metrics[0])
            if not is_ready(effect)[-1]:
                return None
            pair = [self.spec.arm_names.index(name) for name in (arm, self.spec.control)]
            units = float(valued[-1, pair].sum())
            planned = self.spec.units * sum(self.spec.shares[place] for place in pair)
            unit_variance = float(effect.variance[-1]) * units
            smallest = minimal_effect(units, unit_variance, planned, self.alpha)
            more = required_units(smallest / 2, unit_variance, planned, self.alpha) - units
            plans.append((smallest, units, more))
        smallest, units, more = max(plans)
        recent = valued[-1] - valued[max(0, len(self.looks) - 8)]
        period = (self.looks[-1] - self.looks[max(0, len(self.looks) - 8)]) / DAY
        daily = float(recent.sum()) / period if period > 0 else 0.0
        share = units / valued[-1].sum()
        days = more / (daily * share) if daily > 0 else math.inf
        return RequiredUnits(int(valued[-1].sum()), daily, smallest, days if days <= LONGEST_PLAN else None)

    def _moments(self, place: int, days: Ints, looks: int | None = None) -> Moments:
        """By look and arm; ``place``: of the metric among all metrics and guardrails."""
        looks = len(self.looks) if looks is None else looks
        values = np.concatenate([self.units.values[place], self.units.covariates], axis=1)
        known = ~np.isnan(values).any(axis=1) & (days < looks)
        arms = len(self.spec.arms)
        flat = Moments.by_group(values[known], (days * arms + self.units.arms)[known], looks * arms)
        columns = values.shape[1]
        return Moments(
            flat.n.reshape(looks, arms),
            flat.mean.reshape(looks, arms, columns),
            flat.scatter.reshape(looks, arms, columns, columns),
            flat.low.reshape(looks, arms, columns),
            flat.high.reshape(looks, arms, columns),
        )

    def _effect(self, moments: Moments, arm: str, metric: ExperimentMetric, share: float = 1.0) -> Effect:
        """Of an arm against the control, by look. ``share``: of the planned units that are in the segment."""
        parts = []
        planned = []
        for name in (arm, self.spec.control):
            place = self.spec.arm_names.index(name)
            planned.append(self.spec.units * self.spec.shares[place] * share)
            parts.append(moments.at_second_axis(place))
        return measure_effect(parts[0], parts[1], (planned[0], planned[1]), is_ratio=metric.is_ratio)


def _describe(effect: Effect, metric: str, arm: str, alpha: float) -> list[MetricEffect]:
    """By look."""
    ready = is_ready(effect)
    interval, lift = difference_interval(effect, alpha), lift_interval(effect, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = effect.difference / np.abs(effect.control)
    columns = [
        *(effect.control, effect.treatment, effect.difference),
        *(np.where(ready, bound, np.nan) for bound in (interval.low, interval.high)),
        share,
        *(np.where(ready, bound, np.nan) for bound in (lift.low, lift.high)),
    ]
    found = []
    for numbers, reduction in zip(np.stack(columns, axis=1).tolist(), effect.reduction.tolist(), strict=True):
        control, treated, difference, low, high, share_of_control, lift_low, lift_high = map(_finite, numbers)
        of_lift = (share_of_control, lift_low, lift_high)
        took_off = _finite(reduction) or 0.0
        found.append(MetricEffect(metric, arm, control, treated, difference, low, high, *of_lift, took_off))
    return found


def _guard(
    effect: Effect, described: list[MetricEffect], metric: ExperimentMetric, alpha: float
) -> Iterator[GuardrailEffect]:
    """By look: whether the metric is proven to be within its margin, or proven to be worse."""
    higher = metric.better is Direction.HIGHER
    left = shift_by_control(effect, metric.margin if higher else -metric.margin)
    left = replace(left, planned_variance=effect.planned_variance * left.variance / effect.variance)
    bounds, lift = one_sided_bounds(left, alpha), one_sided_lift_bounds(effect, alpha)
    ready = is_ready(effect)
    for place, one in enumerate(described):
        state = GuardrailState.OPEN
        if ready[place] and (bounds.low[place] > 0 if higher else bounds.high[place] < 0):
            state = GuardrailState.PASSED
        elif ready[place] and (bounds.high[place] < 0 if higher else bounds.low[place] > 0):
            state = GuardrailState.BREACHED
        worst = -lift.low[place] if higher else lift.high[place]
        yield GuardrailEffect(one, metric.margin, _finite(worst) if ready[place] else None, state)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
