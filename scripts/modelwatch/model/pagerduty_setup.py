"""PagerDuty as code: who is on call for a model, and the plan of changes that makes PagerDuty agree."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum

from .plan import ChangeResult
from .severity import Severity

WEBHOOK_SECRET = "PAGERDUTY_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
WEBHOOK_EVENTS = (
    "incident.acknowledged",
    "incident.reopened",
    "incident.resolved",
    "incident.triggered",
    "incident.unacknowledged",
)
MAX_TARGETS = 10
"""In one step of an escalation policy; PagerDuty takes no more."""


class Urgency(StrEnum):
    """How loudly PagerDuty notifies: always one way, or by severity (critical and error high, the others low)."""

    SEVERITY = "severity"
    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who is notified at one step, and how long (seconds) until the next."""

    users: tuple[str, ...] = ()
    """Their addresses at PagerDuty."""
    schedules: tuple[str, ...] = ()
    """Names of schedules."""
    wait: float = 1800.0


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """An escalation policy; one without steps exists already and is only named."""

    policy: str
    steps: tuple[EscalationStep, ...] = ()
    repeat: int = 0
    """How often all steps are gone through again."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """What PagerDuty does with some of the events before anybody is notified.

    It holds for events of any of ``severities`` and any of ``kinds`` (empty: all), or where ``condition`` (PagerDuty's
    condition language) holds.
    """

    name: str
    severities: tuple[Severity, ...] = ()
    kinds: tuple[str, ...] = ()
    condition: str = ""
    suppress: bool = False
    pause: float = 0.0
    """Seconds before anybody is notified; an alert that recovers until then never becomes an incident."""
    becomes: Severity | None = None
    priority: str = ""
    escalation: str = ""
    """Name of another escalation policy."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """Where PagerDuty sends events about incidents: the relay."""

    url: str
    secret_name: str = WEBHOOK_SECRET
    """Under which name the signing secret is stored."""
    events: tuple[str, ...] = WEBHOOK_EVENTS


class SetupKind(StrEnum):
    """What is made at PagerDuty, in the order in which it is made."""

    POLICY = "escalation policy"
    SERVICE = "service"
    INTEGRATION = "integration"
    RULES = "event rules"
    WEBHOOK = "webhook subscription"


class SetupVerb(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    """Only of what we made and never finished."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SetupChange:
    """One intended difference. ``id`` is PagerDuty's, of something that exists."""

    verb: SetupVerb
    kind: SetupKind
    name: str
    """Of the escalation policy, or of the service that it belongs to."""
    fields: tuple[FieldChange, ...] = ()
    id: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class SetupRefusal:
    """A difference that is not changed, and why."""

    kind: SetupKind
    name: str
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class SetupPlan:
    account: str
    """Address of the REST API."""
    changes: tuple[SetupChange, ...] = ()
    refusals: tuple[SetupRefusal, ...] = ()
    same: tuple[tuple[SetupKind, str], ...] = ()
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


_MARK = re.compile(r"managed by modelwatch: ([^\s()]+)")


def ownership_mark(owner: str) -> str:
    """The mark in the description of everything that we create."""
    return f"managed by modelwatch: {owner}"


def owner_in_mark(text: str) -> str:
    """The configuration that made what ``text`` describes; empty where it was not us."""
    mark = _MARK.search(text)
    return mark[1] if mark else ""
