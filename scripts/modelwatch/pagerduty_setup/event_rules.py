"""Event rules: those of a service's event orchestration that have our mark.

PagerDuty replaces the whole orchestration at every write, so the rules of others are sent back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import EventRule, owner_in_mark, ownership_mark
from ..model.setup_plan import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from .desired_state import DesiredService
from .lookup import PRIORITY, ReferenceIds

START_SET = "start"


@dataclass(frozen=True, slots=True)
class ObservedRules:
    path: Resource = field(default_factory=dict)
    """The ``orchestration_path``."""
    active: bool = True


@dataclass(frozen=True, slots=True)
class RuleReferences:
    """Ids of the priorities and policies that rules name."""

    references: ReferenceIds
    policies: Mapping[str, str]
    """Name -> id; empty where it is still to be created."""


def orchestration_path(service: str) -> str:
    return f"/event_orchestrations/services/{service}"


def fetch_rules(admin: AdminClient, desired: DesiredService, service: str) -> ObservedRules:
    """Fetch the rules. Where none are wanted, an account without event orchestrations is fine. Raises ServiceError."""
    action = f"read the event rules of the service {desired.name!r}"
    try:
        path = admin.get(orchestration_path(service), "orchestration_path", action)
        active = admin.get_document(f"{orchestration_path(service)}/active", action).get("active") is not False
    except ServiceError as error:
        if desired.rules or error.status not in (402, 403, 404):
            raise
        return ObservedRules()
    return ObservedRules(path, active)


def plan_rules(
    desired: DesiredService, observed: ObservedRules, names: RuleReferences
) -> SetupChange | SetupRefusal | None:
    """The changes of rules, which are identified by their labels."""
    if missing := list(_missing_references(desired, names)):
        return SetupRefusal(SetupKind.RULES, desired.name, "; ".join(missing), "Is it spelled as at PagerDuty?")
    before = [rule for rule in _start_rules(observed) if _is_managed(rule, desired.owner)]
    after = [rule_payload(rule, desired.owner, names) for rule in desired.rules]
    fields = list(_rule_changes(before, after, names))
    if after and not observed.active:
        fields.append(FieldChange("event rules are evaluated", "no", "yes"))
    if not fields:
        return None
    verb = SetupVerb.UPDATE if before or not after else SetupVerb.CREATE
    return SetupChange(verb, SetupKind.RULES, desired.name, tuple(fields))


def _missing_references(desired: DesiredService, names: RuleReferences) -> Iterator[str]:
    yield from names.references.missing_reasons((PRIORITY, rule.priority) for rule in desired.rules if rule.priority)
    for rule in desired.rules:
        if rule.escalation and rule.escalation not in names.policies:
            yield f"PagerDuty has no escalation policy {rule.escalation!r}"


def _rule_changes(
    before: Sequence[Resource], after: Sequence[Resource], names: RuleReferences
) -> Iterator[FieldChange]:
    old = {str(rule.get("label")): rule for rule in before}
    new = {str(rule["label"]): rule for rule in after}
    for label, rule in new.items():
        if label not in old:
            yield FieldChange(_rule_name(label), "", _describe_rule(rule, names))
        elif rule_behavior(old[label]) != rule_behavior(rule):
            yield FieldChange(_rule_name(label), _describe_rule(old[label], names), _describe_rule(rule, names))
    for label, rule in old.items():
        if label not in new:
            yield FieldChange(_rule_name(label), _describe_rule(rule, names), "")
    order = [label for label in old if label in new]
    if len(before) != len(old):
        yield FieldChange("rules of one name", str(len(before)), str(len(old)))
    if order != [label for label in new if label in old]:
        yield FieldChange("order", ", ".join(map(_rule_name, order)), ", ".join(_rule_name(label) for label in new))


def rule_behavior(rule: Resource) -> tuple[Any, ...]:
    """What a rule does, without the fields that PagerDuty adds."""
    conditions = tuple(str(condition.get("expression")) for condition in rule.get("conditions") or ())
    actions = {name: value for name, value in (rule.get("actions") or {}).items() if value}
    return conditions, actions, bool(rule.get("disabled"))


def _start_rules(observed: ObservedRules) -> list[Resource]:
    return [
        rule
        for rule_set in observed.path.get("sets") or ()
        if rule_set.get("id") == START_SET
        for rule in rule_set.get("rules") or ()
    ]


def _is_managed(rule: Resource, owner: str) -> bool:
    return owner_in_mark(str(rule.get("label") or "")) == owner


def _rule_name(label: str) -> str:
    return f"rule {label.partition(' (')[0]}"


def apply_rules(
    admin: AdminClient, desired: DesiredService, service: str, observed: ObservedRules, names: RuleReferences
) -> None:
    """Raises ServiceError."""
    action = f"set the event rules of the service {desired.name!r}"
    before = [rule for rule in _start_rules(observed) if _is_managed(rule, desired.owner)]
    after = [rule_payload(rule, desired.owner, names) for rule in desired.rules]
    if any(_rule_changes(before, after, names)):
        body = orchestration_payload(observed, after, desired.owner)
        admin.put(orchestration_path(service), "orchestration_path", body, action)
    if after and not observed.active:
        admin.put_document(f"{orchestration_path(service)}/active", {"active": True}, action)


def orchestration_payload(observed: ObservedRules, ours: Sequence[Resource], owner: str) -> dict[str, Any]:
    """All sets and the catch-all unchanged, but with our rules where ours began, or at first after all others, so that
    the rules of others keep working."""
    sets = [dict(rule_set) for rule_set in observed.path.get("sets") or ()]
    start = next((rule_set for rule_set in sets if rule_set.get("id") == START_SET), None)
    if start is None:
        start = {"id": START_SET}
        sets.insert(0, start)
    rules = list(start.get("rules") or ())
    known = {str(rule.get("label")): rule.get("id") for rule in rules if _is_managed(rule, owner)}
    at = next((number for number, rule in enumerate(rules) if _is_managed(rule, owner)), len(rules))
    others_before = [rule for rule in rules[:at] if not _is_managed(rule, owner)]
    others_after = [rule for rule in rules[at:] if not _is_managed(rule, owner)]
    numbered = [{**rule, **({"id": known[rule["label"]]} if known.get(rule["label"]) else {})} for rule in ours]
    start["rules"] = [*others_before, *numbered, *others_after]
    return {"sets": sets, "catch_all": observed.path.get("catch_all") or {"actions": {}}}


def rule_payload(rule: EventRule, owner: str, names: RuleReferences) -> dict[str, Any]:
    """One rule for PagerDuty; any of its conditions has to match."""
    actions: dict[str, Any] = {}
    if rule.suppress:
        actions["suppress"] = True
    if rule.pause:
        actions["suspend"] = int(rule.pause)
    if rule.becomes is not None:
        actions["severity"] = str(rule.becomes)
    if rule.priority:
        actions["priority"] = names.references.ids.get((PRIORITY, rule.priority), "")
    if rule.escalation:
        actions["escalation_policy"] = names.policies.get(rule.escalation, "") or rule.escalation
    if rule.note:
        actions["annotate"] = rule.note
    conditions = [{"expression": expression} for expression in rule_conditions(rule)]
    return {"label": f"{rule.name} ({ownership_mark(owner)})", "conditions": conditions, "actions": actions}


def rule_conditions(rule: EventRule) -> list[str]:
    if rule.condition:
        return [rule.condition]
    severities = [f"event.severity matches '{severity}'" for severity in rule.severities]
    kinds = [f"event.class matches '{kind}'" for kind in rule.kinds]
    if severities and kinds:
        return [f"{severity} and {kind}" for severity in severities for kind in kinds]
    return severities or kinds


def _describe_rule(rule: Resource, names: RuleReferences) -> str:
    conditions, actions, disabled = rule_behavior(rule)
    policies = {number: name for name, number in names.policies.items() if number}
    parts = []
    for name, value in actions.items():
        match name:
            case "suppress":
                parts.append("suppress")
            case "suspend":
                parts.append(f"pause {value // 60} min" if value % 60 == 0 else f"pause {value} s")
            case "severity":
                parts.append(f"severity {value}")
            case "priority":
                named = names.references.configured_name(PRIORITY, str(value))
                parts.append(f"priority {named}" if named else f"another priority ({value})")
            case "escalation_policy":
                named = policies.get(str(value), "" if rule.get("id") else str(value))
                parts.append(f"escalation policy {named}" if named else f"another escalation policy ({value})")
            case "annotate":
                parts.append(f"note {value!r}")
            case _:
                parts.append(str(name))
    text = f"{' or '.join(map(_describe_condition, conditions)) or 'every event'}: {', '.join(parts) or 'nothing'}"
    return f"{text} (disabled)" if disabled else text


def _describe_condition(expression: str) -> str:
    """A condition of ours as text."""
    kinds = re.sub(r"event\.class matches '([^']*)'", r"kind \1", expression)
    return re.sub(r"event\.severity matches '([^']*)'", r"severity \1", kinds)
