"""What happens to issues, labels and comments, for every caller: the API's handlers, or a test in a person's name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from . import errors
from .records import Comment, Issue, IssueEvent, Label, PullRequestDetails
from .state import GitHubState, Repo

TITLE_LIMIT = 256
BODY_LIMIT = 65_536
LABEL_LIMIT = 50
DESCRIPTION_LIMIT = 100
REASONS = ("completed", "not_planned", "duplicate", "reopened")


def find_issue(repo: Repo, number: int) -> Issue:
    found = repo.issues.get(number)
    if found is None:
        raise errors.not_found_error()
    return found


def check_length(resource: str, field: str, text: str | None, limit: int) -> None:
    if text is not None and len(text) > limit:
        raise errors.too_long(resource, field, limit)


def ensure_label(state: GitHubState, repo: Repo, name: str) -> str:
    """The label's own spelling; made where it is missing, as GitHub does for labels put on an issue."""
    known = repo.labels.get(name.lower())
    return known.name if known else add_label(state, repo, name).name


def add_label(
    state: GitHubState, repo: Repo, name: str, color: str = "ededed", description: str | None = None
) -> Label:
    if not name.strip():
        raise errors.validation_error("Label", "name", "missing_field")
    check_length("Label", "name", name, LABEL_LIMIT)
    check_length("Label", "description", description, DESCRIPTION_LIMIT)
    if len(color) != 6 or any(digit not in "0123456789abcdefABCDEF" for digit in color):
        raise errors.validation_error("Label", "color", "invalid")
    if name.lower() in repo.labels:
        raise errors.validation_error("Label", "name", "already_exists")
    label = Label(state.next_id(), name, color, description)
    repo.labels[name.lower()] = label
    return label


def open_issue(
    state: GitHubState,
    repo: Repo,
    login: str,
    title: str,
    body: str | None = None,
    *,
    labels: Iterable[str] = (),
    assignees: Iterable[str] = (),
    milestone: int | None = None,
    pull: PullRequestDetails | None = None,
) -> Issue:
    """A new issue, or with ``pull`` a new pull request."""
    resource = "PullRequest" if pull else "Issue"
    if not title.strip():
        raise errors.validation_error(resource, "title", "missing_field")
    check_length(resource, "title", title, TITLE_LIMIT)
    check_length(resource, "body", body, BODY_LIMIT)
    state.account_id(login)
    now = state.clock()
    number = max(repo.issues.items, default=0) + 1
    issue = Issue(state.next_id(), number, title, body, login, now, now, milestone=milestone, pull=pull)
    issue = set_labels(state, repo, issue, login, labels)
    issue = set_assignees(state, repo, issue, login, assignees)
    return repo.issues.put(number, issue)


def _add_event(state: GitHubState, issue: Issue, event: str, login: str, **extra: Any) -> Issue:
    state.account_id(login)
    entry = IssueEvent(state.next_id(), event, login, state.clock(), extra)
    return replace(issue, events=(*issue.events, entry))


def set_labels(state: GitHubState, repo: Repo, issue: Issue, login: str, names: Iterable[str]) -> Issue:
    """``issue`` with exactly these labels; not stored yet."""
    wanted = tuple(dict.fromkeys(ensure_label(state, repo, name) for name in names))
    for event, changed in (
        ("labeled", [name for name in wanted if name not in issue.labels]),
        ("unlabeled", [name for name in issue.labels if name not in wanted]),
    ):
        for name in changed:
            color = repo.labels[name.lower()].color
            issue = _add_event(state, issue, event, login, label={"name": name, "color": color})
    return replace(issue, labels=wanted)


def set_assignees(state: GitHubState, repo: Repo, issue: Issue, login: str, names: Iterable[str]) -> Issue:
    """``issue`` with these assignees; those who cannot be assigned make the request invalid."""
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if not repo.is_assignable(name):
            raise errors.validation_error("Issue", "assignees", value=name)
    for name in wanted:
        if name not in issue.assignees:
            issue = _add_event(state, issue, "assigned", login, assignee=name)
    for name in issue.assignees:
        if name not in wanted:
            issue = _add_event(state, issue, "unassigned", login, assignee=name)
    return replace(issue, assignees=wanted)


def set_state(state: GitHubState, issue: Issue, login: str, wanted: str, reason: str | None) -> Issue:
    """``issue`` opened or closed; ``reason`` is GitHub's ``state_reason``."""
    now = state.clock()
    if wanted == "closed":
        reason = reason if reason in ("completed", "not_planned", "duplicate") else "completed"
        if issue.state == "closed":
            return replace(issue, state_reason=reason)
        issue = _add_event(state, issue, "closed", login, state_reason=reason)
        return replace(issue, state="closed", state_reason=reason, closed=now, closed_by=login)
    if issue.state == "open":
        return issue
    issue = _add_event(state, issue, "reopened", login)
    return replace(issue, state="open", state_reason="reopened", closed=None, closed_by=None)


def edit_title_and_body(state: GitHubState, issue: Issue, login: str, title: str | None, body: str | None) -> Issue:
    """``None`` leaves a text unchanged."""
    if title is not None and title != issue.title:
        if not title.strip():
            raise errors.validation_error("Issue", "title", "missing_field")
        check_length("Issue", "title", title, TITLE_LIMIT)
        issue = _add_event(state, issue, "renamed", login, rename={"from": issue.title, "to": title})
        issue = replace(issue, title=title)
    if body is not None:
        check_length("Issue", "body", body, BODY_LIMIT)
        issue = replace(issue, body=body)
    return issue


def store_issue(state: GitHubState, repo: Repo, issue: Issue) -> Issue:
    """Keep a changed issue."""
    return repo.issues.put(issue.number, replace(issue, updated=state.clock()))


def add_comment(state: GitHubState, repo: Repo, number: int, login: str, body: str) -> Comment:
    issue = find_issue(repo, number)
    _check_comment(body)
    state.account_id(login)
    now = state.clock()
    comment = Comment(state.next_id(), number, login, body, now, now)
    repo.comments.put(comment.id, comment)
    store_issue(state, repo, replace(issue, comments=issue.comments + 1))
    return comment


def edit_comment(state: GitHubState, repo: Repo, comment: Comment, body: str) -> Comment:
    _check_comment(body)
    return repo.comments.put(comment.id, replace(comment, body=body, updated=state.clock()))


def _check_comment(body: str) -> None:
    if not body.strip():
        raise errors.validation_error("IssueComment", "body", "unprocessable", "Body cannot be blank")
    check_length("IssueComment", "body", body, BODY_LIMIT)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the keyboard, for tests: ``Person(state, repo, "alice").closes(7, "not_planned")``."""

    state: GitHubState
    repo: Repo
    login: str

    def open_issue(self, title: str, body: str | None = None, labels: Iterable[str] = ()) -> Issue:
        with self.state.lock:
            return open_issue(self.state, self.repo, self.login, title, body, labels=labels)

    def close_issue(self, number: int, reason: str = "completed") -> Issue:
        with self.state.lock:
            issue = set_state(self.state, find_issue(self.repo, number), self.login, "closed", reason)
            return store_issue(self.state, self.repo, issue)

    def reopen_issue(self, number: int) -> Issue:
        with self.state.lock:
            issue = set_state(self.state, find_issue(self.repo, number), self.login, "open", None)
            return store_issue(self.state, self.repo, issue)

    def add_comment(self, number: int, body: str) -> Comment:
        with self.state.lock:
            return add_comment(self.state, self.repo, number, self.login, body)

    def edit_issue(self, number: int, *, title: str | None = None, body: str | None = None) -> Issue:
        with self.state.lock:
            issue = edit_title_and_body(self.state, find_issue(self.repo, number), self.login, title, body)
            return store_issue(self.state, self.repo, issue)
