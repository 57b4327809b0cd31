"""A file proposed by pull request: once per branch, whatever happens in between."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from ..errors import ServiceError
from .github import GitHubClient, quote_segment, repository_path

CONTENTS, PULLS = "contents: write", "pull-requests: write"


@dataclass(frozen=True, slots=True)
class ProposalResult:
    """``url`` is empty where the file is already so."""

    url: str
    created: bool


@dataclass(frozen=True, slots=True)
class FileProposal:
    """What is to be so, in ``path``; ``branch`` names it, so the same proposal has the same branch."""

    branch: str
    path: str
    content: bytes
    title: str
    body: str


def find_pull_request(github: GitHubClient, repository: str, branch: str) -> str:
    """The address of the pull request from ``branch``, open or not; empty where there is none."""
    owner = repository.partition("/")[0]
    asked: dict[str, str | int] = {"state": "all", "head": f"{owner}:{branch}"}
    what = f"look for a pull request in {repository}"
    for page in github.paginate(f"{repository_path(repository)}/pulls", what, asked, permission="pull-requests: read"):
        # A server that does not know `head` would list everybody's.
        for row in page:
            if isinstance(row.get("head"), dict) and row["head"].get("ref") == branch:
                return str(row.get("html_url", ""))
    return ""


def propose_file(github: GitHubClient, repository: str, proposal: FileProposal) -> ProposalResult:
    """Branch, commit, pull request: each only where it is missing, so an interrupted proposal is gone on with.

    A pull request that was merged or closed is not opened again. Raises ServiceError.
    """
    there = find_pull_request(github, repository, proposal.branch)
    if there:
        return ProposalResult(there, created=False)
    home = repository_path(repository)
    what = f"look at {repository}"
    base = str(github.require_object(github.get(home, what), what, "default_branch")["default_branch"])
    if _read_content(github, home, proposal.path, base)[0] == proposal.content:
        return ProposalResult("", created=False)
    _create_branch(github, home, proposal.branch, base)
    _commit_file(github, home, proposal)
    sent = {"title": proposal.title, "body": proposal.body, "head": proposal.branch, "base": base}
    try:
        made = github.write("POST", f"{home}/pulls", f"open a pull request in {repository}", sent, permission=PULLS)
    except ServiceError as error:
        there = find_pull_request(github, repository, proposal.branch) if error.uncertain or error.status == 422 else ""
        if not there:
            raise
        return ProposalResult(there, created=True)
    return ProposalResult(str(github.require_object(made, "open a pull request", "html_url")["html_url"]), created=True)


def _create_branch(github: GitHubClient, home: str, branch: str, base: str) -> None:
    what = f"make the branch {branch}"
    if _get_or_none(github, f"{home}/git/ref/heads/{branch}", what) is not None:
        return
    tip = github.get(f"{home}/git/ref/heads/{quote_segment(base)}", f"look at the branch {base}", permission=CONTENTS)
    target = tip.get("object")
    sha = str(target.get("sha", "")) if isinstance(target, dict) else ""
    try:
        github.write("POST", f"{home}/git/refs", what, {"ref": f"refs/heads/{branch}", "sha": sha}, permission=CONTENTS)
    except ServiceError as error:
        if not error.uncertain and error.status != 422:
            raise
        if _get_or_none(github, f"{home}/git/ref/heads/{branch}", what) is None:
            raise


def _commit_file(github: GitHubClient, home: str, proposal: FileProposal) -> None:
    content, sha = _read_content(github, home, proposal.path, proposal.branch)
    if content == proposal.content:
        return
    sent = {"message": proposal.title, "branch": proposal.branch, "content": _encode_content(proposal.content)}
    sent |= {"sha": sha} if sha else {}
    try:
        github.write(
            "PUT", f"{home}/contents/{_quoted_path(proposal)}", f"write {proposal.path}", sent, permission=CONTENTS
        )
    except ServiceError as error:
        if not error.uncertain or _read_content(github, home, proposal.path, proposal.branch)[0] != proposal.content:
            raise


def _read_content(github: GitHubClient, home: str, path: str, ref: str) -> tuple[bytes | None, str]:
    """The file and its sha; ``(None, "")`` where there is none."""
    what = f"read {path}"
    quoted = "/".join(quote_segment(part) for part in path.split("/"))
    found = _get_or_none(github, f"{home}/contents/{quoted}?ref={quote_segment(ref)}", what)
    if found is None:
        return None, ""
    text = str(github.require_object(found, what, "sha").get("content") or "")
    try:
        return base64.b64decode("".join(text.split()), validate=True), str(found["sha"])
    except ValueError as error:
        raise ServiceError(f"could not {what}: GitHub's answer is no file") from error


def _get_or_none(github: GitHubClient, path: str, what: str) -> dict[str, Any] | None:
    try:
        return github.get(path, what, permission="contents: read")
    except ServiceError as error:
        if error.status == 404:
            return None
        raise


def _quoted_path(proposal: FileProposal) -> str:
    return "/".join(quote_segment(part) for part in proposal.path.split("/"))


def _encode_content(content: bytes) -> str:
    return base64.b64encode(content).decode()
