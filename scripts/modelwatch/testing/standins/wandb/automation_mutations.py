"""Automations in the graph: made, changed, deleted and listed, with what the service refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..graphql import GraphQLRequestError, Node, connection
from .automations import AutomationRecord, WebhookIntegration
from .records import ArtifactCollection, ProjectRecord, format_time
from .state import WandbState

Arguments = Mapping[str, Any]
MAX_NAME = 255
ZSCORE_FEATURE = "AUTOMATION_EVENT_RUN_METRIC_ZSCORE"
EVENT_TYPES = frozenset({"RUN_METRIC", "RUN_METRIC_CHANGE", "RUN_METRIC_ZSCORE", "ADD_ARTIFACT_ALIAS"})
METRIC_FILTERS = {
    "RUN_METRIC": ("threshold_filter", {"name", "agg_op", "window_size", "cmp_op", "threshold"}),
    "RUN_METRIC_CHANGE": (
        "change_filter",
        {
            "name",
            "agg_op",
            "current_window_size",
            "prior_window_size",
            "change_type",
            "change_dir",
            "change_amount",
        },
    ),
    "RUN_METRIC_ZSCORE": ("zscore_filter", {"name", "window_size", "threshold", "change_dir"}),
}


def automation_mutations(state: WandbState) -> dict[str, Any]:
    """What can be changed of automations."""
    change = _AutomationMutations(state)
    return {
        "createFilterTrigger": change.create,
        "updateFilterTrigger": change.update,
        "deleteTrigger": change.delete,
    }


def list_automations(state: WandbState, entity: str, arguments: Arguments) -> Node:
    """``triggers`` of an entity; ``filters`` can name one."""
    wanted = json.loads(arguments.get("filters") or "{}")
    found = [
        record
        for record in state.automations.records.values()
        if record.entity == entity and record.name == wanted.get("name", record.name)
    ]
    return connection(found, arguments, lambda record: record.id, lambda record: automation_node(state, record))


def list_project_automations(state: WandbState, project: ProjectRecord) -> list[Node]:
    """``triggers`` of a project, as servers before 0.83 give them."""
    records = state.automations.records.values()
    place = (project.entity, project.name)
    return [automation_node(state, record) for record in records if (record.entity, record.project) == place]


def list_integrations(state: WandbState, entity: str, arguments: Arguments) -> Node:
    found = [webhook for webhook in state.automations.webhooks.values() if webhook.entity == entity]
    return connection(found, arguments, lambda webhook: webhook.id, _webhook_node)


def _webhook_node(webhook: WebhookIntegration) -> Node:
    return Node("GenericWebhookIntegration", {"id": webhook.id, "name": webhook.name, "urlEndpoint": webhook.url})


def automation_node(state: WandbState, record: AutomationRecord) -> Node:
    home, collection = state.projects[record.entity, record.project], record.collection
    scope = Node("Project", {"id": home.id, "name": home.name})
    if collection is not None:
        scope = Node(collection.typename, {"id": collection.id, "name": collection.name})
    webhook = _webhook_node(record.webhook) if record.webhook else None
    action = Node("GenericWebhookTriggeredAction", {"integration": webhook, "requestPayload": record.payload})
    event = {"eventType": record.event_type, "filter": _saved_filter(record)}
    return Node(
        "Trigger",
        {
            "id": record.id,
            "createdAt": format_time(record.created_at),
            "updatedAt": format_time(record.updated_at) if record.updated_at else None,
            "name": record.name,
            "description": record.description,
            "enabled": record.enabled,
            "scope": scope,
            "triggeringCondition": Node("FilterEventTriggeringCondition", event),
            "triggeredAction": action if record.webhook else Node("NoOpTriggeredAction", {"noOp": True}),
        },
    )


def _saved_filter(record: AutomationRecord) -> str:
    """Filters of events about artifacts come back one level deeper than they were sent."""
    if record.event_type == "ADD_ARTIFACT_ALIAS":
        return json.dumps({"filter": record.event_filter})
    return record.event_filter


@dataclass(frozen=True, slots=True)
class _AutomationMutations:
    """A method for each mutation; it is called with the field's arguments."""

    state: WandbState

    def create(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        self._check_plan()
        fields = self._fields(given)
        self._check_name(given["name"], fields["entity"], "")
        automations = self.state.automations
        record = AutomationRecord(self.state.next_number(), created_at=self.state.clock(), **fields)
        automations.records[record.id] = record
        return Node("CreateFilterTriggerPayload", {"trigger": automation_node(self.state, record)})

    def update(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        self._check_plan()
        record = self.state.automations.records.get(given["id"])
        if record is None:
            raise GraphQLRequestError("trigger not found", 404)
        for name, value in self._fields(given).items():
            setattr(record, name, value)
        self._check_name(record.name, record.entity, record.id)
        record.updated_at = self.state.clock()
        return Node("UpdateFilterTriggerPayload", {"trigger": automation_node(self.state, record)})

    def delete(self, arguments: Arguments) -> Node:
        if self.state.automations.records.pop(arguments["input"]["triggerID"], None) is None:
            raise GraphQLRequestError("trigger not found", 404)
        return Node("DeleteTriggerPayload", {"success": True})

    def _check_plan(self) -> None:
        if not self.state.has_automations:
            raise GraphQLRequestError("automations are not available on your plan", 403)

    def _check_name(self, name: str, entity: str, own: str) -> None:
        others = (record for record in self.state.automations.records.values() if record.id != own)
        if any(record.name == name and record.entity == entity for record in others):
            raise GraphQLRequestError(f"a trigger named {name!r} already exists", 409)

    def _fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The record's fields; what the service refuses is an error."""
        if not 1 <= len(given["name"]) <= MAX_NAME:
            raise GraphQLRequestError(f"a name has 1 to {MAX_NAME} characters", 400)
        project, collection = self._scope(given)
        _check_event(self.state, given, collection)
        webhook, payload = self._action(given)
        return {
            "entity": project.entity,
            "project": project.name,
            "collection": collection,
            "name": given["name"],
            "description": given.get("description"),
            "enabled": given["enabled"],
            "scope_type": given["scopeType"],
            "scope_id": given["scopeID"],
            "event_type": given["triggeringEventType"],
            "event_filter": given["eventFilter"],
            "action_type": given["triggeredActionType"],
            "webhook": webhook,
            "payload": payload,
        }

    def _scope(self, given: Mapping[str, Any]) -> tuple[ProjectRecord, ArtifactCollection | None]:
        for project in self.state.projects.values():
            if given["scopeType"] == "PROJECT" and project.id == given["scopeID"]:
                return project, None
            for collection in project.collections.values():
                if given["scopeType"] == "ARTIFACT_COLLECTION" and collection.id == given["scopeID"]:
                    return project, collection
        raise GraphQLRequestError(f"scope not found: {given['scopeType']} {given['scopeID']}", 404)

    def _action(self, given: Mapping[str, Any]) -> tuple[WebhookIntegration | None, str | None]:
        config = given["triggeredActionConfig"]
        if given["triggeredActionType"] == "NO_OP":
            return None, None
        spec = config.get("genericWebhookActionInput")
        if given["triggeredActionType"] != "GENERIC_WEBHOOK" or not spec:
            raise GraphQLRequestError("the action's type and its input disagree", 400)
        webhook = self.state.automations.webhooks.get(spec["integrationID"])
        if webhook is None:
            raise GraphQLRequestError("integration not found", 404)
        payload = spec.get("requestPayload")
        if payload is not None and not isinstance(json.loads(payload), dict):
            raise GraphQLRequestError("requestPayload is a JSON object", 400)
        return webhook, payload


def _check_event(state: WandbState, given: Mapping[str, Any], collection: ArtifactCollection | None) -> None:
    kind = given["triggeringEventType"]
    if kind not in EVENT_TYPES or (kind == "RUN_METRIC_ZSCORE" and ZSCORE_FEATURE not in state.features):
        raise GraphQLRequestError(f"unsupported event type {kind!r}", 400)
    try:
        wanted = json.loads(given["eventFilter"])
    except ValueError as error:
        raise GraphQLRequestError(f"invalid event filter: {error}", 400) from error
    if kind not in METRIC_FILTERS:
        return
    if collection is not None:
        raise GraphQLRequestError("an event about metrics needs a project as scope", 400)
    name, keys = METRIC_FILTERS[kind]
    spec = (wanted.get("run_metric_filter") or {}).get(name) or {}
    if set(spec) != keys or "$and" not in json.loads(wanted.get("run_filter") or "{}"):
        raise GraphQLRequestError(f"invalid event filter for {kind}: {sorted(spec)}", 400)
