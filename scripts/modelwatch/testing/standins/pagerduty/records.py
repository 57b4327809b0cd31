"""What the stand-in remembers: services, users, incidents with their alert and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Service:
    """``routing_key`` is the key of its (first) Events API v2 integration; empty where it has none."""

    id: str
    name: str
    routing_key: str
    integration: str
    created: float


@dataclass(frozen=True, slots=True)
class Integration:
    """One way into a service; ``key`` is the routing key of an Events API v2 integration."""

    id: str
    service: str
    name: str
    type: str
    key: str
    created: float


@dataclass(frozen=True, slots=True)
class RestToken:
    """An account's token acts in the name of the ``From`` header, a user's in that user's."""

    value: str
    user: str = ""
    """The user's id; empty for an account's token."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changed something: ``kind`` is ``user``, ``service`` or ``integration``."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """``what``: trigger, acknowledge, resolve, annotate, ..."""

    id: str
    action: str
    at: float
    by: Actor
    channel: str
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    at: float
    by: Actor
    content: str


@dataclass(slots=True)
class Incident:
    """An incident and its one alert; ``key`` is the alert's deduplication key."""

    id: str
    alert: str
    number: int
    service: Service
    key: str
    title: str
    severity: str
    urgency: str
    event: Mapping[str, Any]
    """The newest trigger, as it was sent."""
    created: float
    updated: float
    changed: float
    changed_by: Actor
    status: str = "triggered"
    resolved: float | None = None
    acknowledged_by: Actor | None = None
    acknowledged: float | None = None
    log: list[LogEntry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status != "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """What reaches the person on call: the first trigger of an incident, or one that is no longer acknowledged.

    A further trigger of an open alert is added to its log and reaches nobody, whatever its severity; nor does anything
    on an acknowledged incident.
    """

    at: float
    incident: str
    key: str
    title: str
    severity: str
    urgency: str


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A change event that was accepted."""

    service: Service
    at: float
    event: Mapping[str, Any]
