"""Selects the issue of a group: that of the newest episode, and of duplicates the one with the lowest number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...model.plan import ObservedIssue
from ...model.register import MAX_REMEMBERED, DispatchRecord, DispatchState, Register

MAX_NAMED = 3
PROGRESS_ORDER = (
    DispatchState.INTENDED,
    DispatchState.LOST,
    DispatchState.PROPOSED,
    DispatchState.REJECTED,
    DispatchState.SENT,
    DispatchState.FINISHED,
)
"""By how much each state proves: a dispatch that was sent outweighs one that was lost or rejected."""


@dataclass(frozen=True, slots=True)
class IssueSelection:
    """The issue of one group, and what is wrong with the others."""

    issue: ObservedIssue | None
    register: Register | None
    """The register of ``issue``, with the dispatches, pages and alerts of its duplicates."""
    duplicates: tuple[ObservedIssue, ...] = ()
    """Open issues of the same episode with higher numbers."""
    blocked_reason: str = ""
    ignored: tuple[str, ...] = ()
    """Issues of authors who are not trusted. Anybody can open such issues, any number of them, so they are no problem,
    and a few are named."""
    warnings: tuple[str, ...] = ()
    """Issues that cannot be read or are left alone, and why."""


def select_issue(group: str, issues: Sequence[ObservedIssue]) -> IssueSelection:
    """The issue of ``group``. Issues of untrusted authors are ignored. A trusted one that cannot be read blocks the
    group where it can be the newest: a second issue would not have its register."""
    readable: list[tuple[ObservedIssue, Register]] = []
    unreadable: list[ObservedIssue] = []
    ignored: list[str] = []
    for issue in (issue for issue in issues if issue.group == group):
        if not issue.trusted:
            ignored.append(
                f"issue #{issue.number} is ignored: {issue.register_error or f'{issue.author} is not trusted'}"
            )
        elif issue.register is not None and issue.register.group == group and not issue.register_error:
            readable.append((issue, issue.register))
        else:
            unreadable.append(issue)
    if len(ignored) > MAX_NAMED:
        ignored[MAX_NAMED:] = [f"{len(ignored) - MAX_NAMED} more issues of others are ignored"]
    selection = _select_survivor(readable)
    number = selection.issue.number if selection.issue else 0
    blocking = [issue for issue in unreadable if issue.state == "open" or issue.number > number]
    warnings = [_unreadable_text(issue) for issue in unreadable]
    warnings += [
        f"issue #{issue.number} is left alone: it belongs to episode {register.episode}, and a newer one exists"
        for issue, register in readable
        if issue.state == "open" and selection.register and register.episode < selection.register.episode
    ]
    blocked_reason = _unreadable_text(blocking[0]) if blocking else ""
    return replace(selection, blocked_reason=blocked_reason, ignored=tuple(ignored), warnings=tuple(warnings))


def _unreadable_text(issue: ObservedIssue) -> str:
    reason = issue.register_error or "its register is missing or belongs to another group"
    return f"issue #{issue.number} cannot be read: {reason}"


def _select_survivor(readable: Sequence[tuple[ObservedIssue, Register]]) -> IssueSelection:
    if not readable:
        return IssueSelection(None, None)
    episode = max(register.episode for _, register in readable)
    same = sorted((pair for pair in readable if pair[1].episode == episode), key=lambda pair: pair[0].number)
    carrying = [pair for pair in same if (pair[0].state, pair[0].state_reason) != ("closed", "duplicate")] or same
    issue, register = carrying[0]
    others = [pair for pair in same if pair[0] is not issue]
    return IssueSelection(
        issue,
        _merge_registers(register, [other for _, other in others]),
        tuple(other for other, _ in others if other.state == "open"),
    )


def _merge_registers(register: Register, others: Iterable[Register]) -> Register:
    """``register`` with the dispatches, the page and the alerts of its duplicates."""
    for other in others:
        register = replace(
            register,
            alerts=tuple(sorted({*register.alerts, *other.alerts})),
            page=max(filter(None, (register.page, other.page)), key=lambda page: page.at, default=None),
            dispatches=_merge_dispatches(register.dispatches, other.dispatches),
        )
    return register


def _merge_dispatches(own: Sequence[DispatchRecord], others: Sequence[DispatchRecord]) -> tuple[DispatchRecord, ...]:
    records = {record.key: record for record in own}
    for record in others:
        known = records.get(record.key)
        if known is None or PROGRESS_ORDER.index(record.state) > PROGRESS_ORDER.index(known.state):
            records[record.key] = record
    return tuple(sorted(records.values(), key=lambda record: record.at))[-MAX_REMEMBERED:] if others else tuple(own)
