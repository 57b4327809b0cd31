"""Escalation policies: who is told, step by step."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import (
    EscalationPolicy,
    EscalationStep,
    FieldChange,
    SetupChange,
    SetupKind,
    SetupRefusal,
    SetupVerb,
    ownership_mark,
)
from .owned import named, refusal
from .people import SCHEDULE, USER, People, Target, targets_of

PATH = "/escalation_policies"
Rung = tuple[int, frozenset[Target]]
"""Minutes, and who (kind and id)."""


def look(admin: Admin, name: str) -> Row | None:
    """Raises ServiceError."""
    what = f"look for the escalation policy {name!r}"
    return named(admin.all(PATH, "escalation_policies", what, query=name), name)


def compare(wanted: EscalationPolicy, owner: str, row: Row | None, people: People) -> SetupChange | SetupRefusal | None:
    name = wanted.policy
    if not wanted.steps:
        if row is not None:
            return None
        hint = "Give `escalation: {policy: ..., steps: [...]}` to have it made."
        return SetupRefusal(SetupKind.POLICY, name, "PagerDuty has no escalation policy of this name", hint)
    refused = refusal(row, owner, SetupKind.POLICY, name) if row is not None else None
    if refused is not None:
        return refused
    if missing := people.missing(targets_of(wanted)):
        hint = "Users and schedules are made by people; is it written as at PagerDuty?"
        return SetupRefusal(SetupKind.POLICY, name, "; ".join(missing), hint)
    before = ("", "") if row is None else (shown(row, people), str(row.get("num_loops") or 0))
    after = (told(wanted), str(wanted.repeat))
    same = row is not None and rungs(row) == [rung(step, people) for step in wanted.steps]
    fields = [] if same else [FieldChange("steps", before[0], after[0])]
    if before[1] != after[1]:
        fields.append(FieldChange("repeat", before[1], after[1]))
    if not fields:
        return None
    verb = SetupVerb.CREATE if row is None else SetupVerb.UPDATE
    return SetupChange(verb, SetupKind.POLICY, name, tuple(fields), str(row["id"]) if row is not None else "")


def carry_out(
    admin: Admin, wanted: EscalationPolicy, owner: str, models: tuple[str, ...], row: Row | None, people: People
) -> str:
    """Create or replace; gives the id. Raises ServiceError."""
    sent = body(wanted, owner, models, row, people)
    name = "escalation_policy"
    if row is None:
        return str(admin.post(PATH, name, sent, f"create the escalation policy {wanted.policy!r}").get("id"))
    admin.put(f"{PATH}/{row['id']}", name, sent, f"update the escalation policy {wanted.policy!r}")
    return str(row["id"])


def body(
    wanted: EscalationPolicy, owner: str, models: tuple[str, ...], row: Row | None, people: People
) -> dict[str, Any]:
    """What is sent; what people may have added to ours (a team, a text) is sent back as it is."""
    sent: dict[str, Any] = {"type": "escalation_policy", "name": wanted.policy, "num_loops": wanted.repeat}
    there = list((row or {}).get("escalation_rules") or ())
    sent["escalation_rules"] = [_rule(step, people, there) for step in wanted.steps]
    if row is None:
        return sent | {"description": f"Who is told about {', '.join(models)}; {ownership_mark(owner)}"}
    kept = ("name", "description", "on_call_handoff_notifications", "teams")
    return sent | {key: row[key] for key in kept if row.get(key)}


def _rule(step: EscalationStep, people: People, there: list[Row]) -> Row:
    """One that is there already stays itself."""
    minutes, targets = rung(step, people)
    for row in there:
        if _rung(row) == (minutes, targets):
            return row
    listed = [(SCHEDULE, name) for name in step.schedules] + [(USER, name) for name in step.users]
    told = [{"type": f"{kind}_reference", "id": people.ids[kind, name]} for kind, name in listed]
    return {"escalation_delay_in_minutes": minutes, "targets": told}


def rung(step: EscalationStep, people: People) -> Rung:
    listed = [(SCHEDULE, name) for name in step.schedules] + [(USER, name) for name in step.users]
    return int(step.wait // 60), frozenset((kind, people.ids[kind, name]) for kind, name in listed)


def rungs(row: Row) -> list[Rung]:
    return [_rung(rule) for rule in row.get("escalation_rules") or ()]


def _rung(rule: Row) -> Rung:
    targets = frozenset((_kind(target), str(target.get("id"))) for target in rule.get("targets") or ())
    return int(rule.get("escalation_delay_in_minutes") or 0), targets


def _kind(target: Row) -> str:
    return str(target.get("type")).removesuffix("_reference")


def told(wanted: EscalationPolicy) -> str:
    parts = []
    for number, step in enumerate(wanted.steps, 1):
        who = ", ".join((*(f"schedule {name}" for name in step.schedules), *step.users))
        parts.append(f"{number}. {who} ({step.wait / 60:g} min)")
    return "; ".join(parts)


def shown(row: Row, people: People) -> str:
    """The same for what is there, with the names of the configuration where it has them."""
    parts = []
    for number, rule in enumerate(row.get("escalation_rules") or (), 1):
        who = []
        for target in rule.get("targets") or ():
            kind, found = _kind(target), str(target.get("id"))
            name = people.name(kind, found) or str(target.get("summary") or found)
            who.append(name if kind == USER else f"{kind} {name}")
        minutes = rule.get("escalation_delay_in_minutes")
        parts.append(f"{number}. {', '.join(who)} ({minutes} min)")
    return "; ".join(parts)
