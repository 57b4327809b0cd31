"""Comments, labels and assignees of issues; the labels of a repository."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..http import Response
from . import errors, issue_shapes, tracker
from .calls import Call, Route, route
from .issues import moment, names_of, text_of
from .records import Comment, Issue

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"
_ISSUE = _REPO + "/issues/{number:int}"
_COMMENT = _REPO + "/issues/comments/{comment:int}"


def _body_of(call: Call) -> str:
    body = text_of(call.fields(), "body")
    if body is None:
        raise errors.missing("body")
    return body


@route(ROUTES, "POST", _ISSUE + "/comments", "issues:write", content=True)
def add_comment(call: Call) -> Response:
    comment = tracker.add_comment(call.state, call.repo, call.number("number"), call.login, _body_of(call))
    return Response.of(issue_shapes.comment(call, comment), 201)


@route(ROUTES, "GET", _ISSUE + "/comments", "issues:read")
def comments_of_issue(call: Call) -> Response:
    issue = tracker.find_issue(call.repo, call.number("number"))
    return _comments(call, [comment for comment in call.repo.comments.listed() if comment.issue == issue.number])


@route(ROUTES, "GET", _REPO + "/issues/comments", "issues:read")
def comments_of_repository(call: Call) -> Response:
    return _comments(call, call.repo.comments.listed())


def _comments(call: Call, found: list[Comment]) -> Response:
    since = call.request.first("since")
    if since:
        found = [comment for comment in found if int(comment.updated) >= moment(since)]
    return call.listed(found, lambda comment: issue_shapes.comment(call, comment))


def _find_comment(call: Call) -> Comment:
    found = call.repo.comments.get(call.number("comment"))
    if found is None:
        raise errors.not_found()
    return found


@route(ROUTES, "GET", _COMMENT, "issues:read")
def get_comment(call: Call) -> Response:
    return Response.of(issue_shapes.comment(call, _find_comment(call)))


def _own_comment(call: Call) -> Comment:
    comment = _find_comment(call)
    if call.token.kind == "user" and comment.login != call.login and not call.repo.has_role(call.login, "write"):
        raise errors.Refusal(403, "Must have admin rights to Repository.")
    return comment


@route(ROUTES, "PATCH", _COMMENT, "issues:write", content=True)
def edit_comment(call: Call) -> Response:
    comment = tracker.edit_comment(call.state, call.repo, _own_comment(call), _body_of(call))
    return Response.of(issue_shapes.comment(call, comment))


@route(ROUTES, "DELETE", _COMMENT, "issues:write")
def delete_comment(call: Call) -> Response:
    comment = _own_comment(call)
    call.repo.comments.remove(comment.id)
    issue = tracker.find_issue(call.repo, comment.issue)
    tracker.store(call.state, call.repo, replace(issue, comments=issue.comments - 1))
    return Response(204)


@route(ROUTES, "GET", _REPO + "/labels", "issues:read")
def list_labels(call: Call) -> Response:
    labels = sorted(call.repo.labels.values(), key=lambda label: label.name.lower())
    return call.listed(labels, lambda label: issue_shapes.label(call, label))


@route(ROUTES, "POST", _REPO + "/labels", "issues:write", content=True)
def create_label(call: Call) -> Response:
    if not call.triages():
        raise errors.not_found()
    fields = call.fields()
    name = text_of(fields, "name")
    if name is None:
        raise errors.missing("name")
    color = text_of(fields, "color") or "ededed"
    label = tracker.add_label(call.state, call.repo, name, color, text_of(fields, "description"))
    return Response.of(issue_shapes.label(call, label), 201)


@route(ROUTES, "GET", _REPO + "/labels/{name:path}", "issues:read")
def get_label(call: Call) -> Response:
    found = call.repo.labels.get(call.parameters["name"].lower())
    if found is None:
        raise errors.not_found()
    return Response.of(issue_shapes.label(call, found))


@route(ROUTES, "GET", _ISSUE + "/labels", "issues:read")
def labels_of_issue(call: Call) -> Response:
    return _labels(call, tracker.find_issue(call.repo, call.number("number")))


def _labels(call: Call, issue: Issue) -> Response:
    labels = [call.repo.labels[name.lower()] for name in issue.labels]
    return call.listed(labels, lambda label: issue_shapes.label(call, label))


def _relabel(call: Call, names: list[str]) -> Response:
    issue = tracker.find_issue(call.repo, call.number("number"))
    issue = tracker.set_labels(call.state, call.repo, issue, call.login, names)
    return _labels(call, tracker.store(call.state, call.repo, issue))


def _asked_labels(call: Call) -> list[str]:
    """GitHub also takes a bare list; so does PyGithub send it."""
    body = call.request.body.strip()
    fields: dict[str, Any] = {"labels": call.any_json()} if body.startswith(b"[") else call.fields()
    if not call.triages():
        raise errors.Refusal(403, "Must have admin rights to Repository.")
    return names_of(fields, "labels") or []


@route(ROUTES, "POST", _ISSUE + "/labels", "issues:write", content=True)
def add_labels(call: Call) -> Response:
    before = tracker.find_issue(call.repo, call.number("number")).labels
    return _relabel(call, [*before, *_asked_labels(call)])


@route(ROUTES, "PUT", _ISSUE + "/labels", "issues:write", content=True)
def set_labels(call: Call) -> Response:
    return _relabel(call, _asked_labels(call))


@route(ROUTES, "DELETE", _ISSUE + "/labels/{name:path}", "issues:write")
def remove_label(call: Call) -> Response:
    if not call.triages():
        raise errors.Refusal(403, "Must have admin rights to Repository.")
    before = tracker.find_issue(call.repo, call.number("number")).labels
    unwanted = call.parameters["name"].lower()
    if unwanted not in {name.lower() for name in before}:
        raise errors.Refusal(404, "Label does not exist")
    return _relabel(call, [name for name in before if name.lower() != unwanted])


def _reassign(call: Call, *, add: bool) -> Issue:
    issue = tracker.find_issue(call.repo, call.number("number"))
    names = names_of(call.fields(), "assignees") or []
    if add:
        wanted = [*issue.assignees, *(name for name in names if call.repo.assignable(name))]
    else:
        wanted = [name for name in issue.assignees if name not in names]
    if call.triages():
        issue = tracker.set_assignees(call.state, call.repo, issue, call.login, wanted)
    return tracker.store(call.state, call.repo, issue)


@route(ROUTES, "POST", _ISSUE + "/assignees", "issues:write", content=True)
def add_assignees(call: Call) -> Response:
    return Response.of(issue_shapes.issue(call, _reassign(call, add=True)), 201)


@route(ROUTES, "DELETE", _ISSUE + "/assignees", "issues:write")
def remove_assignees(call: Call) -> Response:
    return Response.of(issue_shapes.issue(call, _reassign(call, add=False)))
