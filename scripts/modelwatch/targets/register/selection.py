"""Which issue carries a group: of two for one episode the lowest number survives, and the newest episode counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...model.plan import ObservedIssue
from ...model.register import MAX_REMEMBERED, DispatchRecord, DispatchState, PageRecord, Register

PROGRESS_ORDER = (
    DispatchState.INTENDED,
    DispatchState.LOST,
    DispatchState.PROPOSED,
    DispatchState.REJECTED,
    DispatchState.SENT,
    DispatchState.FINISHED,
)
"""How much each state of a dispatch proves: one that was sent outweighs one that was given up or rejected."""


@dataclass(frozen=True, slots=True)
class IssueSelection:
    """What the issues of one group come to."""

    issue: ObservedIssue | None
    register: Register | None
    """The register of ``issue``, with what its duplicates know of dispatches and pages."""
    duplicates: tuple[ObservedIssue, ...] = ()
    """Open issues of the same episode with higher numbers."""
    blocked_reason: str = ""
    warnings: tuple[str, ...] = ()
    """What a person should know: issues that were ignored or cannot be read, and why."""


def select_issue(group: str, issues: Sequence[ObservedIssue]) -> IssueSelection:
    """The issue that carries ``group``. A stranger's issue counts as not there. A trusted one that cannot be read
    blocks the group where it may be the newest: opening another would forget what it says."""
    mine = [issue for issue in issues if issue.group == group]
    readable: list[tuple[ObservedIssue, Register]] = []
    unreadable: list[ObservedIssue] = []
    told: list[str] = []
    for issue in mine:
        if not issue.trusted:
            told.append(f"issue #{issue.number} is ignored: {issue.register_error or f'{issue.author} is not trusted'}")
        elif issue.register is not None and issue.register.group == group and not issue.register_error:
            readable.append((issue, issue.register))
        else:
            unreadable.append(issue)
    chosen = _select_survivor(readable)
    number = chosen.issue.number if chosen.issue else 0
    blocking = [issue for issue in unreadable if issue.state == "open" or issue.number > number]
    told += [f"issue #{issue.number} cannot be read: {_unreadable_reason(issue)}" for issue in unreadable]
    told += [
        f"issue #{issue.number} is left alone: it belongs to episode {register.episode}, and a newer one exists"
        for issue, register in readable
        if issue.state == "open" and chosen.register and register.episode < chosen.register.episode
    ]
    blocked = f"issue #{blocking[0].number} cannot be read: {_unreadable_reason(blocking[0])}" if blocking else ""
    return replace(chosen, blocked_reason=blocked, warnings=tuple(told))


def _unreadable_reason(issue: ObservedIssue) -> str:
    return issue.register_error or "its register is missing or belongs to another group"


def _select_survivor(readable: Sequence[tuple[ObservedIssue, Register]]) -> IssueSelection:
    if not readable:
        return IssueSelection(None, None)
    episode = max(register.episode for _, register in readable)
    same = sorted((pair for pair in readable if pair[1].episode == episode), key=lambda pair: pair[0].number)
    carrying = [pair for pair in same if not _closed_as_duplicate(pair[0])] or same
    issue, register = carrying[0]
    others = [pair for pair in same if pair[0] is not issue]
    return IssueSelection(
        issue,
        _merge_registers(register, [other for _, other in others]),
        tuple(other for other, _ in others if other.state == "open"),
    )


def _closed_as_duplicate(issue: ObservedIssue) -> bool:
    return issue.state == "closed" and issue.state_reason == "duplicate"


def _merge_registers(register: Register, others: Iterable[Register]) -> Register:
    """What a duplicate did was done: its dispatches, its page and its alerts count."""
    for other in others:
        register = replace(
            register,
            alerts=tuple(sorted({*register.alerts, *other.alerts})),
            page=_newer_page(register.page, other.page),
            dispatches=_merge_dispatches(register.dispatches, other.dispatches),
        )
    return register


def _newer_page(one: PageRecord | None, other: PageRecord | None) -> PageRecord | None:
    if one is None or other is None:
        return one or other
    return other if other.at > one.at else one


def _merge_dispatches(mine: Sequence[DispatchRecord], theirs: Sequence[DispatchRecord]) -> tuple[DispatchRecord, ...]:
    records = {record.key: record for record in mine}
    for record in theirs:
        known = records.get(record.key)
        if known is None or PROGRESS_ORDER.index(record.state) > PROGRESS_ORDER.index(known.state):
            records[record.key] = record
    return tuple(sorted(records.values(), key=lambda record: record.at))[-MAX_REMEMBERED:] if theirs else tuple(mine)
