"""Escalation policies: who is notified, step by step."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..model.pagerduty_setup import EscalationPolicy, EscalationStep, ownership_mark
from ..model.setup_plan import FieldChange, SetupChange, SetupKind, SetupRefusal
from .lookup import (
    USER,
    Reference,
    ReferenceIds,
    create_or_replace,
    escalation_references,
    find_by_name,
    ownership_refusal,
    plan_change,
    step_references,
)

PATH = "/escalation_policies"
PolicyStep = tuple[int, frozenset[Reference]]
"""Minutes, and who (kind and id)."""


def fetch_policy(admin: AdminClient, name: str) -> Resource | None:
    """Raises ServiceError."""
    what = f"look for the escalation policy {name!r}"
    return find_by_name(admin.list_all(PATH, "escalation_policies", what, query=name), name)


def plan_policy(
    desired: EscalationPolicy, owner: str, row: Resource | None, references: ReferenceIds
) -> SetupChange | SetupRefusal | None:
    name = desired.policy
    if not desired.steps:
        if row is not None:
            return None
        hint = "Give `escalation: {policy: ..., steps: [...]}` to create it."
        return SetupRefusal(SetupKind.POLICY, name, "PagerDuty has no escalation policy of this name", hint)
    if refused := ownership_refusal(row, owner, SetupKind.POLICY, name):
        return refused
    if missing := references.missing_reasons(escalation_references(desired)):
        hint = "modelwatch creates no users or schedules: is it spelled as at PagerDuty?"
        return SetupRefusal(SetupKind.POLICY, name, "; ".join(missing), hint)
    before = ("", "") if row is None else (describe_policy(row, references), str(row.get("num_loops") or 0))
    after = (describe_escalation(desired), str(desired.repeat))
    same = row is not None and list(map(_observed_step, row.get("escalation_rules") or ())) == [
        desired_step(step, references) for step in desired.steps
    ]
    fields = [] if same else [FieldChange("steps", before[0], after[0])]
    if before[1] != after[1]:
        fields.append(FieldChange("repeat", before[1], after[1]))
    return plan_change(SetupKind.POLICY, name, row, fields)


def apply_policy(
    admin: AdminClient,
    desired: EscalationPolicy,
    owner: str,
    models: tuple[str, ...],
    row: Resource | None,
    references: ReferenceIds,
) -> str:
    """Create or replace; returns the id. What people added to our policy (a team, a text) is sent back unchanged.

    Raises ServiceError.
    """
    sent: dict[str, Any] = {"type": "escalation_policy", "name": desired.policy, "num_loops": desired.repeat}
    rules = list((row or {}).get("escalation_rules") or ())
    sent["escalation_rules"] = [_rule_payload(step, references, rules) for step in desired.steps]
    if row is None:
        sent["description"] = f"On-call for {', '.join(models)}; {ownership_mark(owner)}"
    else:
        unchanged = ("name", "description", "on_call_handoff_notifications", "teams")
        sent |= {key: row[key] for key in unchanged if row.get(key)}
    return create_or_replace(admin, PATH, "escalation_policy", row, sent, f"the escalation policy {desired.policy!r}")


def _rule_payload(step: EscalationStep, references: ReferenceIds, rules: list[Resource]) -> Resource:
    """The rule of one step; an equal one that exists is sent back unchanged."""
    minutes, targets = desired_step(step, references)
    for rule in rules:
        if _observed_step(rule) == (minutes, targets):
            return rule
    ids = [(kind, references.ids[kind, name]) for kind, name in step_references(step)]
    return {
        "escalation_delay_in_minutes": minutes,
        "targets": [{"type": f"{kind}_reference", "id": number} for kind, number in ids],
    }


def desired_step(step: EscalationStep, references: ReferenceIds) -> PolicyStep:
    ids = frozenset((kind, references.ids[kind, name]) for kind, name in step_references(step))
    return int(step.wait // 60), ids


def _observed_step(rule: Resource) -> PolicyStep:
    targets = frozenset((_reference_kind(target), str(target.get("id"))) for target in rule.get("targets") or ())
    return int(rule.get("escalation_delay_in_minutes") or 0), targets


def _reference_kind(target: Resource) -> str:
    return str(target.get("type")).removesuffix("_reference")


def describe_escalation(desired: EscalationPolicy) -> str:
    parts = []
    for number, step in enumerate(desired.steps, 1):
        who = ", ".join((*(f"schedule {name}" for name in step.schedules), *step.users))
        parts.append(f"{number}. {who} ({step.wait / 60:g} min)")
    return "; ".join(parts)


def describe_policy(row: Resource, references: ReferenceIds) -> str:
    """The same for an existing policy, with the configured names where there are some."""
    parts = []
    for position, rule in enumerate(row.get("escalation_rules") or (), 1):
        who = []
        for target in rule.get("targets") or ():
            kind, number = _reference_kind(target), str(target.get("id"))
            name = references.configured_name(kind, number) or str(target.get("summary") or number)
            who.append(name if kind == USER else f"{kind} {name}")
        minutes = rule.get("escalation_delay_in_minutes")
        parts.append(f"{position}. {', '.join(who)} ({minutes} min)")
    return "; ".join(parts)
