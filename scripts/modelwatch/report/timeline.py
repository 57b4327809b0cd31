"""What happened in one episode, as a table: for whoever reads the issue the morning after."""

from __future__ import annotations

from ..model.register import DispatchRecord, DispatchState, Register
from .escape import code, known_word, link
from .tables import table
from .words import utc_time

_STATE_TEXT = {
    DispatchState.INTENDED: "about to be dispatched",
    DispatchState.SENT: "dispatched",
    DispatchState.PROPOSED: "proposed",
    DispatchState.REJECTED: "rejected",
    DispatchState.LOST: "intended, but never found among the workflow runs",
}


def actions_table(register: Register) -> str:
    """A row for the incident and for each dispatch; what is still proposed stands under the next steps."""
    return _timeline_table(
        [row for record in register.dispatches for row in _dispatch_rows(record)] + _incident_rows(register)
    )


def episode_timeline(register: Register, end: float) -> str:
    """The whole episode, first to last."""
    began = (register.start, f"{code(register.rule)} began to fail (worst was {register.peak})", "")
    rows = [
        row
        for record in register.dispatches
        for row in (*_dispatch_rows(record, proposed=True), *_outcome_rows(record))
    ]
    return _timeline_table([began, *rows, *_incident_rows(register), (end, "recovered", "")])


_TimelineRow = tuple[float, str, str]
"""When, what, and the address where it can be seen."""


def _timeline_table(rows: list[_TimelineRow]) -> str:
    """Two columns, so that a time fits a line of a phone."""
    shown = [
        (utc_time(at).removesuffix(" UTC"), f"{what} ({link('open', url)})" if url else what)
        for at, what, url in sorted(rows, key=lambda row: row[0])
    ]
    return table(("When (UTC)", "What"), shown) if shown else ""


def _incident_rows(register: Register) -> list[_TimelineRow]:
    page = register.page
    return [(page.at, f"Incident {page.state} ({page.severity})", page.url)] if page else []


def _dispatch_rows(record: DispatchRecord, proposed: bool = False) -> list[_TimelineRow]:
    if record.state is DispatchState.PROPOSED and not proposed:
        return []
    said = f"started{_requester_text(record)}" if proposed and record.ended is not None else dispatch_state(record)
    return [(record.at, f"{code(record.verb)} {said}", record.url)]


def _outcome_rows(record: DispatchRecord) -> list[_TimelineRow]:
    if record.ended is None:
        return []
    escalated = "; it did not help, and a person was paged" if record.settled else ""
    return [(record.ended, f"{code(record.verb)} ended: {known_word(record.conclusion)}{escalated}", record.url)]


def dispatch_state(record: DispatchRecord) -> str:
    """``finished: success, to `v6`, asked for by `ada` ``"""
    finished = f"finished: {known_word(record.conclusion)}"
    return _STATE_TEXT.get(record.state, finished) + _requester_text(record)


def _requester_text(record: DispatchRecord) -> str:
    to = f", to {code(record.target_version)}" if record.target_version else ""
    said = "by" if record.state is DispatchState.REJECTED else "asked for by"
    return to + (f", {said} {code(record.by)}" if record.by else "")
