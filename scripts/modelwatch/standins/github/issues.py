"""``/repos/{owner}/{repo}/issues``: create, list, get, change; and an issue's history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ..http import Response
from . import errors, issue_shapes, tracker
from .calls import Call, Route, route
from .records import Issue, IssueEvent

ROUTES: list[Route] = []
_BASE = "/repos/{owner}/{repo}/issues"


def text_of(fields: dict[str, Any], name: str) -> str | None:
    """A text field; titles may be numbers, as GitHub's own description has it."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    if name == "title" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise errors.not_a(name, value, "a string")


def names_of(fields: dict[str, Any], name: str) -> list[str] | None:
    """A list of names: strings, or objects with a name."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise errors.not_a(name, value, "an array")
    names = [item.get("name") if isinstance(item, dict) else item for item in value]
    if not all(isinstance(item, str) for item in names):
        raise errors.not_a(name, value, "an array of strings")
    return [str(item) for item in names]


def _milestone_of(call: Call, fields: dict[str, Any], before: int | None) -> int | None:
    if "milestone" not in fields:
        return before
    number = fields["milestone"]
    if number is not None and number not in call.repo.milestones:
        raise errors.invalid("Issue", "milestone", value=number)
    return int(number) if number is not None else None


@route(ROUTES, "POST", _BASE, "issues:write", content=True)
def create(call: Call) -> Response:
    fields = call.fields()
    if not call.repo.has_issues:
        raise errors.Refusal(410, "Issues are disabled for this repo")
    title = text_of(fields, "title")
    if title is None:
        raise errors.missing("title")
    triages = call.triages()
    issue = tracker.open_issue(
        call.state,
        call.repo,
        call.login,
        title,
        text_of(fields, "body"),
        labels=(names_of(fields, "labels") or []) if triages else [],
        assignees=(names_of(fields, "assignees") or []) if triages else [],
        milestone=_milestone_of(call, fields, None) if triages else None,
    )
    shaped = issue_shapes.issue(call, issue)
    return Response.of(shaped, 201, headers=(("location", shaped["url"]),))


@route(ROUTES, "GET", _BASE, "issues:read")
def list_issues(call: Call) -> Response:
    ask = call.request.first
    wanted, order, direction = ask("state", "open"), ask("sort", "created"), ask("direction", "desc")
    for name, value, known in (
        ("state", wanted, ("open", "closed", "all")),
        ("sort", order, ("created", "updated", "comments")),
        ("direction", direction, ("asc", "desc")),
    ):
        if value not in known:
            raise errors.invalid("Issue", name, value=value)
    found = [issue for issue in call.repo.issues.listed() if _matches(call, issue, wanted)]
    keys = {"created": lambda i: i.created, "updated": lambda i: i.updated, "comments": lambda i: i.comments}
    found.sort(key=lambda issue: (keys[order](issue), issue.number), reverse=direction == "desc")
    return call.listed(found, lambda issue: issue_shapes.issue(call, issue))


def _matches(call: Call, issue: Issue, wanted: str) -> bool:
    ask = call.request.first
    labels = [name.strip().lower() for name in ask("labels").split(",") if name.strip()]
    have = {name.lower() for name in issue.labels}
    assignee, creator, milestone, since = ask("assignee"), ask("creator"), ask("milestone"), ask("since")
    return (
        wanted in ("all", issue.state)
        and all(name in have for name in labels)
        and (not creator or creator.lower() == issue.login.lower())
        and _one_of(assignee, [login.lower() for login in issue.assignees])
        and _one_of(milestone, [str(issue.milestone)] if issue.milestone else [])
        and (not since or int(issue.updated) >= moment(since))
    )


def _one_of(wanted: str, have: list[str]) -> bool:
    """GitHub's ``none`` and ``*`` besides a name."""
    if wanted in ("", "*", "none"):
        return not wanted or bool(have) == (wanted == "*")
    return wanted.lower() in have


def moment(text: str) -> float:
    """A time in a query, ISO 8601."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise errors.Refusal(422, f"Invalid since parameter: {text}") from error


@route(ROUTES, "GET", _BASE + "/{number:int}", "issues:read")
def get(call: Call) -> Response:
    return Response.of(issue_shapes.issue(call, tracker.find_issue(call.repo, call.number("number"))))


@route(ROUTES, "PATCH", _BASE + "/{number:int}", "issues:write", content=True)
def change(call: Call) -> Response:
    fields = call.fields()
    state, repo = call.state, call.repo
    issue = tracker.find_issue(repo, call.number("number"))
    triages = call.triages()
    if not triages and call.login != issue.login:
        raise errors.Refusal(403, "Must have admin rights to Repository.")
    _check_state(fields)
    body = "" if "body" in fields and fields["body"] is None else text_of(fields, "body")
    issue = tracker.edit_texts(state, issue, call.login, text_of(fields, "title"), body)
    labels, assignees = names_of(fields, "labels"), names_of(fields, "assignees")
    if triages and labels is not None:
        issue = tracker.set_labels(state, repo, issue, call.login, labels)
    if triages and assignees is not None:
        issue = tracker.set_assignees(state, repo, issue, call.login, assignees)
    if fields.get("state"):
        issue = tracker.set_state(state, issue, call.login, fields["state"], fields.get("state_reason"))
    milestone = _milestone_of(call, fields, issue.milestone)
    issue = tracker.store(state, repo, replace(issue, milestone=milestone))
    return Response.of(issue_shapes.issue(call, issue))


def _check_state(fields: dict[str, Any]) -> None:
    state, reason = fields.get("state"), fields.get("state_reason")
    if state is not None and state not in ("open", "closed"):
        raise errors.invalid("Issue", "state", value=state)
    if reason is not None and reason not in tracker.REASONS:
        raise errors.invalid("Issue", "state_reason", value=reason)


@route(ROUTES, "GET", _BASE + "/{number:int}/events", "issues:read")
def events(call: Call) -> Response:
    issue = tracker.find_issue(call.repo, call.number("number"))
    return call.listed(issue.events, lambda event: issue_shapes.event(call, event))


@route(ROUTES, "GET", _BASE + "/{number:int}/timeline", "issues:read")
def timeline(call: Call) -> Response:
    issue = tracker.find_issue(call.repo, call.number("number"))
    entries: list[tuple[float, int, Any]] = [(event.created, event.id, event) for event in issue.events]
    comments = [comment for comment in call.repo.comments.items.values() if comment.issue == issue.number]
    entries += [(comment.created, comment.id, comment) for comment in comments]
    ordered = [record for _, _, record in sorted(entries, key=lambda entry: entry[:2])]
    return call.listed(ordered, lambda record: _timeline_entry(call, record))


def _timeline_entry(call: Call, record: Any) -> dict[str, Any]:
    if isinstance(record, IssueEvent):
        return issue_shapes.event(call, record)
    shaped = issue_shapes.comment(call, record)
    return shaped | {"event": "commented", "actor": shaped["user"]}
