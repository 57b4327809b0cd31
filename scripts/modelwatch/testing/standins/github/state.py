"""The state that the stand-in serves: accounts, tokens, repositories; and what tests do to it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .git_repo import GitRepo
from .lagging_collection import LaggingCollection, ListLag
from .rate_limits import RateLimits
from .records import ROLES, Comment, Deployment, Issue, Label, Release, Token, Workflow, WorkflowRun

BOT = "github-actions[bot]"
_ALL_PERMISSIONS = {
    "issues": "write",
    "actions": "write",
    "contents": "write",
    "deployments": "read",
    "pull_requests": "write",
    "members": "read",
    "checks": "read",
}


@dataclass(slots=True)
class Repo:
    """One repository. ``collaborators``: login to role (``read`` ... ``admin``)."""

    id: int
    owner: str
    name: str
    private: bool
    created: float
    git: GitRepo
    issues: LaggingCollection[Issue]
    comments: LaggingCollection[Comment]
    runs: LaggingCollection[WorkflowRun]
    collaborators: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    workflows: dict[int, Workflow] = field(default_factory=dict)
    milestones: dict[int, str] = field(default_factory=dict)
    environments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name to the logins that must review a deployment; none: unprotected."""
    actions_may_open_pulls: bool = True
    """The setting "Allow GitHub Actions to create and approve pull requests"."""
    has_issues: bool = True
    deployments: list[Deployment] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    pushed: float = 0.0

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def role(self, login: str) -> str:
        """``none`` ... ``admin``."""
        if login.lower() == self.owner.lower():
            return "admin"
        roles = {name.lower(): role for name, role in self.collaborators.items()}
        return roles.get(login.lower(), "none")

    def has_role(self, login: str, least: str) -> bool:
        return ROLES.index(self.role(login)) >= ROLES.index(least)

    def is_assignable(self, login: str) -> bool:
        return self.has_role(login, "read")


class GitHubState:
    """Everything, under one lock. ``clock`` gives seconds UTC and may be a test's own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.lag = ListLag(clock)
        self.limits = RateLimits(clock)
        self.tokens: dict[str, Token] = {}
        self.repos: dict[str, Repo] = {}
        self.organisations: dict[str, set[str]] = {}
        self.teams: dict[tuple[str, str], dict[str, str]] = {}
        self.accounts: dict[str, int] = {}
        self.is_old_server = False
        """Behave like an older GitHub Enterprise Server, which refuses ``return_run_details``."""
        self.executor: Executor | None = None
        """Runs dispatched workflows, in a thread of its own each; without one a test moves workflow runs along."""
        self.auto_finish: str | None = None
        """Without an executor: the conclusion with which dispatched runs end at once."""
        self._ids = itertools.count(1001)

    def catch_up_lists(self) -> None:
        """All lists catch up, and lag no more."""
        with self.lock:
            self.lag.seconds, self.lag.requests = 0.0, 0
            for repo in self.repos.values():
                repo.issues.catch_up()
                repo.comments.catch_up()
                repo.runs.catch_up()

    def next_id(self) -> int:
        return next(self._ids)

    def account_id(self, login: str) -> int:
        """The id of an account, which exists from now on."""
        if login not in self.accounts:
            self.accounts[login] = self.next_id()
        return self.accounts[login]

    def account_type(self, login: str) -> str:
        if login.endswith("[bot]"):
            return "Bot"
        return "Organization" if login in self.organisations else "User"

    def add_token(
        self,
        login: str = BOT,
        permissions: Mapping[str, str] | None = None,
        *,
        kind: str = "app",
        repositories: Iterable[str] | None = None,
        value: str = "",
        expires: float | None = None,
    ) -> str:
        """A new token (its value); by default like a ``GITHUB_TOKEN`` with every permission we use."""
        value = value or f"{'ghs' if kind == 'app' else 'github_pat'}_standin{self.next_id():030d}"
        reach = None if repositories is None else frozenset(repositories)
        self.account_id(login)
        self.tokens[value] = Token(
            value, login, dict(_ALL_PERMISSIONS if permissions is None else permissions), kind, reach, expires
        )
        return value

    def add_repo(
        self,
        full_name: str,
        *,
        private: bool = True,
        files: Mapping[str, str] | None = None,
        worktree: Path | None = None,
        default_branch: str = "main",
        collaborators: Mapping[str, str] | None = None,
    ) -> Repo:
        """A new repository with one commit: of ``files``, or of the files of a git working tree."""
        owner, _, name = full_name.partition("/")
        now = self.clock()
        with self.lock:
            self.account_id(owner)
            shelves = (
                LaggingCollection[Issue](self.lag),
                LaggingCollection[Comment](self.lag),
                LaggingCollection[WorkflowRun](self.lag),
            )
            repo = Repo(self.next_id(), owner, name, private, now, GitRepo(default_branch), *shelves)
            repo.collaborators.update(collaborators or {})
            if worktree is not None:
                repo.git.load_worktree(worktree, now)
            else:
                first = {path: text.encode() for path, text in (files or {}).items()}
                repo.git.commit(default_branch, {"README.md": f"# {name}\n".encode()} | first, "Begin", owner, now)
            self.repos[full_name.lower()] = repo
            return repo

    def add_deployment(self, repo: Repo, environment: str, creator: str, description: str = "") -> Deployment:
        """Somebody deploys the newest commit of the default branch."""
        with self.lock:
            sha, branch = repo.git.branches[repo.git.default_branch], repo.git.default_branch
            record = Deployment(self.next_id(), sha, branch, environment, creator, self.clock(), description or None)
            repo.deployments.append(record)
            return record

    def add_release(self, repo: Repo, tag: str, *, prerelease: bool = False) -> Release:
        """The newest commit of the default branch is published as ``tag``."""
        with self.lock:
            repo.git.tags[tag] = repo.git.branches[repo.git.default_branch]
            record = Release(self.next_id(), tag, self.clock(), prerelease)
            repo.releases.append(record)
            return record

    def add_file(self, repo: Repo, path: str, text: str, branch: str = "") -> None:
        """Commit one file, to the default branch unless told otherwise."""
        with self.lock:
            branch = branch or repo.git.default_branch
            if branch not in repo.git.branches:
                repo.git.branches[branch] = repo.git.branches[repo.git.default_branch]
            repo.git.commit(branch, {path: text.encode()}, f"Write {path}", repo.owner, self.clock())

    def repo(self, full_name: str) -> Repo:
        """Raises ``KeyError`` where there is none."""
        return self.repos[full_name.lower()]

    def author_association(self, repo: Repo, login: str) -> str:
        """GitHub's ``author_association`` of an account with a repository."""
        if login.lower() == repo.owner.lower():
            return "OWNER"
        if login in self.organisations.get(repo.owner, set()):
            return "MEMBER"
        return "COLLABORATOR" if repo.role(login) != "none" else "NONE"

    def run(self, run_id: int) -> tuple[Repo, WorkflowRun]:
        """A workflow run, wherever it is; raises ``KeyError`` where there is none."""
        for repo in self.repos.values():
            found = repo.runs.get(run_id)
            if found is not None:
                return repo, found
        raise KeyError(run_id)

    def start_run(self, run_id: int) -> WorkflowRun:
        """A runner takes the workflow run."""
        with self.lock:
            repo, run = self.run(run_id)
            now = self.clock()
            return repo.runs.put(run_id, replace(run, status="in_progress", started=now, updated=now))

    def finish_run(self, run_id: int, conclusion: str = "success", log: str = "", *, exit_code: int = 1) -> WorkflowRun:
        """The workflow run ends with ``conclusion`` (success, failure, cancelled, timed_out, ...). ``exit_code``: of
        the step that failed."""
        with self.lock:
            repo, run = self.run(run_id)
            now = self.clock()
            started = run.started if run.started is not None else now
            done = replace(
                run, status="completed", conclusion=conclusion, started=started, updated=now, environments=()
            )
            done = replace(done, exit_code=exit_code)
            return repo.runs.put(run_id, replace(done, log=log or run.log))


@dataclass(frozen=True, slots=True)
class RunControl:
    """What an executor gets: one workflow run, and the levers to move it."""

    state: GitHubState
    run_id: int

    @property
    def run(self) -> WorkflowRun:
        """Its state at this moment."""
        return self.state.run(self.run_id)[1]

    @property
    def repository(self) -> str:
        """``owner/name``."""
        return self.state.run(self.run_id)[0].full_name

    def start(self) -> None:
        self.state.start_run(self.run_id)

    def finish(self, conclusion: str, log: str = "") -> None:
        self.state.finish_run(self.run_id, conclusion, log)


Executor = Callable[[RunControl], None]
