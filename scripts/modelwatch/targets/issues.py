"""Issues observed: once for a repository, however many models share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.plan import Command, ObservedIssue
from ..model.register import DispatchState, Register
from ..model.watched import GitHubSpec
from .issue_commands import parse_commands
from .issue_view import IssueView
from .teams import Authorizer
from .tracker import IssueClient

COMMAND_MAX_AGE = 7 * 86_400.0
"""Older comments are not looked at for commands."""
OPEN_STATES = (DispatchState.INTENDED, DispatchState.SENT)


def trusted_authors(client: IssueClient, spec: GitHubSpec) -> frozenset[str]:
    """Lower-case logins whose issues are trusted: as configured, else the token's own. Raises ServiceError."""
    return frozenset(login.lower() for login in spec.authors or (client.github.login(),))


def untrusted_reason(issue: IssueView, authors: frozenset[str]) -> str:
    """Why the author of ``issue`` is not trusted; empty where it is."""
    if issue.author.lower() in authors:
        return ""
    author = issue.author or "a deleted account"
    return f"opened by {author}, not by {' or '.join(sorted(authors))}: name whom to trust in `github.authors`"


def observe_issue(
    client: IssueClient, issue: IssueView, spec: GitHubSpec, authors: frozenset[str], now: float | None
) -> ObservedIssue:
    """One issue, with the commands on it. Raises ServiceError where its comments cannot be read."""
    stranger = untrusted_reason(issue, authors)
    # Where GitHub does not say whose token this is, a bot that nobody was asked to trust may be ourselves: then its
    # issue blocks its group, rather than getting another one beside it at every evaluation.
    perhaps_ours = bool(stranger) and not spec.authors and issue.author.endswith("[bot]")
    trouble = stranger or issue.register_block.error
    register: Register | None = None if trouble else issue.register_block.register
    commands: tuple[Command, ...] = ()
    if issue.state == "open" and issue.comments and register is not None:
        rows = client.list_comments(issue.number, None if now is None else now - COMMAND_MAX_AGE)
        commands = parse_commands(rows, register.commands, Authorizer(client.github, spec.people).denial_reason)
    return ObservedIssue(
        number=issue.number,
        url=issue.url,
        group=issue.register_block.group,
        state=issue.state,
        state_reason=issue.state_reason,
        closed_at=issue.closed_at,
        created_at=issue.created_at,
        author=issue.author,
        body_digest=issue.digest,
        register=register,
        register_error=trouble,
        commands=commands,
        trusted=not stranger or perhaps_ours,
    )


def find_model(issue: IssueView, known: Mapping[str, str], models: Iterable[str]) -> str:
    """The model that ``issue`` is about: by its group, else as its register says; empty for no model of ours."""
    if issue.register_block.group in known:
        return known[issue.register_block.group]
    register = issue.register_block.register
    return register.model if register is not None and register.model in models else ""


def open_dispatch_verbs(issues: Iterable[ObservedIssue], since: float) -> frozenset[str]:
    """Verbs of dispatches that are intended or under way."""
    records = [record for issue in issues if issue.register for record in issue.register.dispatches]
    return frozenset(record.verb for record in records if record.state in OPEN_STATES and record.at >= since)
