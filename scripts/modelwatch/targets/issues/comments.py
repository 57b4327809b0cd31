"""Comments on the issue: one or two sentences each, only when something changed."""

from __future__ import annotations

from ...model.alert import Group
from ...model.monitored_model import Model
from ...model.plan import Note
from ...model.register import DispatchRecord, Register
from ...report.alert_phrase import describe_alert
from ...report.formatting import duration, utc_time
from ...report.markdown import code, known_word, link, mention, plain_line
from ...report.next_steps import RECOVERY_VERBS, recovery_deadline
from ..base import GroupRun
from .render import episode_timeline


def note_text(run: GroupRun, note: Note, register: Register) -> str:
    """The comment for ``note``, without secrets."""
    return run.redact(comment_text(note, run.group, register, run.now, run.model(register.model)))


def comment_text(note: Note, group: Group | None, register: Register, now: float, model: Model | None = None) -> str:
    """The comment for ``note``; a topic without its own sentence shows the note's detail."""
    detail = code(note.detail, 500) if note.detail else ""
    match note.topic:
        case "opened":
            return f"Opened at {utc_time(now)}: {_alert_state(group, register)}."
        case "worse":
            return f"**Worse: now {register.severity}.** {_alert_state(group, register)}."
        case "better":
            return f"Better: now {register.severity} (peak: {register.peak}). {_alert_state(group, register)}."
        case "recovered":
            return recovery_comment(group, register, now)
        case "reopened":
            return f"{plain_line(note.detail) or 'Firing again'}. {_alert_state(group, register)}."
        case "workflow":
            return f"{_run_outcome(note, register, now, model) or f'Workflow: {detail}'}{_mentions(note, model)}"
        case "escalated":
            return f"**Escalated.** {detail}{_mentions(note, model)}"
        case "proposal":
            return _proposal(note, register, detail)
        case _:
            return f"{plain_line(note.topic, 40).capitalize()}: {detail}"


def recovery_comment(group: Group | None, register: Register, now: float) -> str:
    end = group.end if group and group.end is not None else now
    lasted = duration(end - register.start)
    text = f"**Recovered** after {lasted} ({utc_time(register.start)} to {utc_time(end)}; peak: {register.peak})."
    return f"{text}\n\n{episode_timeline(register, end)}" if register.dispatches or register.page else text


def _alert_state(group: Group | None, register: Register) -> str:
    if group is None or not group.alerts:
        return f"{code(register.model)} {code(register.rule)}"
    alert = describe_alert(group)
    where = f" in {code(alert.where)}" if alert.where else ""
    return f"{code(alert.rule)}{where}{alert.connector}{alert.phrase}"


def dispatch_name(note: Note) -> str:
    """``rollback.1``: the dispatch that the note is about; keys of both end in ``<verb>.<attempt>``."""
    return plain_line(".".join(note.key.split(".")[-2:]), 80)


def _mentions(note: Note, model: Model | None) -> str:
    """Mentions of owner and stakeholders where a release was moved."""
    if model is None or dispatch_name(note).partition(".")[0] not in RECOVERY_VERBS:
        return ""
    people = dict.fromkeys(filter(None, (model.owner, *(model.release.stakeholders if model.release else ()))))
    return f"\n\ncc {' '.join(map(mention, people))}" if people else ""


def _find_dispatch(note: Note, register: Register) -> DispatchRecord | None:
    return next((record for record in reversed(register.dispatches) if record.name == dispatch_name(note)), None)


def _run_outcome(note: Note, register: Register, now: float, model: Model | None) -> str:
    """How a workflow run ended, where to look, and what follows; empty where the register does not know it."""
    record = _find_dispatch(note, register)
    if record is None or not record.conclusion:
        return ""
    to = f" to {code(record.target_version)}" if record.target_version else ""
    number = f"workflow run {record.run_id}" if record.run_id else "workflow run"
    where = f" ({link(number, record.url)})" if record.url else ""
    until = recovery_deadline(register, model, now) if record.verb in RECOVERY_VERBS else None
    follows = (
        f" If the metric has not recovered by {utc_time(until)}, the on-call is paged again."
        if until is not None
        else ""
    )
    return f"**{known_word(record.verb)}{to} ended: {known_word(record.conclusion)}**{where}.{follows}"


def _proposal(note: Note, register: Register, detail: str) -> str:
    record, name = _find_dispatch(note, register), dispatch_name(note)
    to = f" to {code(record.target_version)}" if record and record.target_version else ""
    approve, reject = code(f"/modelwatch approve {name}"), code(f"/modelwatch reject {name}")
    verb = known_word(name.partition(".")[0])
    return (
        f"**Proposed: {verb}{to}.** Comment {approve} to start it, or {reject} to reject it.\n\n"
        f"Needs approval ({detail})."
    )
