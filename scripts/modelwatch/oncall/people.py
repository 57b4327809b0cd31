"""Names in the configuration -> ids at PagerDuty: users, schedules, priorities. All of these exist already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.failure import ServiceError
from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import EscalationPolicy
from .owned import same
from .wanted import Wanted

USER, SCHEDULE, PRIORITY = "user", "schedule", "priority"
Target = tuple[str, str]
"""Kind and name; or kind and id."""


@dataclass(frozen=True, slots=True)
class People:
    ids: dict[Target, str] = field(default_factory=dict)
    """Kind and configured name -> id."""
    unknown: dict[Target, str] = field(default_factory=dict)
    """Kind and configured name -> why it is not known."""

    def missing(self, targets: Iterable[Target]) -> list[str]:
        return [self.unknown[target] for target in targets if target in self.unknown]

    def name(self, kind: str, number: str) -> str:
        """As configured; empty where the configuration does not name it."""
        return next((name for (known, name), found in self.ids.items() if known == kind and found == number), "")


def targets_of(escalation: EscalationPolicy) -> list[Target]:
    found = [
        target
        for step in escalation.steps
        for target in (*((SCHEDULE, name) for name in step.schedules), *((USER, name) for name in step.users))
    ]
    return list(dict.fromkeys(found))


def look_up(admin: Admin, wanted: Wanted) -> People:
    """Raises ServiceError."""
    people = People()
    targets = dict.fromkeys(target for policy, _ in wanted.policies for target in targets_of(policy))
    for kind, name in targets:
        rows = _users(admin, name) if kind == USER else _schedules(admin, name)
        _settle(people, (kind, name), rows)
    _priorities(admin, wanted, people)
    return people


def _settle(people: People, target: Target, rows: list[Row]) -> None:
    kind, name = target
    if len(rows) == 1 and isinstance(rows[0].get("id"), str):
        people.ids[target] = str(rows[0]["id"])
    elif rows:
        people.unknown[target] = f"PagerDuty has {len(rows)} {kind}s called {name!r}"
    else:
        people.unknown[target] = f"PagerDuty has no {kind} {name!r}"


def _users(admin: Admin, address: str) -> list[Row]:
    """PagerDuty promises to search names; that it finds addresses too is not written down."""
    what = f"look for the user {address}"
    for query in ({"query": address}, {}):
        rows = [row for row in admin.all("/users", "users", what, **query) if same(row.get("email"), address)]
        if rows:
            return rows
    return []


def _schedules(admin: Admin, name: str) -> list[Row]:
    found = admin.all("/schedules", "schedules", f"look for the schedule {name!r}", query=name)
    return [row for row in found if same(row.get("name") or row.get("summary"), name)]


def _priorities(admin: Admin, wanted: Wanted, people: People) -> None:
    names = dict.fromkeys(rule.priority for rule in wanted.rules() if rule.priority)
    if not names:
        return
    try:
        rows = admin.all("/priorities", "priorities", "look at the priorities")
    except ServiceError as error:
        if error.status not in (402, 403, 404):
            raise
        rows = []
    for name in names:
        _settle(people, (PRIORITY, name), [row for row in rows if same(row.get("name") or row.get("summary"), name)])
