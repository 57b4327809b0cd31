"""PagerDuty's state machine of alerts and incidents, and what tests do to it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .records import (
    SEVERITIES,
    Actor,
    ChangeEvent,
    Incident,
    Integration,
    LogEntry,
    Note,
    Notification,
    RestToken,
    Service,
    User,
)

EVENTS_PER_MINUTE = 120
REST_PER_MINUTE = 960
DEFAULT_POLICY = "PPOLICY"
EVENTS_V2 = "events_api_v2_inbound_integration"
_MINUTE = 60.0


class PagerDutyState:
    """Everything, under one lock. ``clock`` gives seconds UTC and may be a test's own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.services: dict[str, Service] = {}
        self.service_settings: dict[str, dict[str, Any]] = {}
        """Of a service, as they were sent; ``policy`` is the id of its escalation policy."""
        self.integrations: dict[str, Integration] = {}
        self.policies: dict[str, dict[str, Any]] = {DEFAULT_POLICY: {"id": DEFAULT_POLICY, "name": "Default"}}
        self.schedules: dict[str, dict[str, Any]] = {}
        self.priorities: dict[str, dict[str, Any]] = {}
        self.orchestrations: dict[str, dict[str, Any]] = {}
        """Of a service."""
        self.active_orchestrations: set[str] = set()
        """Services whose event rules are evaluated."""
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, RestToken] = {}
        self.incidents: list[Incident] = []
        self.notifications: list[Notification] = []
        """What reached the person on call, oldest first."""
        self.on_call_is_reachable = True
        """Whether the person on call has notification rules; without any, nobody is notified of an incident."""
        self.change_events: list[ChangeEvent] = []
        self.enforce_limits = False
        self.show_incident_keys = False
        """Show ``incident_key`` in incidents; by PagerDuty's documentation those with alerts have none."""
        self.dropped_events: list[Mapping[str, Any]] = []
        """Events that were accepted and had no effect: a resolve or acknowledge without an open alert."""
        self._ids = itertools.count(1)
        self._times: dict[str, list[float]] = {}

    def new_id(self, letter: str = "Q") -> str:
        return f"{letter}{next(self._ids):013d}"

    def add_service(self, name: str, routing_key: str = "") -> Service:
        """A service with an Events API v2 integration; its routing key is made up where none is given."""
        key = routing_key or f"{next(self._ids):032x}"
        service = Service(self.new_id("P"), name, key, self.new_id("P"), self.clock())
        self.services[service.id] = service
        made = Integration(service.integration, service.id, "Events", EVENTS_V2, key, self.clock())
        self.integrations[made.id] = made
        return service

    def add_integration(self, service: Service, name: str, kind: str) -> Integration:
        key = f"{next(self._ids):032x}"
        made = Integration(self.new_id("P"), service.id, name, kind, key, self.clock())
        self.integrations[made.id] = made
        if kind == EVENTS_V2 and not service.routing_key:
            self.services[service.id] = replace(service, routing_key=key, integration=made.id)
        return made

    def add_schedule(self, name: str) -> str:
        """Its id."""
        return self._add_row(self.schedules, name)

    def add_priority(self, name: str) -> str:
        """Its id."""
        return self._add_row(self.priorities, name)

    def add_policy(self, name: str, description: str = "") -> str:
        """Its id."""
        number = self._add_row(self.policies, name)
        self.policies[number]["description"] = description
        return number

    def _add_row(self, rows: dict[str, dict[str, Any]], name: str) -> str:
        number = self.new_id("P")
        rows[number] = {"id": number, "name": name}
        return number

    def add_user(self, email: str, name: str = "") -> User:
        user = User(self.new_id("P"), name or email.partition("@")[0], email)
        self.users[user.id] = user
        return user

    def add_token(self, user: User | None = None, *, read_only: bool = False) -> str:
        """A REST API token (its value): the account's, or with ``user`` that user's own."""
        token = RestToken(f"u+standin{next(self._ids):011d}", user.id if user else "", read_only)
        self.tokens[token.value] = token
        return token.value

    def service_by_routing_key(self, key: str) -> Service | None:
        found = (one.service for one in self.integrations.values() if one.type == EVENTS_V2 and one.key == key)
        return self.services.get(next(found, ""))

    def user_by_email(self, email: str) -> User | None:
        return next((user for user in self.users.values() if user.email.lower() == email.lower()), None)

    def over_limit(self, key: str, per_minute: int) -> bool:
        """Count one request; whether it is one too many (only ever with ``enforce_limits``)."""
        now = self.clock()
        recent = [at for at in self._times.get(key, []) if now - at < _MINUTE]
        if self.enforce_limits and len(recent) >= per_minute:
            return True
        self._times[key] = [*recent, now]
        return False

    def find_incident(self, incident_id: str) -> Incident | None:
        return next((incident for incident in self.incidents if incident.id == incident_id), None)

    def open_incident(self, service: Service, key: str) -> Incident | None:
        """The one whose alert has this deduplication key and is not resolved."""
        for incident in reversed(self.incidents):
            if incident.service.id == service.id and incident.key == key and incident.is_open:
                return incident
        return None

    def newest_incident(self, key: str) -> Incident | None:
        """The newest incident of a deduplication key, whatever its status."""
        return next((incident for incident in reversed(self.incidents) if incident.key == key), None)

    def receive_event(self, service: Service, event: Mapping[str, Any]) -> None:
        """A valid event takes effect, or is dropped without a word as PagerDuty does."""
        by = Actor("integration", service.integration, f"{service.name} events")
        incident = self.open_incident(service, event["dedup_key"])
        match event["event_action"]:
            case "trigger":
                self._trigger(service, incident, event, by)
            case "acknowledge" if incident is not None:
                self.change_status(incident, "acknowledged", by, "api")
            case "resolve" if incident is not None:
                self.change_status(incident, "resolved", by, "api")
            case _:
                self.dropped_events.append(event)

    def _trigger(self, service: Service, incident: Incident | None, event: Mapping[str, Any], by: Actor) -> None:
        now, payload = self.clock(), event["payload"]
        severity = payload["severity"]
        urgency = self._urgency(service, severity)
        is_new = incident is None
        if incident is None:
            number = len(self.incidents) + 1
            ids = (self.new_id(), self.new_id())
            title = payload["summary"]
            incident = Incident(
                *ids, number, service, event["dedup_key"], title, severity, urgency, event, now, now, now, by
            )
            self.incidents.append(incident)
        else:
            # A repeated trigger makes an open alert worse, never milder, and does not touch its incident's status.
            incident.severity = max(incident.severity, severity, key=SEVERITIES.index)
            incident.urgency = "high" if "high" in (incident.urgency, urgency) else "low"
            incident.event, incident.updated = event, now
        self._log(incident, "trigger", by, "api", payload)
        if is_new:
            self._notify(incident)

    def _notify(self, incident: Incident) -> None:
        if not self.on_call_is_reachable:
            return
        texts = incident.id, incident.key, incident.title, incident.severity, incident.urgency
        self.notifications.append(Notification(self.clock(), *texts))

    def notification_entries(self, incident: Incident) -> list[LogEntry]:
        """How the log of an incident shows that somebody was notified."""
        by = Actor("service", incident.service.id, incident.service.name)
        times = [one.at for one in self.notifications if one.incident == incident.id]
        return [LogEntry(f"{incident.id}N{place}", "notify", at, by, "auto") for place, at in enumerate(times)]

    def _urgency(self, service: Service, severity: str) -> str:
        rule = self.service_settings.get(service.id, {}).get("incident_urgency_rule", {"urgency": "severity_based"})
        if rule.get("urgency") in ("high", "low"):
            return str(rule["urgency"])
        return "high" if severity in ("critical", "error") else "low"

    def change_status(self, incident: Incident, status: str, by: Actor, channel: str, note: str = "") -> None:
        """A new status of an open incident; a resolved one may be reopened only by a person."""
        now = self.clock()
        words = {"acknowledged": "acknowledge", "resolved": "resolve", "triggered": "unacknowledge"}
        again = incident.status == status
        if again and status != "acknowledged":
            return
        self._log(incident, words[status], by, channel, note=note)
        if again:
            return
        incident.status, incident.updated, incident.changed, incident.changed_by = status, now, now, by
        incident.resolved = now if status == "resolved" else None
        acknowledged = status == "acknowledged"
        incident.acknowledged_by, incident.acknowledged = (by, now) if acknowledged else (None, None)
        if status == "triggered":
            self._notify(incident)

    def _log(
        self,
        incident: Incident,
        what: str,
        by: Actor,
        channel: str,
        details: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> None:
        incident.log.append(LogEntry(self.new_id("R"), what, self.clock(), by, channel, details or {}, note))

    def add_note(self, incident: Incident, by: Actor, content: str) -> Note:
        note = Note(self.new_id("P"), self.clock(), by, content)
        incident.notes.append(note)
        self._log(incident, "annotate", by, "note", note=content)
        return note

    def _person_actor(self, email: str) -> Actor:
        user = self.user_by_email(email) or self.add_user(email)
        return Actor("user", user.id, user.name)

    def acknowledge_as_person(self, incident: Incident, email: str = "oncall@example.com") -> None:
        """Somebody presses "Acknowledge" in PagerDuty's own pages."""
        with self.lock:
            self.change_status(incident, "acknowledged", self._person_actor(email), "website")

    def resolve_as_person(self, incident: Incident, email: str = "oncall@example.com") -> None:
        """Somebody presses "Resolve" in PagerDuty's own pages."""
        with self.lock:
            self.change_status(incident, "resolved", self._person_actor(email), "website")
