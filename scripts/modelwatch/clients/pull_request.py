"""Propose a file by pull request: one branch and one pull request for each proposal, however often it is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ServiceError
from .github import GitHubClient, repository_path

if TYPE_CHECKING:
    from github.Repository import Repository

CONTENTS, PULLS = "contents: write", "pull-requests: write"


@dataclass(frozen=True, slots=True)
class FileProposal:
    """The wanted content of ``path``; ``branch`` identifies the proposal: the same one has the same branch."""

    branch: str
    path: str
    content: bytes
    title: str
    body: str
    before: bytes | None = None
    """What the default branch must have there, so that nothing else is taken back; ``None``: anything."""


def find_pull_request(github: GitHubClient, repository: str, branch: str) -> str:
    """The address of the pull request from ``branch``, open or not; empty where there is none."""
    path, action = f"{repository_path(repository)}/pulls", f"look for a pull request in {repository}"
    query = {"state": "all", "head": f"{repository.partition('/')[0]}:{branch}"}
    for page in github.paginate(path, action, query, permission="pull-requests: read"):
        for row in page:
            # A server that does not know `head` would list everybody's.
            head = row.get("head")
            if isinstance(head, dict) and head.get("ref") == branch:
                return str(github.require_object(row, action, "html_url")["html_url"])
    return ""


def propose_file(github: GitHubClient, repository: str, proposal: FileProposal) -> str:
    """Make branch, commit and pull request, each only where it is missing, so that an interrupted proposal continues.

    Returns the pull request's address; empty where the default branch has the file already. One that was merged or
    closed is not opened again. Raises ServiceError, also where the default branch has something else than ``before``.
    """
    if url := find_pull_request(github, repository, proposal.branch):
        return url
    with github.calls(f"read {repository}", permission="contents: read", reads=True) as hub:
        repo = hub.get_repo(repository)
        base = repo.default_branch
    present = _read_file(github, repo, proposal.path, base)[0]
    if present == proposal.content:
        return ""
    if proposal.before is not None and present != proposal.before:
        raise ServiceError(
            f"{proposal.path} is another one on the branch {base} of {repository} than here",
            hint="Pull that branch, and try again.",
        )
    _create_branch(github, repo, proposal.branch, base)
    _commit_file(github, repo, proposal)
    title, body = github.redact(proposal.title), github.redact(proposal.body)
    try:
        with github.calls(f"open a pull request in {repository}", permission=PULLS):
            pull = repo.create_pull(base, proposal.branch, title=title, body=body)
            if not pull.html_url:
                raise ValueError("no address")
            return pull.html_url
    except ServiceError as error:
        url = find_pull_request(github, repository, proposal.branch) if error.uncertain or error.status == 422 else ""
        if not url:
            raise
        return url


def _create_branch(github: GitHubClient, repo: Repository, branch: str, base: str) -> None:
    action = f"create the branch {branch}"
    if _branch_tip(github, repo, branch, action):
        return
    tip = _branch_tip(github, repo, base, f"read the branch {base}")
    try:
        with github.calls(action, permission=CONTENTS):
            repo.create_git_ref(f"refs/heads/{branch}", tip)
    except ServiceError as error:
        if not error.uncertain and error.status != 422:
            raise
        if not _branch_tip(github, repo, branch, action):
            raise


def _branch_tip(github: GitHubClient, repo: Repository, branch: str, action: str) -> str:
    """The commit that a branch points to; empty where there is no such branch."""
    try:
        with github.calls(action, permission="contents: read", reads=True):
            return repo.get_git_ref(f"heads/{branch}").object.sha
    except ServiceError as error:
        if error.status == 404:
            return ""
        raise


def _commit_file(github: GitHubClient, repo: Repository, proposal: FileProposal) -> None:
    content, sha = _read_file(github, repo, proposal.path, proposal.branch)
    if content == proposal.content:
        return
    path, title, branch = proposal.path, github.redact(proposal.title), proposal.branch
    try:
        with github.calls(f"write {path}", permission=CONTENTS):
            if sha:
                repo.update_file(path, title, proposal.content, sha, branch=branch)
            else:
                repo.create_file(path, title, proposal.content, branch=branch)
    except ServiceError as error:
        if not error.uncertain or _read_file(github, repo, path, branch)[0] != proposal.content:
            raise


def _read_file(github: GitHubClient, repo: Repository, path: str, ref: str) -> tuple[bytes | None, str]:
    """The file and its sha; ``(None, "")`` where there is none."""
    try:
        with github.calls(f"read {path}", permission="contents: read", reads=True):
            file = repo.get_contents(path, ref=ref)
            if isinstance(file, list):
                raise ValueError("it is a folder")
            return file.decoded_content, file.sha
    except ServiceError as error:
        if error.status == 404:
            return None, ""
        raise
