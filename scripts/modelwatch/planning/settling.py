"""After a rollback, a promotion or a degradation the metric is looked at again: not better in time, or the workflow
failed, and a person is paged with what was tried."""

from __future__ import annotations

from dataclasses import replace

from ..model.register import DispatchRecord, ReceiptState
from ..model.rule import HOUR
from .dispatches import recovering
from .guards import ONCE
from .work import Work

ESCALATED = "escalated"
SETTLE = 2 * HOUR
"""Where the workflow is no longer configured."""


def watch(work: Work) -> None:
    """Escalate, once for each workflow run that ended without bringing the metric back. The group fires."""
    if work.register is None or recovering(work.group):
        return
    for record in work.register.dispatches:
        if record.verb not in ONCE or record.state is not ReceiptState.FINISHED or record.settled:
            continue
        why = _why(work, record)
        if why:
            work.put(replace(record, settled=ESCALATED))
            work.escalation = why
            work.note(ESCALATED, record.name, f"{why}. Tried so far: {tried(work)}")


def escalated(work: Work) -> bool:
    """Whether this episode pages, whatever its tier asks for."""
    return work.register is not None and any(record.settled == ESCALATED for record in work.register.dispatches)


def _why(work: Work, record: DispatchRecord) -> str:
    if record.conclusion != "success":
        return f"{record.name} ended in {record.conclusion or 'no conclusion'}"
    workflow = work.model.workflow(record.verb)
    length = workflow.settle if workflow else SETTLE
    since = record.ended if record.ended is not None else record.at
    if work.now - since < length:
        return ""
    return f"not recovered {length / HOUR:g} h after {record.name} succeeded"


def tried(work: Work) -> str:
    """``rollback.1 to v6 (success), retrain.1 (failure)``"""
    records = work.register.dispatches if work.register else ()
    told = []
    for record in records:
        if record.state in (ReceiptState.SENT, ReceiptState.FINISHED):
            to = f" to {record.target_version}" if record.target_version else ""
            told.append(f"{record.name}{to} ({record.conclusion or record.state.value})")
    return ", ".join(told) or "nothing"
