"""Observes issues and the commands on them, once for all models that share a repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...errors import UserError
from ...model.alert import BUILT_IN_RULES, group_key
from ...model.monitored_model import GitHubSpec
from ...model.plan import Command, ObservedIssue
from ...model.register import Register, is_answered
from ...model.target import Target
from ...timeutil import DAY, parse_iso
from ..base import ObservationBuilder
from ..register.authorization import Authorizer, trusted_authors, untrusted_reason
from ..register.client import NOTE_MARKER, IssueClient, IssueView, author_login
from ..sessions import TargetSessions

COMMAND_MAX_AGE = 7 * DAY
"""Commands in comments older than this (seconds) are ignored."""


def observe_issues(sessions: TargetSessions, models: Sequence[ObservationBuilder], now: float | None) -> None:
    """Add the issues of ``models``, which share a repository, with the commands on them."""
    spec = models[0].model.github
    try:
        client = sessions.issue_client(spec)
        issues = client.list_labelled(now)
    except UserError as error:
        for model in models:
            model.add_error(error, Target.ISSUE, Target.DISPATCH)
        return
    names = {model.model.name: model for model in models}
    known = {key: model.model.name for model in models for key in _group_keys(model)}
    for issue in issues:
        owner = names.get(_find_model(issue, known)) if issue.register_block.group else None
        if owner is None:
            continue
        try:
            authors = trusted_authors(client, owner.model.github)
            if issue.register_block.group not in known and untrusted_reason(issue, authors):
                continue
            owner.issues.append(observe_issue(client, issue, owner.model.github, authors, now))
        except UserError as error:
            owner.add_error(error, Target.ISSUE, Target.DISPATCH)


def _group_keys(builder: ObservationBuilder) -> set[str]:
    model, rules = builder.model, [rule.name for rule in builder.model.rules]
    keys = {group_key(model.name, rule) for rule in (*rules, *BUILT_IN_RULES)}
    return keys | {group.key for group in builder.groups}


def observe_issue(
    client: IssueClient, issue: IssueView, spec: GitHubSpec, authors: frozenset[str], now: float | None
) -> ObservedIssue:
    """One issue, with the commands on it. Raises ServiceError where its comments cannot be read."""
    stranger = untrusted_reason(issue, authors)
    # Where GitHub does not name the owner of the token, an untrusted bot can be this one: then its issue blocks the
    # group, since otherwise every evaluation would open another.
    perhaps_ours = bool(stranger) and not spec.authors and issue.author.endswith("[bot]")
    error = stranger or issue.register_block.error
    register: Register | None = None if error else issue.register_block.register
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
        register_error=error,
        commands=commands,
        trusted=not stranger or perhaps_ours,
    )


def _find_model(issue: IssueView, known: Mapping[str, str]) -> str:
    """The name of the model that ``issue`` is about: by its group, else as its register says; else empty."""
    register = issue.register_block.register
    return known.get(issue.register_block.group) or (register.model if register is not None else "")


MAX_ARGUMENT = 500
EDITED_REFUSAL = "edited comments are ignored; post a new one"
MULTIPLE_REFUSAL = "it has several commands: write one comment for each"

_HIDDEN_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]{0,3}/modelwatch[ \t]+([A-Za-z-]+)(?:[ \t]+([^ \t\n].*)|[ \t]*)$", re.MULTILINE)
"""Takes time linear in the comment's length, whatever it contains: anybody can write 65,536 characters."""


def parse_commands(
    rows: Iterable[dict[str, Any]], answered_ids: tuple[int, ...], denial_reason: Callable[[str], str]
) -> tuple[Command, ...]:
    """The commands not yet answered, oldest first, one a comment; a comment with several is refused.

    ``denial_reason``: why the commands of a login are rejected; empty where they are accepted.
    """
    commands = []
    for row in rows:
        number, body = row.get("id"), row.get("body")
        if not isinstance(number, int) or not isinstance(body, str) or NOTE_MARKER in body:
            continue
        if is_answered(answered_ids, number):
            continue
        matches = list(_COMMAND.finditer(_HIDDEN_TEXT.sub("", body.replace("\r\n", "\n"))))
        if not matches:
            continue
        author, match = author_login(row), matches[0]
        refused = denial_reason(author) or _edited_refusal(row) or (MULTIPLE_REFUSAL if len(matches) > 1 else "")
        commands.append(
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
    return tuple(commands)


def _edited_refusal(row: dict[str, Any]) -> str:
    """Why an edited comment is refused: GitHub names its author, but not who edited it."""
    created, updated = row.get("created_at"), row.get("updated_at")
    return EDITED_REFUSAL if created and updated and created != updated else ""
