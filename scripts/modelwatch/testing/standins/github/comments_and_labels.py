"""Comments, labels and assignees of issues; the labels of a repository."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..http import Response
from . import errors, issue_actions, issue_json
from .issues import names_field, parse_since, text_field
from .records import Comment, Issue
from .routing import Call, Route, route

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"
_ISSUE = _REPO + "/issues/{number:int}"
_COMMENT = _REPO + "/issues/comments/{comment:int}"


def _comment_body(call: Call) -> str:
    body = text_field(call.json_object(), "body")
    if body is None:
        raise errors.missing_field("body")
    return body


@route(ROUTES, "POST", _ISSUE + "/comments", "issues:write", content=True)
def add_comment(call: Call) -> Response:
    comment = issue_actions.add_comment(
        call.state, call.repo, call.int_parameter("number"), call.login, _comment_body(call)
    )
    return Response.of(issue_json.comment(call, comment), 201)


@route(ROUTES, "GET", _ISSUE + "/comments", "issues:read")
def list_issue_comments(call: Call) -> Response:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    return _comments_response(
        call, [comment for comment in call.repo.comments.list_items() if comment.issue == issue.number]
    )


@route(ROUTES, "GET", _REPO + "/issues/comments", "issues:read")
def list_repository_comments(call: Call) -> Response:
    return _comments_response(call, call.repo.comments.list_items())


def _comments_response(call: Call, found: list[Comment]) -> Response:
    since = call.request.first("since")
    if since:
        found = [comment for comment in found if int(comment.updated) >= parse_since(since)]
    return call.list_response(found, lambda comment: issue_json.comment(call, comment))


def _find_comment(call: Call) -> Comment:
    found = call.repo.comments.get(call.int_parameter("comment"))
    if found is None:
        raise errors.not_found_error()
    return found


@route(ROUTES, "GET", _COMMENT, "issues:read")
def get_comment(call: Call) -> Response:
    return Response.of(issue_json.comment(call, _find_comment(call)))


def _editable_comment(call: Call) -> Comment:
    comment = _find_comment(call)
    if call.token.kind == "user" and comment.login != call.login and not call.repo.has_role(call.login, "write"):
        raise errors.GitHubApiError(403, "Must have admin rights to Repository.")
    return comment


@route(ROUTES, "PATCH", _COMMENT, "issues:write", content=True)
def edit_comment(call: Call) -> Response:
    comment = issue_actions.edit_comment(call.state, call.repo, _editable_comment(call), _comment_body(call))
    return Response.of(issue_json.comment(call, comment))


@route(ROUTES, "DELETE", _COMMENT, "issues:write")
def delete_comment(call: Call) -> Response:
    comment = _editable_comment(call)
    call.repo.comments.remove(comment.id)
    issue = issue_actions.find_issue(call.repo, comment.issue)
    issue_actions.store_issue(call.state, call.repo, replace(issue, comments=issue.comments - 1))
    return Response(204)


@route(ROUTES, "GET", _REPO + "/labels", "issues:read")
def list_labels(call: Call) -> Response:
    labels = sorted(call.repo.labels.values(), key=lambda label: label.name.lower())
    return call.list_response(labels, lambda label: issue_json.label(call, label))


@route(ROUTES, "POST", _REPO + "/labels", "issues:write", content=True)
def create_label(call: Call) -> Response:
    if not call.can_triage():
        raise errors.not_found_error()
    fields = call.json_object()
    name = text_field(fields, "name")
    if name is None:
        raise errors.missing_field("name")
    color = text_field(fields, "color") or "ededed"
    label = issue_actions.add_label(call.state, call.repo, name, color, text_field(fields, "description"))
    return Response.of(issue_json.label(call, label), 201)


@route(ROUTES, "GET", _REPO + "/labels/{name:path}", "issues:read")
def get_label(call: Call) -> Response:
    found = call.repo.labels.get(call.parameters["name"].lower())
    if found is None:
        raise errors.not_found_error()
    return Response.of(issue_json.label(call, found))


@route(ROUTES, "GET", _ISSUE + "/labels", "issues:read")
def list_issue_labels(call: Call) -> Response:
    return _labels_response(call, issue_actions.find_issue(call.repo, call.int_parameter("number")))


def _labels_response(call: Call, issue: Issue) -> Response:
    labels = [call.repo.labels[name.lower()] for name in issue.labels]
    return call.list_response(labels, lambda label: issue_json.label(call, label))


def _set_labels(call: Call, names: list[str]) -> Response:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    issue = issue_actions.set_labels(call.state, call.repo, issue, call.login, names)
    return _labels_response(call, issue_actions.store_issue(call.state, call.repo, issue))


def _requested_labels(call: Call) -> list[str]:
    """GitHub also takes a bare list; so does PyGithub send it."""
    body = call.request.body.strip()
    fields: dict[str, Any] = {"labels": call.json_body()} if body.startswith(b"[") else call.json_object()
    if not call.can_triage():
        raise errors.GitHubApiError(403, "Must have admin rights to Repository.")
    return names_field(fields, "labels") or []


@route(ROUTES, "POST", _ISSUE + "/labels", "issues:write", content=True)
def add_labels(call: Call) -> Response:
    before = issue_actions.find_issue(call.repo, call.int_parameter("number")).labels
    return _set_labels(call, [*before, *_requested_labels(call)])


@route(ROUTES, "PUT", _ISSUE + "/labels", "issues:write", content=True)
def set_labels(call: Call) -> Response:
    return _set_labels(call, _requested_labels(call))


@route(ROUTES, "DELETE", _ISSUE + "/labels/{name:path}", "issues:write")
def remove_label(call: Call) -> Response:
    if not call.can_triage():
        raise errors.GitHubApiError(403, "Must have admin rights to Repository.")
    before = issue_actions.find_issue(call.repo, call.int_parameter("number")).labels
    unwanted = call.parameters["name"].lower()
    if unwanted not in {name.lower() for name in before}:
        raise errors.GitHubApiError(404, "Label does not exist")
    return _set_labels(call, [name for name in before if name.lower() != unwanted])


def _set_assignees(call: Call, *, add: bool) -> Issue:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    names = names_field(call.json_object(), "assignees") or []
    if add:
        wanted = [*issue.assignees, *(name for name in names if call.repo.is_assignable(name))]
    else:
        wanted = [name for name in issue.assignees if name not in names]
    if call.can_triage():
        issue = issue_actions.set_assignees(call.state, call.repo, issue, call.login, wanted)
    return issue_actions.store_issue(call.state, call.repo, issue)


@route(ROUTES, "POST", _ISSUE + "/assignees", "issues:write", content=True)
def add_assignees(call: Call) -> Response:
    return Response.of(issue_json.issue(call, _set_assignees(call, add=True)), 201)


@route(ROUTES, "DELETE", _ISSUE + "/assignees", "issues:write")
def remove_assignees(call: Call) -> Response:
    return Response.of(issue_json.issue(call, _set_assignees(call, add=False)))
