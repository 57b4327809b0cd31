"""Releases of a repository, and how far two of its commits are apart."""

from __future__ import annotations

from typing import Any

from ..http import Response
from . import errors
from .git_repo import GitRepo
from .history import listed_commit
from .records import Release
from .repository_json import format_time, node_id, page_url, repository_url, user
from .routing import Call, Route, route

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"


@route(ROUTES, "GET", _REPO + "/releases", "contents:read")
def list_releases(call: Call) -> Response:
    """Newest first."""
    newest = sorted(call.repo.releases, key=lambda record: -record.created)
    return call.list_response(newest, lambda record: _release_json(call, record))


def _release_json(call: Call, record: Release) -> dict[str, Any]:
    url, page = f"{repository_url(call, call.repo)}/releases/{record.id}", page_url(call, call.repo)
    shaped: dict[str, Any] = {"id": record.id, "node_id": node_id("Release", record.id), "tag_name": record.tag}
    shaped |= {"url": url, "html_url": f"{page}/releases/tag/{record.tag}", "assets_url": f"{url}/assets"}
    shaped |= {"upload_url": f"{url}/assets{{?name,label}}", "tarball_url": None, "zipball_url": None}
    shaped |= {"target_commitish": call.repo.git.default_branch, "name": record.tag, "body": "", "assets": []}
    shaped |= {"draft": False, "prerelease": record.prerelease, "author": user(call, call.repo.owner)}
    return shaped | {"created_at": format_time(record.created), "published_at": format_time(record.created)}


def _ancestors(git: GitRepo, sha: str) -> list[str]:
    found, at = list[str](), sha or None
    while at is not None:
        found.append(at)
        at = next(iter(git.commits[at].parents), None)
    return found


@route(ROUTES, "GET", _REPO + "/compare/{span:path}", "contents:read")
def compare_commits(call: Call) -> Response:
    """``BASE...HEAD``: how many commits each has that the other lacks."""
    git, (base, dots, head) = call.repo.git, call.parameters["span"].partition("...")
    shas = [git.resolve_ref(base), git.resolve_ref(head)]
    if not dots or None in shas:
        raise errors.not_found_error()
    left, right = (_ancestors(git, sha or "") for sha in shas)
    common = next((sha for sha in left if sha in right), None)
    if common is None:
        raise errors.GitHubApiError(404, f"No common ancestor between {base} and {head}.")
    ahead, behind = right.index(common), left.index(common)
    words = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    commits = [listed_commit(call, git.commits[sha]) for sha in reversed(right[:ahead])]
    shaped: dict[str, Any] = {"status": words[bool(ahead), bool(behind)], "ahead_by": ahead, "behind_by": behind}
    shaped |= {"total_commits": ahead, "commits": commits, "files": []}
    shaped |= {"base_commit": listed_commit(call, git.commits[left[0]])}
    return Response.of(shaped | {"merge_base_commit": listed_commit(call, git.commits[common])})
