"""Changes to artifacts: a version is created, its manifest and files are uploaded, it is committed, aliases move."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..graphql import GraphQLRequestError, Node
from .nodes import artifact_node, membership_node
from .records import ArtifactRecord, node_id
from .state import WandbState

Arguments = Mapping[str, Any]


def artifact_mutations(state: WandbState, base_url: str) -> dict[str, Any]:
    """The fields of the mutation root that are about artifacts; ``base_url``: where files are uploaded to."""
    change = _ArtifactMutations(state, base_url)
    return {
        "createArtifact": change.create,
        "createArtifactManifest": change.create_manifest,
        "updateArtifactManifest": change.update_manifest,
        "createArtifactFiles": change.create_files,
        "commitArtifact": change.commit,
        "useArtifact": change.use,
        "addAliases": change.add_aliases,
        "deleteAliases": change.delete_aliases,
        "linkArtifact": change.link,
        "updateArtifact": change.update,
        "deleteArtifact": change.delete,
    }


@dataclass(frozen=True, slots=True)
class _ArtifactMutations:
    """A method for each mutation; it is called with the field's arguments."""

    state: WandbState
    base_url: str

    def _payload(self, artifact: ArtifactRecord, typename: str) -> Node:
        return Node(typename, {"artifact": artifact_node(self.state, artifact, self.base_url)})

    def create(self, arguments: Arguments) -> Node:
        return self._payload(_create_artifact(self.state, arguments["input"]), "CreateArtifactPayload")

    def create_manifest(self, arguments: Arguments) -> Node:
        artifact = _find_artifact(self.state, arguments["input"]["artifactID"])
        return Node("CreateArtifactManifestPayload", {"artifactManifest": _manifest_node(artifact, self.base_url)})

    def update_manifest(self, arguments: Arguments) -> Node:
        number = arguments["input"]["artifactManifestID"]
        artifact = next((one for one in self.state.artifacts.values() if _manifest_id(one) == number), None)
        if artifact is None:
            raise GraphQLRequestError("artifact manifest not found", 404)
        return Node("UpdateArtifactManifestPayload", {"artifactManifest": _manifest_node(artifact, self.base_url)})

    def create_files(self, arguments: Arguments) -> Node:
        return _create_files(self.state, arguments["input"], self.base_url)

    def commit(self, arguments: Arguments) -> Node:
        artifact = _find_artifact(self.state, arguments["input"]["artifactID"])
        self.state.commit_artifact(artifact)
        return self._payload(artifact, "CommitArtifactPayload")

    def use(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        artifact = _find_artifact(self.state, given["artifactID"])
        run = self.state.run(given["entityName"], given["projectName"], given["runName"])
        if run is None:
            raise GraphQLRequestError(f"run {given['runName']!r} not found", 404)
        run.input_artifact_ids.append(artifact.id)
        return self._payload(artifact, "UseArtifactPayload")

    def add_aliases(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        for alias in given["aliases"]:
            self.state.move_aliases(_find_membership(self.state, given["artifactID"], alias), [alias["alias"]])
        return Node("AddAliasesPayload", {"success": True})

    def delete_aliases(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        for alias in given["aliases"]:
            place = _find_membership(self.state, given["artifactID"], alias)
            place.aliases = [one for one in place.aliases if one != alias["alias"]]
        return Node("DeleteAliasesPayload", {"success": True})

    def link(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        artifact = _find_artifact(self.state, given["artifactID"])
        target = (given["entityName"], given["projectName"], given["artifactPortfolioName"])
        found = self.state.link_artifact(artifact, *target, [alias["alias"] for alias in given.get("aliases") or ()])
        member = membership_node(self.state, found.collection, f"v{found.version}", self.base_url)
        return Node("LinkArtifactPayload", {"versionIndex": found.version, "artifactMembership": member})

    def update(self, arguments: Arguments) -> Node:
        artifact = _find_artifact(self.state, arguments["input"]["artifactID"])
        _update_artifact(self.state, artifact, arguments["input"])
        return self._payload(artifact, "UpdateArtifactPayload")

    def delete(self, arguments: Arguments) -> Node:
        given = arguments["input"]
        artifact = _find_artifact(self.state, given["artifactID"])
        if artifact.aliases and not given.get("deleteAliases"):
            raise GraphQLRequestError("artifact has aliases; delete_aliases is needed", 400)
        shown = self._payload(artifact, "DeleteArtifactPayload")
        artifact.collection.versions.remove(artifact)
        del self.state.artifacts[artifact.id]
        return shown


def _find_artifact(state: WandbState, identity: str) -> ArtifactRecord:
    found = state.artifacts.get(identity)
    if found is None:
        raise GraphQLRequestError("artifact not found", 404)
    return found


def _find_membership(state: WandbState, identity: str, alias: Mapping[str, Any]) -> ArtifactRecord:
    """The version in the collection whose alias is meant."""
    artifact = _find_artifact(state, identity)
    found = state.find_membership(artifact, alias["entityName"], alias["projectName"], alias["artifactCollectionName"])
    if found is None:
        raise GraphQLRequestError(f"{alias['artifactCollectionName']!r} holds no such artifact", 404)
    return found


def _create_artifact(state: WandbState, given: Mapping[str, Any]) -> ArtifactRecord:
    """A pending version; or the committed one with the same content, which then only gets the aliases."""
    entity, project = given["entityName"], given["projectName"]
    names = given.get("artifactCollectionNames") or [given.get("artifactCollectionName")]
    home = state.ensure_collection(entity, project, names[0], given["artifactTypeName"])
    if home.type != given["artifactTypeName"]:
        raise GraphQLRequestError(f"artifact type mismatch: {names[0]!r} is of type {home.type!r}", 400)
    aliases = [alias["alias"] for alias in given.get("aliases") or ()]
    for version in home.versions:
        if version.digest == given["digest"]:
            state.move_aliases(version, aliases)
            return version
    artifact = ArtifactRecord(state.next_number(), home, given["digest"], state.clock())
    artifact.client_id = given.get("clientID") or ""
    artifact.description = given.get("description")
    artifact.metadata = json.loads(given.get("metadata") or "{}")
    artifact.tags = [tag["tagName"] for tag in given.get("tags") or ()]
    artifact.pending_aliases = aliases
    artifact.run = state.run(entity, project, given.get("runName") or "")
    artifact.history_step = given.get("historyStep")
    state.artifacts[artifact.id] = artifact
    return artifact


def _manifest_id(artifact: ArtifactRecord) -> str:
    return node_id("ArtifactManifest", artifact.number)


def _manifest_node(artifact: ArtifactRecord, base_url: str) -> Node:
    file = {
        "id": node_id("File", "manifest", artifact.number),
        "uploadUrl": f"{base_url}/storage/manifests/{artifact.number}",
        "uploadHeaders": [],
    }
    return Node("ArtifactManifest", {"id": _manifest_id(artifact), "file": Node("File", file)})


def _create_files(state: WandbState, given: Mapping[str, Any], base_url: str) -> Node:
    edges = []
    for spec in given["artifactFiles"]:
        artifact = _find_artifact(state, spec["artifactID"])
        file = {
            "id": node_id("File", artifact.number, spec["name"]),
            "name": spec["name"],
            "storagePath": f"artifacts/{artifact.number}/{spec['name']}",
            "uploadUrl": f"{base_url}/storage/artifacts/{artifact.number}/{spec['name']}",
            "uploadHeaders": [],
            "uploadMultipartUrls": None,
            "artifact": Node("Artifact", {"id": artifact.id}),
        }
        edges.append(Node("Edge", {"node": Node("File", file)}))
    return Node("CreateArtifactFilesPayload", {"files": Node("FileConnection", {"edges": edges})})


def _update_artifact(state: WandbState, artifact: ArtifactRecord, given: Mapping[str, Any]) -> None:
    """The whole fetched metadata is written back: a stale client erases another's, as at the service."""
    if given.get("description") is not None:
        artifact.description = given["description"]
    if given.get("metadata") is not None:
        artifact.metadata = json.loads(given["metadata"])
    if given.get("ttlDurationSeconds") is not None:
        artifact.ttl = given["ttlDurationSeconds"]
    gone = {tag["tagName"] for tag in given.get("tagsToDelete") or ()}
    artifact.tags = [tag for tag in artifact.tags if tag not in gone]
    artifact.tags += [tag["tagName"] for tag in given.get("tagsToAdd") or () if tag["tagName"] not in artifact.tags]
    if given.get("aliases") is not None:
        wanted = [alias["alias"] for alias in given["aliases"]]
        artifact.aliases = [alias for alias in artifact.aliases if alias in wanted]
        state.move_aliases(artifact, [alias for alias in wanted if alias not in artifact.aliases])
    artifact.updated_at = state.clock()
