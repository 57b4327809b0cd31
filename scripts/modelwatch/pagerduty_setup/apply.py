"""Carry out a plan at PagerDuty, and store the secrets that PagerDuty shows only once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..clients.pagerduty_admin import AdminClient
from ..errors import ServiceError, UserError
from ..model.plan import ChangeResult
from ..model.setup_plan import SetupChange, SetupKind, SetupPlan, SetupReceipt, SetupRefusal, SetupVerb
from . import escalation_policy, event_rules, service, webhook_subscription
from .desired_state import DesiredService, DesiredState
from .event_rules import RuleReferences
from .plan import ObservedState, PlanItem, policy_ids


class SecretsFile:
    """A dotenv file that only its owner can read; a known name gets the new value, other lines stay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure_writable(self) -> None:
        """Check that the file can be written, before anything is created at PagerDuty. Raises UserError."""
        self._write(self._lines())

    def store(self, name: str, value: str) -> None:
        """Write the secret to disk. Raises UserError."""
        other_lines = [line for line in self._lines() if not re.match(rf"(?:export\s+)?{re.escape(name)}\s*=", line)]
        self._write([*other_lines, f"{name}={value}"])

    def remove_if_empty(self) -> bool:
        """Whether the file has content; an empty one is deleted."""
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
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._error(error.strerror or type(error).__name__) from error

    def _error(self, reason: str) -> UserError:
        return UserError(f"secrets cannot be stored in this file: {reason}.", where=str(self._path))


SecretStore = Callable[[str, str], None]
"""Stores a secret by its name and value; raises UserError where it cannot."""


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
    """Carry out ``plan``. Without ``store_secret`` no webhook subscription is created."""
    executor = _PlanExecutor(admin, desired, observed, plan, store_secret)
    receipts = tuple(executor.apply_change(change) for change in plan.changes)
    return ApplyResult(receipts, executor.keys)


class _PlanExecutor:
    def __init__(
        self,
        admin: AdminClient,
        desired: DesiredState,
        observed: ObservedState,
        plan: SetupPlan,
        store: SecretStore | None,
    ) -> None:
        self._admin, self._desired, self._references, self._store = admin, desired, observed.references, store
        self._planned = frozenset(plan.changes)
        self._policies = policy_ids(desired, observed)
        rows = {name: state.row for name, state in observed.services.items()}
        self._services = {name: str(row["id"]) for name, row in rows.items() if row is not None}
        self._new: set[str] = set()
        """Services created by this run: the plan could not know everything about what belongs to them."""
        keys = {name: service.routing_key(state.integrations) for name, state in observed.services.items()}
        self.keys = {name: key for name, key in keys.items() if key}
        self._appliers: dict[StrEnum, Callable[[SetupChange], SetupReceipt | None]] = {
            SetupKind.POLICY: self._apply_policy,
            SetupKind.SERVICE: self._apply_service,
            SetupKind.INTEGRATION: self._apply_integration,
            SetupKind.RULES: self._apply_rules,
            SetupKind.WEBHOOK: self._apply_webhook,
        }

    def apply_change(self, change: SetupChange) -> SetupReceipt:
        try:
            refused = self._appliers[change.kind](change)
        except ServiceError as error:
            return SetupReceipt(change, ChangeResult.FAILED, str(error))
        except UserError as error:
            return SetupReceipt(change, ChangeResult.REFUSED, str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"PagerDuty's answer is not what its description promises ({type(error).__name__})"
            return SetupReceipt(change, ChangeResult.FAILED, text)
        return refused or SetupReceipt(change, ChangeResult.DONE)

    def _recheck(self, change: SetupChange, *items: PlanItem | None) -> SetupReceipt | None:
        """Why the change is not made; ``None`` where PagerDuty still is as it was when the plan was made."""
        current = [item for item in items if item is not None]
        if change in current:
            return None
        unplanned = [item for item in current if item not in self._planned]
        if not unplanned:
            return SetupReceipt(change, ChangeResult.ALREADY, "no change is needed any more")
        refusals = [item.reason for item in unplanned if isinstance(item, SetupRefusal)]
        if change.name in self._new and not refusals:
            return None
        reason = refusals[0] if refusals else "it has changed since the plan was made"
        return SetupReceipt(change, ChangeResult.REFUSED, f"{reason}; plan again")

    def _apply_policy(self, change: SetupChange) -> SetupReceipt | None:
        escalation, owner = next(pair for pair in self._desired.policies if pair[0].policy == change.name)
        row = escalation_policy.fetch_policy(self._admin, change.name)
        receipt = self._recheck(change, escalation_policy.plan_policy(escalation, owner, row, self._references))
        if receipt is None:
            models = self._desired.models_of(change.name)
            self._policies[change.name] = escalation_policy.apply_policy(
                self._admin, escalation, owner, models, row, self._references
            )
        elif receipt.result is ChangeResult.ALREADY and row is not None:
            self._policies[change.name] = str(row["id"])
        return receipt

    def _desired_service(self, change: SetupChange) -> DesiredService:
        return next(service for service in self._desired.services if service.name == change.name)

    def _apply_service(self, change: SetupChange) -> SetupReceipt | None:
        desired = self._desired_service(change)
        number = self._policies.get(desired.escalation.policy, "")
        if not number:
            return SetupReceipt(change, ChangeResult.REFUSED, "its escalation policy was not created")
        row = service.fetch_service(self._admin, desired.name)
        receipt = self._recheck(change, service.plan_service(desired, row, number))
        if receipt is None:
            self._services[desired.name] = service.apply_service(self._admin, desired, row, number)
            if change.verb is SetupVerb.CREATE:
                self._new.add(desired.name)
        elif receipt.result is ChangeResult.ALREADY and row is not None:
            self._services[desired.name] = str(row["id"])
        return receipt

    def _service_and_id(self, change: SetupChange) -> tuple[DesiredService, str]:
        if change.name not in self._services:
            raise UserError("its service was not created")
        return self._desired_service(change), self._services[change.name]

    def _apply_integration(self, change: SetupChange) -> SetupReceipt | None:
        desired, number = self._service_and_id(change)
        row = service.fetch_service(self._admin, desired.name)
        rows = service.fetch_integrations(self._admin, row) if row is not None else []
        receipt = self._recheck(change, service.plan_integration(desired, rows))
        if receipt is None:
            rows = [service.create_integration(self._admin, desired, number)]
        if key := service.routing_key(rows):
            self.keys[desired.name] = key
        return receipt

    def _apply_rules(self, change: SetupChange) -> SetupReceipt | None:
        desired, number = self._service_and_id(change)
        names = RuleReferences(self._references, self._policies)
        if any(rule.escalation and not self._policies.get(rule.escalation) for rule in desired.rules):
            raise UserError("an escalation policy that it names was not created")
        observed = event_rules.fetch_rules(self._admin, desired, number)
        receipt = self._recheck(change, event_rules.plan_rules(desired, observed, names))
        if receipt is None:
            event_rules.apply_rules(self._admin, desired, number, observed, names)
        return receipt

    def _apply_webhook(self, change: SetupChange) -> SetupReceipt | None:
        desired, number = self._service_and_id(change)
        if change.verb is SetupVerb.CREATE and self._store is None:
            hint = "Name a file for it: --secrets-to FILE."
            raise UserError("PagerDuty shows its signing secret only once.", hint=hint)
        rows = webhook_subscription.fetch_subscriptions(self._admin, desired, number)
        receipt = self._recheck(change, *webhook_subscription.plan_subscriptions(desired, rows))
        if receipt is None:
            webhook_subscription.apply_subscription(self._admin, desired, number, change, self._store or _refuse_secret)
        return receipt


def _refuse_secret(name: str, _: str) -> None:
    raise UserError(f"there is no file to store {name} in.")
