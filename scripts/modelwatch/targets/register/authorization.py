"""Decides whose issues are trusted, and whose commands (by login or team) are accepted."""

from __future__ import annotations

from collections.abc import Iterable

from ...clients.github import GitHubClient, quote_segment
from ...errors import ServiceError
from ...model.monitored_model import GitHubSpec
from .client import IssueClient, IssueView

READ = "organization members: read"


def trusted_authors(client: IssueClient, spec: GitHubSpec) -> frozenset[str]:
    """Lower-case logins whose issues are trusted: the configured ones, else the token's. Raises ServiceError."""
    return frozenset(login.lower() for login in spec.authors or (client.github.login(),))


def untrusted_reason(issue: IssueView, authors: frozenset[str]) -> str:
    """Why the author of ``issue`` is not trusted; empty where it is."""
    if issue.author.lower() in authors:
        return ""
    author = issue.author or "a deleted account"
    return f"opened by {author}, not by {' or '.join(sorted(authors))}: name whom to trust in `github.authors`"


class Authorizer:
    """The people of one model. Teams are read once for each author, and only if the login is not listed itself."""

    def __init__(self, github: GitHubClient, allowed: Iterable[str]) -> None:
        self._github = github
        self._logins = {name.lower() for name in allowed if "/" not in name}
        self._teams = [name for name in allowed if "/" in name]
        self._known: dict[str, str] = {}

    def denial_reason(self, login: str) -> str:
        """Why the commands of ``login`` are rejected; empty where they are accepted."""
        if login and login.lower() in self._logins:
            return ""
        if login not in self._known:
            self._known[login] = self._check_login(login)
        return self._known[login]

    def _check_login(self, login: str) -> str:
        if not login:
            return "its author's account is deleted"
        if not self._logins and not self._teams:
            return "`github.people` is empty: it names the people whose commands are accepted"
        reasons = [f"{login} is not in `github.people`, the people whose commands are accepted"]
        for team in self._teams:
            try:
                if self._is_member(team, login):
                    return ""
                reasons.append(f"nor, as far as this token can see, in the team @{team}")
            except ServiceError as error:
                reasons.append(f"and membership of @{team} cannot be read: {error.message}")
        return ", ".join(reasons)

    def _is_member(self, team: str, login: str) -> bool:
        organisation, _, slug = team.partition("/")
        path = f"/orgs/{quote_segment(organisation)}/teams/{quote_segment(slug)}/memberships/{quote_segment(login)}"
        try:
            membership = self._github.get(path, f"check whether {login} is in @{team}", permission=READ)
        except ServiceError as error:
            if error.status == 404:
                return False
            raise
        return membership.get("state") == "active"
