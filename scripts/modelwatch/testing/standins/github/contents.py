"""Files, branches and refs of a repository."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import quote

from ..http import Response
from . import errors, git_repo
from .git_repo import Commit
from .repository_json import format_time, node_id, page_url, repository_url, user
from .routing import Call, Route, route

ROUTES: list[Route] = []
_REPO = "/repos/{owner}/{repo}"


def _entry_json(call: Call, path: str, ref: str, content: bytes | None) -> dict[str, Any]:
    """A file (with ``content``) or a folder (``None``), without its content."""
    kind = "dir" if content is None else "file"
    sha = git_repo.blob_sha(content if content is not None else path.encode())
    part = "trees" if content is None else "blobs"
    where = quote(path)
    url = f"{repository_url(call, call.repo)}/contents/{where}?ref={quote(ref)}"
    git = f"{repository_url(call, call.repo)}/git/{part}/{sha}"
    page = f"{page_url(call, call.repo)}/{'tree' if content is None else 'blob'}/{ref}/{where}"
    raw = None if content is None else f"{page_url(call, call.repo)}/raw/{ref}/{where}"
    shaped: dict[str, Any] = {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(content or b""),
        "url": url,
    }
    shaped |= {"html_url": page, "git_url": git, "download_url": raw, "type": kind}
    return shaped | {"_links": {"self": url, "git": git, "html": page}}


@route(ROUTES, "GET", _REPO + "/contents/{path:path}", "contents:read")
def get_contents(call: Call) -> Response:
    path = call.parameters["path"].strip("/")
    ref = call.request.first("ref") or call.repo.git.default_branch
    if call.repo.git.resolve_ref(ref) is None:
        raise errors.GitHubApiError(404, f"No commit found for the ref {ref}")
    files = call.repo.git.files_at(ref)
    if path in files:
        if "raw" in call.request.headers.get("accept", ""):
            return Response(200, files[path], (("content-type", "application/vnd.github.raw"),))
        text = base64.encodebytes(files[path]).decode()
        return Response.of(_entry_json(call, path, ref, files[path]) | {"content": text, "encoding": "base64"})
    prefix = f"{path}/" if path else ""
    inside = {name.removeprefix(prefix) for name in files if name.startswith(prefix)}
    if not inside:
        raise errors.not_found_error()
    names = sorted({name.partition("/")[0] for name in inside})
    return Response.of([_entry_json(call, prefix + name, ref, files.get(prefix + name)) for name in names])


def commit_json(call: Call, commit: Commit) -> dict[str, Any]:
    """A commit as git has it."""
    url = f"{repository_url(call, call.repo)}/git/commits/{commit.sha}"
    person = {"name": commit.author, "email": "stand-in@example.com", "date": format_time(commit.at)}
    tree = {"sha": commit.tree, "url": f"{repository_url(call, call.repo)}/git/trees/{commit.tree}"}
    page = f"{page_url(call, call.repo)}/commit/{commit.sha}"
    shaped: dict[str, Any] = {
        "sha": commit.sha,
        "node_id": node_id("Commit", int(commit.sha[:8], 16)),
        "url": url,
        "html_url": page,
    }
    shaped |= {"message": commit.message, "author": person, "committer": person, "tree": tree}
    return shaped | {
        "parents": [
            {"sha": sha, "url": f"{repository_url(call, call.repo)}/git/commits/{sha}"} for sha in commit.parents
        ]
    }


def _commit_file(call: Call, path: str, content: bytes | None, fields: dict[str, Any], before: bytes | None) -> Commit:
    """Commit one change to a file, with GitHub's checks of branch, sha and permission."""
    if not isinstance(fields.get("message"), str):
        raise errors.missing_field("message")
    git = call.repo.git
    branch = str(fields.get("branch") or git.default_branch)
    if branch not in git.branches:
        raise errors.GitHubApiError(404, f"Branch {branch} not found")
    if path.startswith(".github/workflows/") and not call.token.allows("workflows", "write"):
        who = "GitHub App" if call.token.kind == "app" else "Personal Access Token"
        message = f"refusing to allow a {who} to create or update workflow `{path}` without `workflows` permission"
        raise errors.GitHubApiError(403, message)
    given = fields.get("sha")
    if before is not None and given is None:
        raise errors.missing_field("sha")
    if given is not None and (before is None or given != git_repo.blob_sha(before)):
        raise errors.GitHubApiError(409, f"{path} does not match {given}")
    now = call.state.clock()
    call.repo.pushed = now
    return git.commit(branch, {path: content}, fields["message"], call.login, now)


def _file_on_branch(call: Call, fields: dict[str, Any], path: str) -> bytes | None:
    git = call.repo.git
    return git.files_at(f"refs/heads/{fields.get('branch') or git.default_branch}").get(path)


@route(ROUTES, "PUT", _REPO + "/contents/{path:path}", "contents:write", content=True)
def put_contents(call: Call) -> Response:
    fields, path = call.json_object(), call.parameters["path"].strip("/")
    if not isinstance(fields.get("content"), str):
        raise errors.missing_field("content")
    try:
        content = base64.b64decode("".join(fields["content"].split()), validate=True)
    except binascii.Error as error:
        raise errors.GitHubApiError(422, "content is not valid Base64") from error
    before = _file_on_branch(call, fields, path)
    commit = _commit_file(call, path, content, fields, before)
    ref = str(fields.get("branch") or call.repo.git.default_branch)
    answer = {"content": _entry_json(call, path, ref, content), "commit": commit_json(call, commit)}
    return Response.of(answer, 201 if before is None else 200)


@route(ROUTES, "DELETE", _REPO + "/contents/{path:path}", "contents:write", content=True)
def delete_contents(call: Call) -> Response:
    fields, path = call.json_object(), call.parameters["path"].strip("/")
    before = _file_on_branch(call, fields, path)
    if before is None:
        raise errors.not_found_error()
    return Response.of({"content": None, "commit": commit_json(call, _commit_file(call, path, None, fields, before))})


def _branch_json(call: Call, name: str) -> dict[str, Any]:
    commit = call.repo.git.commits[call.repo.git.branches[name]]
    base = repository_url(call, call.repo)
    outer: dict[str, Any] = {
        "sha": commit.sha,
        "node_id": node_id("Commit", int(commit.sha[:8], 16)),
        "url": f"{base}/commits/{commit.sha}",
    }
    outer |= {"html_url": f"{page_url(call, call.repo)}/commit/{commit.sha}", "commit": commit_json(call, commit)}
    outer |= {"author": user(call, commit.author), "committer": user(call, commit.author)}
    outer |= {
        "comments_url": f"{base}/commits/{commit.sha}/comments",
        "parents": commit_json(call, commit)["parents"],
    }
    links = {"self": f"{base}/branches/{name}", "html": f"{page_url(call, call.repo)}/tree/{name}"}
    shaped: dict[str, Any] = {"name": name, "commit": outer, "_links": links, "protected": False}
    return shaped | {"protection": {"enabled": False}, "protection_url": f"{base}/branches/{name}/protection"}


@route(ROUTES, "GET", _REPO + "/branches", "contents:read")
def list_branches(call: Call) -> Response:
    return call.list_response(sorted(call.repo.git.branches), lambda name: _branch_json(call, name))


@route(ROUTES, "GET", _REPO + "/branches/{name:path}", "contents:read")
def get_branch(call: Call) -> Response:
    if call.parameters["name"] not in call.repo.git.branches:
        raise errors.GitHubApiError(404, "Branch not found")
    return Response.of(_branch_json(call, call.parameters["name"]))


def _ref_json(call: Call, ref: str, sha: str) -> dict[str, Any]:
    base = repository_url(call, call.repo)
    target = {"type": "commit", "sha": sha, "url": f"{base}/git/commits/{sha}"}
    return {"ref": ref, "node_id": node_id("Ref", int(sha[:8], 16)), "url": f"{base}/git/{ref}", "object": target}


@route(ROUTES, "GET", _REPO + "/git/ref/{ref:path}", "contents:read")
def get_ref(call: Call) -> Response:
    ref = f"refs/{call.parameters['ref']}"
    sha = call.repo.git.resolve_ref(ref)
    if sha is None:
        raise errors.not_found_error()
    return Response.of(_ref_json(call, ref, sha))


@route(ROUTES, "POST", _REPO + "/git/refs", "contents:write")
def create_ref(call: Call) -> Response:
    fields, git = call.json_object(), call.repo.git
    ref, sha = fields.get("ref"), fields.get("sha")
    if not isinstance(ref, str) or not isinstance(sha, str):
        raise errors.missing_field("sha" if isinstance(ref, str) else "ref")
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise errors.GitHubApiError(422, "Reference name must start with 'refs/' and have at least two slashes")
    if sha not in git.commits:
        raise errors.GitHubApiError(422, "Object does not exist")
    if git.resolve_ref(ref) is not None:
        raise errors.GitHubApiError(422, "Reference already exists")
    (git.tags if ref.startswith("refs/tags/") else git.branches)[ref.split("/", 2)[2]] = sha
    return Response.of(_ref_json(call, ref, sha), 201)


@route(ROUTES, "DELETE", _REPO + "/git/refs/heads/{name:path}", "contents:write")
def delete_branch(call: Call) -> Response:
    if call.repo.git.branches.pop(call.parameters["name"], None) is None:
        raise errors.GitHubApiError(422, "Reference does not exist")
    return Response(204)
