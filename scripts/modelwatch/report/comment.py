"""Comments on the issue: one or two sentences each, only when something changed."""

from __future__ import annotations

from ..model.alert import Group
from ..model.plan import Note
from ..model.register import ReceiptState, Register
from .escape import code, line, link
from .told import tell
from .words import duration, when


def text(note: Note, group: Group | None, register: Register, now: float) -> str:
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
            return f"Workflow: {detail}{_link(note, register)}"
        case "proposal":
            return f"**Proposed, waiting for a person:** {detail}"
        case _:
            return f"{line(note.topic, 40).capitalize()}: {detail}"


def recovered(group: Group | None, register: Register, now: float) -> str:
    end = group.end if group and group.end is not None else now
    lasted = duration(end - register.start)
    done = [
        f"{code(record.verb)} ({record.conclusion or record.state.value})"
        for record in register.dispatches
        if record.state in (ReceiptState.SENT, ReceiptState.FINISHED)
    ]
    tried = f" Done meanwhile: {', '.join(done)}." if done else ""
    return (
        f"**Recovered** after {lasted} (from {when(register.start)} to {when(end)}; worst was {register.peak}).{tried}"
    )


def _state(group: Group | None, register: Register) -> str:
    if group is None or not group.alerts:
        return f"{code(register.model)} {code(register.rule)}"
    told = tell(group)
    where = f" in {code(told.where)}" if told.where else ""
    return f"{code(told.rule)}{where} {'is ' if told.value else ''}{told.phrase}"


def _link(note: Note, register: Register) -> str:
    """The workflow run that the note is about: both keys end in ``<verb>.<attempt>``."""
    for record in reversed(register.dispatches):
        tail = ".".join(record.key.split(".")[-2:])
        if record.url and note.key.endswith(f".{tail}"):
            return f" ({link(f'workflow run {record.run_id or 0}', record.url)})"
    return ""
