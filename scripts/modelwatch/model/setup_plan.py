"""The plan of changes that makes PagerDuty, or what is shown inside W&B, agree with the configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from .plan import ChangeResult


class SetupKind(StrEnum):
    """What is made at PagerDuty, in the order in which it is made."""

    POLICY = "escalation policy"
    SERVICE = "service"
    INTEGRATION = "integration"
    RULES = "event rules"
    WEBHOOK = "webhook subscription"


class WandbKind(StrEnum):
    """What is made inside W&B, in the order in which it is made."""

    VIEW = "view"
    REPORT = "report"
    AUTOMATION = "automation"


class SetupVerb(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    """Only of what we made: at PagerDuty where it was never finished, in W&B where it is no longer configured."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SetupChange:
    """One intended difference. ``id`` is the service's, of something that exists."""

    verb: SetupVerb
    kind: StrEnum
    name: str
    """At PagerDuty of the escalation policy, or of the service that it belongs to."""
    fields: tuple[FieldChange, ...] = ()
    id: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class SetupRefusal:
    """A difference that is not changed, and why."""

    kind: StrEnum
    name: str
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class SetupPlan:
    account: str
    """Address of the API."""
    changes: tuple[SetupChange, ...] = ()
    refusals: tuple[SetupRefusal, ...] = ()
    same: tuple[tuple[StrEnum, str], ...] = ()
    """What agrees already."""

    @property
    def digest(self) -> str:
        """16 hex characters over all that would be changed."""
        text = json.dumps([self.account, [asdict(change) for change in self.changes]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SetupReceipt:
    change: SetupChange
    result: ChangeResult
    detail: str = ""
