"""Compares what two configurations would have done over the same history, and says what to pull for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..model.backtest import (
    AlertShift,
    BacktestComparison,
    BacktestReport,
    IncidentChange,
    RuleChange,
    RuleScore,
    RuleStatus,
    ScoredAlert,
)
from ..model.monitored_model import Config, Model

RuleName = tuple[str, str]
"""Model and rule."""


def compare(
    ref: str, before: BacktestReport, after: BacktestReport, before_config: Config, after_config: Config
) -> BacktestComparison:
    """``before`` is what the configuration of ``ref`` would have done. Models that could not be replayed on one side
    are compared in nothing."""
    failed = {model for report in (before, after) for model, _ in report.errors}
    before, after = (_without(report, failed) for report in (before, after))
    old, new = _digests(before_config), _digests(after_config)
    incidents = tuple(
        IncidentChange(first, second)
        for first in before.incidents
        for second in after.incidents
        if first.incident == second.incident
    )
    pairs, only_before, only_after = _pair_alerts(before.alerts, after.alerts)
    return BacktestComparison(
        ref=ref,
        after=after,
        before=before,
        rules=_rule_changes(before, after, old, new, failed),
        incidents=incidents,
        only_before=only_before,
        only_after=only_after,
        shifts=tuple(pair for pair in pairs if pair.earlier),
    )


def _without(report: BacktestReport, models: set[str]) -> BacktestReport:
    """The report without the figures of ``models``."""
    return replace(
        report,
        rules=tuple(score for score in report.rules if score.model not in models),
        incidents=tuple(score for score in report.incidents if score.incident.model not in models),
        alerts=tuple(alert for alert in report.alerts if alert.model not in models),
    )


def _digests(config: Config) -> dict[RuleName, str]:
    return {(model.name, rule.name): rule.digest for model in config.models for rule in model.rules}


def _rule_changes(
    before: BacktestReport,
    after: BacktestReport,
    old_digests: Mapping[RuleName, str],
    new_digests: Mapping[RuleName, str],
    failed: set[str],
) -> tuple[RuleChange, ...]:
    """Of every rule that either side has, in the order of the present configuration; removed ones last."""
    old = {(score.model, score.rule): score for score in before.rules}
    new = {(score.model, score.rule): score for score in after.rules}
    changes = []
    for name in dict.fromkeys((*new, *old)):
        if name[0] in failed:
            continue
        status = _status(name, old_digests, new_digests)
        # A built-in rule is listed where it fired.
        is_configured = status is not RuleStatus.SAME
        first = old.get(name) or (None if status is RuleStatus.ADDED else _silent(name, new))
        second = new.get(name) or (None if status is RuleStatus.REMOVED else _silent(name, old))
        if is_configured or first != second or name in new_digests:
            changes.append(RuleChange(*name, status, first, second))
    return tuple(changes)


def _status(name: RuleName, old: Mapping[RuleName, str], new: Mapping[RuleName, str]) -> RuleStatus:
    if name in new and name not in old:
        return RuleStatus.ADDED
    if name in old and name not in new:
        return RuleStatus.REMOVED
    return RuleStatus.SAME if old.get(name) == new.get(name) else RuleStatus.CHANGED


def _silent(name: RuleName, other: Mapping[RuleName, RuleScore]) -> RuleScore:
    """The score of a rule that both sides have, and that did nothing on this one."""
    return RuleScore(*name, other[name].kind)


def _pair_alerts(
    before: tuple[ScoredAlert, ...], after: tuple[ScoredAlert, ...]
) -> tuple[list[AlertShift], tuple[ScoredAlert, ...], tuple[ScoredAlert, ...]]:
    """The alerts of the same rule whose breaches overlap, in the order in which they fire, each at most once; and those
    that only one side has."""
    waiting = list(before)
    pairs, only_after = [], []
    for alert in after:
        partner = next((other for other in waiting if _overlap(other, alert)), None)
        if partner is None:
            only_after.append(alert)
        else:
            waiting.remove(partner)
            pairs.append(AlertShift(partner, alert))
    return pairs, tuple(waiting), tuple(only_after)


def _overlap(old: ScoredAlert, new: ScoredAlert) -> bool:
    if (old.model, old.rule) != (new.model, new.rule):
        return False
    return (old.end is None or new.start <= old.end) and (new.end is None or old.start <= new.end)


def join_for_pull(before: Config, after: Config) -> tuple[Config, tuple[str, ...]]:
    """One configuration whose pull brings what both need, and the models whose source is another one in ``before``.

    A model has the rules of both; what only ``before`` has of the same name gets another one, since nothing is judged
    by this configuration. Models that read elsewhere, or have other expectations of their data, cannot share a pull.
    """
    moved: list[str] = []
    joined: dict[str, Model] = {model.name: model for model in after.models}
    for old in before.models:
        new = joined.get(old.name)
        if new is None:
            joined[old.name] = old
        elif source_of(old) != source_of(new):
            moved.append(old.name)
        else:
            joined[old.name] = _join(old, new)
    return replace(after, models=tuple(joined.values())), tuple(moved)


def source_of(model: Model) -> tuple[object, ...]:
    """What decides where and how the history of a model is read, apart from its rules."""
    return model.wandb, model.table, model.measure, model.release, model.business, model.timezone


def _join(old: Model, new: Model) -> Model:
    digests = {rule.name: rule.digest for rule in new.rules}
    missing = tuple(
        replace(rule, name=f"{rule.name}@before") if rule.name in digests else rule
        for rule in old.rules
        if digests.get(rule.name) != rule.digest
    )
    return replace(new, rules=(*new.rules, *missing), history=max(old.history, new.history))
