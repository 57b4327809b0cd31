"""Which events in W&B are worth a look before the next scheduled evaluation, from the rules of a model.

An automation only starts an evaluation, which then judges by the rules: one that fires for nothing costs minutes of a
runner, one that does not fire costs the wait until the schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..clients.wandb_automations import (
    AliasAssignment,
    AutomationEvent,
    ChangeDirection,
    Comparison,
    MetricChange,
    MetricThreshold,
    MetricZScore,
)
from ..model.monitored_model import Model
from ..model.release import PRODUCTION
from ..model.rule import FALL_LIMITS, RELATIVE_LIMITS, STATIC_LIMITS, Aggregate, Direction, Limit, LimitKind, Rule
from .charts import baseline_value, is_derived

THRESHOLD_WINDOW = 5
"""Values that are averaged: W&B's own default. An automation fires once in 24 hours for a W&B run, which a single noisy
value should not use up."""
CURRENT_WINDOW, PRIOR_WINDOW = 10, 50
"""W&B's own defaults for a change between two windows."""
ZSCORE_WINDOW, ZSCORE = 30, 3.0
"""W&B's own defaults."""
RELEASE_ITEM = "release"


@dataclass(frozen=True, slots=True)
class Watch:
    """One event of a model. ``item`` names it within the model: the rule, or what it is about."""

    item: str
    purpose: str
    event: AutomationEvent


def watches(model: Model) -> Iterator[Watch]:
    """For each rule about one key the event nearest to its mildest limits; and a version that becomes the one that
    serves. Rules about many keys have none, since an automation names one key; nor have
    those about derived metrics, which W&B does not have."""
    for rule in model.rules:
        if rule.metric.is_plain and not is_derived(model, rule):
            yield from _rule_watches(model, rule)
    if model.release is not None:
        event = AliasAssignment(model.release.artifact, model.release.type, PRODUCTION)
        purpose = f"Starts an evaluation when another version of {model.name} serves."
        yield Watch(f"{RELEASE_ITEM}:{PRODUCTION}", purpose, event)


def _rule_watches(model: Model, rule: Rule) -> Iterator[Watch]:
    purpose = f"Starts an evaluation when {rule.name} of {model.name} may be beyond a limit."
    events = list(dict.fromkeys(_rule_events(rule)))
    for place, event in enumerate(events):
        yield Watch(rule.name if not place else f"{rule.name}:{place + 1}", purpose, event)


def _rule_events(rule: Rule) -> Iterator[AutomationEvent]:
    key = rule.metric.text
    tier = next((tier for tier in rule.tiers if tier.limits and not tier.derived), None)
    if tier is None:
        if rule.anomaly is not None or any(tier.chart for tier in rule.tiers):
            yield MetricZScore(key, _worse(rule.better), ZSCORE, ZSCORE_WINDOW)
        return
    for limit in tier.limits:
        event = _limit_event(rule, key, limit)
        if event is not None:
            yield event


def _limit_event(rule: Rule, key: str, limit: Limit) -> AutomationEvent | None:
    if limit.form is LimitKind.SIGMA:
        return MetricZScore(key, _worse(rule.better), limit.value, ZSCORE_WINDOW) if limit.value > 0 else None
    falls = limit.form in FALL_LIMITS
    baseline = baseline_value(rule)
    boundary = limit.boundary(baseline) if baseline is not None else limit.static_boundary
    if boundary is not None and rule.aggregate is not Aggregate.SUM:
        strict = limit.form in STATIC_LIMITS
        if falls:
            comparison = Comparison.BELOW if strict else Comparison.AT_MOST
        else:
            comparison = Comparison.ABOVE if strict else Comparison.AT_LEAST
        window = 1 if rule.aggregate is Aggregate.LAST else THRESHOLD_WINDOW
        return MetricThreshold(key, comparison, float(f"{boundary:.12g}"), window)  # people read it in W&B
    if limit.form in STATIC_LIMITS or limit.value <= 0:
        return None  # of a sum over the window, which no single value is
    direction = ChangeDirection.DECREASE if falls else ChangeDirection.INCREASE
    return MetricChange(key, direction, limit.value, limit.form in RELATIVE_LIMITS, CURRENT_WINDOW, PRIOR_WINDOW)


def _worse(better: Direction | None) -> ChangeDirection:
    match better:
        case Direction.HIGHER:
            return ChangeDirection.DECREASE
        case Direction.LOWER:
            return ChangeDirection.INCREASE
        case None:
            return ChangeDirection.ANY
