"""Saved views and reports of a W&B project: listed and deleted through the client, written by ``wandb-workspaces``.

The service keeps both in one table, separated by their type. ``wandb-workspaces`` reads one by its address only, and
loses of it what it has no name for; here the specification comes as the service has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, UserError
from .retry import RetryPolicy
from .wandb import PROJECT_NOT_FOUND, WandbKeyError, WandbProjectError, call_timeout, translate_wandb_error

if TYPE_CHECKING:
    import wandb

VIEW_TYPE, REPORT_TYPE = "project-view", "runs"
PAGE_SIZE = 50
MAX_PAGES = 100
_LIST = """query SavedViews($entity: String!, $project: String!, $type: String!, $name: String, $first: Int,
  $after: String) {
  project(name: $project, entityName: $entity) {
    allViews(viewType: $type, viewName: $name, first: $first, after: $after) {
      edges { node { id name displayName description spec } cursor }
      pageInfo { endCursor hasNextPage }
    }
  }
}"""
_READ = """query SavedView($id: ID!) {
  view(id: $id) { id name displayName description spec }
}"""
_DELETE = """mutation DeleteSavedView($id: ID!, $drafts: Boolean) {
  deleteView(input: {id: $id, deleteDrafts: $drafts}) { success }
}"""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view or a report as the service has it; ``spec`` is JSON."""

    id: str
    name: str
    title: str
    description: str
    spec: str


class ViewsClient:
    """The views and reports of one project; every call ends in time and raises SourceError."""

    def __init__(self, api: wandb.Api, entity: str, project: str, retry: RetryPolicy) -> None:
        self._api, self._entity, self._project = api, entity, project
        self._timeout = call_timeout(retry)
        self._where = f"{entity}/{project}"

    def views(self, name: str) -> list[SavedView]:
        """The saved views of this internal name: as a rule one or none."""
        return [view for view in self._list(VIEW_TYPE, name) if view.name == name]

    def reports(self) -> list[SavedView]:
        """Every report of the project, without drafts."""
        return self._list(REPORT_TYPE, None)

    def read(self, id: str) -> SavedView | None:
        """One view or report; ``None`` where it is not there any more."""
        node = self._execute(_READ, {"id": id}).get("view")
        return _saved_view(node) if node else None

    def delete(self, id: str) -> None:
        self._execute(_DELETE, {"id": id, "drafts": True})

    def _list(self, kind: str, name: str | None) -> list[SavedView]:
        found: list[SavedView] = []
        after: str | None = None
        for _ in range(MAX_PAGES):
            variables = {"entity": self._entity, "project": self._project, "type": kind, "name": name}
            answer = self._execute(_LIST, {**variables, "first": PAGE_SIZE, "after": after})
            project = answer.get("project")
            if project is None:
                text = f"W&B has no such project, or the API key may not see it: {PROJECT_NOT_FOUND}"
                hint = "Check `wandb: {entity, project}` and the key's access."
                raise WandbProjectError(text, hint=hint, where=self._where)
            page = project.get("allViews") or {}
            found += [_saved_view(edge.get("node") or {}) for edge in page.get("edges") or ()]
            info = page.get("pageInfo") or {}
            after = info.get("endCursor")
            if not info.get("hasNextPage") or not after:
                break
        return found

    def _execute(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer: Any = self._api._service_api.execute_graphql(query, dict(variables), timeout=self._timeout)
        except Exception as error:
            raise translate_wandb_error(error, self._where) from error
        if not isinstance(answer, dict):
            hint = "A proxy may be in the way."
            raise SourceError("W&B's answer is not what its client expects.", hint=hint, where=self._where)
        return answer


def _saved_view(node: Mapping[str, Any]) -> SavedView:
    parts = (node.get(name) or "" for name in ("id", "name", "displayName", "description", "spec"))
    return SavedView(*(str(part) for part in parts))


@contextmanager
def default_session(base_url: str, key: str, where: str) -> Iterator[None]:
    """While the block runs, which writes, a client that is opened without arguments, as ``wandb-workspaces`` opens its
    own, talks to this server with this key; what it raises becomes a SourceError."""
    wanted = {"WANDB_BASE_URL": base_url, "WANDB_API_KEY": key}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        failure = translate_wandb_error(error, where)
        if isinstance(failure, WandbKeyError):
            hint = "Views and reports take a key that may write to the project; that of a read-only account may not."
            failure = WandbKeyError(failure.message, hint=hint, where=where)
        raise failure from error
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
