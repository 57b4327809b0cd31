"""Comments on the issue: one or two sentences each, only when something changed."""

from __future__ import annotations

from ..model.alert import Group
from ..model.plan import Note
from ..model.register import DispatchRecord, Register
from ..model.watched import Model
from .escape import code, line, link, mention, word
from .steps import WATCHED, deadline
from .timeline import timeline
from .told import tell
from .words import duration, when

TOLD_TO_ALL = ("rollback", "promote", "degrade")
"""Verbs of which owner and stakeholders are told."""


def text(note: Note, group: Group | None, register: Register, now: float, model: Model | None = None) -> str:
    """The comment for ``note``; a topic without words of its own gets the note's detail."""
    detail = code(note.detail, 500) if note.detail else ""
    match note.topic:
        case "opened":
            return f"Opened at {when(now)}: {_state(group, register)}."
        case "worse":
            return f"**Worse: now {register.severity}.** {_state(group, register)}."
        case "better":
            return f"Better: now {register.severity} (worst was {register.peak}). {_state(group, register)}."
        case "recovered":
            return recovered(group, register, now)
        case "reopened":
            return f"Firing again. {_state(group, register)}. {detail}".rstrip()
        case "workflow":
            return f"{_ended(note, register, now, model) or f'Workflow: {detail}'}{_to_all(note, model)}"
        case "escalated":
            return f"**Escalated.** {detail}{_to_all(note, model)}"
        case "proposal":
            return _proposal(note, register, detail)
        case _:
            return f"{line(note.topic, 40).capitalize()}: {detail}"


def recovered(group: Group | None, register: Register, now: float) -> str:
    end = group.end if group and group.end is not None else now
    lasted = duration(end - register.start)
    said = f"**Recovered** after {lasted} (from {when(register.start)} to {when(end)}; worst was {register.peak})."
    return f"{said}\n\n{timeline(register, end)}" if register.dispatches or register.page else said


def _state(group: Group | None, register: Register) -> str:
    if group is None or not group.alerts:
        return f"{code(register.model)} {code(register.rule)}"
    told = tell(group)
    where = f" in {code(told.where)}" if told.where else ""
    return f"{code(told.rule)}{where}{told.joint}{told.phrase}"


def name_of(note: Note) -> str:
    """``rollback.1``: the dispatch that the note is about; keys of both end in ``<verb>.<attempt>``."""
    return line(".".join(note.key.split(".")[-2:]), 80)


def _to_all(note: Note, model: Model | None) -> str:
    """A release moved: whoever answers for the model, and whoever wants to know, is mentioned."""
    if model is None or name_of(note).partition(".")[0] not in TOLD_TO_ALL:
        return ""
    told = dict.fromkeys(filter(None, (model.owner, *(model.release.stakeholders if model.release else ()))))
    return f"\n\ncc {' '.join(mention(one) for one in told)}" if told else ""


def _record(note: Note, register: Register) -> DispatchRecord | None:
    return next((record for record in reversed(register.dispatches) if record.name == name_of(note)), None)


def _ended(note: Note, register: Register, now: float, model: Model | None) -> str:
    """How a workflow run ended, where to look, and what follows; empty where the register does not know it."""
    record = _record(note, register)
    if record is None or not record.conclusion:
        return ""
    to = f" to {code(record.target_version)}" if record.target_version else ""
    number = f"workflow run {record.run_id}" if record.run_id else "workflow run"
    where = f" ({link(number, record.url)})" if record.url else ""
    until = deadline(register, model, now) if record.verb in WATCHED else None
    follows = f" If the metric has not recovered by {when(until)}, somebody is paged." if until is not None else ""
    return f"**{word(record.verb)}{to} ended: {word(record.conclusion)}**{where}.{follows}"


def _proposal(note: Note, register: Register, detail: str) -> str:
    record, name = _record(note, register), name_of(note)
    to = f" to {code(record.target_version)}" if record and record.target_version else ""
    approve, reject = code(f"/modelwatch approve {name}"), code(f"/modelwatch reject {name}")
    verb = word(name.partition(".")[0])
    return (
        f"**Proposed: {verb}{to}.** A person decides: comment {approve} to start it, or {reject} to leave it.\n\n"
        f"Why it does not start by itself: {detail}"
    )
