"""Issues observed: once for a repository, however many models share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.plan import Command, ObservedIssue
from ..model.register import ReceiptState, Register
from ..model.watched import GitHubSpec
from .issue_commands import commands_in
from .issue_view import IssueView
from .teams import People
from .tracker import Tracker

COMMANDS_FOR = 7 * 86_400.0
"""Older comments are not looked at for commands."""
OPEN_STATES = (ReceiptState.INTENDED, ReceiptState.SENT)


def trusted(tracker: Tracker, spec: GitHubSpec) -> frozenset[str]:
    """Lower-case logins whose issues are trusted: as configured, else the token's own. Raises ServiceError."""
    return frozenset(login.lower() for login in spec.authors or (tracker.github.login(),))


def distrust(issue: IssueView, authors: frozenset[str]) -> str:
    """Why the author of ``issue`` is not trusted; empty where it is."""
    if issue.author.lower() in authors:
        return ""
    author = issue.author or "a deleted account"
    return f"opened by {author}, not by {' or '.join(sorted(authors))}: name whom to trust in `github.authors`"


def observe_issue(
    tracker: Tracker, issue: IssueView, spec: GitHubSpec, authors: frozenset[str], now: float | None
) -> ObservedIssue:
    """One issue, with the commands on it. Raises ServiceError where its comments cannot be read."""
    stranger = distrust(issue, authors)
    # Where GitHub does not say whose token this is, a bot that nobody was asked to trust may be ourselves: then its
    # issue blocks its group, rather than getting another one beside it at every evaluation.
    perhaps_ours = bool(stranger) and not spec.authors and issue.author.endswith("[bot]")
    trouble = stranger or issue.found.trouble
    register: Register | None = None if trouble else issue.found.register
    commands: tuple[Command, ...] = ()
    if issue.state == "open" and issue.comments and register is not None:
        rows = tracker.comments(issue.number, None if now is None else now - COMMANDS_FOR)
        commands = commands_in(rows, register.commands, People(tracker.github, spec.people).refuses)
    return ObservedIssue(
        number=issue.number,
        url=issue.url,
        group=issue.found.group,
        state=issue.state,
        state_reason=issue.state_reason,
        closed_at=issue.closed_at,
        created_at=issue.created_at,
        author=issue.author,
        body_digest=issue.digest,
        register=register,
        trouble=trouble,
        commands=commands,
        trusted=not stranger or perhaps_ours,
    )


def model_of(issue: IssueView, known: Mapping[str, str], models: Iterable[str]) -> str:
    """The model that ``issue`` is about: by its group, else as its register says; empty for no model of ours."""
    if issue.found.group in known:
        return known[issue.found.group]
    register = issue.found.register
    return register.model if register is not None and register.model in models else ""


def open_verbs(issues: Iterable[ObservedIssue], since: float) -> frozenset[str]:
    """Verbs of dispatches that are intended or under way."""
    records = [record for issue in issues if issue.register for record in issue.register.dispatches]
    return frozenset(record.verb for record in records if record.state in OPEN_STATES and record.at >= since)
