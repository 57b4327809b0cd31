"""What the stand-in remembers: immutable records, so that a list that lags may hold yesterday's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROLES = ("none", "read", "triage", "write", "maintain", "admin")


@dataclass(frozen=True, slots=True)
class Token:
    """Who asks, and what the token may do.

    ``kind`` is ``app`` (like ``GITHUB_TOKEN``: its permissions are all that counts) or ``user`` (a personal token: the
    account's role in the repository counts too). ``repositories``: ``None`` reaches every repository.
    """

    value: str
    login: str
    permissions: Mapping[str, str]
    kind: str = "app"
    repositories: frozenset[str] | None = None
    expires: float | None = None
    """Of a personal token; GitHub names it with every answer."""

    def allows(self, permission: str, level: str) -> bool:
        """Whether ``permission`` was given at ``level`` (``read`` or ``write``) or above."""
        given = self.permissions.get(permission, "none")
        return given in (("write", "admin") if level == "write" else ("read", "write", "admin"))

    def reaches(self, repository: str) -> bool:
        return self.repositories is None or repository.lower() in {name.lower() for name in self.repositories}


@dataclass(frozen=True, slots=True)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    issue: int
    login: str
    body: str
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """An entry of an issue's history: ``closed``, ``reopened``, ``labeled``, ``assigned``, ``renamed``, ..."""

    id: int
    event: str
    login: str
    created: float
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PullRequestDetails:
    """What makes an issue a pull request."""

    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    id: int
    number: int
    title: str
    body: str | None
    login: str
    created: float
    updated: float
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    milestone: int | None = None
    state: str = "open"
    state_reason: str | None = None
    closed: float | None = None
    closed_by: str | None = None
    comments: int = 0
    events: tuple[IssueEvent, ...] = ()
    pull: PullRequestDetails | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    id: int
    path: str
    created: float
    state: str = "active"


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One workflow run; ``title`` is the evaluated ``run-name`` (or what GitHub shows where there is none)."""

    id: int
    number: int
    workflow: int
    path: str
    workflow_name: str
    name: str
    title: str
    event: str
    branch: str
    sha: str
    actor: str
    created: float
    updated: float
    jobs: tuple[str, ...] = ()
    status: str = "queued"
    conclusion: str | None = None
    started: float | None = None
    environments: tuple[str, ...] = ()
    """Protected environments that still wait for a reviewer."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """The event's payload, as the workflow sees it in ``github.event``."""
    log: str = ""
    exit_code: int = 1
    """Of the step that failed, where one did."""


@dataclass(frozen=True, slots=True)
class Release:
    id: int
    tag: str
    created: float
    prerelease: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    id: int
    sha: str
    ref: str
    environment: str
    creator: str
    created: float
    description: str | None = None
    task: str = "deploy"
