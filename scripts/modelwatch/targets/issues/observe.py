"""Issues observed: once for a repository, however many models share it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...model.monitored_model import GitHubSpec
from ...model.plan import Command, ObservedIssue
from ...model.register import DispatchState, Register
from ...timeutil import DAY, parse_iso
from ..register.authorization import Authorizer
from ..register.client import IssueClient, IssueView, author_login

COMMAND_MAX_AGE = 7 * DAY
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


NOTE_MARKER = "<!-- modelwatch:note"
"""Stands in every comment of ours: those are never commands."""
MAX_ARGUMENT = 500
EDITED_REFUSAL = "its comment was edited, and whoever may write here can edit what others wrote: say it in a new one"
MULTIPLE_REFUSAL = "it asks for several things at once: write a comment for each"
MAX_REMEMBERED = 20
"""As many ids of answered comments as a register keeps."""

_HIDDEN_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]{0,3}/modelwatch[ \t]+([A-Za-z-]+)(?:[ \t]+([^ \t\n].*)|[ \t]*)$", re.MULTILINE)
"""Linear in the comment's length, whatever stands in it: anybody may write 65,536 characters."""


def parse_commands(
    rows: Iterable[dict[str, Any]], answered_ids: tuple[int, ...], denial_reason: Callable[[str], str]
) -> tuple[Command, ...]:
    """The commands not yet answered, oldest first; one a comment, and of a comment with several none is obeyed.

    ``refuses``: why the commands of a login do not count; empty where they do.
    """
    comments = [one for one in answered_ids if one > 0]
    oldest = min(comments) if len(comments) >= MAX_REMEMBERED else 0
    found = []
    for row in rows:
        number, body = row.get("id"), row.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or number in answered_ids or number < oldest:
            continue
        said = [] if NOTE_MARKER in body else _find_commands(body)
        if not said:
            continue
        author, match = author_login(row), said[0]
        refused = denial_reason(author) or _edited_refusal(row) or (MULTIPLE_REFUSAL if len(said) > 1 else "")
        found.append(
            Command(
                comment=number,
                author=author,
                at=parse_iso(str(row["created_at"])) if row.get("created_at") else 0.0,
                verb=match[1].lower(),
                argument=(match[2] or "").rstrip(" \t")[:MAX_ARGUMENT],
                allowed=not refused,
                refused=refused,
            )
        )
    return tuple(found)


def _find_commands(body: str) -> list[re.Match[str]]:
    """Not those in examples (fenced code) nor in what nobody sees (HTML comments)."""
    return list(_COMMAND.finditer(_HIDDEN_TEXT.sub("", body.replace("\r\n", "\n"))))


def _edited_refusal(row: dict[str, Any]) -> str:
    """GitHub names the author of a comment, not who changed it."""
    created, updated = row.get("created_at"), row.get("updated_at")
    return EDITED_REFUSAL if created and updated and created != updated else ""
