"""Event rules: the service's event orchestration, of which only the rules that bear our mark are ours.

PagerDuty replaces the whole at every write, so what others put there is sent back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clients.failure import ServiceError
from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import (
    EventRule,
    FieldChange,
    SetupChange,
    SetupKind,
    SetupRefusal,
    SetupVerb,
    owner_in_mark,
    ownership_mark,
)
from .people import PRIORITY, People
from .wanted import WantedService

START = "start"


@dataclass(frozen=True, slots=True)
class SeenRules:
    path: Row = field(default_factory=dict)
    """The ``orchestration_path``."""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Names:
    """Ids of what rules speak of."""

    people: People
    policies: Mapping[str, str]
    """Name -> id; empty where it is still to be made."""


def place(service: str) -> str:
    return f"/event_orchestrations/services/{service}"


def look(admin: Admin, wanted: WantedService, service: str) -> SeenRules:
    """Where none are wanted, an account without event orchestrations is no trouble. Raises ServiceError."""
    what = f"look at the event rules of the service {wanted.name!r}"
    try:
        path = admin.get(place(service), "orchestration_path", what)
        active = admin.get_whole(f"{place(service)}/active", what).get("active") is not False
    except ServiceError as error:
        if wanted.rules or error.status not in (402, 403, 404):
            raise
        return SeenRules()
    return SeenRules(path, active)


def compare(wanted: WantedService, seen: SeenRules, names: Names) -> SetupChange | SetupRefusal | None:
    """Every rule is told apart by its label."""
    if missing := list(_missing(wanted, names)):
        return SetupRefusal(SetupKind.RULES, wanted.name, "; ".join(missing), "Is it written as at PagerDuty?")
    before = [rule for rule in _start(seen) if _ours(rule, wanted.owner)]
    after = [body(rule, wanted.owner, names) for rule in wanted.rules]
    fields = list(_differences(before, after, names))
    if after and not seen.active:
        fields.append(FieldChange("event rules are evaluated", "no", "yes"))
    if not fields:
        return None
    verb = SetupVerb.UPDATE if before or not after else SetupVerb.CREATE
    return SetupChange(verb, SetupKind.RULES, wanted.name, tuple(fields))


def _missing(wanted: WantedService, names: Names) -> Iterator[str]:
    yield from names.people.missing((PRIORITY, rule.priority) for rule in wanted.rules if rule.priority)
    for rule in wanted.rules:
        if rule.escalation and rule.escalation not in names.policies:
            yield f"PagerDuty has no escalation policy {rule.escalation!r}"


def _differences(before: Sequence[Row], after: Sequence[Row], names: Names) -> Iterator[FieldChange]:
    old = {str(rule.get("label")): rule for rule in before}
    new = {str(rule["label"]): rule for rule in after}
    for label, rule in new.items():
        if label not in old:
            yield FieldChange(_name(label), "", _shown(rule, names))
        elif essence(old[label]) != essence(rule):
            yield FieldChange(_name(label), _shown(old[label], names), _shown(rule, names))
    for label, rule in old.items():
        if label not in new:
            yield FieldChange(_name(label), _shown(rule, names), "")
    order = [label for label in old if label in new]
    if len(before) != len(old):
        yield FieldChange("rules of one name", str(len(before)), str(len(old)))
    if order != [label for label in new if label in old]:
        yield FieldChange("order", ", ".join(map(_name, order)), ", ".join(_name(label) for label in new))


def essence(rule: Row) -> tuple[Any, ...]:
    """What a rule does, without what PagerDuty adds."""
    conditions = tuple(str(one.get("expression")) for one in rule.get("conditions") or ())
    actions = {name: value for name, value in (rule.get("actions") or {}).items() if value}
    return conditions, actions, bool(rule.get("disabled"))


def _start(seen: SeenRules) -> list[Row]:
    return [rule for one in seen.path.get("sets") or () if one.get("id") == START for rule in one.get("rules") or ()]


def _ours(rule: Row, owner: str) -> bool:
    return owner_in_mark(str(rule.get("label") or "")) == owner


def _name(label: str) -> str:
    return f"rule {label.partition(' (')[0]}"


def carry_out(admin: Admin, wanted: WantedService, service: str, seen: SeenRules, names: Names) -> None:
    """Raises ServiceError."""
    what = f"set the event rules of the service {wanted.name!r}"
    before = [rule for rule in _start(seen) if _ours(rule, wanted.owner)]
    after = [body(rule, wanted.owner, names) for rule in wanted.rules]
    if any(_differences(before, after, names)):
        admin.put(place(service), "orchestration_path", whole(seen, after, wanted.owner), what)
    if after and not seen.active:
        admin.put_whole(f"{place(service)}/active", {"active": True}, what)


def whole(seen: SeenRules, ours: Sequence[Row], owner: str) -> dict[str, Any]:
    """All sets and the catch-all as they are, with our rules in the place where ours began; at first after all others,
    so that what others set up goes on as before."""
    sets = [dict(one) for one in seen.path.get("sets") or ()]
    start = next((one for one in sets if one.get("id") == START), None)
    if start is None:
        start = {"id": START}
        sets.insert(0, start)
    there = list(start.get("rules") or ())
    known = {str(rule.get("label")): rule.get("id") for rule in there if _ours(rule, owner)}
    at = next((number for number, rule in enumerate(there) if _ours(rule, owner)), len(there))
    kept_before = [rule for rule in there[:at] if not _ours(rule, owner)]
    kept_after = [rule for rule in there[at:] if not _ours(rule, owner)]
    numbered = [{**rule, **({"id": known[rule["label"]]} if known.get(rule["label"]) else {})} for rule in ours]
    start["rules"] = [*kept_before, *numbered, *kept_after]
    return {"sets": sets, "catch_all": seen.path.get("catch_all") or {"actions": {}}}


def body(rule: EventRule, owner: str, names: Names) -> dict[str, Any]:
    """One rule as PagerDuty takes it; of its conditions any has to match."""
    actions: dict[str, Any] = {}
    if rule.suppress:
        actions["suppress"] = True
    if rule.pause:
        actions["suspend"] = int(rule.pause)
    if rule.becomes is not None:
        actions["severity"] = str(rule.becomes)
    if rule.priority:
        actions["priority"] = names.people.ids.get((PRIORITY, rule.priority), "")
    if rule.escalation:
        actions["escalation_policy"] = names.policies.get(rule.escalation, "") or rule.escalation
    if rule.note:
        actions["annotate"] = rule.note
    conditions = [{"expression": expression} for expression in conditions_of(rule)]
    return {"label": f"{rule.name} ({ownership_mark(owner)})", "conditions": conditions, "actions": actions}


def conditions_of(rule: EventRule) -> list[str]:
    if rule.condition:
        return [rule.condition]
    severities = [f"event.severity matches '{severity}'" for severity in rule.severities]
    kinds = [f"event.class matches '{kind}'" for kind in rule.kinds]
    if severities and kinds:
        return [f"{severity} and {kind}" for severity in severities for kind in kinds]
    return severities or kinds


def _shown(rule: Row, names: Names) -> str:
    conditions, actions, disabled = essence(rule)
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
                named = names.people.name(PRIORITY, str(value))
                parts.append(f"priority {named}" if named else f"another priority ({value})")
            case "escalation_policy":
                named = policies.get(str(value), "" if rule.get("id") else str(value))
                parts.append(f"escalation policy {named}" if named else f"another escalation policy ({value})")
            case "annotate":
                parts.append(f"note {value!r}")
            case _:
                parts.append(str(name))
    told = f"{' or '.join(map(_read, conditions)) or 'every event'}: {', '.join(parts) or 'nothing'}"
    return f"{told} (disabled)" if disabled else told


def _read(expression: str) -> str:
    """A condition of ours as people say it."""
    kinds = re.sub(r"event\.class matches '([^']*)'", r"kind \1", expression)
    return re.sub(r"event\.severity matches '([^']*)'", r"severity \1", kinds)
