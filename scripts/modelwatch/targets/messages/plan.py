"""Which messages are sent: one for each change of a group that its model lists under ``messages: {on}``."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.monitored_model import MessageEvent
from ...model.plan import ChangeKind, Note
from ...model.register import MAX_REMEMBERED, MessageRecord, MessageState
from ...timeutil import DAY
from ..draft import GroupPlan, Situation
from ..register.muting import muted_reason

REPEAT_WITHIN = DAY
"""A message that was intended longer ago (seconds) is not sent any more."""
_NOTE_EVENTS = {
    "reopened": MessageEvent.OPENED,
    "worse": MessageEvent.WORSE,
    "proposal": MessageEvent.PROPOSAL,
}
"""The topics of comments on the issue that are sent as messages, too."""


def plan_messages(draft: GroupPlan) -> None:
    """Record new messages as intended and send them, and those that were intended but not sent."""
    spec = draft.model.messages
    if not spec.to:
        return
    if draft.situation is Situation.WITHOUT_ISSUE:
        reason = f"no message without an issue that remembers it: {draft.guard_reason}"
        draft.add_skip(ChangeKind.SEND_MESSAGE, reason, draft.guard)
        return
    register = draft.register
    if register is None or draft.situation not in (Situation.FIRING, Situation.RECOVERED, Situation.CLOSED):
        return
    known = {record.key for record in register.messages}
    events = [(event, note) for event, note in _events(draft) if event in spec.on and note.key not in known]
    records = [MessageRecord(note.key, MessageState.INTENDED, draft.now) for _, note in events]
    draft.update_register(messages=(*register.messages, *records)[-MAX_REMEMBERED:])
    for event, note in events:
        draft.add_change(ChangeKind.SEND_MESSAGE, f"{draft.group.rule}: {event}", about=note.key, notes=(note,))
    for record in register.messages:
        if record.state is MessageState.INTENDED and draft.now - record.at <= REPEAT_WITHIN:
            note = Note(record.key, record.key.split(".")[2])
            reason = f"{draft.group.rule}: {note.topic}, which was not sent yet"
            draft.add_change(ChangeKind.SEND_MESSAGE, reason, about=note.key, notes=(note,))


def _events(draft: GroupPlan) -> Iterator[tuple[MessageEvent, Note]]:
    """The possible messages of this draft; the key of each note is the same however often this is planned."""
    register = draft.register
    if register is None:
        return
    prefix = f"{draft.group.key}.{register.episode}"
    if draft.situation is Situation.RECOVERED:
        guard, _ = muted_reason(draft)
        if guard in ("", "ack"):
            yield MessageEvent.RECOVERED, Note(f"{prefix}.recovered.{int(register.began)}", "recovered")
        return
    if draft.situation is Situation.FIRING and draft.issue_change is ChangeKind.OPEN_ISSUE:
        yield MessageEvent.OPENED, Note(f"{prefix}.opened.1", "opened")
    for note in draft.notes if draft.situation is Situation.FIRING else ():
        if note.topic in _NOTE_EVENTS:
            yield _NOTE_EVENTS[note.topic], note
