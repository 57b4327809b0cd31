"""Triggers and resolves alerts through PagerDuty's events, and reports on the incident how workflows ended."""

from __future__ import annotations

from dataclasses import replace

from ...errors import ServiceError
from ...model.acknowledgement import CLOSING
from ...model.ledger import MODELWATCH
from ...model.plan import STEP_PREFIX, Change, ChangeKind, ChangeResult
from ...model.register import ACKNOWLEDGED, PAGE_RESOLVED, PAGE_TRIGGERED, PageRecord, Register, alert_keys
from ...timeutil import DAY
from ..base import ChangeOutcome, GroupRun, RegisterUpdate
from ..register.ledger import add_entries, page_entry, page_status_entry
from .render import incident_fields


def apply_incident_change(change: Change, run: GroupRun) -> ChangeOutcome:
    """Trigger or resolve the incident, or submit a change event; each is safe to repeat. Raises UserError."""
    match change.kind:
        case ChangeKind.TRIGGER_INCIDENT:
            return _trigger_incident(change, run)
        case ChangeKind.RESOLVE_INCIDENT:
            return _resolve_incident(change, run)
        case ChangeKind.ACKNOWLEDGE_INCIDENT:
            return _acknowledge_incident(change, run)
        case _ if change.about.startswith(STEP_PREFIX):
            return _notify_next_step(change, run)
        case _:
            return _notify_workflow_end(change, run)


def describe_incident_change(change: Change) -> str:
    if change.kind is ChangeKind.TELL_INCIDENT:
        if change.about.startswith(STEP_PREFIX):
            return "notifying PagerDuty of the next step"
        # Named apart from the incident's own events: one can fail where the other does not.
        return f"notifying PagerDuty how {'.'.join(change.about.split('.')[-2:])} ended"
    return "notifying PagerDuty"


def _trigger_incident(change: Change, run: GroupRun) -> ChangeOutcome:
    """Open the incident of the group, a further one, or raise its severity."""
    if _is_recorded(change, run, PAGE_TRIGGERED):
        return ChangeOutcome(ChangeResult.ALREADY)
    events = run.sessions.events(change.model)
    try:
        events.trigger(change.about or change.group, **incident_fields(change, run), client_url=run.issue_url)
    except ServiceError:
        if change.id not in run.sent_ahead:
            raise
    return _record_page(change, run, PAGE_TRIGGERED)


def _resolve_incident(change: Change, run: GroupRun) -> ChangeOutcome:
    if _is_recorded(change, run, PAGE_RESOLVED):
        return ChangeOutcome(ChangeResult.ALREADY)
    for key in alert_keys(change.group, open_alert_count(run.register)):
        run.sessions.events(change.model).resolve(key)
    return _record_page(change, run, PAGE_RESOLVED)


def _acknowledge_incident(change: Change, run: GroupRun) -> ChangeOutcome:
    page = run.register.page if run.register else None
    if page is None or page.status or page.state != PAGE_TRIGGERED:
        return ChangeOutcome(ChangeResult.ALREADY)
    for key in alert_keys(change.group, page.alerts):
        run.sessions.events(change.model).acknowledge(key)
    acknowledged_by, why = _muting_person(run.register)
    known = replace(page, status=ACKNOWLEDGED, status_by=acknowledged_by or MODELWATCH, status_at=run.now)
    entry = page_status_entry(known, sent_by=MODELWATCH, why=why)
    return ChangeOutcome(
        ChangeResult.DONE, url=page.url, record=lambda register: add_entries(replace(register, page=known), entry)
    )


def _muting_person(register: Register | None) -> tuple[str, str]:
    """Who acknowledged it on the issue, and what a person said there; each empty where it is not known. Who silences an
    alert does not say that somebody takes care of it."""
    if register is None:
        return "", ""
    if register.silence_by:
        return "", f"silenced by {register.silence_by}"
    by = register.ack_by if register.ack_by != CLOSING else ""
    return by, f"acknowledged by {by}" if by else ""


def open_alert_count(register: Register | None) -> int:
    """How many alerts can be open: one more than is recorded where a crash can have kept the last from being so."""
    page = register.page if register else None
    if register is None or page is None:
        return 1
    due = register.peak > page.severity or any(call.at > page.at for call in register.calls)
    return page.alerts + due


def _record_page(change: Change, run: GroupRun, state: str) -> ChangeOutcome:
    page, record = page_receipt(change, run.register, run.now, state)
    return ChangeOutcome(ChangeResult.DONE, url=page.url, record=record)


def page_receipt(
    change: Change, register: Register | None, now: float, state: str
) -> tuple[PageRecord, RegisterUpdate]:
    """What the register says of the page once the event of ``change`` was accepted, and what writes it there."""
    before = register.page if register else None
    severity = before.severity if before and state == PAGE_RESOLVED else change.severity
    count = before.alerts if before and (change.about or state == PAGE_RESOLVED) else 1
    times = [time for time in before.page_times if now - time < DAY] if before else []
    if state == PAGE_TRIGGERED and register and register.flap:
        times.append(now)
    is_open = before is not None and before.state == PAGE_TRIGGERED and before.status != PAGE_RESOLVED
    is_same = state == PAGE_RESOLVED or (is_open and not change.about)
    url = before.url if before and is_same else ""  # of a new incident not known yet
    page = PageRecord(state, severity, now, url, count + bool(change.about), page_times=tuple(times))
    entry = page_entry(before, page, change.reason)
    return page, lambda register: add_entries(replace(register, page=page), entry)


def _is_recorded(change: Change, run: GroupRun, state: str) -> bool:
    """Whether this event was sent after the plan was made, by the register."""
    page = run.register.page if run.register else None
    if page is None or page.at < run.planned_at or page.state != state:
        return False
    return state == PAGE_RESOLVED or page.severity >= change.severity


def _notify_workflow_end(change: Change, run: GroupRun) -> ChangeOutcome:
    """Send a change event that says how a workflow ended."""
    records = run.register.dispatches if run.register else ()
    record = next((record for record in records if record.key == change.about), None)
    if record is None:  # then it could not be recorded either, and would be reported twice
        reason = run.issue_problem or "the issue does not say which workflow it was"
        return ChangeOutcome(ChangeResult.REFUSED, f"{reason}; the next evaluation reports it")
    if record.told:
        return ChangeOutcome(ChangeResult.ALREADY)
    to = f" to {record.target_version}" if record.target_version else ""
    links = [("Workflow run", record.url), ("GitHub issue", run.issue_url)]
    run.sessions.events(change.model).submit_change(
        f"{change.model}: {record.verb}{to}: {change.reason}",
        source=f"modelwatch/{change.model}",
        timestamp=record.ended if record.ended is not None else run.now,
        details={"key": change.about, "incident": change.group, "by": record.by},
        links=[(text, url) for text, url in links if url],
    )
    return ChangeOutcome(ChangeResult.DONE, record=lambda register: mark_told(register, change.about))


def _notify_next_step(change: Change, run: GroupRun) -> ChangeOutcome:
    """Send a change event that says what to do now; the page has the step of when it was sent."""
    run.sessions.events(change.model).submit_change(
        f"{change.model}: the next step is now: {change.reason}",
        source=f"modelwatch/{change.model}",
        timestamp=run.now,
        details={"incident": change.group},
        links=[("GitHub issue", run.issue_url)] if run.issue_url else [],
    )
    return ChangeOutcome(ChangeResult.DONE)


def mark_told(register: Register, key: str) -> Register:
    records = (replace(record, told=True) if record.key == key else record for record in register.dispatches)
    return replace(register, dispatches=tuple(records))
