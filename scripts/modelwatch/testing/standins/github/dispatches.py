"""``repository_dispatch`` and ``workflow_dispatch``, with their limits."""

from __future__ import annotations

import json
from typing import Any

from ..http import Response
from . import errors, run_lifecycle, workflow_file, workflow_json
from .expressions import to_text
from .routing import Call, Route, route
from .run_lifecycle import DispatchEvent

ROUTES: list[Route] = []
MAX_EVENT_TYPE = 100
MAX_PAYLOAD_KEYS = 10
MAX_PAYLOAD_BYTES = 64 * 1024


@route(ROUTES, "POST", "/repos/{owner}/{repo}/dispatches", "contents:write")
def repository_dispatch(call: Call) -> Response:
    kind, payload = _validate_dispatch(call.json_object())
    repo, state = call.repo, call.state
    ref = repo.git.default_branch
    event = {"action": kind, "branch": ref, "client_payload": payload, "repository": _repository_payload(call)}
    by = DispatchEvent("repository_dispatch", ref, call.login, event, {}, kind)
    for workflow in run_lifecycle.sync_workflows(state, repo):
        file = run_lifecycle.read_workflow_file(repo, workflow, ref)
        if file is not None and workflow.state == "active" and file.listens_to(kind):
            run_lifecycle.create_run(state, repo, workflow, file, by)
    return Response(204)


def _validate_dispatch(fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Type and payload, within GitHub's limits."""
    _reject_unknown_fields(fields, ("event_type", "client_payload"))
    kind, payload = fields.get("event_type"), fields.get("client_payload", {})
    if kind is None:
        raise errors.missing_field("event_type")
    if not isinstance(kind, str):
        raise errors.wrong_type("event_type", kind, "a string")
    if not 1 <= len(kind) <= MAX_EVENT_TYPE:
        raise errors.invalid_request(
            f"For 'properties/event_type', {kind!r} must have between 1 and {MAX_EVENT_TYPE} characters."
        )
    if not isinstance(payload, dict):
        raise errors.wrong_type("client_payload", payload, "an object")
    if len(payload) > MAX_PAYLOAD_KEYS:
        raise errors.invalid_request(
            f"No more than {MAX_PAYLOAD_KEYS} properties are allowed; {len(payload)} were supplied."
        )
    if len(json.dumps(payload, ensure_ascii=False).encode()) >= MAX_PAYLOAD_BYTES:
        raise errors.GitHubApiError(422, "client_payload is too large.")
    return kind, payload


def _repository_payload(call: Call) -> dict[str, Any]:
    repo = call.repo
    owner = {"login": repo.owner, "name": repo.owner}
    return {
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": owner,
        "default_branch": repo.git.default_branch,
        "private": repo.private,
    }


def _reject_unknown_fields(fields: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in fields:
        if name not in known:
            raise errors.invalid_request(f'"{name}" is not a permitted key.')


@route(ROUTES, "POST", "/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches", "actions:write")
def workflow_dispatch(call: Call) -> Response:
    state, repo, fields = call.state, call.repo, call.json_object()
    workflow = run_lifecycle.find_workflow(state, repo, call.parameters["workflow"])
    _reject_unknown_fields(
        fields, ("ref", "inputs") if state.is_old_server else ("ref", "inputs", "return_run_details")
    )
    ref, inputs, details = fields.get("ref"), fields.get("inputs", {}), fields.get("return_run_details", False)
    if ref is None:
        raise errors.missing_field("ref")
    if not isinstance(inputs, dict):
        raise errors.wrong_type("inputs", inputs, "an object")
    if not isinstance(details, bool):
        raise errors.wrong_type("return_run_details", details, "a boolean")
    # A commit's name is no ref here: only branches and tags can be dispatched.
    if not isinstance(ref, str) or repo.git.resolve_ref(ref) is None or ref in repo.git.commits:
        raise errors.GitHubApiError(422, f"No ref found for: {ref}")
    if workflow.state != "active":
        raise errors.GitHubApiError(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
    file = run_lifecycle.read_workflow_file(repo, workflow, ref)
    if file is None or "workflow_dispatch" not in file.triggers:
        raise errors.GitHubApiError(422, "Workflow does not have 'workflow_dispatch' trigger")
    values = workflow_file.resolve_inputs(file, inputs)
    branch = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    texts = {name: to_text(value) for name, value in values.items()}
    payload = {"inputs": texts, "ref": branch, "workflow": workflow.path, "repository": _repository_payload(call)}
    by = DispatchEvent("workflow_dispatch", ref, call.login, payload, values, file.name)
    run = run_lifecycle.create_run(state, repo, workflow, file, by)
    if not details:
        return Response(204)
    url, page = workflow_json.run_urls(call, run.id)
    return Response.of({"workflow_run_id": run.id, "run_url": url, "html_url": page})
