"""Artifact collections and versions as nodes of the graph; the client checks each field and type name of these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..graphql import GraphQLRequestError, Node, connection
from .automation_mutations import list_project_automations
from .filters import matches_filter, sort_runs
from .records import ArtifactCollection, ArtifactRecord, ProjectRecord, RunRecord, format_time, node_id
from .state import WandbState
from .views import list_views


def split_name(name: str) -> tuple[str, str]:
    """``churn:v3`` as collection and alias; ``latest`` where none is named."""
    collection, _, alias = name.partition(":")
    return collection, alias or "latest"


def find_version(collection: ArtifactCollection, alias: str) -> ArtifactRecord | None:
    """The version that an alias, ``vN`` or a digest names."""
    for version in collection.versions:
        if alias in (f"v{version.version}", version.digest) or alias in version.aliases:
            return version
    return None


def collection_node(state: WandbState, collection: ArtifactCollection, base_url: str) -> Node:
    def membership(arguments: Mapping[str, Any]) -> Node | None:
        return membership_node(state, collection, arguments["aliasName"], base_url)

    def versions(arguments: Mapping[str, Any]) -> Node:
        newest_first = collection.versions[::-1]
        found = connection(newest_first, arguments, lambda one: one.id, lambda one: artifact_node(state, one, base_url))
        index = {one.id: one.version for one in newest_first}
        for edge in found.fields["edges"]:
            edge.fields["version"] = f"v{index[edge.fields['cursor']]}"
        return found

    def aliases(arguments: Mapping[str, Any]) -> Node:
        names = [alias for version in collection.versions for alias in version.aliases]
        return connection(names, arguments, str, lambda alias: _alias_node(collection, alias))

    def latest(_: Mapping[str, Any]) -> Node | None:
        return artifact_node(state, collection.versions[-1], base_url) if collection.versions else None

    return Node(
        collection.typename,
        {
            **_collection_reference(state, collection).fields,
            "description": collection.description,
            "createdAt": format_time(collection.created_at),
            "updatedAt": format_time(collection.created_at),
            "defaultArtifactType": Node("ArtifactType", {"name": collection.type}),
            "tags": Node("TagConnection", {"edges": []}),
            "digestAlgorithm": "MANIFEST_MD5",
            "artifactMembership": membership,
            "artifacts": versions,
            "aliases": aliases,
            "latestArtifact": latest,
            "state": "READY",
        },
        ("ArtifactCollection",),
    )


def _collection_reference(state: WandbState, collection: ArtifactCollection) -> Node:
    """A collection as it stands inside other nodes."""
    project = state.add_project(collection.entity, collection.project)
    home = {
        "id": project.id,
        "internalId": str(project.number),
        "name": project.name,
        "entity": Node("Entity", {"name": project.entity}),
    }
    fields = {"id": collection.id, "name": collection.name, "project": Node("Project", home)}
    return Node(collection.typename, fields, ("ArtifactCollection",))


def _alias_node(collection: ArtifactCollection, alias: str, inside: Node | None = None) -> Node:
    fields = {"id": node_id("Alias", collection.number, alias), "alias": alias, "artifactCollection": inside}
    return Node("ArtifactAlias", fields)


def membership_node(state: WandbState, collection: ArtifactCollection, alias: str, base_url: str) -> Node | None:
    """A version's place in its collection; ``None`` where the alias names none."""
    version = find_version(collection, alias)
    if version is None:
        return None
    stored = version.linked_artifact or version
    prefix = f"{base_url}/storage/artifacts/{stored.number}"

    def files(arguments: Mapping[str, Any]) -> Node:
        names = [name for name in sorted(stored.files) if name in (arguments.get("names") or stored.files)]
        return connection(names, arguments, str, lambda name: _file_node(stored, name, prefix))

    return Node(
        "ArtifactCollectionMembership",
        {
            "id": node_id("Membership", collection.number, version.number),
            "versionIndex": version.version,
            "createdAt": format_time(version.created_at),
            "aliases": [_alias_node(collection, each) for each in version.aliases],
            "artifactCollection": _collection_reference(state, collection),
            "artifact": artifact_node(state, version, base_url),
            "files": files,
        },
    )


def _file_node(version: ArtifactRecord, name: str, prefix: str) -> Node:
    fields = {
        "id": node_id("File", version.number, name),
        "name": name,
        "displayName": name,
        "url": f"{prefix}/{name}",
        "directUrl": f"{prefix}/{name}",
        "sizeBytes": len(version.files[name]),
        "storagePath": name,
        "mimetype": "application/octet-stream",
        "updatedAt": format_time(version.created_at),
        "digest": None,
        "md5": None,
    }
    return Node("File", fields)


def artifact_node(state: WandbState, artifact: ArtifactRecord, base_url: str) -> Node:
    artifact = artifact.linked_artifact or artifact
    home = artifact.collection

    def by_entries(arguments: Mapping[str, Any]) -> Node:
        prefix = f"{base_url}/storage/artifacts/{artifact.number}"
        names = [entry["name"] for entry in arguments.get("entries") or () if entry["name"] in artifact.files]
        return connection(names, arguments, str, lambda name: _file_node(artifact, name, prefix))

    def memberships(arguments: Mapping[str, Any]) -> Node:
        own = [membership_node(state, home, f"v{artifact.version}", base_url)]
        return connection(own, arguments, lambda _: artifact.id, lambda node: node or Node("Nothing", {}))

    manifest = {"directUrl": f"{base_url}/storage/manifests/{artifact.number}"}
    sequence = Node(
        "ArtifactSequence",
        {
            **_collection_reference(state, home).fields,
            "latestArtifact": _artifact_reference(home.versions[-1]) if home.versions else None,
        },
        ("ArtifactCollection",),
    )
    return Node(
        "Artifact",
        {
            "id": artifact.id,
            "artifactSequence": sequence,
            "versionIndex": artifact.version,
            "artifactType": Node("ArtifactType", {"name": home.type}),
            "description": artifact.description,
            "metadata": json.dumps(artifact.metadata),
            "ttlDurationSeconds": artifact.ttl,
            "ttlIsInherited": True,
            "tags": [Node("Tag", {"id": node_id("Tag", tag), "name": tag}) for tag in artifact.tags],
            "historyStep": artifact.history_step,
            "state": artifact.state,
            "size": artifact.size,
            "digest": artifact.digest,
            "digestAlgorithm": "MANIFEST_MD5",
            "commitHash": artifact.digest,
            "fileCount": len(artifact.files),
            "createdAt": format_time(artifact.created_at),
            "updatedAt": format_time(artifact.updated_at or artifact.created_at),
            "aliases": [
                _alias_node(place.collection, alias, _collection_reference(state, place.collection))
                for place in state.list_memberships(artifact)
                for alias in place.aliases
            ],
            "currentManifest": Node("ArtifactManifest", {"file": Node("File", manifest)}),
            "filesByManifestEntries": by_entries,
            "artifactMemberships": memberships,
            "createdBy": lambda _: _creator(state, artifact, base_url),
            "usedBy": lambda arguments: _consumer_runs(state, artifact, arguments),
        },
    )


def _artifact_reference(artifact: ArtifactRecord) -> Node:
    return Node("Artifact", {"id": artifact.id})


def _run_reference(state: WandbState, entity: str, project: str, name: str, identity: str) -> Node:
    home = state.add_project(entity, project)
    inside = {
        "id": home.id,
        "internalId": str(home.number),
        "name": home.name,
        "entity": Node("Entity", {"name": home.entity}),
    }
    return Node("Run", {"id": identity, "name": name, "project": Node("Project", inside)})


def _creator(state: WandbState, artifact: ArtifactRecord, base_url: str) -> Node | None:
    return run_node(state, artifact.run, base_url) if artifact.run else None


def _consumer_runs(state: WandbState, artifact: ArtifactRecord, arguments: Mapping[str, Any]) -> Node:
    runs = [
        run
        for project in state.projects.values()
        for run in project.runs.values()
        if artifact.id in run.input_artifact_ids
    ]
    return connection(
        runs,
        arguments,
        lambda run: run.id,
        lambda run: _run_reference(state, run.entity, run.project, run.name, run.id),
    )


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
            "user": None,
            "runCount": lambda arguments: len(chosen(arguments)),
            "runs": runs,
            "run": run,
            "bucket": run,
            "artifactCollectionMembership": membership,
            "artifact": artifact,
            "artifactCollection": collection,
            "artifactType": artifact_type,
            "allViews": lambda arguments: list_views(state, project, arguments),
            "triggers": lambda _: list_project_automations(state, project),
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
            "config": lambda _: run.config_text or json.dumps(run.config),
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
