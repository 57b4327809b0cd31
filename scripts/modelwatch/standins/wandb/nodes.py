"""Projects and W&B runs as nodes of the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..graphql import GraphQLRequestError, Node, connection
from .artifact_nodes import artifact_node, collection_node, find_version, membership_node, split_name
from .filters import matches_filter, sort_runs
from .records import ArtifactRecord, ProjectRecord, RunRecord, format_time, node_id
from .state import WandbState

Arguments = Mapping[str, Any]


def json_argument(arguments: Arguments, name: str) -> Any:
    """A JSONString argument; ``{}`` where there is none."""
    text = arguments.get(name)
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError as error:
        raise GraphQLRequestError(f"invalid JSON in {name!r}: {error}", 400) from error


def project_node(state: WandbState, project: ProjectRecord, base_url: str) -> Node:
    def node_of(run: RunRecord) -> Node:
        return run_node(state, run, base_url)

    def chosen(arguments: Arguments) -> list[RunRecord]:
        wanted = json_argument(arguments, "filters")
        return [run for run in project.runs.values() if matches_filter(run, wanted)]

    def runs(arguments: Arguments) -> Node:
        found = sort_runs(chosen(arguments), arguments.get("order") or "+created_at")
        return connection(found, arguments, lambda run: node_id("cursor", run.name), node_of)

    def run(arguments: Arguments) -> Node | None:
        found = project.runs.get(arguments.get("name", ""))
        return node_of(found) if found else None

    def membership(arguments: Arguments) -> Node | None:
        name, alias = split_name(arguments["name"])
        collection = project.collections.get(name)
        return membership_node(state, collection, alias, base_url) if collection else None

    def artifact(arguments: Arguments) -> Node | None:
        name, alias = split_name(arguments["name"])
        home = project.collections.get(name)
        found = find_version(home, alias) if home else None
        return artifact_node(state, found, base_url) if found else None

    def collection(arguments: Arguments) -> Node | None:
        found = project.collections.get(arguments["name"])
        return collection_node(state, found, base_url) if found else None

    def artifact_type(arguments: Arguments) -> Node | None:
        kinds = {each.type for each in project.collections.values()}
        return _artifact_type_node(state, project, arguments["name"], base_url) if arguments["name"] in kinds else None

    return Node(
        "Project",
        {
            "id": project.id,
            "internalId": str(project.number),
            "name": project.name,
            "entityName": project.entity,
            "entity": Node("Entity", {"id": node_id("Entity", project.entity), "name": project.entity}),
            "createdAt": format_time(project.created_at),
            "readOnly": False,
            "isBenchmark": False,
            "runCount": lambda arguments: len(chosen(arguments)),
            "runs": runs,
            "run": run,
            "bucket": run,
            "artifactCollectionMembership": membership,
            "artifact": artifact,
            "artifactCollection": collection,
            "artifactType": artifact_type,
        },
    )


def _artifact_type_node(state: WandbState, project: ProjectRecord, kind: str, base_url: str) -> Node:
    def one(arguments: Arguments) -> Node | None:
        found = project.collections.get(arguments["name"])
        return collection_node(state, found, base_url) if found and found.type == kind else None

    def every(arguments: Arguments) -> Node:
        found = [each for each in project.collections.values() if each.type == kind]
        return connection(found, arguments, lambda each: each.id, lambda each: collection_node(state, each, base_url))

    return Node(
        "ArtifactType",
        {
            "id": node_id("ArtifactType", project.number, kind),
            "name": kind,
            "description": None,
            "createdAt": format_time(project.created_at),
            "artifactCollection": one,
            "artifactCollections": every,
        },
    )


def run_node(state: WandbState, run: RunRecord, base_url: str) -> Node:
    def project(_: Arguments) -> Node:
        return project_node(state, state.add_project(run.entity, run.project), base_url)

    def artifacts(found: list[ArtifactRecord], arguments: Arguments) -> Node:
        return connection(found, arguments, lambda each: each.id, lambda each: artifact_node(state, each, base_url))

    def outputs(arguments: Arguments) -> Node:
        made = [each for each in state.artifacts.values() if each.run is run and each.version is not None]
        return artifacts(made, arguments)

    def inputs(arguments: Arguments) -> Node:
        used = [state.artifacts[each] for each in run.input_artifact_ids if each in state.artifacts]
        return artifacts(used, arguments)

    home = state.projects[run.entity, run.project]
    return Node(
        "Run",
        {
            "id": run.id,
            "name": run.name,
            "projectId": str(home.number),
            "project": project,
            "displayName": run.display_name,
            "sweepName": None,
            "state": run.state,
            "tags": run.tags,
            "group": run.group,
            "jobType": run.job_type,
            "commit": run.commit,
            "host": run.host,
            "readOnly": False,
            "createdAt": format_time(run.created_at),
            "heartbeatAt": format_time(run.heartbeat_at),
            "description": run.description,
            "notes": run.notes,
            "config": lambda _: json.dumps(run.config),
            "wandbConfig": lambda _: json.dumps(run.config.get("_wandb", {}).get("value", {})),
            "summaryMetrics": lambda _: json.dumps(run.summary),
            "systemMetrics": lambda _: json.dumps(run.events.rows[-1] if run.events.rows else {}),
            "historyKeys": lambda _: run.history.keys(),
            "historyLineCount": len(run.history.rows),
            "eventsLineCount": len(run.events.rows),
            "logLineCount": len(run.output),
            "historyTail": lambda _: json.dumps([json.dumps(row) for row in run.history.rows[-1:]]),
            "eventsTail": lambda _: json.dumps([json.dumps(row) for row in run.events.rows[-1:]]),
            "user": Node("User", {"name": run.user, "username": run.user, "id": node_id("User", run.user)}),
            "history": lambda arguments: _history_page(run, arguments),
            "events": lambda arguments: run.events.page(samples=arguments.get("samples")),
            "sampledHistory": lambda arguments: [run.history.sample(json.loads(spec)) for spec in arguments["specs"]],
            "parquetHistory": lambda arguments: _parquet_history(run, arguments, base_url),
            "outputArtifacts": outputs,
            "inputArtifacts": inputs,
            "fileCount": len(run.files),
            "files": lambda arguments: _run_files(run, arguments, base_url),
        },
    )


def _history_page(run: RunRecord, arguments: Arguments) -> list[str]:
    return run.history.page(
        int(arguments.get("minStep") or 0), arguments.get("maxStep"), samples=arguments.get("samples")
    )


def _parquet_history(run: RunRecord, arguments: Arguments, base_url: str) -> Node:
    """Where the exported rows are, and the rest as rows that hold the asked keys."""
    url = f"{base_url}/storage/exports/{run.entity}/{run.project}/{run.name}.parquet"
    spec = {"keys": arguments.get("liveKeys") or ["_step"], "minStep": run.history.step_at(run.exported_rows)}
    live = run.history.sample(spec) if run.exported_rows else []
    return Node("ParquetHistory", {"parquetUrls": [url] if run.exported_rows else [], "liveData": live})


def _run_files(run: RunRecord, arguments: Arguments, base_url: str) -> Node:
    names = [name for name in sorted(run.files) if name in (arguments.get("names") or run.files)]
    prefix = f"{base_url}/storage/runs/{run.entity}/{run.project}/{run.name}"

    def node(name: str) -> Node:
        fields = {
            "id": node_id("File", run.number, name),
            "name": name,
            "url": f"{prefix}/{name}",
            "directUrl": f"{prefix}/{name}",
            "sizeBytes": len(run.files[name]),
            "mimetype": "application/octet-stream",
            "updatedAt": format_time(run.heartbeat_at),
            "md5": None,
        }
        return Node("File", fields)

    return connection(names, arguments, lambda name: name, node)
