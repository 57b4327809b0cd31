"""Observes workflow runs, which are identified by the key in their name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain, islice
from typing import Any

from ...clients.github import GitHubClient, quote_segment, read_number, repository_path
from ...errors import ServiceError, UserError
from ...model.alert import AlertState
from ...model.monitored_model import WorkflowSpec
from ...model.plan import Dispatch, ObservedRun
from ...model.register import DispatchRecord, DispatchState
from ...model.target import Target
from ...timeutil import DAY, format_iso, parse_iso
from ..base import ObservationBuilder
from ..register.client import LISTED_WITHIN
from ..sessions import TargetSessions

RUN_MAX_AGE = 35 * DAY
"""Workflow runs older than this (seconds) are ignored."""
MAX_PAGES = 10
READ = "actions: read"
DELETED = "deleted"
"""``ObservedRun.conclusion`` of a workflow run that somebody deleted."""

_RUN_NAME = re.compile(r"modelwatch (?P<verb>\S+) (?P<model>.+) (?P<key>\S+)")


def observe_workflows(sessions: TargetSessions, models: Sequence[ObservationBuilder], now: float | None) -> None:
    """Add the workflow runs that matter; a list that several models share is read once."""
    lists: dict[tuple[str, str], tuple[ObservedRun, ...] | UserError] = {}
    for builder in models:
        if any(error.target is Target.DISPATCH for error in builder.errors):
            continue
        model, runs, failures = builder.model, dict[tuple[str, int], ObservedRun](), dict[str, UserError]()
        for workflow in relevant_workflows(builder, now):
            repository = workflow.repository or model.github.repository
            key = (repository.lower(), "" if workflow.event_type else workflow.file)
            if key not in lists:
                try:
                    github = sessions.github(model.github, repository)
                    lists[key] = tuple(_list_runs(github, repository, key[1], now))
                except UserError as error:
                    lists[key] = error
            rows = lists[key]
            try:
                if isinstance(rows, UserError):
                    raise rows
                runs |= {(repository, run.id): run for run in rows if run.model == model.name}
                runs |= _read_unlisted(sessions, builder, workflow, {run.id for run in rows}, now)
            except UserError as error:
                failures[workflow.name] = error
        _add_errors(builder, failures)
        builder.runs = tuple(sorted(runs.values(), key=lambda run: -run.created_at))


def _add_errors(builder: ObservationBuilder, failures: Mapping[str, UserError]) -> None:
    """``failures`` by workflow. Lists that cannot be read for one reason are named together, so that it is reported
    once."""
    files = {workflow.name: "" if workflow.event_type else workflow.file for workflow in builder.model.workflows}
    alike: dict[tuple[str, str], list[str]] = {}
    for name, error in failures.items():
        before, _, after = str(error).partition(_list_name(files[name]))
        alike.setdefault((before, after), []).append(name)
    for (before, after), names in alike.items():
        together = _list_name(*dict.fromkeys(files[name] for name in names)) if after else ""
        for name in names:
            builder.add_error(f"{before}{together}{after}", Target.DISPATCH, workflow=name)


def _list_name(*workflows: str) -> str:
    return f"the workflow runs of {' and '.join(workflow or 'repository dispatches' for workflow in workflows)} in"


def _read_unlisted(
    sessions: TargetSessions, builder: ObservationBuilder, workflow: WorkflowSpec, listed: Set[int], now: float | None
) -> dict[tuple[str, int], ObservedRun]:
    """The runs of ``workflow`` that a register knows to be under way, and that the list does not have: it lags or is
    too long, the run has another name, or somebody deleted it, which ends it. Raises ServiceError."""
    model, found = builder.model, dict[tuple[str, int], ObservedRun]()
    repository = workflow.repository or model.github.repository
    github = sessions.github(model.github, repository)
    records = (record for issue in builder.issues if issue.register for record in issue.register.dispatches)
    for record in records:
        number = record.run_id
        if record.verb != workflow.name or not record.state.is_open or number is None or number in listed:
            continue
        try:
            found[repository, number] = _read_run(github, repository, record, model.name)
        except ServiceError as error:
            if error.status != 404:
                raise
            if now is not None and now - record.at >= LISTED_WITHIN:
                found[repository, number] = ObservedRun(
                    number, record.url, record.key, record.verb, model.name, "completed", DELETED, record.at, now
                )
    return found


def _read_run(github: GitHubClient, repository: str, record: DispatchRecord, model: str) -> ObservedRun:
    """The workflow run of ``record``, whatever its name is. Raises ServiceError."""
    path = f"{repository_path(repository)}/actions/runs/{record.run_id}"
    row = github.get(path, f"read a workflow run of {record.verb} in {repository}", permission=READ)
    return _make_run(row, record.key, record.verb, model)


def relevant_workflows(builder: ObservationBuilder, now: float | None) -> list[WorkflowSpec]:
    """The workflows whose runs matter: the actions of firing groups, those that a person commands, those under way, and
    those that are proposed: a person can start these by hand."""
    if not builder.judged:
        return list(builder.model.workflows)
    since = 0.0 if now is None else now - RUN_MAX_AGE
    verbs = {verb for group in builder.groups if group.state is AlertState.FIRING for verb in group.do}
    verbs |= {command.verb for issue in builder.issues for command in issue.commands if command.allowed}
    records = [record for issue in builder.issues if issue.register for record in issue.register.dispatches]
    waiting = (record for record in records if record.state.is_open or record.state is DispatchState.PROPOSED)
    verbs |= {record.verb for record in waiting if record.at >= since}
    return [workflow for workflow in builder.model.workflows if workflow.name in verbs]


def _list_runs(github: GitHubClient, repository: str, workflow: str, now: float | None) -> Iterator[ObservedRun]:
    """Workflow runs of the last 35 days that modelwatch dispatched, newest first. Raises ServiceError.

    ``workflow`` is a file name; an empty one means the runs that a repository_dispatch started.
    """
    path = f"/actions/workflows/{quote_segment(workflow)}/runs" if workflow else "/actions/runs"
    what = f"list {_list_name(workflow)} {repository}"
    query: dict[str, str | int] = {"event": "workflow_dispatch" if workflow else "repository_dispatch"}
    if now is not None:
        query["created"] = f">={format_iso(now - RUN_MAX_AGE)}"
    pages = github.paginate(repository_path(repository) + path, what, query, permission=READ, item="workflow_runs")
    for row in chain.from_iterable(islice(pages, MAX_PAGES)):
        if run := parse_run(row):
            yield run


def parse_run(row: dict[str, Any]) -> ObservedRun | None:
    """The run of ``row``, or ``None`` where modelwatch did not name it."""
    names = (row.get("display_title"), row.get("name"))
    matches = [_RUN_NAME.fullmatch(name.strip()) for name in names if isinstance(name, str)]
    match = next(filter(None, matches), None)
    return _make_run(row, match["key"], match["verb"], match["model"]) if match else None


def _make_run(row: dict[str, Any], key: str, verb: str, model: str) -> ObservedRun:
    completed = row.get("status") == "completed"
    try:
        return ObservedRun(
            id=read_number(row["id"]),
            url=str(row["html_url"]),
            key=key,
            verb=verb,
            model=model,
            status=str(row.get("status") or ""),
            conclusion=str(row.get("conclusion") or ""),
            created_at=parse_iso(str(row["created_at"])),
            ended_at=parse_iso(str(row["updated_at"])) if completed and row.get("updated_at") else None,
            attempt=int(row.get("run_attempt") or 1),
            by=str((row.get("triggering_actor") or row.get("actor") or {}).get("login") or ""),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ServiceError("GitHub's answer is not a workflow run", hint="A proxy may be in the way.") from error


def find_run(github: GitHubClient, dispatch: Dispatch, now: float) -> ObservedRun | None:
    """The workflow run with the key of ``dispatch``. Raises ServiceError."""
    workflow = "" if dispatch.event_type else dispatch.workflow
    runs = _list_runs(github, dispatch.repository, workflow, now)
    return next((run for run in runs if run.key == dispatch.key), None)
