"""Making PagerDuty agree with a plan, one request after the other; safe to be killed at any of them.

Everything is looked at again just before it is changed: what is so already is left, what is not as planned is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..clients.failure import ServiceError
from ..clients.pagerduty_admin import Admin
from ..errors import UserError
from ..model.oncall import SetupChange, SetupKind, SetupPlan, SetupReceipt, SetupRefusal, SetupVerb
from ..model.plan import ChangeResult
from . import integration, policy, rules, service, webhook
from .plan import Found, Seen, policy_ids
from .rules import Names
from .wanted import Wanted, WantedService

Store = Callable[[str, str], None]
"""Takes the name and the value of a secret; raises UserError where it cannot keep it."""


@dataclass(frozen=True, slots=True)
class Applied:
    receipts: tuple[SetupReceipt, ...]
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    """Service -> the routing key of its integration."""


def apply(admin: Admin, wanted: Wanted, seen: Seen, plan: SetupPlan, store: Store | None) -> Applied:
    """Carry out ``plan``. Without a ``store`` for secrets no webhook subscription is made."""
    at_work = _AtWork(admin, wanted, seen, plan, store)
    receipts = tuple(at_work.make(change) for change in plan.changes)
    return Applied(receipts, at_work.keys)


class _AtWork:
    def __init__(self, admin: Admin, wanted: Wanted, seen: Seen, plan: SetupPlan, store: Store | None) -> None:
        self._admin, self._wanted, self._people, self._store = admin, wanted, seen.people, store
        self._planned = frozenset(plan.changes)
        self._policies = policy_ids(wanted, seen)
        self._services = {name: str(one.row["id"]) for name, one in seen.services.items() if one.row is not None}
        self._new: set[str] = set()
        """Services that were made just now: of what belongs to them the plan could not know everything."""
        keys = {name: integration.routing_key(one.integrations) for name, one in seen.services.items()}
        self.keys = {name: key for name, key in keys.items() if key}
        self._made = {
            SetupKind.POLICY: self._policy,
            SetupKind.SERVICE: self._service,
            SetupKind.INTEGRATION: self._integration,
            SetupKind.RULES: self._rules,
            SetupKind.WEBHOOK: self._webhook,
        }

    def make(self, change: SetupChange) -> SetupReceipt:
        try:
            refused = self._made[change.kind](change)
        except ServiceError as error:
            return SetupReceipt(change, ChangeResult.FAILED, str(error))
        except UserError as error:
            return SetupReceipt(change, ChangeResult.REFUSED, str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"PagerDuty's answer is not what its description promises ({type(error).__name__})"
            return SetupReceipt(change, ChangeResult.FAILED, text)
        return refused or SetupReceipt(change, ChangeResult.DONE)

    def _still(self, change: SetupChange, *found: Found | None) -> SetupReceipt | None:
        """Why the change is not made now; ``None`` where the world is as it was when it was planned."""
        told = [one for one in found if one is not None]
        if change in told:
            return None
        unplanned = [one for one in told if one not in self._planned]
        if not unplanned:
            return SetupReceipt(change, ChangeResult.ALREADY, "it is so already")
        refusals = [one.reason for one in unplanned if isinstance(one, SetupRefusal)]
        if change.name in self._new and not refusals:
            return None
        reason = refusals[0] if refusals else "it is no longer as it was when the plan was made"
        return SetupReceipt(change, ChangeResult.REFUSED, f"{reason}; plan again")

    def _policy(self, change: SetupChange) -> SetupReceipt | None:
        escalation, owner = next(pair for pair in self._wanted.policies if pair[0].policy == change.name)
        row = policy.look(self._admin, change.name)
        told = self._still(change, policy.compare(escalation, owner, row, self._people))
        if told is None:
            models = self._wanted.models_of(change.name)
            self._policies[change.name] = policy.carry_out(self._admin, escalation, owner, models, row, self._people)
        elif told.result is ChangeResult.ALREADY and row is not None:
            self._policies[change.name] = str(row["id"])
        return told

    def _of(self, change: SetupChange) -> WantedService:
        return next(one for one in self._wanted.services if one.name == change.name)

    def _service(self, change: SetupChange) -> SetupReceipt | None:
        wanted = self._of(change)
        number = self._policies.get(wanted.escalation.policy, "")
        if not number:
            return SetupReceipt(change, ChangeResult.REFUSED, "its escalation policy was not made")
        row = service.look(self._admin, wanted.name)
        told = self._still(change, service.compare(wanted, row, number))
        if told is None:
            self._services[wanted.name] = service.carry_out(self._admin, wanted, row, number)
            if change.verb is SetupVerb.CREATE:
                self._new.add(wanted.name)
        elif told.result is ChangeResult.ALREADY and row is not None:
            self._services[wanted.name] = str(row["id"])
        return told

    def _its_service(self, change: SetupChange) -> tuple[WantedService, str]:
        if change.name not in self._services:
            raise UserError("its service was not made")
        return self._of(change), self._services[change.name]

    def _integration(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._its_service(change)
        row = service.look(self._admin, wanted.name)
        rows = integration.look(self._admin, row) if row is not None else []
        told = self._still(change, integration.compare(wanted, rows))
        if told is None:
            rows = [integration.carry_out(self._admin, wanted, number)]
        if key := integration.routing_key(rows):
            self.keys[wanted.name] = key
        return told

    def _rules(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._its_service(change)
        names = Names(self._people, self._policies)
        if any(rule.escalation and not self._policies.get(rule.escalation) for rule in wanted.rules):
            raise UserError("an escalation policy that it speaks of was not made")
        seen = rules.look(self._admin, wanted, number)
        told = self._still(change, rules.compare(wanted, seen, names))
        if told is None:
            rules.carry_out(self._admin, wanted, number, seen, names)
        return told

    def _webhook(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._its_service(change)
        if change.verb is SetupVerb.CREATE and self._store is None:
            hint = "Say where it is to be kept: --secrets-to FILE."
            raise UserError("PagerDuty shows its signing secret only once.", hint=hint)
        rows = webhook.look(self._admin, wanted, number)
        told = self._still(change, *webhook.compare(wanted, rows))
        if told is None:
            webhook.carry_out(self._admin, wanted, number, change, self._store or _nowhere)
        return told


def _nowhere(name: str, _: str) -> None:
    raise UserError(f"there is no place to keep {name}.")
