"""Digests of rules and configurations, independent of the order, comments and whitespace of the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from ..model.keys import KeyPattern
from ..model.monitored_model import BlastRadius, Model, PagerDutySpec, Silence
from ..model.rule import BaselineEntry, Rule, Tier
from ..model.secret import Secret

_EXCLUDED_FIELDS: dict[type, frozenset[str]] = {
    Rule: frozenset({"where", "digest", "settings", "runbook", "links", "unit", "optional", "label_age"}),
    Tier: frozenset({"false_alarms"}),  # follows from what is stated
    BaselineEntry: frozenset({"source", "captured", "percentiles", "model", "shared"}),
    Silence: frozenset({"where"}),
    Model: frozenset({"where", "rules"}),
    PagerDutySpec: frozenset({"key_name"}),
}
_LENGTH = 16


def rule_digest(rule: Rule) -> str:
    """16 hex characters over everything in a rule that decides: neither its place nor what is shown beside it."""
    return _hash_json(canonical(rule))


def settings_digest(rule: Rule) -> str:
    """The same without what the files contain that it names: what somebody wrote. Empty where it names none."""
    specs = tuple(replace(spec, entries=(), profile="", place="") for spec in (rule.baseline, *rule.also))
    calendar = replace(rule.calendar, events=()) if rule.calendar else None
    settings = replace(rule, baseline=specs[0], also=specs[1:], calendar=calendar)
    return "" if settings == rule else rule_digest(settings)


def config_digest(models: Iterable[Model], blast_radius: BlastRadius, *others: object) -> str:
    """16 hex characters over a whole configuration; secrets count by their names. ``others``: further sections about
    the whole of it, ``None`` where they are missing."""
    parts = [
        [canonical(model), sorted([rule.name, rule.runbook, rule.digest] for rule in model.rules)] for model in models
    ]
    further = [canonical(section) for section in others if section is not None]
    return _hash_json([sorted(parts, key=lambda part: str(part[0]["name"])), canonical(blast_radius), *further])


def canonical(value: object) -> Any:
    """As JSON; fields that have their default are left out, so that a new one changes no digest."""
    kind: type = type(value)
    if kind is str or kind is float or kind is int or kind is bool or value is None:
        return value
    if isinstance(value, tuple):
        return [canonical(item) for item in value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Secret):
        return {"secret": value.name}
    if isinstance(value, KeyPattern):
        return value.text
    if is_dataclass(value):
        result = {}
        for name, default in _fields_of(kind):
            part = getattr(value, name)
            if part != default:
                result[name] = canonical(part)
        return result
    raise TypeError(kind.__name__)


@cache
def _fields_of(kind: type) -> tuple[tuple[str, Any], ...]:
    left_out = _EXCLUDED_FIELDS.get(kind, frozenset())
    pairs = []
    for field in fields(kind):
        if field.name in left_out:
            continue
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        pairs.append((field.name, default))
    return tuple(pairs)


def _hash_json(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
