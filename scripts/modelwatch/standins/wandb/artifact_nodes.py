"""Artifact collections and versions as nodes of the graph; the client checks each field and type name of these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..graphql import Node, connection
from .records import ArtifactCollection, ArtifactRecord, format_time, node_id
from .state import WandbState


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
    from .nodes import run_node  # nodes need this module

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
