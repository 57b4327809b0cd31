"""PagerDuty as code: who is on call for a model, and what is done with its events.

``config/pagerduty.py`` documents each key; here is what it does not say. Lengths of time are in seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

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
    """Who is notified at one step, and how long until the next."""

    users: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    wait: float = 1800.0


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """An escalation policy; one without steps exists already and is only named."""

    policy: str
    steps: tuple[EscalationStep, ...] = ()
    repeat: int = 0


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
    becomes: Severity | None = None
    priority: str = ""
    escalation: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class WebhookSpec:
    """Where PagerDuty sends events about incidents: the relay."""

    url: str
    secret_name: str = WEBHOOK_SECRET
    events: tuple[str, ...] = WEBHOOK_EVENTS


_MARK = re.compile(r"managed by modelwatch: ([^\s()]+)")


def ownership_mark(owner: str) -> str:
    """The mark in the description of everything that we create."""
    return f"managed by modelwatch: {owner}"


def owner_in_mark(text: str) -> str:
    """The configuration that made what ``text`` describes; empty where it was not us."""
    mark = _MARK.search(text)
    return mark[1] if mark else ""
