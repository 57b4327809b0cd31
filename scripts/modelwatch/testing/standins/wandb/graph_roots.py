"""The roots of the graph: what can be queried, and what can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graphql import Node, connection
from .artifact_mutations import artifact_mutations
from .automation_mutations import automation_mutations, list_automations, list_integrations
from .nodes import artifact_node, project_node, run_node
from .records import node_id
from .run_mutations import run_mutations
from .state import WandbState
from .views import find_view, view_mutations, view_node

Arguments = Mapping[str, Any]


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
        return _list_projects(state, arguments.get("entityName") or state.entity, arguments, base_url)

    def view(arguments: Arguments) -> Node | None:
        found = find_view(state, arguments["id"])
        return view_node(state, found) if found else None

    features = [Node("ServerFeature", {"name": name, "isEnabled": True}) for name in sorted(state.features)]
    return Node(
        "Query",
        {
            "viewer": _viewer_node(state),
            "serverInfo": Node("ServerInfo", {"features": features, "cliVersionInfo": None}),
            "project": project,
            "model": project,
            "models": projects,
            "entity": lambda arguments: _entity_node(state, arguments["name"], base_url),
            "organization": lambda _: Node("Organization", {"featureFlags": []}),
            "artifact": artifact,
            "clientIDMapping": client_id,
            "view": view,
        },
    )


def mutation_root(state: WandbState, base_url: str) -> Node:
    def node(entity: str, project: str, name: str) -> Node:
        run = state.run(entity, project, name)
        assert run is not None, "the mutation made it"  # noqa: S101
        return run_node(state, run, base_url)

    mutations = {
        **run_mutations(state, base_url, node),
        **artifact_mutations(state, base_url),
        **view_mutations(state),
        **automation_mutations(state),
    }
    return Node("Mutation", mutations)


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


def _list_projects(state: WandbState, entity: str, arguments: Arguments, base_url: str) -> Node:
    found = [each for each in state.projects.values() if each.entity == entity]
    return connection(found, arguments, lambda each: each.id, lambda each: project_node(state, each, base_url))


def _entity_node(state: WandbState, name: str, base_url: str) -> Node | None:
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
            "triggers": lambda arguments: list_automations(state, name, arguments),
            "integrations": lambda arguments: list_integrations(state, name, arguments),
            "projects": lambda arguments: _list_projects(state, name, arguments, base_url),
        },
    )
