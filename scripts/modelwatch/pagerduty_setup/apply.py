"""A dotenv file that only its owner reads, for secrets that PagerDuty tells once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..clients.pagerduty_admin import AdminClient
from ..errors import ServiceError, UserError
from ..model.pagerduty_setup import SetupChange, SetupKind, SetupPlan, SetupReceipt, SetupRefusal, SetupVerb
from ..model.plan import ChangeResult
from . import escalation_policy, event_rules, service, webhook_subscription
from . import service as pagerduty_setup_service
from .desired_state import DesiredService, DesiredState
from .event_rules import RuleReferences
from .plan import ObservedState, PlanItem, policy_ids


class SecretsFile:
    """``NAME=value`` lines; a name that is there already gets the new value, other lines stay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure_writable(self) -> None:
        """Make sure, before anything is created at PagerDuty, that it can be written. Raises UserError."""
        self._write(self._lines())

    def store(self, name: str, value: str) -> None:
        """On disk when this returns. Raises UserError."""
        kept = [line for line in self._lines() if not re.match(rf"(?:export\s+)?{re.escape(name)}\s*=", line)]
        self._write([*kept, f"{name}={value}"])

    def remove_if_empty(self) -> bool:
        """Whether it holds anything; an empty one is taken away again."""
        lines = self._lines()
        if not lines:
            self._path.unlink(missing_ok=True)
        return bool(lines)

    def _lines(self) -> list[str]:
        try:
            if self._path.is_symlink() or (self._path.exists() and not self._path.is_file()):
                raise self._error("it is not a plain file")
            return self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        except (OSError, ValueError) as error:
            raise self._error(type(error).__name__) from error

    def _write(self, lines: list[str]) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._error(error.strerror or type(error).__name__) from error

    def _error(self, reason: str) -> UserError:
        return UserError(f"secrets cannot be kept there: {reason}.", where=str(self._path))


SecretStore = Callable[[str, str], None]
"""Takes the name and the value of a secret; raises UserError where it cannot keep it."""


@dataclass(frozen=True, slots=True)
class ApplyResult:
    receipts: tuple[SetupReceipt, ...]
    routing_keys: dict[str, str] = field(default_factory=dict, repr=False)
    """Service -> the routing key of its integration."""


def apply(
    admin: AdminClient,
    desired: DesiredState,
    observed: ObservedState,
    plan: SetupPlan,
    store_secret: SecretStore | None,
) -> ApplyResult:
    """Carry out ``plan``. Without a ``store`` for secrets no webhook subscription is made."""
    at_work = _PlanExecutor(admin, desired, observed, plan, store_secret)
    receipts = tuple(at_work.apply_change(change) for change in plan.changes)
    return ApplyResult(receipts, at_work.keys)


class _PlanExecutor:
    def __init__(
        self, admin: AdminClient, wanted: DesiredState, seen: ObservedState, plan: SetupPlan, store: SecretStore | None
    ) -> None:
        self._admin, self._wanted, self._people, self._store = admin, wanted, seen.references, store
        self._planned = frozenset(plan.changes)
        self._policies = policy_ids(wanted, seen)
        self._services = {name: str(one.row["id"]) for name, one in seen.services.items() if one.row is not None}
        self._new: set[str] = set()
        """Services that were made just now: of what belongs to them the plan could not know everything."""
        keys = {name: pagerduty_setup_service.routing_key(one.integrations) for name, one in seen.services.items()}
        self.keys = {name: key for name, key in keys.items() if key}
        self._made = {
            SetupKind.POLICY: self._apply_policy,
            SetupKind.SERVICE: self._apply_service,
            SetupKind.INTEGRATION: self._apply_integration,
            SetupKind.RULES: self._apply_rules,
            SetupKind.WEBHOOK: self._apply_webhook,
        }

    def apply_change(self, change: SetupChange) -> SetupReceipt:
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

    def _recheck(self, change: SetupChange, *found: PlanItem | None) -> SetupReceipt | None:
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

    def _apply_policy(self, change: SetupChange) -> SetupReceipt | None:
        escalation, owner = next(pair for pair in self._wanted.policies if pair[0].policy == change.name)
        row = escalation_policy.fetch_policy(self._admin, change.name)
        told = self._recheck(change, escalation_policy.plan_policy(escalation, owner, row, self._people))
        if told is None:
            models = self._wanted.models_of(change.name)
            self._policies[change.name] = escalation_policy.apply_policy(
                self._admin, escalation, owner, models, row, self._people
            )
        elif told.result is ChangeResult.ALREADY and row is not None:
            self._policies[change.name] = str(row["id"])
        return told

    def _desired_service(self, change: SetupChange) -> DesiredService:
        return next(one for one in self._wanted.services if one.name == change.name)

    def _apply_service(self, change: SetupChange) -> SetupReceipt | None:
        wanted = self._desired_service(change)
        number = self._policies.get(wanted.escalation.policy, "")
        if not number:
            return SetupReceipt(change, ChangeResult.REFUSED, "its escalation policy was not made")
        row = service.fetch_service(self._admin, wanted.name)
        told = self._recheck(change, service.plan_service(wanted, row, number))
        if told is None:
            self._services[wanted.name] = service.apply_service(self._admin, wanted, row, number)
            if change.verb is SetupVerb.CREATE:
                self._new.add(wanted.name)
        elif told.result is ChangeResult.ALREADY and row is not None:
            self._services[wanted.name] = str(row["id"])
        return told

    def _service_and_id(self, change: SetupChange) -> tuple[DesiredService, str]:
        if change.name not in self._services:
            raise UserError("its service was not made")
        return self._desired_service(change), self._services[change.name]

    def _apply_integration(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._service_and_id(change)
        row = service.fetch_service(self._admin, wanted.name)
        rows = pagerduty_setup_service.fetch_integrations(self._admin, row) if row is not None else []
        told = self._recheck(change, pagerduty_setup_service.plan_integration(wanted, rows))
        if told is None:
            rows = [pagerduty_setup_service.create_integration(self._admin, wanted, number)]
        if key := pagerduty_setup_service.routing_key(rows):
            self.keys[wanted.name] = key
        return told

    def _apply_rules(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._service_and_id(change)
        names = RuleReferences(self._people, self._policies)
        if any(rule.escalation and not self._policies.get(rule.escalation) for rule in wanted.rules):
            raise UserError("an escalation policy that it speaks of was not made")
        seen = event_rules.fetch_rules(self._admin, wanted, number)
        told = self._recheck(change, event_rules.plan_rules(wanted, seen, names))
        if told is None:
            event_rules.apply_rules(self._admin, wanted, number, seen, names)
        return told

    def _apply_webhook(self, change: SetupChange) -> SetupReceipt | None:
        wanted, number = self._service_and_id(change)
        if change.verb is SetupVerb.CREATE and self._store is None:
            hint = "Say where it is to be kept: --secrets-to FILE."
            raise UserError("PagerDuty shows its signing secret only once.", hint=hint)
        rows = webhook_subscription.fetch_subscriptions(self._admin, wanted, number)
        told = self._recheck(change, *webhook_subscription.plan_subscriptions(wanted, rows))
        if told is None:
            webhook_subscription.apply_subscription(self._admin, wanted, number, change, self._store or _refuse_secret)
        return told


def _refuse_secret(name: str, _: str) -> None:
    raise UserError(f"there is no place to keep {name}.")
