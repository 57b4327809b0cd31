"""What is there, and what is to be changed: the plan. Looks, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.failure import ServiceError
from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import SetupChange, SetupKind, SetupPlan, SetupRefusal, owner_in_mark
from . import integration, policy, rules, service, webhook
from .people import People, look_up
from .rules import Names, SeenRules
from .wanted import Wanted, WantedService

Found = SetupChange | SetupRefusal


@dataclass(frozen=True, slots=True)
class SeenService:
    """A service with all that belongs to it; only ours is looked into."""

    row: Row | None = None
    integrations: list[Row] = field(default_factory=list)
    rules: SeenRules = field(default_factory=SeenRules)
    webhooks: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    people: People
    policies: dict[str, Row | None]
    services: dict[str, SeenService]


def observe(admin: Admin, wanted: Wanted) -> Seen:
    """Raises ServiceError."""
    try:
        return _observe(admin, wanted)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError("PagerDuty's answer is not what its description promises", where=wanted.account) from error


def _observe(admin: Admin, wanted: Wanted) -> Seen:
    people = look_up(admin, wanted)
    named = [escalation.policy for escalation, _ in wanted.policies]
    named += [rule.escalation for rule in wanted.rules() if rule.escalation]
    policies = {name: policy.look(admin, name) for name in dict.fromkeys(named)}
    return Seen(people, policies, {one.name: _look_into(admin, one) for one in wanted.services})


def _look_into(admin: Admin, wanted: WantedService) -> SeenService:
    row = service.look(admin, wanted.name)
    if row is None or owner_in_mark(str(row.get("description") or "")) != wanted.owner:
        return SeenService(row)
    number = str(row["id"])
    seen_rules, webhooks = rules.look(admin, wanted, number), webhook.look(admin, wanted, number)
    return SeenService(row, integration.look(admin, row), seen_rules, webhooks)


def make_plan(wanted: Wanted, seen: Seen) -> SetupPlan:
    """Pure. In the order in which it can be done."""
    found: list[Found] = []
    same: list[tuple[SetupKind, str]] = []

    def note(kind: SetupKind, name: str, results: Iterable[Found | None]) -> bool:
        """Whether nothing was refused."""
        told = [result for result in results if result is not None]
        found.extend(told)
        if not told:
            same.append((kind, name))
        return not any(isinstance(result, SetupRefusal) for result in told)

    ids = policy_ids(wanted, seen)
    usable = {}
    for escalation, owner in wanted.policies:
        result = policy.compare(escalation, owner, seen.policies[escalation.policy], seen.people)
        usable[escalation.policy] = note(SetupKind.POLICY, escalation.policy, [result])
    for one in wanted.services:
        there = seen.services[one.name]
        if not usable[one.escalation.policy]:
            reason = f"it needs the escalation policy {one.escalation.policy!r}, which was refused"
            note(SetupKind.SERVICE, one.name, [SetupRefusal(SetupKind.SERVICE, one.name, reason)])
            continue
        result = service.compare(one, there.row, ids.get(one.escalation.policy, ""))
        if note(SetupKind.SERVICE, one.name, [result]):
            note(SetupKind.INTEGRATION, one.name, [integration.compare(one, there.integrations)])
            note(SetupKind.RULES, one.name, [rules.compare(one, there.rules, Names(seen.people, ids))])
            note(SetupKind.WEBHOOK, one.name, webhook.compare(one, there.webhooks))
    return SetupPlan(
        wanted.account,
        tuple(one for one in found if isinstance(one, SetupChange)),
        tuple(one for one in found if isinstance(one, SetupRefusal)),
        tuple(same),
    )


def policy_ids(wanted: Wanted, seen: Seen) -> dict[str, str]:
    """Name -> id; an empty id where it is still to be made."""
    ids = {name: str(row["id"]) for name, row in seen.policies.items() if row is not None}
    made = {escalation.policy: "" for escalation, _ in wanted.policies if escalation.steps}
    return made | ids
