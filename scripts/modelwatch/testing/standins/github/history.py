"""The history of a repository: its commits, and its deployments."""

from __future__ import annotations

from typing import Any

from ..http import Response
from . import errors
from .contents import commit_json
from .git_repo import Commit
from .issues import parse_since
from .records import Deployment
from .repository_json import format_time, node_id, page_url, repository_url, user
from .routing import Call, Route, route

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"


@route(ROUTES, "GET", _REPO + "/commits", "contents:read")
def list_commits(call: Call) -> Response:
    """Newest first, from ``sha`` (the default branch) back; filters: ``path``, ``author``, ``since``, ``until``."""
    git, first = call.repo.git, call.request.first
    sha = git.resolve_ref(first("sha") or git.default_branch)
    if sha is None:
        raise errors.not_found_error()
    found: list[Commit] = []
    while sha is not None:
        commit = git.commits[sha]
        sha = next(iter(commit.parents), None)
        before = git.commits[sha].files if sha else {}
        path = first("path").strip("/")
        touches = not path or any(
            commit.files.get(name) != before.get(name)
            for name in {*commit.files, *before}
            if name == path or name.startswith(f"{path}/")
        )
        if touches and first("author") in ("", commit.author):
            found.append(commit)
    since, until = first("since"), first("until")
    found = [commit for commit in found if not since or int(commit.at) >= parse_since(since)]
    found = [commit for commit in found if not until or int(commit.at) <= parse_since(until)]
    return call.list_response(found, lambda commit: listed_commit(call, commit))


def listed_commit(call: Call, commit: Commit) -> dict[str, Any]:
    """A commit as lists have it."""
    base, page = repository_url(call, call.repo), page_url(call, call.repo)
    inner = commit_json(call, commit)
    parents = [parent | {"html_url": f"{page}/commit/{parent['sha']}"} for parent in inner.pop("parents")]
    verification = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    detail = {name: inner[name] for name in ("url", "author", "committer", "message", "tree")}
    person = user(call, commit.author) if commit.author in call.state.accounts else None
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", int(commit.sha[:8], 16)),
        "commit": detail | {"comment_count": 0, "verification": verification},
        "url": f"{base}/commits/{commit.sha}",
        "html_url": f"{page}/commit/{commit.sha}",
        "comments_url": f"{base}/commits/{commit.sha}/comments",
        "author": person,
        "committer": person,
        "parents": parents,
    }


@route(ROUTES, "GET", _REPO + "/deployments", "deployments:read")
def list_deployments(call: Call) -> Response:
    """Newest first, filtered by ``sha``, ``ref``, ``task`` and ``environment``; GitHub has no filter by time."""
    first = call.request.first
    found = [
        record
        for record in sorted(call.repo.deployments, key=lambda record: -record.created)
        if first("sha") in ("", record.sha)
        and first("ref") in ("", record.ref)
        and first("task") in ("", record.task)
        and first("environment") in ("", record.environment)
    ]
    return call.list_response(found, lambda record: _deployment_json(call, record))


def _deployment_json(call: Call, record: Deployment) -> dict[str, Any]:
    url = f"{repository_url(call, call.repo)}/deployments/{record.id}"
    return {
        "url": url,
        "id": record.id,
        "node_id": node_id("Deployment", record.id),
        "sha": record.sha,
        "ref": record.ref,
        "task": record.task,
        "payload": {},
        "original_environment": record.environment,
        "environment": record.environment,
        "description": record.description,
        "creator": user(call, record.creator),
        "created_at": format_time(record.created),
        "updated_at": format_time(record.created),
        "statuses_url": f"{url}/statuses",
        "repository_url": repository_url(call, call.repo),
        "transient_environment": False,
        "production_environment": record.environment == "production",
    }
