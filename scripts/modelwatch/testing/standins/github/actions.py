"""``/repos/{owner}/{repo}/actions``: workflows, workflow runs, their jobs and pending deployments."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from ..http import Response
from . import errors, run_lifecycle, workflow_json
from .records import Workflow, WorkflowRun
from .routing import Call, Route, route

ROUTES: list[Route] = []
_ACTIONS = "/repos/{owner}/{repo}/actions"
_RUN = _ACTIONS + "/runs/{run:int}"


def _workflow_json(call: Call, workflow: Workflow) -> dict[str, object]:
    file = run_lifecycle.read_workflow_file(call.repo, workflow, call.repo.git.default_branch)
    return workflow_json.workflow(call, workflow, file.name if file else workflow.path)


@route(ROUTES, "GET", _ACTIONS + "/workflows", "actions:read")
def list_workflows(call: Call) -> Response:
    found = run_lifecycle.sync_workflows(call.state, call.repo)
    return call.counted_response("workflows", found, lambda workflow: _workflow_json(call, workflow))


@route(ROUTES, "GET", _ACTIONS + "/workflows/{workflow}", "actions:read")
def get_workflow(call: Call) -> Response:
    workflow = run_lifecycle.find_workflow(call.state, call.repo, call.parameters["workflow"])
    return Response.of(_workflow_json(call, workflow))


@route(ROUTES, "PUT", _ACTIONS + "/workflows/{workflow}/{verb}", "actions:write")
def set_workflow_state(call: Call) -> Response:
    states = {"enable": "active", "disable": "disabled_manually"}
    if call.parameters["verb"] not in states:
        raise errors.not_found_error()
    workflow = run_lifecycle.find_workflow(call.state, call.repo, call.parameters["workflow"])
    switched = Workflow(workflow.id, workflow.path, workflow.created, states[call.parameters["verb"]])
    call.repo.workflows[workflow.id] = switched
    return Response(204)


@route(ROUTES, "GET", _ACTIONS + "/workflows/{workflow}/runs", "actions:read")
def list_workflow_runs(call: Call) -> Response:
    workflow = run_lifecycle.find_workflow(call.state, call.repo, call.parameters["workflow"])
    return _runs_response(call, [run for run in call.repo.runs.list_items() if run.workflow == workflow.id])


@route(ROUTES, "GET", _ACTIONS + "/runs", "actions:read")
def list_repository_runs(call: Call) -> Response:
    return _runs_response(call, call.repo.runs.list_items())


def _runs_response(call: Call, found: list[WorkflowRun]) -> Response:
    ask = call.request.first
    event, status, branch, actor = ask("event"), ask("status"), ask("branch"), ask("actor")
    sha, created = ask("head_sha"), ask("created")
    matching = [
        run
        for run in found
        if (not event or event == run.event)
        and (not status or status in (run.status, run.conclusion))
        and (not branch or branch == run.branch)
        and (not actor or actor == run.actor)
        and (not sha or sha == run.sha)
        and (not created or matches_date_query(created, run.created))
    ]
    matching.sort(key=lambda run: (run.created, run.id), reverse=True)
    return call.counted_response("workflow_runs", matching, lambda run: workflow_json.run(call, run))


def matches_date_query(query: str, at: float) -> bool:
    """GitHub's date syntax: ``>=X``, ``>X``, ``<=X``, ``<X``, ``X..Y`` (``*`` is open), a day or a moment."""
    if ".." in query:
        first, _, last = query.partition("..")
        return (first == "*" or matches_date_query(f">={first}", at)) and (
            last == "*" or matches_date_query(f"<={last}", at)
        )
    sign = query[: len(query) - len(query.lstrip("<>="))]
    text = query[len(sign) :]
    begin = _parse_time(text)
    end = begin + (86_400.0 if len(text) == len("2026-01-01") else 1.0)
    second = float(int(at))
    match sign:
        case ">=":
            return second >= begin
        case ">":
            return second >= end
        case "<=":
            return second < end
        case "<":
            return second < begin
        case "":
            return begin <= second < end
        case _:
            raise errors.GitHubApiError(422, f"Invalid created parameter: {query}")


@lru_cache(maxsize=256)  # the same text for every workflow run of a list
def _parse_time(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.GitHubApiError(422, f"Invalid created parameter: {text}") from error
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else f"{text}+00:00")
    return moment.timestamp()


def _find_run(call: Call) -> WorkflowRun:
    found = call.repo.runs.get(call.int_parameter("run"))
    if found is None:
        raise errors.not_found_error()
    return found


@route(ROUTES, "GET", _RUN, "actions:read")
def get_run(call: Call) -> Response:
    return Response.of(workflow_json.run(call, _find_run(call)))


@route(ROUTES, "GET", _RUN + "/jobs", "actions:read")
def list_jobs(call: Call) -> Response:
    run = _find_run(call)
    return call.counted_response("jobs", range(len(run.jobs)), lambda index: workflow_json.job(call, run, index))


@route(ROUTES, "GET", "/repos/{owner}/{repo}/check-runs/{check:int}/annotations", "checks:read")
def list_annotations(call: Call) -> Response:
    """Of a job, which is a check run: GitHub's runner adds one for the step that failed."""
    number = call.int_parameter("check")
    run = call.repo.runs.get(number // 100)
    if run is None or number % 100 >= len(run.jobs):
        raise errors.not_found_error()
    failed = run.conclusion == "failure"
    return call.list_response(range(failed), lambda _: workflow_json.failure_annotation(call, run))


@route(ROUTES, "POST", _RUN + "/cancel", "actions:write")
def cancel_run(call: Call) -> Response:
    run = _find_run(call)
    if run.status == "completed":
        raise errors.GitHubApiError(409, "Cannot cancel a workflow run that is completed.")
    call.state.finish_run(run.id, "cancelled")
    return Response.of({}, 202)


@route(ROUTES, "DELETE", _RUN, "actions:write")
def delete_run(call: Call) -> Response:
    run = _find_run(call)
    if run.status != "completed":
        raise errors.GitHubApiError(409, "Could not delete the workflow run: it has not completed.")
    call.repo.runs.remove(run.id)
    return Response(204)


@route(ROUTES, "GET", _RUN + "/pending_deployments", "actions:read")
def list_pending_deployments(call: Call) -> Response:
    run = _find_run(call)
    return Response.of([workflow_json.pending_deployment(call, name) for name in run.environments])


@route(ROUTES, "POST", _RUN + "/pending_deployments", "actions:read")
def review_deployments(call: Call) -> Response:
    run = _find_run(call)
    fields = call.json_object()
    for name in ("environment_ids", "state", "comment"):
        if name not in fields:
            raise errors.missing_field(name)
    if fields["state"] not in ("approved", "rejected"):
        raise errors.wrong_type("state", fields["state"], "a member of approved, rejected")
    asked = {name for name in run.environments if workflow_json.environment_id(call, name) in fields["environment_ids"]}
    if not asked or any(call.login not in call.repo.environments[name] for name in asked):
        raise errors.GitHubApiError(422, "User is not a reviewer of a pending deployment of these environments")
    run_lifecycle.review_deployments(call.state, run.id, asked, approved=fields["state"] == "approved")
    return Response.of([workflow_json.deployment(call, run, name) for name in sorted(asked)])
