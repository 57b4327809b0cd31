"""A comment on an issue that is no group's note: posted once, whatever happens in between."""

from __future__ import annotations

import hashlib
import re

from ..clients.failure import ServiceError
from ..clients.github import GitHub
from ..errors import UserError
from .tracker import Tracker

_ISSUE = re.compile(r"https?://[^/\s]+/(?P<repository>[^/\s]+/[^/\s]+)/issues/(?P<number>\d{1,9})")


def place_of(url: str) -> tuple[str, int]:
    """Repository and number of the issue at ``url``; raises UserError where it is none."""
    found = _ISSUE.fullmatch(url)
    if found is None:
        raise UserError(f"{url!r} is not the address of an issue", hint="It ends in `/owner/name/issues/12`.")
    return found["repository"], int(found["number"])


def remark(github: GitHub, url: str, key: str, body: str) -> bool:
    """Comment ``body`` on the issue, unless a comment with ``key`` is there; says whether it was posted.

    Where the answer is lost, the comments are looked at again: nothing is said twice. Raises UserError, ServiceError.
    """
    repository, number = place_of(url)
    tracker = Tracker(github, repository)
    marker = f"<!-- modelwatch:note {hashlib.sha256(key.encode()).hexdigest()[:16]} -->"
    if _is_there(tracker, number, marker):
        return False
    try:
        tracker.comment(number, f"{body}\n\n{marker}")
    except ServiceError as error:
        if not error.uncertain or not _is_there(tracker, number, marker):
            raise
    return True


def _is_there(tracker: Tracker, number: int, marker: str) -> bool:
    return any(marker in str(row.get("body")) for row in tracker.comments(number, None))
