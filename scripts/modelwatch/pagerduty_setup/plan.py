"""Observe PagerDuty, and plan the changes that make it match the configuration. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import owner_in_mark
from ..model.setup_plan import SetupChange, SetupKind, SetupPlan, SetupRefusal
from . import escalation_policy, event_rules, service, webhook_subscription
from .desired_state import DesiredService, DesiredState
from .event_rules import ObservedRules, RuleReferences
from .lookup import ReferenceIds, fetch_references

PlanItem = SetupChange | SetupRefusal


@dataclass(frozen=True, slots=True)
class ObservedService:
    """A service with everything that belongs to it; only a service of ours is read in full."""

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
    references = fetch_references(admin, desired)
    names = [escalation.policy for escalation, _ in desired.policies]
    names += [rule.escalation for rule in desired.rules() if rule.escalation]
    policies = {name: escalation_policy.fetch_policy(admin, name) for name in dict.fromkeys(names)}
    services = {service.name: _fetch_service_state(admin, service) for service in desired.services}
    return ObservedState(references, policies, services)


def _fetch_service_state(admin: AdminClient, desired: DesiredService) -> ObservedService:
    row = service.fetch_service(admin, desired.name)
    if row is None or owner_in_mark(str(row.get("description") or "")) != desired.owner:
        return ObservedService(row)
    number = str(row["id"])
    rules = event_rules.fetch_rules(admin, desired, number)
    webhooks = webhook_subscription.fetch_subscriptions(admin, desired, number)
    return ObservedService(row, service.fetch_integrations(admin, row), rules, webhooks)


def make_plan(desired: DesiredState, observed: ObservedState) -> SetupPlan:
    """The changes in the order in which they can be made. Pure."""
    items: list[PlanItem] = []
    same: list[tuple[SetupKind, str]] = []

    def note(kind: SetupKind, name: str, results: Iterable[PlanItem | None]) -> bool:
        """Add the results to the plan; whether none of them is a refusal."""
        differences = [result for result in results if result is not None]
        items.extend(differences)
        if not differences:
            same.append((kind, name))
        return not any(isinstance(result, SetupRefusal) for result in differences)

    ids = policy_ids(desired, observed)
    usable = {}
    for escalation, owner in desired.policies:
        result = escalation_policy.plan_policy(
            escalation, owner, observed.policies[escalation.policy], observed.references
        )
        usable[escalation.policy] = note(SetupKind.POLICY, escalation.policy, [result])
    for wanted in desired.services:
        state = observed.services[wanted.name]
        if not usable[wanted.escalation.policy]:
            reason = f"it needs the escalation policy {wanted.escalation.policy!r}, which was refused"
            note(SetupKind.SERVICE, wanted.name, [SetupRefusal(SetupKind.SERVICE, wanted.name, reason)])
            continue
        result = service.plan_service(wanted, state.row, ids.get(wanted.escalation.policy, ""))
        if note(SetupKind.SERVICE, wanted.name, [result]):
            note(SetupKind.INTEGRATION, wanted.name, [service.plan_integration(wanted, state.integrations)])
            references = RuleReferences(observed.references, ids)
            note(SetupKind.RULES, wanted.name, [event_rules.plan_rules(wanted, state.rules, references)])
            note(SetupKind.WEBHOOK, wanted.name, webhook_subscription.plan_subscriptions(wanted, state.webhooks))
    return SetupPlan(
        desired.account,
        tuple(item for item in items if isinstance(item, SetupChange)),
        tuple(item for item in items if isinstance(item, SetupRefusal)),
        tuple(same),
    )


def policy_ids(desired: DesiredState, observed: ObservedState) -> dict[str, str]:
    """Name -> id; an empty id where the policy is still to be created."""
    ids = {name: str(row["id"]) for name, row in observed.policies.items() if row is not None}
    planned = {escalation.policy: "" for escalation, _ in desired.policies if escalation.steps}
    return planned | ids
