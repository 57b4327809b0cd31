"""Posts the scorecard as one issue a week: edited when it is made again, never doubled, and not reopened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from ..errors import ServiceError
from ..targets.register.client import IssueClient, IssueView
from ..targets.register.codec import MAX_BODY, neutralize_markers, truncate
from ..timeutil import WEEK

LABEL = "modelwatch-scorecard"
"""Not that of alerts, whose issues are read at every evaluation."""
MAX_LOOKED_AT = 200
"""Of the newest issues, where the list of the label lags behind, or somebody took it away."""


@dataclass(frozen=True, slots=True)
class PostedIssue:
    url: str
    number: int
    outcome: str
    """``opened``, ``updated`` or ``unchanged``."""


def post_weekly_issue(client: IssueClient, title: str, text: str, name: str, now: float) -> PostedIssue:
    """Open the issue of this week, or edit it, also where somebody has closed it; those of earlier weeks are closed.

    ``name`` tells the scorecards of a repository apart. Only issues of this token's own account count: a marker that
    somebody else wrote means nothing. Raises ServiceError.
    """
    marker = _marker(name, now)
    body = f"{truncate(neutralize_markers(text), MAX_BODY - len(marker) - 2)}\n\n{marker}"
    body = client.github.redact(body)
    author = client.github.login().lower()
    every = {issue.number: issue for issue in _candidates(client, now) if issue.author.lower() == author}
    same = sorted(number for number, issue in every.items() if marker in issue.body)
    for number in same[1:]:
        if every[number].state == "open":
            client.update(number, {"state": "closed", "state_reason": "duplicate"})
    if same:
        issue = every[same[0]]
        if (issue.title, issue.body.replace("\r\n", "\n")) == (title, body):
            return PostedIssue(issue.url, issue.number, "unchanged")
        client.update(issue.number, {"title": title, "body": body})
        return PostedIssue(issue.url, issue.number, "updated")
    issue = _open_issue(client, title, body, marker, author, now)
    _close_earlier(client, every.values(), name)
    return PostedIssue(issue.url, issue.number, "opened")


def _marker(name: str, now: float) -> str:
    """Equal in one calendar week (ISO 8601, UTC) for one name."""
    year, week, _ = datetime.fromtimestamp(now, UTC).isocalendar()
    return f"{_prefix(name)}{year}-W{week:02d} -->"


def _prefix(name: str) -> str:
    return f"<!-- modelwatch:scorecard {hashlib.sha256(name.encode()).hexdigest()[:12]} "


def _candidates(client: IssueClient, now: float) -> Iterator[IssueView]:
    yield from client.list_by_label(LABEL)
    yield from islice(client.list_newest(now - WEEK), MAX_LOOKED_AT)


def _open_issue(client: IssueClient, title: str, body: str, marker: str, author: str, now: float) -> IssueView:
    """Where the answer is lost, look whether it was opened."""
    client.create_label(LABEL)
    try:
        return client.create(title, body, [LABEL], [])
    except ServiceError as error:
        found = _candidates(client, now) if error.uncertain else ()
        opened = [one for one in found if one.author.lower() == author and marker in one.body]
        if not opened:
            raise
        return opened[0]


def _close_earlier(client: IssueClient, issues: Iterable[IssueView], name: str) -> None:
    for issue in issues:
        if issue.state == "open" and _prefix(name) in issue.body:
            client.update(issue.number, {"state": "closed", "state_reason": "completed"})
