"""``/repos/{owner}/{repo}/issues``: create, list, get, change; and an issue's history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ..http import Response
from . import errors, issue_actions, issue_json
from .records import Issue, IssueEvent
from .routing import Call, Route, route

ROUTES: list[Route] = []
_BASE = "/repos/{owner}/{repo}/issues"


def text_field(fields: dict[str, Any], name: str) -> str | None:
    """A text field; titles may be numbers, as GitHub's own description has it."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    if name == "title" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise errors.wrong_type(name, value, "a string")


def names_field(fields: dict[str, Any], name: str) -> list[str] | None:
    """A list of names: strings, or objects with a name."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise errors.wrong_type(name, value, "an array")
    names = [item.get("name") if isinstance(item, dict) else item for item in value]
    if not all(isinstance(item, str) for item in names):
        raise errors.wrong_type(name, value, "an array of strings")
    return [str(item) for item in names]


def _milestone_field(call: Call, fields: dict[str, Any], before: int | None) -> int | None:
    if "milestone" not in fields:
        return before
    number = fields["milestone"]
    if number is not None and number not in call.repo.milestones:
        raise errors.validation_error("Issue", "milestone", value=number)
    return int(number) if number is not None else None


@route(ROUTES, "POST", _BASE, "issues:write", content=True)
def create_issue(call: Call) -> Response:
    fields = call.json_object()
    if not call.repo.has_issues:
        raise errors.GitHubApiError(410, "Issues are disabled for this repo")
    title = text_field(fields, "title")
    if title is None:
        raise errors.missing_field("title")
    triages = call.can_triage()
    issue = issue_actions.open_issue(
        call.state,
        call.repo,
        call.login,
        title,
        text_field(fields, "body"),
        labels=(names_field(fields, "labels") or []) if triages else [],
        assignees=(names_field(fields, "assignees") or []) if triages else [],
        milestone=_milestone_field(call, fields, None) if triages else None,
    )
    shaped = issue_json.issue(call, issue)
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
            raise errors.validation_error("Issue", name, value=value)
    found = [issue for issue in call.repo.issues.list_items() if _matches(call, issue, wanted)]
    keys = {"created": lambda i: i.created, "updated": lambda i: i.updated, "comments": lambda i: i.comments}
    found.sort(key=lambda issue: (keys[order](issue), issue.number), reverse=direction == "desc")
    return call.list_response(found, lambda issue: issue_json.issue(call, issue))


def _matches(call: Call, issue: Issue, wanted: str) -> bool:
    ask = call.request.first
    labels = [name.strip().lower() for name in ask("labels").split(",") if name.strip()]
    have = {name.lower() for name in issue.labels}
    assignee, creator, milestone, since = ask("assignee"), ask("creator"), ask("milestone"), ask("since")
    return (
        wanted in ("all", issue.state)
        and all(name in have for name in labels)
        and (not creator or creator.lower() == issue.login.lower())
        and _matches_name(assignee, [login.lower() for login in issue.assignees])
        and _matches_name(milestone, [str(issue.milestone)] if issue.milestone else [])
        and (not since or int(issue.updated) >= parse_since(since))
    )


def _matches_name(wanted: str, have: list[str]) -> bool:
    """GitHub's ``none`` and ``*`` besides a name."""
    if wanted in ("", "*", "none"):
        return not wanted or bool(have) == (wanted == "*")
    return wanted.lower() in have


def parse_since(text: str) -> float:
    """A time in a query, ISO 8601."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise errors.GitHubApiError(422, f"Invalid since parameter: {text}") from error


@route(ROUTES, "GET", _BASE + "/{number:int}", "issues:read")
def get_issue(call: Call) -> Response:
    return Response.of(issue_json.issue(call, issue_actions.find_issue(call.repo, call.int_parameter("number"))))


@route(ROUTES, "PATCH", _BASE + "/{number:int}", "issues:write", content=True)
def update_issue(call: Call) -> Response:
    fields = call.json_object()
    state, repo = call.state, call.repo
    issue = issue_actions.find_issue(repo, call.int_parameter("number"))
    triages = call.can_triage()
    if not triages and call.login != issue.login:
        raise errors.GitHubApiError(403, "Must have admin rights to Repository.")
    _check_state(fields)
    body = "" if "body" in fields and fields["body"] is None else text_field(fields, "body")
    issue = issue_actions.edit_title_and_body(state, issue, call.login, text_field(fields, "title"), body)
    labels, assignees = names_field(fields, "labels"), names_field(fields, "assignees")
    if triages and labels is not None:
        issue = issue_actions.set_labels(state, repo, issue, call.login, labels)
    if triages and assignees is not None:
        issue = issue_actions.set_assignees(state, repo, issue, call.login, assignees)
    if fields.get("state"):
        issue = issue_actions.set_state(state, issue, call.login, fields["state"], fields.get("state_reason"))
    milestone = _milestone_field(call, fields, issue.milestone)
    issue = issue_actions.store_issue(state, repo, replace(issue, milestone=milestone))
    return Response.of(issue_json.issue(call, issue))


def _check_state(fields: dict[str, Any]) -> None:
    state, reason = fields.get("state"), fields.get("state_reason")
    if state is not None and state not in ("open", "closed"):
        raise errors.validation_error("Issue", "state", value=state)
    if reason is not None and reason not in issue_actions.REASONS:
        raise errors.validation_error("Issue", "state_reason", value=reason)


@route(ROUTES, "GET", _BASE + "/{number:int}/events", "issues:read")
def list_events(call: Call) -> Response:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    return call.list_response(issue.events, lambda event: issue_json.event(call, event))


@route(ROUTES, "GET", _BASE + "/{number:int}/timeline", "issues:read")
def list_timeline(call: Call) -> Response:
    issue = issue_actions.find_issue(call.repo, call.int_parameter("number"))
    entries: list[tuple[float, int, Any]] = [(event.created, event.id, event) for event in issue.events]
    comments = [comment for comment in call.repo.comments.items.values() if comment.issue == issue.number]
    entries += [(comment.created, comment.id, comment) for comment in comments]
    ordered = [record for _, _, record in sorted(entries, key=lambda entry: entry[:2])]
    return call.list_response(ordered, lambda record: _timeline_entry(call, record))


def _timeline_entry(call: Call, record: Any) -> dict[str, Any]:
    if isinstance(record, IssueEvent):
        return issue_json.event(call, record)
    shaped = issue_json.comment(call, record)
    return shaped | {"event": "commented", "actor": shaped["user"]}
