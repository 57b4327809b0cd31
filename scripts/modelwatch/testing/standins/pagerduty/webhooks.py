"""PagerDuty's V3 webhooks: signed, delivered at least once, tried again as PagerDuty does, or dropped for good."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from .records import Actor, Incident, LogEntry
from .rest_json import Serializer
from .state import PagerDutyState

ANSWER_TIMEOUT = 5.0
RETRY_PERIOD = 48 * 3600.0
DROPS_UNTIL_DISABLED = 3
"""Webhooks dropped in a row."""
DISABLED_PERIOD = 24 * 3600.0
_MIN_WAIT, _MAX_WAIT = 10.0, 600.0
"""PagerDuty does not say how often it tries; these are a guess on the slow side."""
_TYPES = {
    "trigger": "incident.triggered",
    "acknowledge": "incident.acknowledged",
    "unacknowledge": "incident.unacknowledged",
    "resolve": "incident.resolved",
}


@dataclass(slots=True)
class Webhook:
    """One webhook on its way; ``resource`` is what PagerDuty keeps in order."""

    id: str
    body: bytes
    resource: str
    created: float = 0.0
    attempts: int = 0
    statuses: list[int] = field(default_factory=list)
    """Of each delivery; 0 where there was no answer."""


class WebhookSender:
    """Delivers to ``choose()``, the address of a subscription (several relays: several addresses in turn).

    ``secrets`` sign, the newest first; more than one while they are rotated. ``scale`` multiplies PagerDuty's waits,
    not its 5 s. ``again``: every how many webhooks one that was accepted is delivered once more, as "at least once"
    allows. Webhooks of one resource are delivered in order; the next one starts when the last one is through.
    """

    def __init__(
        self,
        pick_address: Callable[[], str],
        secrets: Sequence[str],
        *,
        workers: int = 16,
        wait_scale: float = 1.0,
        redeliver_every: int = 0,
    ) -> None:
        self.pick_address = pick_address
        self.secrets = list(secrets)
        self.wait_scale = wait_scale
        self.redeliver_every = redeliver_every
        self.delivered: list[Webhook] = []
        self.dropped: list[Webhook] = []
        self.disabled_until = 0.0
        self.status_counts: Counter[int] = Counter()
        """Deliveries by status."""
        self._dropped_in_a_row = 0
        self._ids = itertools.count(1)
        self._order = itertools.count()
        self._queues: dict[str, deque[Webhook]] = {}
        self._due: list[tuple[float, int, Webhook]] = []
        self._open = 0
        self._cond = threading.Condition()
        self._closing = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._cond:
            self._closing = True
            self._cond.notify_all()
        for thread in self._threads:
            thread.join(ANSWER_TIMEOUT + 1)

    def send(self, event: Mapping[str, Any], resource: str = "") -> Webhook:
        """Put one event on its way; dropped at once while the subscription is disabled."""
        body = json.dumps({"event": event}, separators=(",", ":"), ensure_ascii=False).encode()
        webhook = Webhook(f"webhook-{next(self._ids)}", body, resource or str(event.get("id")), time.monotonic())
        with self._cond:
            if self.is_disabled:
                self.dropped.append(webhook)
                return webhook
            self._open += 1
            queue = self._queues.setdefault(webhook.resource, deque())
            queue.append(webhook)
            if len(queue) == 1:
                self._schedule(webhook, 0.0)
        return webhook

    @property
    def is_disabled(self) -> bool:
        return time.monotonic() < self.disabled_until

    def send_ping(self) -> Webhook:
        """What "Send Test Event" sends."""
        data = {"message": "Hello from your friend Pagey!", "type": "ping"}
        return self.send(make_event(f"PING{next(self._ids)}", "pagey.ping", time.time(), None, data))

    def wait(self, seconds: float) -> bool:
        """Whether everything is through within ``seconds``."""
        until = time.monotonic() + seconds
        with self._cond:
            while self._open and (left := until - time.monotonic()) > 0:
                self._cond.wait(left)
            return not self._open

    def _schedule(self, webhook: Webhook, wait: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + wait, next(self._order), webhook))
        self._cond.notify()

    def _next_due(self) -> Webhook | None:
        with self._cond:
            while not self._closing:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._cond.wait(wait)
            return None

    def _work(self) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        while (webhook := self._next_due()) is not None:
            status = self._deliver(webhook, connections)
            with self._cond:
                self.status_counts[status] += 1
                webhook.statuses.append(status)
                self._finish_attempt(webhook, status)
        for connection in connections.values():
            connection.close()

    def _finish_attempt(self, webhook: Webhook, status: int) -> None:
        webhook.attempts += 1
        if 200 <= status < 300:
            self._dropped_in_a_row = 0
            if (
                self.redeliver_every
                and len(webhook.statuses) == 1
                and int(webhook.id.rpartition("-")[2]) % self.redeliver_every == 0
            ):
                self._schedule(webhook, 0.0)
                return
            self.delivered.append(webhook)
        elif status in (0, 429) or status >= 500:
            if time.monotonic() - webhook.created < RETRY_PERIOD * self.wait_scale:
                self._schedule(webhook, min(_MIN_WAIT * 2.0 ** (webhook.attempts - 1), _MAX_WAIT) * self.wait_scale)
                return
            self._drop_webhook(webhook)
        else:
            self._drop_webhook(webhook)
        self._start_next(webhook)

    def _drop_webhook(self, webhook: Webhook) -> None:
        self.dropped.append(webhook)
        self._dropped_in_a_row += 1
        if self._dropped_in_a_row >= DROPS_UNTIL_DISABLED:
            self.disabled_until = time.monotonic() + DISABLED_PERIOD * self.wait_scale
            self._dropped_in_a_row = 0

    def _start_next(self, webhook: Webhook) -> None:
        self._open -= 1
        queue = self._queues[webhook.resource]
        queue.popleft()
        if queue:
            self._schedule(queue[0], 0.0)
        else:
            del self._queues[webhook.resource]
        if not self._open:
            self._cond.notify_all()

    def _deliver(self, webhook: Webhook, connections: dict[str, http.client.HTTPConnection]) -> int:
        """The answer's status, 0 where none came within PagerDuty's 5 s."""
        parts = urlsplit(self.pick_address())
        connection = connections.get(parts.netloc)
        if connection is None:
            connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_TIMEOUT)
            connections[parts.netloc] = connection
        headers = {
            "content-type": "application/json",
            "user-agent": "PagerDuty-Webhook/V3.0",
            "x-webhook-id": webhook.id,
            "x-pagerduty-signature": signature(webhook.body, self.secrets),
        }
        try:
            connection.request("POST", parts.path, webhook.body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return answer.status


def signature(body: bytes, secrets: Sequence[str]) -> str:
    """One ``v1=`` value a secret."""
    return ",".join("v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets)


def make_event(
    name: str, kind: str, at: float, agent: Mapping[str, Any] | None, data: Mapping[str, Any]
) -> dict[str, Any]:
    """An event in the form of a webhook."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event: dict[str, Any] = {"id": name, "event_type": kind, "resource_type": kind.partition(".")[0]}
    return event | {"occurred_at": moment, "agent": agent, "client": None, "data": dict(data)}


def incident_event(state: PagerDutyState, site: str, incident: Incident, entry: LogEntry) -> dict[str, Any] | None:
    """What PagerDuty tells of one entry of an incident's log; ``None`` where it tells nothing."""
    kind = _TYPES.get(entry.action)
    if kind is None:
        return None
    shapes = Serializer(state, site)
    status = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}.get(
        entry.action, "triggered"
    )
    data = shapes.incident(incident) | {"number": incident.number, "incident_key": incident.key, "status": status}
    return make_event(f"01{entry.id}", kind, entry.at, shapes.actor(entry.by), data)


def workflow_event(
    state: PagerDutyState, site: str, incident: Incident, workflow: str, by: Actor, workflow_id: str = "PWORKFLOW"
) -> dict[str, Any]:
    """Somebody starts an incident workflow by hand: the button that on-call engineers press."""
    shapes, number = Serializer(state, site), state.new_id("P")
    data: dict[str, Any] = {"id": number, "type": "incident_workflow_instance", "summary": workflow}
    data |= {"incident_workflow": shapes.reference("incident_workflow", "workflows", workflow_id, workflow)}
    data |= {"incident": shapes.incident_reference(incident), "service": shapes.service_reference(incident.service)}
    return make_event(f"01{number}", "incident.workflow.started", state.clock(), shapes.actor(by), data)


class IncidentAnnouncer:
    """Sends what is new in the logs of incidents to a courier, each time it is asked to."""

    def __init__(self, state: PagerDutyState, site: str, courier: WebhookSender) -> None:
        self.state, self.site, self.courier = state, site, courier
        self._sent_counts: dict[str, int] = {}

    def send_new_entries(self) -> list[Webhook]:
        found: list[Webhook] = []
        with self.state.lock:
            for incident in self.state.incidents:
                told = self._sent_counts.get(incident.id, 0)
                for entry in incident.log[told:]:
                    event = incident_event(self.state, self.site, incident, entry)
                    if event is not None:
                        found.append(self.courier.send(event, incident.id))
                self._sent_counts[incident.id] = len(incident.log)
        return found
