"""Reads the issues of a long time with their ledgers: what nobody may trust, or read, is left out and named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..context import RunContext
from ..errors import ServiceError, UserError
from ..model.monitored_model import Model
from ..model.register import Register
from ..model.scorecard import EpisodeRecord
from ..targets.register.archive import fetch_ledger, read_archive, read_ledger
from ..targets.register.authorization import trusted_authors, untrusted_reason
from ..targets.register.client import IssueClient, IssueView
from ..targets.register.codec import future_reason
from ..targets.register.ledger import complete_entries

MAX_COMMENTS = 500
"""Comments with older entries that are read in all, of the newest issues: a token has a limit of requests an hour."""
MAX_NAMED = 10
"""Issues that a problem names."""


@dataclass(slots=True)
class ReadRecords:
    """Everything that the issues say, and what they do not."""

    records: list[EpisodeRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """Models whose issues could not be read."""
    complete_since: float = 0.0
    """Alerts that began before this (seconds, UTC) may be missing."""
    comments: int = 0
    """Comments that were read."""


def read_records(context: RunContext, since: float) -> ReadRecords:
    """The episodes that are under way, and those whose issue has changed after ``since`` (seconds, UTC)."""
    found = ReadRecords(complete_since=since)
    shared: dict[tuple[str, str], list[Model]] = {}
    for model in context.config.models:
        shared.setdefault(context.sessions.repository_key(model.github), []).append(model)
    for models in shared.values():
        try:
            client = context.sessions.issue_client(models[0].github)
            listed = client.list_period(since)
            authors = {model.name: trusted_authors(client, model.github) for model in models}
        except UserError as error:
            found.unread.update(model.name for model in models)
            names = ", ".join(model.name for model in models)
            found.problems.append(f"the issues of {names} cannot be read, so nothing of them is counted: {error}")
            continue
        if listed.complete_since > since:
            found.complete_since = max(found.complete_since, listed.complete_since)
            found.problems.append(f"{client.repository} has more issues than are read")
        _read_repository(context, client, listed.issues, authors, found)
    found.records.sort(key=lambda record: (record.register.start, record.repository, record.number))
    return found


@dataclass(slots=True)
class _LeftOut:
    """Numbers of the issues of one repository that do not count, by reason."""

    numbers: dict[str, list[int]] = field(default_factory=dict)

    def add(self, reason: str, number: int) -> None:
        self.numbers.setdefault(reason, []).append(number)

    def problems(self, repository: str) -> Iterable[str]:
        for reason, numbers in self.numbers.items():
            named = ", ".join(f"#{number}" for number in numbers[:MAX_NAMED])
            more = f" and {len(numbers) - MAX_NAMED} more" if len(numbers) > MAX_NAMED else ""
            yield f"not counted of {repository}: {named}{more} ({reason})"


def _read_repository(
    context: RunContext,
    client: IssueClient,
    issues: Sequence[IssueView],
    authors: dict[str, frozenset[str]],
    found: ReadRecords,
) -> None:
    left_out = _LeftOut()
    episodes: dict[tuple[str, int], int] = {}
    trusted = []
    for issue in issues:
        block = issue.register_block
        if not block.group or issue.state_reason == "duplicate":
            continue
        register = block.register
        everybody = frozenset().union(*authors.values())
        own = authors.get(register.model, everybody) if register else everybody
        if untrusted_reason(issue, own):
            left_out.add("its author is not trusted", issue.number)
        elif register is None:
            left_out.add("its register cannot be read: repair or close it", issue.number)
        elif reason := future_reason(register, context.now):
            left_out.add(reason, issue.number)
        elif register.model not in authors:
            left_out.add("its model is not in the configuration", issue.number)
        elif (register.group, register.episode) in episodes:
            first = episodes[register.group, register.episode]
            left_out.add(f"it is of the same episode as #{first}", issue.number)
        else:
            episodes[register.group, register.episode] = issue.number
            trusted.append((issue, register))
    for issue, register in reversed(trusted):
        found.records.append(_read_record(client, issue, register, authors[register.model], found))
    found.problems.extend(left_out.problems(client.repository))


def _read_record(
    client: IssueClient, issue: IssueView, register: Register, authors: frozenset[str], found: ReadRecords
) -> EpisodeRecord:
    """The record of one issue. Where its older entries cannot be read, it says so, and has the newer ones."""
    ledger = register.ledger
    needed = len(ledger.comment_ids) or (1 if ledger.archived else 0)
    try:
        if found.comments + needed > MAX_COMMENTS:
            raise ServiceError(f"only {MAX_COMMENTS} comments with older entries are read")
        found.comments += needed
        entries, damage = fetch_ledger(client, issue.number, register, authors)
    except UserError as error:
        entries, damage = read_ledger(register, read_archive((), frozenset())), str(error)
    complete = complete_entries(
        entries, register, issue.created_at, issue.closed_at, issue.state_reason, issue.closed_by
    )
    return EpisodeRecord(
        client.repository,
        issue.number,
        issue.url,
        issue.state,
        issue.state_reason,
        issue.labels,
        register,
        complete,
        damage,
        issue.closed_by_bot,
    )
