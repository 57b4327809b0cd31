"""Find objects at PagerDuty by name, and check that they are ours: only what has our mark is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import EscalationPolicy, EscalationStep, owner_in_mark, ownership_mark
from ..model.setup_plan import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from .desired_state import DesiredState

USER, SCHEDULE, PRIORITY = "user", "schedule", "priority"
Reference = tuple[str, str]
"""Kind and name; or kind and id."""


def ownership_refusal(row: Resource | None, owner: str, kind: SetupKind, name: str) -> SetupRefusal | None:
    """Why an object of the wanted name is not touched; ``None`` where it is ours, or there is none."""
    if row is None:
        return None
    manager = owner_in_mark(str(row.get("description") or ""))
    if manager == owner:
        return None
    if manager:
        reason = f"{manager} manages the object with this name"
        hint = f"If that was this configuration, give `pagerduty: {{managed_as: {manager}}}`; else choose another name."
    else:
        reason = "modelwatch did not create the object with this name: its description has no mark"
        mark = ownership_mark(owner)
        hint = f"Choose another name, or let modelwatch manage it: add `{mark}` to its description at PagerDuty."
    if kind is SetupKind.POLICY:
        hint += f" To use it unchanged: `escalation: {name}`."
    return SetupRefusal(kind, name, reason, hint)


def find_by_name(rows: list[Resource], name: str) -> Resource | None:
    """The object of this name: PagerDuty allows each once, whatever its case."""
    return next((row for row in rows if same_name(row.get("name"), name)), None)


def same_name(value: object, name: str) -> bool:
    """Whether two names are one for PagerDuty, which ignores case."""
    return isinstance(value, str) and value.strip().casefold() == name.strip().casefold()


@dataclass(frozen=True, slots=True)
class ReferenceIds:
    ids: dict[Reference, str] = field(default_factory=dict)
    """Kind and configured name -> id."""
    unresolved: dict[Reference, str] = field(default_factory=dict)
    """Kind and configured name -> why its id is not known."""

    def missing_reasons(self, references: Iterable[Reference]) -> list[str]:
        return [self.unresolved[target] for target in references if target in self.unresolved]

    def configured_name(self, kind: str, number: str) -> str:
        """The name that the configuration gives an object; empty where it does not name it."""
        return next((name for (known, name), id in self.ids.items() if known == kind and id == number), "")


def escalation_references(escalation: EscalationPolicy) -> list[Reference]:
    return list(dict.fromkeys(reference for step in escalation.steps for reference in step_references(step)))


def step_references(step: EscalationStep) -> list[Reference]:
    return [(SCHEDULE, name) for name in step.schedules] + [(USER, name) for name in step.users]


def plan_change(kind: SetupKind, name: str, row: Resource | None, fields: Iterable[FieldChange]) -> SetupChange | None:
    """The creation, or the update of ``row``; ``None`` where no field changes."""
    changed = tuple(fields)
    verb, number = (SetupVerb.CREATE, "") if row is None else (SetupVerb.UPDATE, str(row["id"]))
    return SetupChange(verb, kind, name, changed, number) if changed else None


def create_or_replace(
    admin: AdminClient, path: str, kind: str, row: Resource | None, body: Resource, title: str
) -> str:
    """The id of the object; ``row`` is the existing one. Raises ServiceError."""
    if row is None:
        return str(admin.post(path, kind, body, f"create {title}").get("id"))
    admin.put(f"{path}/{row['id']}", kind, body, f"update {title}")
    return str(row["id"])


def fetch_references(admin: AdminClient, desired: DesiredState) -> ReferenceIds:
    """Raises ServiceError."""
    references = ReferenceIds()
    targets = dict.fromkeys(target for policy, _ in desired.policies for target in escalation_references(policy))
    for kind, name in targets:
        rows = _find_users(admin, name) if kind == USER else _find_schedules(admin, name)
        _resolve(references, (kind, name), rows)
    _resolve_priorities(admin, desired, references)
    return references


def _resolve(references: ReferenceIds, target: Reference, rows: list[Resource]) -> None:
    kind, name = target
    if len(rows) == 1 and isinstance(rows[0].get("id"), str):
        references.ids[target] = str(rows[0]["id"])
    elif rows:
        references.unresolved[target] = f"PagerDuty has {len(rows)} {kind}s called {name!r}"
    else:
        references.unresolved[target] = f"PagerDuty has no {kind} {name!r}"


def _find_users(admin: AdminClient, address: str) -> list[Resource]:
    """The users with this email address. PagerDuty documents a search by name only, so all are read where it fails."""
    what = f"look for the user {address}"
    for query in ({"query": address}, {}):
        rows = [row for row in admin.list_all("/users", "users", what, **query) if same_name(row.get("email"), address)]
        if rows:
            return rows
    return []


def _find_schedules(admin: AdminClient, name: str) -> list[Resource]:
    rows = admin.list_all("/schedules", "schedules", f"look for the schedule {name!r}", query=name)
    return [row for row in rows if same_name(row.get("name") or row.get("summary"), name)]


def _resolve_priorities(admin: AdminClient, desired: DesiredState, references: ReferenceIds) -> None:
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
        matches = [row for row in rows if same_name(row.get("name") or row.get("summary"), name)]
        _resolve(references, (PRIORITY, name), matches)
