"""Comments on the issue: one or two sentences each, only when something changed."""

from __future__ import annotations

from ..model.alert import Group
from ..model.plan import Note
from ..model.register import Register
from ..model.watched import Model
from .escape import code, line, link, mention
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
            return f"Workflow: {detail}{_link(note, register)}{_to_all(note, model)}"
        case "escalated":
            return f"**Escalated.** {detail}{_to_all(note, model)}"
        case "proposal":
            name = name_of(note)
            approve, reject = code(f"/modelwatch approve {name}"), code(f"/modelwatch reject {name}")
            ask = f"Comment {approve} to start it, or {reject} to leave it."
            return f"**Proposed, waiting for a person:** {detail}\n\n{ask}"
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


def _link(note: Note, register: Register) -> str:
    """The workflow run that the note is about."""
    for record in reversed(register.dispatches):
        if record.url and record.name == name_of(note):
            return f" ({link(f'workflow run {record.run_id}' if record.run_id else 'workflow run', record.url)})"
    return ""
