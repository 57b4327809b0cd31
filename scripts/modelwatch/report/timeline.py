"""What happened in one episode, as a table: for whoever reads the issue the morning after."""

from __future__ import annotations

from ..model.register import DispatchRecord, DispatchState, Register
from .escape import code, link, word
from .tables import table
from .words import when

_STATES = {
    DispatchState.INTENDED: "about to be dispatched",
    DispatchState.SENT: "dispatched",
    DispatchState.PROPOSED: "proposed",
    DispatchState.REJECTED: "rejected",
    DispatchState.LOST: "intended, but never found among the workflow runs",
}


def what_was_done(register: Register) -> str:
    """A row for the incident and for each dispatch; what is still proposed stands under the next steps."""
    return _table([row for record in register.dispatches for row in _rows(record)] + _page(register))


def timeline(register: Register, end: float) -> str:
    """The whole episode, first to last."""
    began = (register.start, f"{code(register.rule)} began to fail (worst was {register.peak})", "")
    rows = [row for record in register.dispatches for row in (*_rows(record, proposed=True), *_ended(record))]
    return _table([began, *rows, *_page(register), (end, "recovered", "")])


_Row = tuple[float, str, str]
"""When, what, and the address where it can be seen."""


def _table(rows: list[_Row]) -> str:
    """Two columns, so that a time fits a line of a phone."""
    shown = [
        (when(at).removesuffix(" UTC"), f"{what} ({link('open', url)})" if url else what)
        for at, what, url in sorted(rows, key=lambda row: row[0])
    ]
    return table(("When (UTC)", "What"), shown) if shown else ""


def _page(register: Register) -> list[_Row]:
    page = register.page
    return [(page.at, f"Incident {page.state} ({page.severity})", page.url)] if page else []


def _rows(record: DispatchRecord, proposed: bool = False) -> list[_Row]:
    if record.state is DispatchState.PROPOSED and not proposed:
        return []
    said = f"started{_by(record)}" if proposed and record.ended is not None else state_of(record)
    return [(record.at, f"{code(record.verb)} {said}", record.url)]


def _ended(record: DispatchRecord) -> list[_Row]:
    if record.ended is None:
        return []
    escalated = "; it did not help, and a person was paged" if record.settled else ""
    return [(record.ended, f"{code(record.verb)} ended: {word(record.conclusion)}{escalated}", record.url)]


def state_of(record: DispatchRecord) -> str:
    """``finished: success, to `v6`, asked for by `ada` ``"""
    finished = f"finished: {word(record.conclusion)}"
    return _STATES.get(record.state, finished) + _by(record)


def _by(record: DispatchRecord) -> str:
    to = f", to {code(record.target_version)}" if record.target_version else ""
    said = "by" if record.state is DispatchState.REJECTED else "asked for by"
    return to + (f", {said} {code(record.by)}" if record.by else "")
