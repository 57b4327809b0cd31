"""W&B's automations through its own client: what fires them, and the webhook that they call.

Facts from https://docs.wandb.ai/models/automations/automation-events: an automation about metrics looks at each W&B run
alone, fires at most once in 24 hours for it, and may be delayed or skipped where it fires often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, SourceNameError, first_line
from .wandb import WandbDownError, WandbKeyError, translate_wandb_error

if TYPE_CHECKING:
    import wandb

MAX_NAME = 255
_NOT_AVAILABLE_HINT = (
    "Automations need W&B Pro or Enterprise, and webhooks an administrator of the team. The schedule starts every "
    "evaluation without them: `wandb_setup: {automations: off}` says that this is intended."
)


class AutomationsUnavailableError(SourceError):
    """The server, its version or the team's plan has no automations of this kind."""


class Comparison(StrEnum):
    """How a threshold is passed, as the service writes it."""

    ABOVE = "$gt"
    AT_LEAST = "$gte"
    BELOW = "$lt"
    AT_MOST = "$lte"


class ChangeDirection(StrEnum):
    INCREASE = "INCREASE"
    DECREASE = "DECREASE"
    ANY = "ANY"


@dataclass(frozen=True, slots=True)
class MetricThreshold:
    """The mean of the newest ``window`` values passes ``value``."""

    key: str
    comparison: Comparison
    value: float
    window: int


@dataclass(frozen=True, slots=True)
class MetricChange:
    """The mean of the newest ``current`` values differs from that of the ``prior`` ones before them by ``amount``."""

    key: str
    direction: ChangeDirection
    amount: float
    is_relative: bool
    current: int
    prior: int


@dataclass(frozen=True, slots=True)
class MetricZScore:
    """The newest value is ``score`` standard deviations away from the ``window`` values before it."""

    key: str
    direction: ChangeDirection
    score: float
    window: int


@dataclass(frozen=True, slots=True)
class AliasAssignment:
    """A version of the collection gets the alias. ``artifact``: ``entity/project/collection``."""

    artifact: str
    kind: str
    alias: str

    @property
    def collection(self) -> str:
        return self.artifact.rpartition("/")[2]


AutomationEvent = MetricThreshold | MetricChange | MetricZScore | AliasAssignment


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook integration of a team."""

    id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class AutomationSpec:
    """What an automation shall be. ``payload`` is what the webhook sends, as JSON."""

    name: str
    description: str
    event: AutomationEvent
    webhook: str
    """Its id."""
    payload: tuple[tuple[str, str], ...]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class SavedAutomation:
    """An automation as the service has it. ``facts`` is what ``describe_event`` says of it, with scope, webhook,
    payload and whether it is enabled."""

    id: str
    name: str
    description: str
    facts: Mapping[str, Any]


def spec_facts(spec: AutomationSpec, scope: str) -> dict[str, Any]:
    """What can be compared with ``SavedAutomation.facts``; ``scope``: the name of the project."""
    event = spec.event
    name = event.collection if isinstance(event, AliasAssignment) else scope
    facts = {"enabled": spec.enabled, "scope": name, "webhook": spec.webhook, "payload": dict(spec.payload)}
    return {**facts, "event": _event_facts(event)}


def _event_facts(event: AutomationEvent) -> list[Any]:
    match event:
        case MetricThreshold():
            return ["threshold", event.key, "AVERAGE", event.window, str(event.comparison), float(event.value)]
        case MetricChange():
            kind = "RELATIVE" if event.is_relative else "ABSOLUTE"
            windows = [event.current, event.prior]
            return ["change", event.key, "AVERAGE", *windows, kind, str(event.direction), float(event.amount)]
        case MetricZScore():
            return ["z-score", event.key, event.window, str(event.direction), float(event.score)]
        case AliasAssignment():
            return ["alias", event.alias]


class AutomationsClient:
    """The automations and webhooks of one team; raises SourceError."""

    def __init__(self, api: wandb.Api, entity: str, project: str) -> None:
        self._api, self._entity, self._project = api, entity, project
        self._where = f"{entity}/{project}"

    def webhooks(self) -> list[Webhook]:
        """The webhook integrations of the team."""
        with self._translated():
            found = self._api.webhook_integrations(entity=self._entity)
            return [Webhook(str(hook.id), str(hook.name), str(hook.url_endpoint)) for hook in found if hook]

    def automations(self) -> list[SavedAutomation]:
        """Every automation of the team that calls a webhook."""
        with self._translated():
            return [saved for found in self._api.automations(entity=self._entity) if (saved := _saved(found))]

    def supports_zscore(self) -> bool:
        """Whether the server knows events about z-scores; older ones do not."""
        from wandb.automations import EventType
        from wandb.automations._compat import event_enabled

        with self._translated():
            return bool(event_enabled(self._api._service_api, EventType.RUN_METRIC_ZSCORE))

    def create(self, spec: AutomationSpec) -> None:
        from wandb.automations import NewAutomation

        with self._translated():
            self._api.create_automation(NewAutomation(**self._arguments(spec)))

    def update(self, id: str, spec: AutomationSpec) -> None:
        """Everything of the automation ``id`` but its creation is replaced."""
        with self._translated():
            known = next((found for found in self._api.automations(entity=self._entity) if found.id == id), None)
            if known is None:
                raise SourceError("the automation is not there any more.", where=self._where)
            arguments = self._arguments(spec)
            self._api.update_automation(known, scope=arguments["event"].scope, **arguments)

    def delete(self, id: str) -> None:
        with self._translated():
            self._api.delete_automation(id)

    def _arguments(self, spec: AutomationSpec) -> dict[str, Any]:
        from wandb.automations import SendWebhook

        action = SendWebhook.model_validate({"integration_id": spec.webhook, "request_payload": dict(spec.payload)})
        return {
            "name": spec.name,
            "description": spec.description,
            "enabled": spec.enabled,
            "event": self._event(spec.event),
            "action": action,
        }

    def _event(self, event: AutomationEvent) -> Any:
        from wandb.automations import ArtifactEvent, OnAddArtifactAlias, OnRunMetric

        if isinstance(event, AliasAssignment):
            collection = self._collection(event)
            wanted: Any = ArtifactEvent.alias.eq(event.alias)
            return OnAddArtifactAlias.model_validate({"scope": collection, "filter": wanted})
        project = self._api.project(self._project, entity=self._entity)
        return OnRunMetric.model_validate({"scope": project, "filter": _metric_filter(event)})

    def _collection(self, event: AliasAssignment) -> Any:
        try:
            return self._api.artifact_collection(event.kind, event.artifact)
        except Exception as error:
            failure = translate_wandb_error(error, event.artifact)
            if isinstance(failure, (WandbDownError, WandbKeyError)) and not isinstance(error, ValueError):
                raise failure from error
            text = f"W&B has no artifact collection of type {event.kind!r} with this path."
            hint = "Check `release: {artifact, type}`. It can be watched once something was logged to it."
            raise SourceNameError(text, hint=hint, where=event.artifact) from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> SourceError:
        from wandb.errors import UnsupportedError

        failure = translate_wandb_error(error, self._where)
        text = first_line(error)
        unsupported = isinstance(error, UnsupportedError) or isinstance(error.__cause__, UnsupportedError)
        if unsupported or "not supported on this wandb server" in text:
            message = "this W&B server has no automations of this kind"
        elif "HTTP 403" in failure.message or "HTTP 402" in failure.message:
            message = f"W&B does not let this key make or see automations ({text})"
        elif "Cannot query field" in text:
            message = "this W&B server is too old for automations"
        else:
            return failure
        return AutomationsUnavailableError(f"{message}.", hint=_NOT_AVAILABLE_HINT, where=self._where)


def _metric_filter(event: MetricThreshold | MetricChange | MetricZScore) -> Any:
    """In the client's types, by the names that the service has for their fields."""
    from wandb.automations import MetricChangeFilter, MetricThresholdFilter, MetricZScoreFilter

    match event:
        case MetricThreshold():
            values: dict[str, Any] = {"agg_op": "AVERAGE", "window_size": event.window}
            values |= {"name": event.key, "cmp_op": str(event.comparison), "threshold": float(event.value)}
            return MetricThresholdFilter.model_validate(values)
        case MetricChange():
            values = {"agg_op": "AVERAGE", "current_window_size": event.current, "prior_window_size": event.prior}
            values |= {"change_type": "RELATIVE" if event.is_relative else "ABSOLUTE"}
            values |= {"name": event.key, "change_dir": str(event.direction), "change_amount": float(event.amount)}
            return MetricChangeFilter.model_validate(values)
        case MetricZScore():
            values = {"window_size": event.window, "threshold": float(event.score)}
            values |= {"name": event.key, "change_dir": str(event.direction)}
            return MetricZScoreFilter.model_validate(values)


def _saved(found: Any) -> SavedAutomation | None:
    """``None`` for an automation that calls no webhook, which cannot be ours."""
    action = found.action
    webhook = getattr(action, "integration", None)
    if webhook is None or getattr(webhook, "typename__", "") != "GenericWebhookIntegration":
        return None
    facts = {
        "enabled": bool(found.enabled),
        "scope": str(found.scope.name),
        "webhook": str(webhook.id),
        "payload": action.request_payload or {},
        "event": _saved_event_facts(found.event),
    }
    return SavedAutomation(str(found.id), str(found.name), str(found.description or ""), facts)


def _saved_event_facts(event: Any) -> list[Any]:
    """The same list as of an event that is wanted, where it is one of its kinds; else what the service says."""
    metric = getattr(event.filter, "metric", None)
    if threshold := getattr(metric, "threshold_filter", None):
        return [
            "threshold",
            threshold.name,
            _word(threshold.agg),
            threshold.window,
            threshold.cmp,
            float(threshold.threshold),
        ]
    if change := getattr(metric, "change_filter", None):
        windows = [change.window, change.prior_window]
        kind, direction = _word(change.change_type), _word(change.change_dir)
        return ["change", change.name, _word(change.agg), *windows, kind, direction, float(change.threshold)]
    if score := getattr(metric, "zscore_filter", None):
        return ["z-score", score.name, score.window, _word(score.change_dir), float(score.threshold)]
    if aliases := _aliases(event.filter):
        return ["alias", *aliases]
    return [str(event.event_type), str(event.filter)]


def _word(value: Any) -> str | None:
    return str(value.value) if value is not None else None


def _aliases(given: Any) -> list[str]:
    """The alias of ``{"$or": [{"$and": [{"alias": {"$eq": "production"}}]}]}``, however deep it stands."""
    text = given.model_dump_json() if hasattr(given, "model_dump_json") else "{}"
    found: list[str] = []

    def search(value: Any) -> None:
        if isinstance(value, str) and value[:1] in "{[":
            value = json.loads(value)
        if isinstance(value, dict):
            for key, part in value.items():
                if key == "alias":
                    found.append(str(part.get("$eq")) if isinstance(part, dict) else str(part))
                else:
                    search(part)
        elif isinstance(value, list):
            for part in value:
                search(part)

    search(json.loads(text))
    return found
