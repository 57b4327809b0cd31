"""Sharing a model's budget of false alarms among its rules and their tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.rule import BaselineKind, FalseAlarmBudget, Mode, Rule, Tier


def share_budget(model: Model, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules with a budget on every tier that compares with a baseline, drift rules included, with the metric's own
    past, or with a static limit that points can prove.

    Rules without a budget of their own share the model's: each alarms falsely so much more seldom that all of them
    together keep it. A rule whose tiers do nothing takes no share, as it alarms nobody.
    """
    sharing = max(1, sum(rule.budget is None and _has_budget(rule) and _acts(rule) for rule in rules))
    return tuple(_with_budget(model, rule, sharing) if _has_budget(rule) else rule for rule in rules)


def _acts(rule: Rule) -> bool:
    return any(tier.do for tier in rule.tiers)


def _has_budget(rule: Rule) -> bool:
    """Whether it compares with a baseline, or a static limit can be proven; one about drift compares, and may state a
    rate for each window instead."""
    if rule.compares:
        return True
    if drift_spec(rule.metric) is None:
        return any(rule.can_prove(limit) for tier in rule.tiers for limit in tier.limits)
    return rule.false_alarms is None and rule.baseline.kind is not BaselineKind.NONE


def _with_budget(model: Model, rule: Rule, sharing: int) -> Rule:
    budget, factor = (rule.budget, 1) if rule.budget else (model.false_alarms, sharing)
    if budget is None:
        if rule.anomaly is None:
            return rule
        budget = FalseAlarmBudget()  # Points unlike the past are found by nothing but a budget.

    def with_budget(tier: Tier) -> Tier:
        return replace(tier, false_alarms=tier.budget or factor * _time_between(model, budget, tier))

    overrides = tuple(replace(other, tiers=tuple(map(with_budget, other.tiers))) for other in rule.overrides)
    return replace(rule, tiers=tuple(map(with_budget, rule.tiers)), overrides=overrides)


def _time_between(model: Model, budget: FalseAlarmBudget, tier: Tier) -> float:
    workflows = [workflow for verb in tier.do if (workflow := model.workflow(verb)) and workflow.mode is Mode.ACT]
    if any(workflow.name != "retrain" for workflow in workflows):
        return budget.actions
    return budget.pages if "page" in tier.do else budget.warnings
