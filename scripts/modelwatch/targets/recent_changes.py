"""Reads what changed in a repository, with three requests: commits, changes of the configuration, deployments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ..clients.github import GitHubClient, repository_path
from ..errors import ServiceError, UserError, shorten
from ..model.recent_change import RecentChange, RecentChangeKind, RecentChanges
from ..timeutil import format_iso, parse_iso_or_none

PER_PAGE = 20
MAX_TEXT = 120
_Row = dict[str, Any]


def read_repository_changes(
    github: GitHubClient, repository: str, config_path: str, since: float, until: float
) -> RecentChanges:
    """Commits of the default branch and deployments between two times. A list that cannot be read is a problem.

    Both lists of commits are one action to the circuit breaker: where the first gets no answer the second is not
    requested, so that reading what is only context cannot use up the time that GitHub has for opening the issue.
    """
    base, between = repository_path(repository), {"since": format_iso(since), "until": format_iso(until)}
    found: dict[str, RecentChange] = {}
    problems: dict[str, list[str]] = {}

    def read(
        what: str, path: str, query: dict[str, str], permission: str, parse: Callable[[_Row], RecentChange]
    ) -> None:
        try:
            pages = github.paginate(
                f"{base}/{path}", f"list {path} of {repository}", {**query, "per_page": PER_PAGE}, permission=permission
            )
            for row in next(pages, ()):
                change = parse(row)
                if since <= change.at <= until:
                    found[change.url or f"{change.kind}.{change.at}.{change.text}"] = change
        except UserError as error:
            problems.setdefault(str(error).replace(f"list {path} of {repository}", f"read {repository}"), []).append(
                what
            )

    read("commits", "commits", between, "contents: read", lambda row: _commit(row, RecentChangeKind.COMMIT))
    if config_path:
        query = {**between, "path": config_path}
        as_configuration = RecentChangeKind.CONFIGURATION
        read(
            "changes of the configuration",
            "commits",
            query,
            "contents: read",
            lambda row: _commit(row, as_configuration),
        )
    read("deployments", "deployments", {}, "deployments: read", _deployment)
    texts = (shorten(f"{', '.join(names)}: {reason}", 300) for reason, names in problems.items())
    return RecentChanges(tuple(found.values()), tuple(texts))


def _commit(row: _Row, kind: RecentChangeKind) -> RecentChange:
    """The time is the committer's, the latest that git knows."""
    commit = _object(row, "commit")
    at = parse_iso_or_none(str(_object(commit, "committer").get("date")))
    if at is None:
        raise ServiceError("GitHub's answer is not a list of commits", hint="A proxy may be in the way.")
    name = _object(row, "author").get("login") or _object(commit, "author").get("name")
    title = next(_lines(str(commit.get("message") or "")), "")
    text = f"{str(row.get('sha') or '')[:7]} {title}"
    return RecentChange(at, kind, shorten(text, MAX_TEXT), str(name or ""), str(row.get("html_url") or ""))


def _deployment(row: _Row) -> RecentChange:
    at = parse_iso_or_none(str(row.get("created_at")))
    if at is None:
        raise ServiceError("GitHub's answer is not a list of deployments", hint="A proxy may be in the way.")
    text = f"{row.get('ref') or ''} to {row.get('environment') or 'an environment'}"
    if row.get("description"):
        text += f": {row['description']}"
    # The address of a web page is in no field of a deployment.
    url = re.sub(r"(/api/v3)?/repos/", "/", str(row.get("repository_url") or ""), count=1)
    url = url.replace("://api.github.com/", "://github.com/")
    environment = str(row.get("environment") or "")
    page = f"{url}/deployments/{environment}" if url and environment.replace("-", "").isalnum() else ""
    who = str(_object(row, "creator").get("login") or "")
    return RecentChange(at, RecentChangeKind.DEPLOYMENT, shorten(text, MAX_TEXT), who, page)


def _object(row: _Row, name: str) -> _Row:
    """A field that is an object; empty where it is null, as for deleted accounts."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())
