"""The model under test: with the rules of which a test gives a series."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..model.keys import KeyPattern, sibling_key
from ..model.monitored_model import Model
from ..model.rule import PROPORTION_INTERVALS, Rule


def subject_of(model: Model, keys: Collection[str]) -> Model:
    """``model`` with the rules that read any of ``keys``, and without the models that it depends on: a rule without a
    series would only report that it sees none."""
    rules = tuple(rule for rule in model.rules if _reads(model, rule, keys))
    return replace(model, rules=rules, depends_on=())


def _reads(model: Model, rule: Rule, keys: Collection[str]) -> bool:
    """Whether the metric of ``rule``, for the whole or a segment, is among ``keys``, or what it is computed from."""
    business = model.business
    if business is not None and business.derived_metric(rule.metric.name) is not None:
        inputs = business.inputs_of(rule.metric.name)
        return any(KeyPattern(key).name in inputs for key in keys)
    return any(pattern.match(key) is not None for pattern in (rule.metric, *rule.segments) for key in keys)


def is_count(model: Model, key: str) -> bool:
    """Whether a rule takes the values under ``key`` for counts of rows."""
    counts = (
        KeyPattern(rule.weight if pattern is rule.metric else sibling_key(pattern.text, rule.weight.rpartition("/")[2]))
        for rule in model.rules
        if rule.weight is not None
        for pattern in (rule.metric, *rule.segments)
    )
    return any(pattern.match(key) is not None for pattern in counts)


def is_share(model: Model, key: str) -> bool:
    """Whether a rule takes the values under ``key`` for shares, which lie in [0, 1]."""
    return any(
        pattern.match(key) is not None
        for rule in model.rules
        if rule.interval in PROPORTION_INTERVALS
        for pattern in (rule.metric, *rule.segments)
    )
