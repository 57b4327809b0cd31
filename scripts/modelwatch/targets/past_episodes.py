"""Reads the past episodes of an alert from closed issues: one list for each repository and run, then one ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ServiceError
from ..model.ledger import RECOVERED, EntryKind, LedgerEntry, find_setback, find_successes
from ..model.monitored_model import GitHubSpec
from ..model.past_episode import LOOKBACK, Ending, PastEpisode
from ..model.register import FALSE_POSITIVE, Register
from ..timeutil import DAY
from .register.archive import fetch_ledger, read_archive, read_ledger
from .register.authorization import trusted_authors, untrusted_reason
from .register.client import IssueClient, IssueView
from .sessions import TargetSessions

SAME_EPISODE = DAY
"""An alert that began so soon (seconds) after an issue was closed belongs to that issue."""
EFFECT_WITHIN = DAY
"""A recovery later than this (seconds) after an action is not put down to it."""


def read_past_episodes(
    sessions: TargetSessions, spec: GitHubSpec, rules: dict[str, str], start: float
) -> tuple[tuple[PastEpisode, ...], bool]:
    """Episodes of ``rules`` (group key -> name, empty for the alert's own) before ``start``, newest first, and whether
    these are all of the last year.

    Only issues of trusted authors count. Of the newest episode the whole ledger is read, of the others what their
    issues hold. Raises UserError where the issues cannot be read.
    """
    if not spec.repository:
        return (), True
    client = sessions.issue_client(spec)
    authors = trusted_authors(client, spec)
    closed = sessions.closed_issues(spec, start - LOOKBACK)
    found = [
        (issue, register)
        for issue in closed.issues
        if (register := issue.register_block.register) is not None
        and not issue.register_block.error
        and not untrusted_reason(issue, authors)
        and issue.state_reason != "duplicate"
        and (register.closed is None or start - register.closed > SAME_EPISODE)
    ]
    newest = max((register.start for _, register in found if register.group in rules), default=None)
    episodes: list[PastEpisode] = []
    for issue, register in found:
        entries = _read_entries(client, issue, register, authors, whole=register.start == newest)
        episodes += episodes_of(issue.url, register, entries, rules)
    return tuple(sorted(episodes, key=lambda episode: -episode.start)), closed.complete


def _read_entries(
    client: IssueClient, issue: IssueView, register: Register, authors: frozenset[str], *, whole: bool
) -> tuple[LedgerEntry, ...]:
    """The ledger; without its comments where those are not needed, or cannot be read."""
    if whole:
        try:
            return fetch_ledger(client, issue.number, register, authors)[0]
        except ServiceError:
            pass  # what the issue holds names every workflow
    return read_ledger(register, read_archive((), authors))


def episodes_of(
    url: str, register: Register, entries: Sequence[LedgerEntry], rules: dict[str, str]
) -> Iterator[PastEpisode]:
    """The episode of the issue, and those of the alerts that it led."""
    recoveries = [entry for entry in entries if entry.kind is EntryKind.RECOVERY and entry.what == RECOVERED]
    end = None if register.closed is None else recoveries[-1].at if recoveries else register.closed
    if register.group in rules:
        yield make_episode(register, entries, register.start, end, url, rules[register.group])
    for record in register.followers:
        if record.group in rules:
            ended = end if record.ended is None else record.ended
            yield make_episode(register, entries, record.start, ended, url, rules[record.group])


def make_episode(
    register: Register, entries: Sequence[LedgerEntry], start: float, end: float | None, url: str, rule: str = ""
) -> PastEpisode:
    """One episode, with what helped by ``entries``: the last success within a day before the end, unless something got
    worse after it."""
    if register.verdict == FALSE_POSITIVE:
        return PastEpisode(start, Ending.FALSE_POSITIVE, end, url=url, rule=rule)
    if end is None:
        return PastEpisode(start, Ending.BY_HAND, url=url, rule=rule)
    success = next(reversed(find_successes(entries, end)), None)
    if success is None or not start <= success.at or end - success.at > EFFECT_WITHIN:
        return PastEpisode(start, Ending.UNEXPLAINED, end, url=url, rule=rule)
    if find_setback(entries, success, end) is not None:
        return PastEpisode(start, Ending.UNEXPLAINED, end, url=url, rule=rule)
    return PastEpisode(start, Ending.ACTION, end, _action(success), success.at, url, rule)


def _action(success: LedgerEntry) -> str:
    """``rollback to v5``, of ``rollback finished: success`` or ``move rollback: done``, to v5."""
    verb = success.what.removeprefix("move ").replace(":", " ").split()[0]
    target = success.why.removeprefix("to ").partition(": ")[0] if success.why.startswith("to ") else ""
    return f"{verb} to {target}" if target else verb
