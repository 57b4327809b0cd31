"""Escalation policies: who is told, step by step."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..model.pagerduty_setup import (
    EscalationPolicy,
    EscalationStep,
    FieldChange,
    SetupChange,
    SetupKind,
    SetupRefusal,
    SetupVerb,
    ownership_mark,
)
from .lookup import SCHEDULE, USER, Reference, ReferenceIds, escalation_references, find_by_name, ownership_refusal

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
        hint = "Give `escalation: {policy: ..., steps: [...]}` to have it made."
        return SetupRefusal(SetupKind.POLICY, name, "PagerDuty has no escalation policy of this name", hint)
    refused = ownership_refusal(row, owner, SetupKind.POLICY, name) if row is not None else None
    if refused is not None:
        return refused
    if missing := references.missing_reasons(escalation_references(desired)):
        hint = "Users and schedules are made by people; is it written as at PagerDuty?"
        return SetupRefusal(SetupKind.POLICY, name, "; ".join(missing), hint)
    before = ("", "") if row is None else (describe_policy(row, references), str(row.get("num_loops") or 0))
    after = (describe_escalation(desired), str(desired.repeat))
    same = row is not None and observed_steps(row) == [desired_step(step, references) for step in desired.steps]
    fields = [] if same else [FieldChange("steps", before[0], after[0])]
    if before[1] != after[1]:
        fields.append(FieldChange("repeat", before[1], after[1]))
    if not fields:
        return None
    verb = SetupVerb.CREATE if row is None else SetupVerb.UPDATE
    return SetupChange(verb, SetupKind.POLICY, name, tuple(fields), str(row["id"]) if row is not None else "")


def apply_policy(
    admin: AdminClient,
    desired: EscalationPolicy,
    owner: str,
    models: tuple[str, ...],
    row: Resource | None,
    references: ReferenceIds,
) -> str:
    """Create or replace; gives the id. Raises ServiceError."""
    sent = policy_payload(desired, owner, models, row, references)
    name = "escalation_policy"
    if row is None:
        return str(admin.post(PATH, name, sent, f"create the escalation policy {desired.policy!r}").get("id"))
    admin.put(f"{PATH}/{row['id']}", name, sent, f"update the escalation policy {desired.policy!r}")
    return str(row["id"])


def policy_payload(
    desired: EscalationPolicy, owner: str, models: tuple[str, ...], row: Resource | None, references: ReferenceIds
) -> dict[str, Any]:
    """What is sent; what people may have added to ours (a team, a text) is sent back as it is."""
    sent: dict[str, Any] = {"type": "escalation_policy", "name": desired.policy, "num_loops": desired.repeat}
    there = list((row or {}).get("escalation_rules") or ())
    sent["escalation_rules"] = [_rule_payload(step, references, there) for step in desired.steps]
    if row is None:
        return sent | {"description": f"Who is told about {', '.join(models)}; {ownership_mark(owner)}"}
    kept = ("name", "description", "on_call_handoff_notifications", "teams")
    return sent | {key: row[key] for key in kept if row.get(key)}


def _rule_payload(step: EscalationStep, people: ReferenceIds, there: list[Resource]) -> Resource:
    """One that is there already stays itself."""
    minutes, targets = desired_step(step, people)
    for row in there:
        if _observed_step(row) == (minutes, targets):
            return row
    listed = [(SCHEDULE, name) for name in step.schedules] + [(USER, name) for name in step.users]
    told = [{"type": f"{kind}_reference", "id": people.ids[kind, name]} for kind, name in listed]
    return {"escalation_delay_in_minutes": minutes, "targets": told}


def desired_step(step: EscalationStep, people: ReferenceIds) -> PolicyStep:
    listed = [(SCHEDULE, name) for name in step.schedules] + [(USER, name) for name in step.users]
    return int(step.wait // 60), frozenset((kind, people.ids[kind, name]) for kind, name in listed)


def observed_steps(row: Resource) -> list[PolicyStep]:
    return [_observed_step(rule) for rule in row.get("escalation_rules") or ()]


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
    """The same for what is there, with the names of the configuration where it has them."""
    parts = []
    for number, rule in enumerate(row.get("escalation_rules") or (), 1):
        who = []
        for target in rule.get("targets") or ():
            kind, found = _reference_kind(target), str(target.get("id"))
            name = references.configured_name(kind, found) or str(target.get("summary") or found)
            who.append(name if kind == USER else f"{kind} {name}")
        minutes = rule.get("escalation_delay_in_minutes")
        parts.append(f"{number}. {', '.join(who)} ({minutes} min)")
    return "; ".join(parts)
