"""``modelwatch audit`` and ``modelwatch review``: what the ledgers on the issues say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..context import RunContext, make_context
from ..enrichment import find_past_episodes
from ..errors import Exit, TargetError, UserError
from ..model.monitored_model import Config, GitHubSpec, Model
from ..report.console import make_text, open_console, wrap_text
from ..report.formatting import utc_time
from ..report.markdown import plain_line
from ..report.review import PersonComment, ReviewInput, review_text
from ..targets.register.archive import fetch_ledger, read_archive, read_ledger
from ..targets.register.authorization import trusted_authors, untrusted_reason
from ..targets.register.client import IssueView, author_login, is_bot, parse_issue_url
from ..targets.register.ledger import complete_entries
from ..timeutil import format_iso, parse_iso_or_none
from .options import (
    config_option,
    format_option,
    now_option,
    print_json,
    read_config,
    read_context,
    run_options,
    time_option,
)
from .status import read_issues, unknown_issue

if TYPE_CHECKING:
    from ..model.plan import ObservedIssue


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit."""

    at: float
    model: str
    rule: str
    who: str
    what: str
    where: str
    """The address of what happened, or of the issue."""
    why: str = ""
    issue: str = ""
    """``#17``"""


@click.command("audit")
@run_options
@time_option("--since", "Only what happened from this time on.")
@format_option
def audit(config_path: Path, models: tuple[str, ...], since: float | None, style: str, now: float) -> Exit:
    """List who did what, when and why, oldest first: alerts, pages, commands, workflows, moves of versions, recoveries.

    It reads the record on every open issue of modelwatch, and on those that were closed in the last 60 days.
    """
    context = read_context(config_path, now, models, read_only=True)
    issues, troubles = read_issues(context)
    entries: dict[tuple[str, int, str], AuditEntry] = {}
    for _, issue in issues:
        for key, entry in _issue_entries(context, issue, troubles):
            entries.setdefault(key, entry)
    ordered = sorted(
        (entry for entry in entries.values() if since is None or entry.at >= since), key=lambda entry: entry.at
    )
    if style == "json":
        print_json([asdict(entry) | {"at": format_iso(entry.at)} for entry in ordered])
    elif ordered:
        _print_entries(ordered)
    else:
        nothing = "Nothing is recorded" + (" yet." if since is None else f" since {utc_time(since)}.")
        click.echo("No issue could be read." if troubles and not issues else nothing)
    for model, reason in troubles:
        click.echo(f"{model}: {reason}", err=True)
    return Exit.PARTIAL if troubles else Exit.OK


def _issue_entries(
    context: RunContext, issue: ObservedIssue, troubles: list[tuple[str, str]]
) -> Iterator[tuple[tuple[str, int, str], AuditEntry]]:
    """The entries of one issue, each with its identity; what is missing becomes a trouble."""
    register = issue.register
    if register is None:
        return
    try:
        client = context.sessions.issue_client(context.sessions.github_spec(register.model))
        entries, damage = fetch_ledger(client, issue.number, register, frozenset({issue.author.lower()}))
    except UserError as error:
        entries, damage = read_ledger(register, read_archive((), frozenset())), str(error)
    if damage:
        troubles.append((register.model, f"the record of issue #{issue.number} is not complete: {damage}"))
    for entry in complete_entries(entries, register, issue.created_at, issue.closed_at, issue.state_reason):
        identity = (register.group, register.episode, entry.key)
        texts = (register.model, register.rule, entry.who, entry.what, entry.url or issue.url, entry.why)
        yield identity, AuditEntry(entry.at, *texts, f"#{issue.number}")


def _print_entries(entries: list[AuditEntry]) -> None:
    """A line for each entry; a terminal gets it broken at words."""
    console = open_console()
    for entry in entries:
        what = f"{entry.what}: {entry.why}" if entry.why else entry.what
        place = plain_line(f"{entry.model} {entry.rule} {entry.issue}")
        text = f"{place}, {plain_line(entry.who)}: {plain_line(what, 300)}"
        stamp = make_text(f"{utc_time(entry.at)[:-4]}  ", "dim")
        body = wrap_text(text, console.width, len(stamp)) if console.is_terminal else text
        console.print(stamp + make_text(body), soft_wrap=True)


@click.command("review")
@click.argument("issue")
@config_option
@now_option
def review(issue: str, config_path: Path, now: float) -> Exit:
    """Write the review of an incident as Markdown: timeline, impact, what was tried, what helped, open questions.

    ISSUE is the number or the address of an issue that modelwatch opened, open or closed. Reads GitHub alone, and
    changes nothing. With an address no configuration is needed.
    """
    config, repository, number = _locate_issue(issue, config_path)
    context = make_context(config, now)
    spec = next((model.github for model in config.models if model.github.repository == repository), None)
    found = _read_issue(context, spec or GitHubSpec(repository=repository), number)
    click.echo(context.redactor.redact_text(review_text(found, now)))
    return Exit.PARTIAL if found.damage else Exit.OK


def _locate_issue(issue: str, config_path: Path) -> tuple[Config, str, int]:
    """The configuration (empty where there is no file), the repository and the number."""
    url = issue if "/" in issue else ""
    config = read_config(config_path, read_only=True) if not url or config_path.exists() else Config((), "")
    if url:
        return config, *parse_issue_url(url)
    number = issue.removeprefix("#")
    if not number.isdecimal() or len(number) > 9:
        raise UserError(f"{issue!r} is not the number of an issue", hint="Write 17, or the address of the issue.")
    repositories = dict.fromkeys(model.github.repository for model in config.models if model.github.repository)
    if len(repositories) != 1:
        names = ", ".join(list(repositories)[:5]) or "none"
        more = f" and {len(repositories) - 5} more" if len(repositories) > 5 else ""
        message = f"the configuration names {len(repositories)} repositories: {names}{more}."
        raise UserError(message, hint="Give the address.")
    return config, next(iter(repositories)), int(number)


def _read_issue(context: RunContext, spec: GitHubSpec, number: int) -> ReviewInput:
    """The issue, its ledger and what people wrote: three requests, more for what is long."""
    client = context.sessions.issue_client(spec)
    issue = client.find(number)
    register = issue.register_block.register if issue else None
    if issue is None or (register is None and not issue.register_block.error):
        raise unknown_issue(number)
    if register is None:
        raise TargetError(f"issue #{number} cannot be reviewed: {issue.register_block.error}", where=issue.url)
    rows = list(client.list_comments(number))[::-1] if issue.comments else []
    entries, damage = fetch_ledger(client, number, register, frozenset({issue.author.lower()}))
    model = context.config.model(register.model) or Model(register.model, (), github=spec)
    return ReviewInput(
        register=register,
        entries=complete_entries(entries, register, issue.created_at, issue.closed_at, issue.state_reason),
        damage=damage,
        number=number,
        url=issue.url,
        is_open=issue.state == "open",
        comments=tuple(_people_comments(rows, issue)),
        stranger=untrusted_reason(issue, trusted_authors(client, spec)),
        past_episodes=find_past_episodes(context, model, register.rule, register.start),
    )


def _people_comments(rows: list[dict[str, Any]], issue: IssueView) -> Iterator[PersonComment]:
    """What people wrote, without commands and without what modelwatch wrote."""
    for row in rows:
        body, author = str(row.get("body") or ""), author_login(row)
        if author == issue.author or is_bot(row) or body.lstrip().startswith("/modelwatch"):
            continue
        at = parse_iso_or_none(str(row.get("created_at")))
        yield PersonComment(at or issue.created_at, author, body, str(row.get("html_url") or ""))
