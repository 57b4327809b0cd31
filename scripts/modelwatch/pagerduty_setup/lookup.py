"""Whose something at PagerDuty is: only what bears our mark is ever changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import EscalationPolicy, SetupKind, SetupRefusal, owner_in_mark, ownership_mark
from .desired_state import DesiredState


def ownership_refusal(row: Resource, owner: str, kind: SetupKind, name: str) -> SetupRefusal | None:
    """Why something of the wanted name is left alone; ``None`` where it is ours."""
    found = owner_in_mark(str(row.get("description") or ""))
    if found == owner:
        return None
    if found:
        reason = f"there is one of this name already, and {found} manages it"
        hint = f"If that was this configuration, give `pagerduty: {{managed_as: {found}}}`; else choose another name."
    else:
        reason = "there is one of this name already, and modelwatch did not make it: its description bears no mark"
        hint = f"Choose another name, or hand it over: add `{ownership_mark(owner)}` to its description at PagerDuty."
    if kind is SetupKind.POLICY:
        hint += f" To use it as it is: `escalation: {name}`."
    return SetupRefusal(kind, name, reason, hint)


def find_by_name(rows: list[Resource], name: str) -> Resource | None:
    """PagerDuty allows a name once, whatever the case of its letters."""
    return next((row for row in rows if same_name(row.get("name"), name)), None)


def same_name(value: object, name: str) -> bool:
    """Names at PagerDuty differ by more than their letters' case."""
    return isinstance(value, str) and value.strip().casefold() == name.strip().casefold()


USER, SCHEDULE, PRIORITY = "user", "schedule", "priority"
Reference = tuple[str, str]
"""Kind and name; or kind and id."""


@dataclass(frozen=True, slots=True)
class ReferenceIds:
    ids: dict[Reference, str] = field(default_factory=dict)
    """Kind and configured name -> id."""
    unresolved: dict[Reference, str] = field(default_factory=dict)
    """Kind and configured name -> why it is not known."""

    def missing_reasons(self, references: Iterable[Reference]) -> list[str]:
        return [self.unresolved[target] for target in references if target in self.unresolved]

    def configured_name(self, kind: str, number: str) -> str:
        """As configured; empty where the configuration does not name it."""
        return next((name for (known, name), found in self.ids.items() if known == kind and found == number), "")


def escalation_references(escalation: EscalationPolicy) -> list[Reference]:
    found = [
        target
        for step in escalation.steps
        for target in (*((SCHEDULE, name) for name in step.schedules), *((USER, name) for name in step.users))
    ]
    return list(dict.fromkeys(found))


def fetch_references(admin: AdminClient, desired: DesiredState) -> ReferenceIds:
    """Raises ServiceError."""
    people = ReferenceIds()
    targets = dict.fromkeys(target for policy, _ in desired.policies for target in escalation_references(policy))
    for kind, name in targets:
        rows = _find_users(admin, name) if kind == USER else _find_schedules(admin, name)
        _resolve(people, (kind, name), rows)
    _resolve_priorities(admin, desired, people)
    return people


def _resolve(people: ReferenceIds, target: Reference, rows: list[Resource]) -> None:
    kind, name = target
    if len(rows) == 1 and isinstance(rows[0].get("id"), str):
        people.ids[target] = str(rows[0]["id"])
    elif rows:
        people.unresolved[target] = f"PagerDuty has {len(rows)} {kind}s called {name!r}"
    else:
        people.unresolved[target] = f"PagerDuty has no {kind} {name!r}"


def _find_users(admin: AdminClient, address: str) -> list[Resource]:
    """PagerDuty promises to search names; that it finds addresses too is not written down."""
    what = f"look for the user {address}"
    for query in ({"query": address}, {}):
        rows = [row for row in admin.list_all("/users", "users", what, **query) if same_name(row.get("email"), address)]
        if rows:
            return rows
    return []


def _find_schedules(admin: AdminClient, name: str) -> list[Resource]:
    found = admin.list_all("/schedules", "schedules", f"look for the schedule {name!r}", query=name)
    return [row for row in found if same_name(row.get("name") or row.get("summary"), name)]


def _resolve_priorities(admin: AdminClient, desired: DesiredState, people: ReferenceIds) -> None:
    names = dict.fromkeys(rule.priority for rule in desired.rules() if rule.priority)
    if not names:
        return
    try:
        rows = admin.list_all("/priorities", "priorities", "look at the priorities")
    except ServiceError as error:
        if error.status not in (402, 403, 404):
            raise
        rows = []
    for name in names:
        _resolve(
            people, (PRIORITY, name), [row for row in rows if same_name(row.get("name") or row.get("summary"), name)]
        )
