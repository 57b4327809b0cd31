"""Workflows and their runs as GitHub lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..clients.github import quote_segment, repository_path
from ..errors import ServiceError
from ..timeutil import parse_iso
from .settings import Access

PERMISSION = "actions: read"
STARTED_BY_ITSELF = ("schedule", "repository_dispatch")
"""Events whose runs act: one that a person starts can be a dry run."""


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    id: int
    url: str
    conclusion: str
    """``success``, ``failure``, ``cancelled``, ...; empty while it is under way."""
    ended: float
    """When it last changed (seconds, UTC)."""


def newest_runs(
    access: Access, workflow: str, *, status: str, events: Sequence[str] = (), count: int = 1
) -> list[WorkflowRun]:
    """The newest runs of ``workflow`` with this status or conclusion, newest first; of each of the ``events`` at most
    ``count``. Raises ServiceError."""
    path = f"{workflow_path(access, workflow)}/runs?status={status}&per_page={count}"
    action = f"list the runs of {workflow} in {access.settings.repository}"
    rows = list[Any]()
    for event in events or ("",):
        query = f"&event={event}" if event else ""
        answer = access.github.get(f"{path}{query}", action, permission=PERMISSION)
        rows += answer.get("workflow_runs") or []
    return sorted((_parse_run(row) for row in rows), key=lambda run: -run.ended)


def read_workflow(access: Access, workflow: str) -> dict[str, Any]:
    """The workflow as GitHub has it. Raises ServiceError."""
    action = f"read {workflow} of {access.settings.repository}"
    return access.github.get(workflow_path(access, workflow), action, permission=PERMISSION)


def workflow_path(access: Access, workflow: str) -> str:
    return f"{repository_path(access.settings.repository)}/actions/workflows/{quote_segment(workflow)}"


def _parse_run(row: Any) -> WorkflowRun:
    try:
        ended = parse_iso(str(row["updated_at"]))
        return WorkflowRun(int(row["id"]), str(row["html_url"]), str(row.get("conclusion") or ""), ended)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError("GitHub's answer is not a workflow run", hint="A proxy may be in the way.") from error
