"""Escalates to the on-call when a rollback, a promotion or a degradation failed or did not bring the metric back."""

from __future__ import annotations

from dataclasses import replace

from ...model.register import ESCALATED, DispatchRecord, DispatchState
from ...timeutil import HOUR
from ..draft import GroupPlan, Situation
from .guards import SINGLE_ATTEMPT_VERBS
from .plan import recovery_reason

DEFAULT_SETTLE = 2 * HOUR
"""The time to recover (seconds) after a workflow that is no longer configured."""


def escalate_if_unrecovered(draft: GroupPlan) -> None:
    """Escalate once for each workflow run that ended while the metric of a firing group has not recovered."""
    if draft.situation is not Situation.FIRING or recovery_reason(draft.group):
        return
    for record in draft.dispatches:
        if record.verb not in SINGLE_ATTEMPT_VERBS or record.state is not DispatchState.FINISHED or record.settled:
            continue
        reason = _escalation_reason(draft, record)
        if reason:
            draft.put_dispatch(replace(record, settled=ESCALATED))
            draft.escalation = reason
            draft.add_note(ESCALATED, record.name, f"{reason}. Tried so far: {describe_attempts(draft)}")


def _escalation_reason(draft: GroupPlan, record: DispatchRecord) -> str:
    if record.conclusion != "success":
        return f"{record.name} ended in {record.conclusion or 'no conclusion'}"
    workflow = draft.model.workflow(record.verb)
    length = workflow.settle if workflow else DEFAULT_SETTLE
    since = record.ended if record.ended is not None else record.at
    if draft.now - since < length:
        return ""
    return f"not recovered {length / HOUR:g} h after {record.name} succeeded"


def describe_attempts(draft: GroupPlan) -> str:
    """``rollback.1 to v6 (success), retrain.1 (failure)``"""
    attempts = []
    for record in draft.dispatches:
        if record.state in (DispatchState.SENT, DispatchState.FINISHED):
            to = f" to {record.target_version}" if record.target_version else ""
            attempts.append(f"{record.name}{to} ({record.conclusion or record.state.value})")
    return ", ".join(attempts) or "nothing"
