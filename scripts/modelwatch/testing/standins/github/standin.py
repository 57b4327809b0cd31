"""The GitHub stand-in: from a request to the operation it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ..http import Request, Response
from . import actions, comments_and_labels, contents, dispatches, errors, history, issues, pulls, releases, repos
from .issue_actions import Person
from .records import Token
from .routing import Call, Route
from .state import GitHubState

_ROUTES: tuple[Route, ...] = tuple(
    entry
    for table in (repos, comments_and_labels, issues, dispatches, actions, contents, history, pulls, releases)
    for entry in table.ROUTES
)
_PREFIX = "/api/v3"
VERSIONS = ("", "2022-11-28", "2026-03-10")


class GitHubStandIn:
    """GitHub's REST API, served both at ``/`` and, as GitHub Enterprise Server does, at ``/api/v3/``."""

    name = "github"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.state = GitHubState(clock)

    def person(self, repository: str, login: str) -> Person:
        """Somebody who works on issues by hand; gives them no role they do not have."""
        self.state.account_id(login)
        return Person(self.state, self.state.repo(repository), login)

    def handle(self, request: Request) -> Response:
        """Answer one request; one at a time."""
        with self.state.lock:
            key, kind = "", "user"
            extra: tuple[tuple[str, str], ...] = ()
            expiry: tuple[tuple[str, str], ...] = ()
            try:
                token = self._token(request)
                key, kind = token.value, token.kind
                expiry = _expiry_header(token)
                response = self._answer(request, token)
            except errors.GitHubApiError as refusal:
                response, extra = Response.of(refusal.body(), refusal.status), refusal.headers
            common = (
                *extra,
                *expiry,
                *self.state.limits.headers(key, kind),
                ("x-github-media-type", "github.v3; format=json"),
            )
            have = {name for name, _ in response.headers}
            added = tuple(dict(pair for pair in common if pair[0] not in have).items())
            return Response(response.status, response.body, response.headers + added)

    def _token(self, request: Request) -> Token:
        if not request.headers.get("user-agent"):
            raise errors.GitHubApiError(
                403, "Request forbidden by administrative rules. Make sure it has a User-Agent header"
            )
        if request.headers.get("x-github-api-version", "") not in VERSIONS:
            raise errors.GitHubApiError(400, "The requested version of the API is not supported")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if not value:
            raise errors.authentication_error()
        token = self.state.tokens.get(value.strip()) if scheme.lower() in ("token", "bearer") else None
        if token is None:
            raise errors.bad_credentials()
        return token

    def _answer(self, request: Request, token: Token) -> Response:
        host = request.headers.get("host", "127.0.0.1")
        site = f"http://{host}"
        path = request.path.removeprefix(_PREFIX) if request.path.startswith(_PREFIX + "/") else request.path
        path = "/graphql" if path == "/api/graphql" else path
        base = site + request.path[: len(request.path) - len(path)]
        method = "GET" if request.method == "HEAD" else request.method
        for entry in _ROUTES:
            match = entry.pattern.fullmatch(path) if entry.method == method else None
            if match is None:
                continue
            self.state.limits.check(token.value, token.kind, content=entry.content)
            call = Call(self.state, request, token, base, site, path, match.groupdict())
            if entry.permission:
                call.matched_repo = self.state.repos.get(
                    f"{call.parameters['owner']}/{call.parameters['repo']}".lower()
                )
                permission, _, level = entry.permission.partition(":")
                call.require_permission(permission, level)
            return entry.handler(call)
        raise errors.not_found_error()

    def snapshot(self) -> dict[str, Any]:
        """What there is, briefly, for the control interface."""
        with self.state.lock:
            return {repo.full_name: _repo_snapshot(repo) for repo in self.state.repos.values()}

    def reset(self) -> None:
        """Forget issues, comments and workflow runs; accounts, tokens, repositories and their files stay."""
        with self.state.lock:
            self.state.limits.reset()
            for repo in self.state.repos.values():
                for shelf in (repo.issues, repo.comments, repo.runs):
                    for key in list(shelf.items):
                        shelf.remove(key)
                    shelf.catch_up()
                repo.labels.clear()


def _expiry_header(token: Token) -> tuple[tuple[str, str], ...]:
    """GitHub names the end of a personal token that has one with every answer; that of an App it does not."""
    if token.kind != "user" or token.expires is None:
        return ()
    text = f"{datetime.fromtimestamp(token.expires, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return (("github-authentication-token-expiration", text),)


def _repo_snapshot(repo: Any) -> dict[str, Any]:
    issues = [
        {"number": i.number, "title": i.title, "state": i.state, "labels": list(i.labels), "comments": i.comments}
        for i in repo.issues.items.values()
    ]
    runs = [
        {"id": r.id, "title": r.title, "event": r.event, "status": r.status, "conclusion": r.conclusion}
        for r in repo.runs.items.values()
    ]
    return {"issues": issues, "runs": runs}
