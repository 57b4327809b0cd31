"""Observes issues and the commands on them, once for all models that share a repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...model.alert import BUILT_IN_RULES, group_key
from ...model.monitored_model import Model
from ...model.plan import Command, ObservedIssue
from ...model.register import Register
from ...model.target import Target
from ...timeutil import DAY, parse_iso
from ..base import ObservationBuilder
from ..register.authorization import Authorizer, trusted_authors, untrusted_reason
from ..register.client import NOTE_MARKER, IssueClient, IssueView, author_login, is_bot, is_written_by
from ..register.codec import future_reason
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
    people = {name: Authorizer(client.github, model.model.github.people) for name, model in names.items()}
    for issue in issues:
        owner = names.get(_find_model(issue, known)) if issue.register_block.group else None
        if owner is None:
            continue
        try:
            authors = trusted_authors(client, owner.model.github)
            if issue.register_block.group not in known and untrusted_reason(issue, authors):
                continue
            owner.issues.append(observe_issue(client, issue, owner.model, authors, people[owner.model.name], now))
        except UserError as error:
            owner.add_error(error, Target.ISSUE, Target.DISPATCH)


def _group_keys(builder: ObservationBuilder) -> set[str]:
    model, rules = builder.model, [rule.name for rule in builder.model.rules]
    keys = {group_key(model.name, rule) for rule in (*rules, *BUILT_IN_RULES)}
    return keys | {group.key for group in builder.groups}


def observe_issue(
    client: IssueClient,
    issue: IssueView,
    model: Model,
    authors: frozenset[str],
    people: Authorizer,
    now: float | None,
) -> ObservedIssue:
    """One issue, with the commands on it, and who closed it. Where that cannot be read, its register does not count."""
    stranger = untrusted_reason(issue, authors)
    # An issue of this token's own account that `authors` leaves out blocks the group, since otherwise every evaluation
    # would open another. Where GitHub does not name the owner of the token, an untrusted bot can be this one.
    perhaps_ours = bool(stranger) and (
        _is_own(client, issue) if model.github.authors else issue.author.endswith("[bot]")
    )
    error = stranger or issue.register_block.error
    register: Register | None = None if error else issue.register_block.register
    if register is not None and now is not None and (error := future_reason(register, now)):
        register = None
    found, closing, may_mute = CommentScan(), issue, False
    try:
        if issue.state == "open" and issue.comments and register is not None:
            since = 0.0 if now is None else now - COMMAND_MAX_AGE
            found = _scan_comments(client, issue.number, register.read_until, since, authors, people)
        if issue.state == "closed" and register is not None and register.closed is None:
            if not issue.closed_by:  # an older server says it of a single issue only
                closing = client.get(issue.number)
            may_mute = issue.state_reason == "not_planned" and _may_mute(client, closing, model)
    except UserError as problem:  # nothing is decided about this group, and only about this one
        register, error = None, f"what people did on it cannot be read: {problem}"
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
        commands=found.commands,
        last_comment=found.last_comment,
        comments_left_out=found.left_out,
        is_public=any(command.by_stranger for command in found.commands) and client.is_public(),
        closed_by=closing.closed_by,
        closed_by_bot=closing.closed_by_bot,
        closer_may_mute=may_mute,
        trusted=not stranger or perhaps_ours,
    )


def _is_own(client: IssueClient, issue: IssueView) -> bool:
    """Whether the issue is of the account that the token writes as; not where GitHub does not say which that is."""
    try:
        return client.github.login().lower() == issue.author.lower()
    except UserError:
        return False


def _find_model(issue: IssueView, known: Mapping[str, str]) -> str:
    """The name of the model that ``issue`` is about: by its group, else as its register says; else empty."""
    register = issue.register_block.register
    return known.get(issue.register_block.group) or (register.model if register is not None else "")


def _may_mute(client: IssueClient, issue: IssueView, model: Model) -> bool:
    """Whether who closed the issue is on the list of people, or the model's owner."""
    owner = (model.owner.removeprefix("@"),) if model.owner.startswith("@") else ()
    people = Authorizer(client.github, (*model.github.people, *owner))
    return not issue.closed_by_bot and not people.denial_reason(issue.closed_by)


@dataclass(frozen=True, slots=True)
class CommentScan:
    """What was found among the comments that no evaluation had read before."""

    commands: tuple[Command, ...] = ()
    """Oldest first."""
    last_comment: int = 0
    left_out: bool = False
    """Whether there were more of them than are read."""


def _scan_comments(
    client: IssueClient, number: int, after: int, since: float, authors: frozenset[str], people: Authorizer
) -> CommentScan:
    """The commands in comments with ids above ``after``, read from the newest to the oldest."""
    commands: list[Command] = []
    newest, left_out = 0, False
    for page in client.comment_pages(number, after, since):
        newest = max([newest, *(row["id"] for row in page)])
        commands += parse_commands(page, people.denial_reason, authors)
        left_out = page.more
    return CommentScan(tuple(sorted(commands, key=lambda command: command.comment)), newest, left_out)


MAX_ARGUMENT = 500
EDITED_REFUSAL = "edited comments are ignored; post a new one"
MISPLACED_REFUSAL = "a command counts only at the start of a comment: post it as a comment of its own"
MULTIPLE_REFUSAL = "it has several commands: write one comment for each"

_HIDDEN_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_QUOTATION = re.compile(r"`[^`\n]*`|^(?: {4}|\t| {0,3}>).*$", re.MULTILINE)
_COMMAND = re.compile(r"^[ \t]{0,3}/modelwatch[ \t]+([A-Za-z-]+)(?:[ \t]+([^ \t\n].*)|[ \t]*)$", re.MULTILINE)
_MENTION = re.compile(
    r"(?<![\w/.-])/modelwatch[ \t]+(approve|reject|ack|silence|unsilence|false-positive|"
    r"retrain|rollback|promote|degrade|restore)\b()",
    re.IGNORECASE,
)
"""A command within a line. Each of these takes time linear in the comment's length, whatever it contains: anybody can
write 65,536 characters."""


def parse_commands(
    rows: Iterable[dict[str, Any]], denial_reason: Callable[[str], str], authors: frozenset[str] = frozenset()
) -> tuple[Command, ...]:
    """The commands in comments, one a comment; a comment with several is refused.

    A command that is not at the start of its comment is refused, too, if its author may command; otherwise it is none.
    ``denial_reason``: why the commands of a login are rejected; empty where they are accepted. ``authors``: our own
    accounts (lower-case logins), whose notes are not read. Bots never command.
    """
    commands = []
    for row in rows:
        body = row.get("body")
        if not isinstance(body, str) or is_bot(row):
            continue
        if NOTE_MARKER in body and is_written_by(row, authors):
            continue
        text = _HIDDEN_TEXT.sub("", body.replace("\r\n", "\n"))
        matches = list(_COMMAND.finditer(text))
        misplaced = not matches or bool(text[: matches[0].start()].strip())
        match = matches[0] if matches else _MENTION.search(_QUOTATION.sub("", text))
        if match is None:
            continue
        author = author_login(row)
        denied = denial_reason(author)
        if denied and misplaced:
            continue
        several = MULTIPLE_REFUSAL if len(matches) > 1 else ""
        invalid = _edited_refusal(row) or (MISPLACED_REFUSAL if misplaced else several)
        refused = denied or invalid
        commands.append(
            Command(
                comment=row["id"],
                author=author,
                at=parse_iso(row["created_at"]) if row.get("created_at") else 0.0,
                verb=match[1].lower(),
                argument=(match[2] or "").rstrip(" \t")[:MAX_ARGUMENT],
                allowed=not refused,
                refused=refused,
                invalid=bool(invalid and not denied),
                by_stranger=bool(denied),
            )
        )
    return tuple(commands)


def _edited_refusal(row: dict[str, Any]) -> str:
    """Why an edited comment is refused: GitHub names its author, but not who edited it."""
    created, updated = row.get("created_at"), row.get("updated_at")
    return EDITED_REFUSAL if created and updated and created != updated else ""
