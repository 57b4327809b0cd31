"""Saved views and reports: one table of the service, separated by their type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..graphql import GraphQLRequestError, Node, connection
from .records import ProjectRecord, ViewRecord, format_time, node_id
from .state import WandbState

Arguments = Mapping[str, Any]
VIEW_TYPES = frozenset({"project-view", "runs", "runs/draft"})
"""A saved view of a workspace, a report, and the draft of one."""


def view_mutations(state: WandbState) -> dict[str, Any]:
    """What can be changed of views and reports."""
    change = _ViewMutations(state)
    return {"upsertView": change.upsert, "deleteView": change.delete}


def list_views(state: WandbState, project: ProjectRecord, arguments: Arguments) -> Node:
    """``allViews`` of a project: the newest first, of one type, and of one name where it is given."""
    name = arguments.get("viewName")
    found = [
        view
        for view in reversed(project.views.values())
        if view.type == arguments.get("viewType", "runs") and (not name or view.name == name)
    ]
    return connection(found, arguments, lambda view: view.id, lambda view: view_node(state, view))


def find_view(state: WandbState, identity: str) -> ViewRecord | None:
    return next((home.views[identity] for home in state.projects.values() if identity in home.views), None)


def view_node(state: WandbState, view: ViewRecord) -> Node:
    project = state.project(view.entity, view.project)
    user = {"username": state.username, "photoUrl": None, "email": f"{state.username}@example.com"}
    home = {"id": project.id if project else "", "name": view.project, "entityName": view.entity}
    return Node(
        "View",
        {
            "id": view.id,
            "type": view.type,
            "name": view.name,
            "displayName": view.display_name,
            "description": view.description,
            "spec": view.spec,
            "user": Node("User", user),
            "project": Node("Project", home),
            "createdAt": format_time(view.created_at),
            "updatedAt": format_time(view.updated_at),
        },
    )


@dataclass(frozen=True, slots=True)
class _ViewMutations:
    """A method for each mutation; it is called with the field's arguments."""

    state: WandbState

    def upsert(self, arguments: Arguments) -> Node:
        """With an id the view is replaced, and must be there; without one it is made."""
        given = arguments["input"]
        _check_view(given)
        if given.get("id"):
            view = find_view(self.state, given["id"])
            if view is None:
                raise GraphQLRequestError("view not found", 404)
        else:
            view = self._make(given)
        view.name = given.get("name") or view.name
        view.display_name = given.get("displayName") or view.display_name
        view.description = given.get("description") or ""
        view.spec = given.get("spec") or view.spec
        if self.state.rewrites_views:
            view.spec = json.dumps({**json.loads(view.spec), "storedAs": 2}, sort_keys=True)
        view.updated_at = self.state.clock()
        return Node("UpsertViewPayload", {"view": view_node(self.state, view), "inserted": not given.get("id")})

    def _make(self, given: Mapping[str, Any]) -> ViewRecord:
        home = self.state.project(given.get("entityName") or self.state.entity, given.get("projectName") or "")
        if home is None:
            raise GraphQLRequestError("project not found", 404)
        number, now = self.state.next_number(), self.state.clock()
        view = ViewRecord(home.entity, home.name, given["type"], node_id("View", number), created_at=now)
        home.views[view.id] = view
        return view

    def delete(self, arguments: Arguments) -> Node:
        view = find_view(self.state, arguments["input"]["id"])
        if view is None:
            raise GraphQLRequestError("view not found", 404)
        del self.state.projects[view.entity, view.project].views[view.id]
        return Node("DeleteViewPayload", {"success": True, "pendingDrafts": []})


def _check_view(given: Mapping[str, Any]) -> None:
    if given.get("type") not in VIEW_TYPES:
        raise GraphQLRequestError(f"invalid view type: {given.get('type')!r}", 400)
    try:
        spec = json.loads(given.get("spec") or "")
    except ValueError as error:
        raise GraphQLRequestError(f"invalid view spec: {error}", 400) from error
    if not isinstance(spec, dict):
        raise GraphQLRequestError("invalid view spec: an object is needed", 400)
