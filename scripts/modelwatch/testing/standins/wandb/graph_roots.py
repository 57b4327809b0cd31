"""The roots of the graph: what can be queried, and what can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graphql import Node, connection
from .artifact_mutations import artifact_mutations
from .nodes import artifact_node, project_node, run_node
from .records import node_id
from .run_mutations import run_mutations
from .state import WandbState

Arguments = Mapping[str, Any]

SERVER_FEATURES = ("ARTIFACT_COLLECTION_MEMBERSHIP_FILES", "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP", "ARTIFACT_TAGS")
"""What the server says it can do; the client asks before it uses these."""


def query_root(state: WandbState, base_url: str) -> Node:
    def project(arguments: Arguments) -> Node | None:
        found = state.project(arguments.get("entityName") or state.entity, arguments.get("name") or "uncategorized")
        return project_node(state, found, base_url) if found else None

    def artifact(arguments: Arguments) -> Node | None:
        found = state.artifacts.get(arguments["id"])
        return artifact_node(state, found, base_url) if found else None

    def client_id(arguments: Arguments) -> Node | None:
        found = next((one for one in state.artifacts.values() if one.client_id == arguments["clientID"]), None)
        return Node("ClientIDMapping", {"serverID": found.id}) if found else None

    def projects(arguments: Arguments) -> Node:
        entity = arguments.get("entityName") or state.entity
        found = [each for each in state.projects.values() if each.entity == entity]
        return connection(found, arguments, lambda each: each.id, lambda each: project_node(state, each, base_url))

    features = [Node("ServerFeature", {"name": name, "isEnabled": True}) for name in SERVER_FEATURES]
    return Node(
        "Query",
        {
            "viewer": _viewer_node(state),
            "serverInfo": Node("ServerInfo", {"features": features, "cliVersionInfo": None}),
            "project": project,
            "model": project,
            "models": projects,
            "entity": lambda arguments: _entity_node(state, arguments["name"]),
            "organization": lambda _: Node("Organization", {"featureFlags": []}),
            "artifact": artifact,
            "clientIDMapping": client_id,
        },
    )


def mutation_root(state: WandbState, base_url: str) -> Node:
    def node(entity: str, project: str, name: str) -> Node:
        run = state.run(entity, project, name)
        assert run is not None, "the mutation made it"  # noqa: S101
        return run_node(state, run, base_url)

    return Node("Mutation", {**run_mutations(state, base_url, node), **artifact_mutations(state, base_url)})


def _viewer_node(state: WandbState) -> Node:
    teams = [Node("Edge", {"node": Node("Entity", {"name": name})}) for name in state.entities]
    return Node(
        "User",
        {
            "id": node_id("User", state.username),
            "name": state.username,
            "username": state.username,
            "email": f"{state.username}@example.com",
            "entity": state.entity,
            "admin": False,
            "flags": "{}",
            "deletedAt": None,
            "apiKeys": Node("ApiKeyConnection", {"edges": []}),
            "teams": Node("EntityConnection", {"edges": teams}),
        },
    )


def _entity_node(state: WandbState, name: str) -> Node | None:
    if name not in state.entities:
        return None
    organization = {
        "name": name,
        "orgEntity": Node("Entity", {"name": name}),
        "coreWeaveOrganizationId": None,
    }
    return Node(
        "Entity",
        {
            "id": node_id("Entity", name),
            "name": name,
            "isTeam": True,
            "xxhashDigestsEnabled": False,
            "organization": Node("Organization", organization),
            "user": None,
        },
    )
