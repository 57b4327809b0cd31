"""What is there, and what is to be changed: the plan. Looks, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import SetupChange, SetupKind, SetupPlan, SetupRefusal, owner_in_mark
from . import escalation_policy, event_rules, service, webhook_subscription
from . import service as pagerduty_setup_service
from .desired_state import DesiredService, DesiredState
from .event_rules import ObservedRules, RuleReferences
from .lookup import ReferenceIds, fetch_references

PlanItem = SetupChange | SetupRefusal


@dataclass(frozen=True, slots=True)
class ObservedService:
    """A service with all that belongs to it; only ours is looked into."""

    row: Resource | None = None
    integrations: list[Resource] = field(default_factory=list)
    rules: ObservedRules = field(default_factory=ObservedRules)
    webhooks: list[Resource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ObservedState:
    references: ReferenceIds
    policies: dict[str, Resource | None]
    services: dict[str, ObservedService]


def observe(admin: AdminClient, desired: DesiredState) -> ObservedState:
    """Raises ServiceError."""
    try:
        return _fetch_state(admin, desired)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError("PagerDuty's answer is not what its description promises", where=desired.account) from error


def _fetch_state(admin: AdminClient, desired: DesiredState) -> ObservedState:
    people = fetch_references(admin, desired)
    named = [escalation.policy for escalation, _ in desired.policies]
    named += [rule.escalation for rule in desired.rules() if rule.escalation]
    policies = {name: escalation_policy.fetch_policy(admin, name) for name in dict.fromkeys(named)}
    return ObservedState(people, policies, {one.name: _fetch_service_state(admin, one) for one in desired.services})


def _fetch_service_state(admin: AdminClient, desired: DesiredService) -> ObservedService:
    row = service.fetch_service(admin, desired.name)
    if row is None or owner_in_mark(str(row.get("description") or "")) != desired.owner:
        return ObservedService(row)
    number = str(row["id"])
    seen_rules, webhooks = (
        event_rules.fetch_rules(admin, desired, number),
        webhook_subscription.fetch_subscriptions(admin, desired, number),
    )
    return ObservedService(row, pagerduty_setup_service.fetch_integrations(admin, row), seen_rules, webhooks)


def make_plan(desired: DesiredState, observed: ObservedState) -> SetupPlan:
    """Pure. In the order in which it can be done."""
    found: list[PlanItem] = []
    same: list[tuple[SetupKind, str]] = []

    def note(kind: SetupKind, name: str, results: Iterable[PlanItem | None]) -> bool:
        """Whether nothing was refused."""
        told = [result for result in results if result is not None]
        found.extend(told)
        if not told:
            same.append((kind, name))
        return not any(isinstance(result, SetupRefusal) for result in told)

    ids = policy_ids(desired, observed)
    usable = {}
    for escalation, owner in desired.policies:
        result = escalation_policy.plan_policy(
            escalation, owner, observed.policies[escalation.policy], observed.references
        )
        usable[escalation.policy] = note(SetupKind.POLICY, escalation.policy, [result])
    for one in desired.services:
        there = observed.services[one.name]
        if not usable[one.escalation.policy]:
            reason = f"it needs the escalation policy {one.escalation.policy!r}, which was refused"
            note(SetupKind.SERVICE, one.name, [SetupRefusal(SetupKind.SERVICE, one.name, reason)])
            continue
        result = service.plan_service(one, there.row, ids.get(one.escalation.policy, ""))
        if note(SetupKind.SERVICE, one.name, [result]):
            note(SetupKind.INTEGRATION, one.name, [pagerduty_setup_service.plan_integration(one, there.integrations)])
            note(
                SetupKind.RULES,
                one.name,
                [event_rules.plan_rules(one, there.rules, RuleReferences(observed.references, ids))],
            )
            note(SetupKind.WEBHOOK, one.name, webhook_subscription.plan_subscriptions(one, there.webhooks))
    return SetupPlan(
        desired.account,
        tuple(one for one in found if isinstance(one, SetupChange)),
        tuple(one for one in found if isinstance(one, SetupRefusal)),
        tuple(same),
    )


def policy_ids(desired: DesiredState, observed: ObservedState) -> dict[str, str]:
    """Name -> id; an empty id where it is still to be made."""
    ids = {name: str(row["id"]) for name, row in observed.policies.items() if row is not None}
    made = {escalation.policy: "" for escalation, _ in desired.policies if escalation.steps}
    return made | ids
