"""What people said of earlier alerts on their issues: which were false, and which they answered with success."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..context import RunContext
from ..errors import UserError, unforeseen
from ..model.backtest import FalseMark, MarkedIncident, Marks
from ..model.ledger import MODELWATCH, UNKNOWN, EntryKind, LedgerEntry, find_successes
from ..model.monitored_model import GitHubSpec
from ..model.register import Register
from ..model.verdict import false_reason
from ..targets.past_episodes import episodes_of
from ..targets.register.archive import read_archive, read_ledger
from ..targets.register.authorization import trusted_authors, untrusted_reason
from ..targets.register.client import ClosedIssues, IssueView
from .incidents import describe_count, join_marks
from .result import Span


def read_ledger_marks(context: RunContext, span: Span) -> Marks:
    """The marks on closed issues that changed since the span began, repository by repository.

    A repository that cannot be read is a problem of the marks, and nothing is called true or false by it.
    """
    specs: dict[tuple[str, str], GitHubSpec] = {}
    for model in context.config.models:
        if model.github.repository:
            specs.setdefault(context.sessions.repository_key(model.github), model.github)
    return join_marks(*(_read_repository(context, spec, span) for spec in specs.values()))


def _read_repository(context: RunContext, spec: GitHubSpec, span: Span) -> Marks:
    try:
        client = context.sessions.issue_client(spec)
        authors = trusted_authors(client, spec)
        closed = context.sessions.closed_issues(spec, span.since)
    except UserError as error:
        return Marks(problems=(f"the issues of {spec.repository} cannot be read: {error}",))
    except Exception as error:  # noqa: BLE001 - marks must not keep a replay from being reported
        return Marks(problems=(unforeseen(f"reading the issues of {spec.repository}", error),))
    marks: list[MarkedIncident | FalseMark] = []
    for issue in closed.issues:
        register = issue.register_block.register
        if register is None or issue.register_block.error or untrusted_reason(issue, authors):
            continue
        marks += _issue_marks(issue, register)
    incidents = tuple(mark for mark in marks if isinstance(mark, MarkedIncident))
    false_marks = tuple(mark for mark in marks if isinstance(mark, FalseMark))
    source = f"{spec.repository}, {_issue_count(closed)}: {describe_count(len(incidents), len(false_marks))}"
    more = () if closed.complete else (f"{spec.repository}: only the newest closed issues were read",)
    return context.redactor.redact(Marks(incidents, false_marks, (source,), more))


def _issue_count(closed: ClosedIssues) -> str:
    count = len(closed.issues)
    return f"{count} closed issue{'' if count == 1 else 's'}"


def _issue_marks(issue: IssueView, register: Register) -> Iterator[MarkedIncident | FalseMark]:
    """The mark of one issue for its alert, and for those that it led."""
    if issue.state_reason == "duplicate":
        return
    entries = read_ledger(register, read_archive((), frozenset()))
    names = {register.group: (register.model, register.rule)}
    names |= {record.group: (record.model, record.rule) for record in register.followers}
    is_false = bool(
        false_reason(register, entries, issue.labels, issue.state_reason, closed_by_bot=issue.closed_by_bot)
    )
    if not is_false and not is_mitigated(entries, register):
        return
    for group, (model, rule) in names.items():
        for episode in episodes_of(issue.url, register, entries, {group: rule}):
            end = episode.end or register.closed or issue.closed_at or issue.updated_at
            if is_false:
                yield FalseMark(model, rule, episode.start, end)
            else:
                yield MarkedIncident(model, episode.start, end, f"#{issue.number}", (rule,))


def is_mitigated(entries: Sequence[LedgerEntry], register: Register) -> bool:
    """Whether a person answered it with something that worked: approved or started a workflow that succeeded, or moved
    a version. What modelwatch did on its own says nothing about whether the alert was right; nor does an
    acknowledgement, with which somebody only says that they look."""
    if register.closed is None:
        return False
    if any(record.by and record.conclusion == "success" for record in register.dispatches):
        return True
    successes = find_successes(entries, register.closed)
    return any(entry.kind is EntryKind.MOVE and entry.who not in (MODELWATCH, UNKNOWN, "") for entry in successes)
