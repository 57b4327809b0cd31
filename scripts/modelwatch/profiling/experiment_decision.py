"""Ship, stop or go on: what an experiment's intervals, guardrails and sample ratios decide."""

from __future__ import annotations

from dataclasses import replace

from ..model.experiment import (
    ArmVerdict,
    DecisionReason,
    ExperimentDecision,
    ExperimentResult,
    GuardrailState,
    MetricEffect,
)
from ..model.rule import Direction
from ..stats.experiments.sample_ratio import SRM_ALPHA

MAX_MIXED_SHARE = 0.01
"""Of units that were in several arms: with more, the assignment is broken."""


def decide(result: ExperimentResult) -> ExperimentResult:
    """The result with its decision.

    Where units were not shared out as planned, no figure can be trusted, and nothing else is looked at. An arm is
    shipped whose first metric is better beyond its interval while every guardrail is proven to be within its margin;
    it is stopped where the metric is worse, or a guardrail beyond its margin.
    """
    if (reason := _broken_assignment(result)) is not None:
        verdicts = tuple(ArmVerdict(arm, ExperimentDecision.STOP, reason) for arm in result.spec.treatments)
        return replace(result, decision=ExperimentDecision.STOP, reason=reason, verdicts=verdicts)
    verdicts = tuple(_verdict(result, arm) for arm in result.spec.treatments)
    shipped = [verdict for verdict in verdicts if verdict.decision is ExperimentDecision.SHIP]
    if shipped:
        best = max(shipped, key=lambda verdict: _gain(result, verdict.arm))
        return replace(result, decision=best.decision, reason=best.reason, verdicts=verdicts, chosen=best.arm)
    going = [verdict for verdict in verdicts if verdict.decision is ExperimentDecision.GO_ON]
    first = going[0] if going else verdicts[0]
    return replace(result, decision=first.decision, reason=first.reason, verdicts=verdicts)


def _broken_assignment(result: ExperimentResult) -> DecisionReason | None:
    entered = sum(arm.entered for arm in result.arms)
    if result.srm_p < SRM_ALPHA:
        return DecisionReason.SAMPLE_RATIO
    if result.mixed_units > MAX_MIXED_SHARE * (entered + result.mixed_units):
        return DecisionReason.MIXED
    return DecisionReason.ATTRITION if result.attrition_p < SRM_ALPHA else None


def _verdict(result: ExperimentResult, arm: str) -> ArmVerdict:
    spec, newest = result.spec, result.newest
    effect = first_effect(result, arm)
    states = [guardrail.state for guardrail in newest.guardrails if guardrail.effect.arm == arm]
    if GuardrailState.BREACHED in states:
        return ArmVerdict(arm, ExperimentDecision.STOP, DecisionReason.GUARDRAIL)
    is_over = spec.until is not None and result.as_of >= spec.until + result.follow_up
    if effect.low is not None and effect.high is not None:
        sign = 1 if spec.metrics[0].better is Direction.HIGHER else -1
        worst, best = sorted((sign * effect.low, sign * effect.high))
        if best < 0:
            return ArmVerdict(arm, ExperimentDecision.STOP, DecisionReason.WORSE)
        if worst > 0 and all(state is GuardrailState.PASSED for state in states):
            return ArmVerdict(arm, ExperimentDecision.SHIP, DecisionReason.BETTER)
        if worst > 0 and not is_over:
            return ArmVerdict(arm, ExperimentDecision.GO_ON, DecisionReason.BETTER_UNGUARDED)
    if is_over:
        return ArmVerdict(arm, ExperimentDecision.STOP, DecisionReason.ENDED)
    reason = DecisionReason.TOO_EARLY if effect.low is None else DecisionReason.UNDECIDED
    return ArmVerdict(arm, ExperimentDecision.GO_ON, reason)


def first_effect(result: ExperimentResult, arm: str) -> MetricEffect:
    """Of the metric that decides, at the newest look."""
    metric = result.spec.metrics[0].name
    return next(effect for effect in result.newest.effects if effect.arm == arm and effect.metric == metric)


def _gain(result: ExperimentResult, arm: str) -> float:
    difference = first_effect(result, arm).difference or 0.0
    return difference if result.spec.metrics[0].better is Direction.HIGHER else -difference
