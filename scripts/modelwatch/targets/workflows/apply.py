"""Workflow runs observed by the key in their name, and workflows dispatched once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from ...clients.github import GitHubClient, quote_segment, repository_path
from ...clients.workflow_dispatch import AcceptedDispatch, dispatch_repository, dispatch_workflow
from ...errors import ServiceError
from ...model.plan import Dispatch, ObservedRun
from ...timeutil import DAY, format_iso, parse_iso

RUN_MAX_AGE = 35 * DAY
"""Older workflow runs are not looked at."""
MAX_PAGES = 10
READ = "actions: read"

_RUN_NAME = re.compile(r"modelwatch (?P<verb>\S+) (?P<model>.+) (?P<key>\S+)")


def observe_runs(github: GitHubClient, repository: str, workflow: str, now: float | None) -> tuple[ObservedRun, ...]:
    """Workflow runs of the last 35 days that we dispatched, newest first. Raises ServiceError.

    ``workflow`` is a file name; empty: those that a repository_dispatch started, of any workflow.
    """
    return tuple(_list_runs(github, repository, workflow, None if now is None else now - RUN_MAX_AGE))


def _list_runs(github: GitHubClient, repository: str, workflow: str, since: float | None) -> Iterator[ObservedRun]:
    place = f"/actions/workflows/{quote_segment(workflow)}/runs" if workflow else "/actions/runs"
    what = f"list the workflow runs of {workflow or 'repository dispatches'} in {repository}"
    asked: dict[str, str | int] = {"event": "workflow_dispatch" if workflow else "repository_dispatch"}
    if since is not None:
        asked["created"] = f">={format_iso(since)}"
    pages = github.paginate(repository_path(repository) + place, what, asked, permission=READ, item="workflow_runs")
    for number, page in enumerate(pages, start=1):
        for row in page:
            if run := parse_run(row):
                yield run
        if number >= MAX_PAGES:
            return


def parse_run(row: dict[str, Any]) -> ObservedRun | None:
    """The run of ``row``, or ``None`` where its name is not of our making."""
    names = (row.get("display_title"), row.get("name"))
    match = next(
        (found for name in names if isinstance(name, str) and (found := _RUN_NAME.fullmatch(name.strip()))), None
    )
    if match is None:
        return None
    completed = row.get("status") == "completed"
    try:
        return ObservedRun(
            id=int(row["id"]),
            url=str(row["html_url"]),
            key=match["key"],
            verb=match["verb"],
            model=match["model"],
            status=str(row.get("status") or ""),
            conclusion=str(row.get("conclusion") or ""),
            created_at=parse_iso(str(row["created_at"])),
            ended_at=parse_iso(str(row["updated_at"])) if completed and row.get("updated_at") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError("GitHub's answer is not a list of workflow runs") from error


def find_run(github: GitHubClient, dispatch: Dispatch, now: float) -> ObservedRun | None:
    """The workflow run that carries the key of ``dispatch``. Raises ServiceError where it cannot be known."""
    workflow = "" if dispatch.event_type else dispatch.workflow
    runs = _list_runs(github, dispatch.repository, workflow, now - RUN_MAX_AGE)
    return next((run for run in runs if run.key == dispatch.key), None)


def workflow_inputs(dispatch: Dispatch, issue_url: str) -> dict[str, str]:
    """The inputs that every dispatched workflow gets, and the fixed ones of its configuration."""
    return dict(dispatch.inputs) | {
        "key": dispatch.key,
        "model": dispatch.model,
        "version": dispatch.version,
        "target_version": dispatch.target_version,
        "reason": dispatch.reason,
        "issue": issue_url,
    }


def dispatch_once(
    github: GitHubClient, dispatch: Dispatch, issue_url: str, now: float
) -> tuple[AcceptedDispatch, bool]:
    """Dispatch, unless a workflow run with this key is there; the flag says that it was.

    Where the answer is lost, the workflow runs are looked at once: a dispatch is never repeated to find out.
    Raises UserError, ServiceError.
    """
    if run := find_run(github, dispatch, now):
        return AcceptedDispatch(run.id, run.url), True
    inputs = workflow_inputs(dispatch, issue_url)
    try:
        if dispatch.event_type:
            return dispatch_repository(github, dispatch.repository, dispatch.event_type, inputs), False
        return dispatch_workflow(github, dispatch.repository, dispatch.workflow, dispatch.ref, inputs), False
    except ServiceError as error:
        run = _find_after_lost_answer(github, dispatch, now) if error.uncertain else None
        if run is None:
            raise
        return AcceptedDispatch(run.id, run.url), False


def _find_after_lost_answer(github: GitHubClient, dispatch: Dispatch, now: float) -> ObservedRun | None:
    time.sleep(github.retry.backoff(1))
    try:
        return find_run(github, dispatch, now)
    except ServiceError:
        return None  # the first error says what went wrong; the intent stays open, and the next evaluation looks again
