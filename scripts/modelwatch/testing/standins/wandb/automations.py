"""Automations: what they watch, when they fire, and the webhooks that they call.

As at the service, an automation about metrics fires at most once in 24 hours for each W&B run, and looks at the newest
values of one W&B run only (https://docs.wandb.ai/models/automations/automation-events).
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .history import Row
from .records import ArtifactCollection, ArtifactRecord, RunRecord, node_id

PERIOD = 24 * 3600.0
"""Seconds in which an automation fires once for a W&B run."""
TIMEOUT = 10.0
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "$gt": lambda value, limit: value > limit,
    "$gte": lambda value, limit: value >= limit,
    "$lt": lambda value, limit: value < limit,
    "$lte": lambda value, limit: value <= limit,
}
AGGREGATIONS: Mapping[str | None, Callable[[Sequence[float]], float]] = {
    None: lambda values: values[-1],
    "AVERAGE": statistics.fmean,
    "MIN": min,
    "MAX": max,
}


@dataclass(slots=True, eq=False)
class WebhookIntegration:
    """A webhook of a team; the token is in the team's secrets, and no client sees it."""

    entity: str
    name: str
    url: str
    token: str
    number: int

    @property
    def id(self) -> str:
        return node_id("GenericWebhookIntegration", self.number)


@dataclass(slots=True, eq=False)
class AutomationRecord:
    """One automation. ``event_filter`` and ``payload`` are JSON, as the client sent them."""

    number: int
    entity: str
    project: str
    name: str
    description: str | None
    enabled: bool
    scope_type: str
    scope_id: str
    event_type: str
    event_filter: str
    action_type: str
    webhook: WebhookIntegration | None
    payload: str | None
    created_at: float
    updated_at: float | None = None
    collection: ArtifactCollection | None = None
    """The scope, where it is not the whole project."""
    fired: dict[str, float] = field(default_factory=dict)
    """W&B run -> when it fired last."""

    @property
    def id(self) -> str:
        return node_id("Trigger", self.number)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that was called; status 0: nobody answered."""

    automation: str
    url: str
    body: str
    status: int


class Automations:
    """Those of a whole server, and the webhooks that they can call."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.records: dict[str, AutomationRecord] = {}
        self.webhooks: dict[str, WebhookIntegration] = {}
        self.deliveries: list[Delivery] = []
        self._threads: list[threading.Thread] = []

    def clear(self) -> None:
        self.records.clear()
        self.webhooks.clear()
        self.deliveries.clear()

    def add_webhook(self, entity: str, name: str, url: str, token: str, number: int) -> WebhookIntegration:
        """What a person makes in the settings of a team."""
        webhook = WebhookIntegration(entity, name, url, token, number)
        self.webhooks[webhook.id] = webhook
        return webhook

    def look_at_metrics(self, run: RunRecord) -> None:
        """Fire what the newest values of a W&B run call for."""
        for automation in list(self.records.values()):
            if (automation.entity, automation.project) != (run.entity, run.project) or not automation.enabled:
                continue
            if automation.event_type not in EVENTS or self.clock() - automation.fired.get(run.name, -PERIOD) < PERIOD:
                continue
            if EVENTS[automation.event_type](json.loads(automation.event_filter), run.history.rows):
                automation.fired[run.name] = self.clock()
                self._call(automation)

    def look_at_alias(self, artifact: ArtifactRecord, alias: str) -> None:
        """Fire what waits for this alias in the collection, or in the whole project."""
        home = artifact.collection
        for automation in list(self.records.values()):
            if automation.event_type != "ADD_ARTIFACT_ALIAS" or not automation.enabled:
                continue
            scopes = (automation.collection,) if automation.collection else (None,)
            in_scope = home in scopes or (
                automation.collection is None and (automation.entity, automation.project) == (home.entity, home.project)
            )
            if in_scope and alias_matches(json.loads(automation.event_filter), alias):
                self._call(automation)

    def wait(self) -> None:
        """Until every webhook was called."""
        for thread in list(self._threads):
            thread.join()

    def _call(self, automation: AutomationRecord) -> None:
        if automation.webhook is None:
            return
        thread = threading.Thread(target=self._post, args=(automation, automation.webhook), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _post(self, automation: AutomationRecord, webhook: WebhookIntegration) -> None:
        body, parts = automation.payload or "{}", urlsplit(webhook.url)
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {webhook.token}",
            "User-Agent": "wandb",
        }
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = connect(parts.netloc, timeout=TIMEOUT)
        try:
            connection.request("POST", parts.path, body.encode(), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        self.deliveries.append(Delivery(automation.name, webhook.url, body, status))


def metric_values(rows: Sequence[Row], name: str) -> list[float]:
    """The numbers that a W&B run logged under a key, oldest first."""
    found = (row.get(name) for row in rows)
    return [float(value) for value in found if isinstance(value, int | float) and not isinstance(value, bool)]


def _threshold_met(given: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    spec = given["run_metric_filter"]["threshold_filter"]
    values = metric_values(rows, spec["name"])[-spec["window_size"] :]
    return bool(values) and COMPARISONS[spec["cmp_op"]](AGGREGATIONS[spec["agg_op"]](values), spec["threshold"])


def _change_met(given: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """The newest window against the one before it, which does not overlap."""
    spec = given["run_metric_filter"]["change_filter"]
    values = metric_values(rows, spec["name"])
    current, prior = spec["current_window_size"], spec["prior_window_size"]
    if len(values) < current + prior:
        return False
    aggregate = AGGREGATIONS[spec["agg_op"]]
    before = aggregate(values[-current - prior : -current])
    change = aggregate(values[-current:]) - before
    if spec["change_type"] == "RELATIVE":
        change = change / abs(before) if before else 0.0
    return _in_direction(change, spec["change_dir"]) >= float(spec["change_amount"])


def _zscore_met(given: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    spec = given["run_metric_filter"]["zscore_filter"]
    values = metric_values(rows, spec["name"])[-spec["window_size"] - 1 :]
    if len(values) < 3:
        return False
    spread = statistics.stdev(values[:-1])
    score = (values[-1] - statistics.fmean(values[:-1])) / spread if spread else 0.0
    return _in_direction(score, spec["change_dir"]) >= float(spec["threshold"])


def _in_direction(change: float, direction: str) -> float:
    return {"INCREASE": change, "DECREASE": -change, "ANY": abs(change)}[direction]


EVENTS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Row]], bool]] = {
    "RUN_METRIC": _threshold_met,
    "RUN_METRIC_CHANGE": _change_met,
    "RUN_METRIC_ZSCORE": _zscore_met,
}


def alias_matches(given: Mapping[str, Any], alias: str) -> bool:
    """Whether the filter of an event about artifacts, ``{"$or": [{"$and": [{"alias": ...}]}]}``, takes the alias."""
    if "$or" in given:
        return any(alias_matches(part, alias) for part in given["$or"])
    if "$and" in given:
        return all(alias_matches(part, alias) for part in given["$and"])
    return all(alias == (value.get("$eq") if isinstance(value, dict) else value) for value in given.values())
