"""Decides whose issues are trusted, and whose commands (by login or team) are accepted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ...clients.github import GitHubClient, quote_segment
from ...errors import ServiceError
from ...model.monitored_model import GitHubSpec
from .client import IssueClient, IssueView

READ = "organization members: read"
MAX_MEMBER_PAGES = 20
"""Of 100 members each: larger teams are not read to their end."""


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
    """The people of one model. The members of a team are read once, and only for a login that is not listed itself:
    however many strangers comment, that costs no more."""

    def __init__(self, github: GitHubClient, allowed: Iterable[str]) -> None:
        self._github = github
        self._logins = {name.lower() for name in allowed if "/" not in name}
        self._teams = [name for name in allowed if "/" in name]
        self._members: dict[str, tuple[frozenset[str], str]] = {}

    def denial_reason(self, login: str) -> str:
        """Why the commands of ``login`` are rejected; empty where they are accepted."""
        if login and login.lower() in self._logins:
            return ""
        if not login:
            return "its author's account is deleted"
        if not self._logins and not self._teams:
            return "`github.people` is empty: it names the people whose commands are accepted"
        reasons = [f"{login} is not in `github.people`, the people whose commands are accepted"]
        for team in self._teams:
            members, problem = self._read_team(team)
            if login.lower() in members:
                return ""
            reasons.append(problem or f"nor, as far as this token can see, in the team @{team}")
        return ", ".join(reasons)

    def _read_team(self, team: str) -> tuple[frozenset[str], str]:
        """Lower-case logins of its members, and what keeps others from being found."""
        if team not in self._members:
            try:
                self._members[team] = self._list_members(team)
            except ServiceError as error:
                problem = "" if error.status == 404 else f"and membership of @{team} cannot be read: {error.message}"
                self._members[team] = frozenset(), problem
        return self._members[team]

    def _list_members(self, team: str) -> tuple[frozenset[str], str]:
        organisation, _, slug = team.partition("/")
        path = f"/orgs/{quote_segment(organisation)}/teams/{quote_segment(slug)}/members"
        pages = self._github.paginate(path, f"list the members of @{team}", {}, permission=READ)
        members: set[str] = set()
        for page in islice(pages, MAX_MEMBER_PAGES):
            members.update(str(row.get("login") or "").lower() for row in page)
            if not page.more:
                return frozenset(members), ""
        return frozenset(members), f"and @{team} has more members than are read: list people, or a smaller team"
