"""Start workflows by workflow_dispatch and repository_dispatch; what GitHub would refuse is not sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ServiceError, UserError
from .github import GitHubClient, malformed_answer, quote_segment, repository_path

MAX_INPUTS = 25
MAX_INPUTS_SIZE = 65_535
MAX_PAYLOAD_KEYS = 10
MAX_PAYLOAD_SIZE = 64 * 1024
MAX_EVENT_TYPE = 100


@dataclass(frozen=True, slots=True)
class AcceptedDispatch:
    """A dispatch that GitHub accepted; it does not always name the workflow run that it starts."""

    run_id: int | None = None
    url: str = ""


def check_workflow_inputs(inputs: Mapping[str, Any]) -> dict[str, str]:
    """``inputs`` as workflow_dispatch takes them: at most 25 strings of 65,535 characters in all. Raises UserError."""
    _check_names(inputs)
    if len(inputs) > MAX_INPUTS:
        raise UserError(
            f"{len(inputs)} inputs are too many for a workflow dispatch",
            hint=f"GitHub takes {MAX_INPUTS}; leave some out.",
        )
    if sum(len(name) + len(str(value)) for name, value in inputs.items()) > MAX_INPUTS_SIZE:
        raise UserError(
            "the inputs are too long for a workflow dispatch", hint="GitHub takes 65,535 characters in all."
        )
    return dict(inputs)


def check_dispatch_payload(event_type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """``payload`` as repository_dispatch takes it. Raises UserError."""
    if not event_type or len(event_type) > MAX_EVENT_TYPE:
        raise UserError(f"{event_type!r} is not an event type", hint=f"It has 1 to {MAX_EVENT_TYPE} characters.")
    _check_names(payload)
    if len(payload) > MAX_PAYLOAD_KEYS:
        raise UserError(
            f"{len(payload)} values are too many for a repository dispatch",
            hint=f"GitHub takes {MAX_PAYLOAD_KEYS} at the top level; leave some inputs out.",
        )
    size = len(json.dumps(payload).encode())
    if size >= MAX_PAYLOAD_SIZE:
        raise UserError(f"{size:,} bytes are too many for a repository dispatch", hint="GitHub takes less than 64 KB.")
    return dict(payload)


def _check_names(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if not isinstance(name, str) or not name:
            raise UserError(f"{name!r} is not the name of an input")
        if not isinstance(value, str):
            raise UserError(f"the input {name!r} is not text", hint="Quote it: inputs are strings.")


def dispatch_workflow(
    github: GitHubClient, repository: str, workflow: str, ref: str, inputs: Mapping[str, str]
) -> AcceptedDispatch:
    """Start ``workflow`` (a file name) on ``ref`` (empty: the default branch). Raises UserError and ServiceError."""
    body: dict[str, Any] = {"inputs": check_workflow_inputs(inputs)}
    if not workflow:
        raise UserError("there is no workflow to dispatch", hint="Give it as a file name such as retrain.yml.")
    body["ref"] = ref or default_branch(github, repository)
    path = f"{repository_path(repository)}/actions/workflows/{quote_segment(workflow)}/dispatches"
    action = f"dispatch {workflow} of {repository}"
    try:
        data = github.write("POST", path, action, {**body, "return_run_details": True}, permission="actions: write")
    except ServiceError as error:
        if error.status not in (400, 422) or "return_run_details" not in error.message:
            raise
        data = github.write("POST", path, action, body, permission="actions: write")
    if data is None:
        return AcceptedDispatch()
    run = github.require_object(data, action, "workflow_run_id", "html_url")
    return AcceptedDispatch(run["workflow_run_id"], str(run["html_url"]))


def dispatch_repository(
    github: GitHubClient, repository: str, event_type: str, payload: Mapping[str, Any]
) -> AcceptedDispatch:
    """Send a repository_dispatch; GitHub does not say which workflow run it starts. Raises UserError, ServiceError."""
    body = {"event_type": event_type, "client_payload": check_dispatch_payload(event_type, payload)}
    action = f"send {event_type} to {repository}"
    path = f"{repository_path(repository)}/dispatches"
    data = github.write("POST", path, action, body, permission="contents: write")
    if data is not None:
        raise malformed_answer(action, github.api_url)
    return AcceptedDispatch()


def default_branch(github: GitHubClient, repository: str) -> str:
    action = f"read the default branch of {repository}"
    data = github.get(repository_path(repository), action, permission="metadata: read")
    return str(github.require_object(data, action, "default_branch")["default_branch"])
