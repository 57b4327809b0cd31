"""Changes to W&B runs: made, resumed, renamed, tagged, finished, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..graphql import GraphQLRequestError, Node
from .history import to_stored_value
from .records import RunRecord
from .state import WandbState

Arguments = Mapping[str, Any]

_ATTRIBUTES = {
    "displayName": "display_name",
    "groupName": "group",
    "jobType": "job_type",
    "description": "description",
    "notes": "notes",
    "host": "host",
    "commit": "commit",
    "state": "state",
}


def run_mutations(state: WandbState, base_url: str, node: Callable[[str, str, str], Node]) -> dict[str, Any]:
    """What can be changed of W&B runs; ``node`` shows the one of that entity, project and name."""
    change = _RunMutations(state, base_url, node)
    return {
        "upsertBucket": change.upsert,
        "deleteRun": change.delete,
        "updateRunState": change.set_state,
        "createRunFiles": change.create_files,
        "markRunFilesUploaded": change.mark_files_uploaded,
        "notifyScriptableRunAlert": change.add_alert,
    }


@dataclass(frozen=True, slots=True)
class _RunMutations:
    """A method for each mutation; it is called with the field's arguments."""

    state: WandbState
    base_url: str
    node: Callable[[str, str, str], Node]

    def upsert(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        run = _find_run_by_id(self.state, given["id"]) if given.get("id") else None
        inserted = run is None
        if run is None:
            run = _ensure_run(self.state, given)
            inserted = not run.config and not run.history.rows and run.state == "new"
        _update_run(run, given)
        run.heartbeat_at = max(run.heartbeat_at, self.state.clock())
        fields = {"bucket": self.node(run.entity, run.project, run.name), "inserted": inserted}
        return Node("UpsertBucketPayload", fields)

    def delete(self, arguments: Arguments) -> Node:
        run = _find_run_by_id(self.state, arguments["input"]["id"])
        del self.state.projects[run.entity, run.project].runs[run.name]
        return Node("DeleteRunPayload", {"clientMutationId": None})

    def set_state(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        _find_run_by_name(self.state, given).state = given["state"]
        return Node("UpdateRunStatePayload", {"success": True})

    def create_files(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        run = _find_run_by_name(self.state, given)
        prefix = f"{self.base_url}/storage/runs/{run.entity}/{run.project}/{run.name}"
        files = [Node("File", {"name": name, "uploadUrl": f"{prefix}/{name}"}) for name in given["files"]]
        return Node("CreateRunFilesPayload", {"runID": run.id, "uploadHeaders": [], "files": files})

    def mark_files_uploaded(self, arguments: Arguments) -> Node:
        _find_run_by_name(self.state, arguments["input"])
        return Node("MarkRunFilesUploadedPayload", {"success": True})

    def add_alert(self, arguments: Arguments) -> Node:
        given = dict(arguments["input"])
        _find_run_by_name(self.state, given)
        self.state.alerts.append(given)
        return Node("NotifyScriptableRunAlertPayload", {"success": True})


def _find_run_by_id(state: WandbState, identity: str) -> RunRecord:
    for project in state.projects.values():
        for run in project.runs.values():
            if run.id == identity:
                return run
    raise GraphQLRequestError("run not found", 404)


def _find_run_by_name(state: WandbState, given: Mapping[str, Any]) -> RunRecord:
    run = state.run(given["entityName"], given["projectName"], given["runName"])
    if run is None:
        raise GraphQLRequestError(f"run {given['runName']!r} not found", 404)
    return run


def _ensure_run(state: WandbState, given: Mapping[str, Any]) -> RunRecord:
    entity = given.get("entityName") or state.entity
    if entity not in state.entities:
        raise GraphQLRequestError(f"entity {entity} not found during upsertBucket", 404)
    project = given.get("modelName") or "uncategorized"
    if any(character in project for character in "/\\#?%:"):
        raise GraphQLRequestError(f"invalid project name: {project!r}", 400)
    found = state.run(entity, project, given["name"])
    if found is None:
        found = state.start_run(entity, project, given["name"])
        found.state = "new"
    return found


def _update_run(run: RunRecord, given: Mapping[str, Any]) -> None:
    if run.state in ("new", "finished", "failed", "crashed") and not given.get("id"):
        run.state = "running"
    for name, attribute in _ATTRIBUTES.items():
        if given.get(name) is not None:
            setattr(run, attribute, given[name])
    if given.get("tags") is not None:
        run.tags = list(given["tags"])
    try:
        if given.get("config"):
            run.config = _wrap_config_values(json.loads(given["config"]))
        if given.get("summaryMetrics"):
            run.summary = to_stored_value(json.loads(given["summaryMetrics"]))
    except ValueError as error:
        raise GraphQLRequestError(f"invalid JSON: {error}", 400) from error


def _wrap_config_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Config as stored, whether the client sent ``{"lr": 0.1}`` or ``{"lr": {"value": 0.1}}``."""
    return {
        key: value if isinstance(value, dict) and "value" in value else {"value": value}
        for key, value in config.items()
    }
