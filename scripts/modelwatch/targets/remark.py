"""A comment on an issue that is no group's note: posted once, whatever happens in between."""

from __future__ import annotations

import hashlib
import re

from ..clients.failure import ServiceError
from ..clients.github import GitHubClient
from ..errors import UserError
from .tracker import IssueClient

_ISSUE = re.compile(r"https?://[^/\s]+/(?P<repository>[^/\s]+/[^/\s]+)/issues/(?P<number>\d{1,9})")


def parse_issue_url(url: str) -> tuple[str, int]:
    """Repository and number of the issue at ``url``; raises UserError where it is none."""
    found = _ISSUE.fullmatch(url)
    if found is None:
        raise UserError(f"{url!r} is not the address of an issue", hint="It ends in `/owner/name/issues/12`.")
    return found["repository"], int(found["number"])


def comment_once(github: GitHubClient, url: str, key: str, body: str) -> bool:
    """Comment ``body`` on the issue, unless a comment with ``key`` is there; says whether it was posted.

    Where the answer is lost, the comments are looked at again: nothing is said twice. Raises UserError, ServiceError.
    """
    repository, number = parse_issue_url(url)
    tracker = IssueClient(github, repository)
    marker = f"<!-- modelwatch:note {hashlib.sha256(key.encode()).hexdigest()[:16]} -->"
    if _has_comment(tracker, number, marker):
        return False
    try:
        tracker.add_comment(number, f"{body}\n\n{marker}")
    except ServiceError as error:
        if not error.uncertain or not _has_comment(tracker, number, marker):
            raise
    return True


def _has_comment(client: IssueClient, number: int, marker: str) -> bool:
    return any(marker in str(row.get("body")) for row in client.list_comments(number, None))
