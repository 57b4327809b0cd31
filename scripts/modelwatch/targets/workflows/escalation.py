"""Escalates to the on-call when a rollback, a promotion or a degradation never started, does not end, failed, or did
not bring the metric back."""

from __future__ import annotations

from dataclasses import replace

from ...model.register import ESCALATED, STUCK, DispatchRecord, DispatchState
from ...model.target import Target
from ...report.alert_phrase import WITHIN_LIMITS_TEXT, is_recovery_unproven
from ...report.comments import attempts_text
from ...report.formatting import duration
from ...report.move_effect import is_stuck
from ...report.next_steps import DEFAULT_SETTLE
from ...timeutil import format_utc
from ..draft import GroupPlan, Situation
from .guards import SINGLE_ATTEMPT_VERBS
from .plan import recovery_reason

_ESCALATION = "escalation"


def call_about_workflows(draft: GroupPlan) -> None:
    """Call the on-call about workflows that did not help, and about proposals that wait for a decision."""
    report_lost_dispatches(draft)
    escalate_stuck_runs(draft)
    escalate_if_unrecovered(draft)
    remind_of_proposals(draft)


def report_lost_dispatches(draft: GroupPlan) -> None:
    """Report once each dispatch that GitHub accepted and never started. What should have brought the metric back is
    escalated."""
    before = draft.previous_register.dispatches if draft.previous_register else ()
    accepted = {record.key for record in before if record.state is DispatchState.SENT}
    for record in draft.dispatches:
        if record.state is not DispatchState.LOST or record.key not in accepted:
            continue
        reason = f"GitHub accepted {record.name} at {format_utc(record.at)}, and has not started a workflow run for it"
        draft.add_note("lost", record.name, reason)
        if record.verb in SINGLE_ATTEMPT_VERBS and _needs_help(draft):
            draft.put_dispatch(replace(record, settled=ESCALATED))
            draft.call_person(f"{ESCALATED}.{record.name}", reason)


def escalate_stuck_runs(draft: GroupPlan) -> None:
    """Escalate once each workflow run that should bring the metric back, and does not end."""
    if not _needs_help(draft):
        return
    for record in draft.dispatches:
        if record.verb not in SINGLE_ATTEMPT_VERBS or record.state is not DispatchState.SENT:
            continue
        if draft.observed.error_for(Target.DISPATCH, record.verb):
            continue  # it may have ended
        reason = f"{record.name} has not ended since {format_utc(record.at)}; it may wait for a runner or an approval"
        if is_stuck(record, draft.now) and draft.call_person(f"{STUCK}.{record.run_name}", reason):
            draft.add_note(STUCK, record.run_name, reason)


def remind_of_proposals(draft: GroupPlan) -> None:
    """Remind once of each proposal that waits longer than its workflow's ``remind``."""
    if draft.situation is not Situation.FIRING or recovery_reason(draft.group):
        return
    for record in draft.dispatches:
        workflow = draft.model.workflow(record.verb)
        if record.state is not DispatchState.PROPOSED or workflow is None or not workflow.remind:
            continue
        if draft.now - record.at < workflow.remind:
            continue
        to = f" to {record.target_version}" if record.target_version else ""
        reason = f"the proposed {record.verb}{to} has waited for a decision since {format_utc(record.at)}"
        if draft.call_person(f"reminder.{record.name}", reason):
            draft.add_note("reminder", record.name, f"{reason}: approve or reject it")


def escalate_if_unrecovered(draft: GroupPlan) -> None:
    """Escalate once for each workflow run that ended while the metric of a firing group has not recovered."""
    if not _needs_help(draft):
        return
    for record in draft.dispatches:
        if record.verb not in SINGLE_ATTEMPT_VERBS or record.state is not DispatchState.FINISHED or record.settled:
            continue
        reason = _escalation_reason(draft, record)
        if reason:
            draft.put_dispatch(replace(record, settled=ESCALATED))
            draft.call_person(f"{ESCALATED}.{record.run_name}", reason)
            draft.add_note(
                ESCALATED,
                record.run_name,
                f"{reason}. Tried so far: {attempts_text(draft.register) if draft.register else ''}",
            )


def _needs_help(draft: GroupPlan) -> bool:
    """Whether the group fires, unmuted, and is not recovering."""
    return draft.situation is Situation.FIRING and not all(map(recovery_reason, draft.acting_groups))


def _escalation_reason(draft: GroupPlan, record: DispatchRecord) -> str:
    if record.conclusion != "success":
        return f"{record.name} ended in {record.conclusion or 'no conclusion'}"
    workflow = draft.model.workflow(record.verb)
    length = workflow.settle if workflow else DEFAULT_SETTLE
    since = record.ended if record.ended is not None else record.at
    if draft.now - since < length or _is_superseded(draft, record):
        return ""
    if all(is_recovery_unproven(group, draft.model) for group in draft.acting_groups):
        draft.add_skip(_ESCALATION, f"recovering, not yet proven, after {record.name}: {WITHIN_LIMITS_TEXT}", "proof")
        return ""
    return f"not recovered {duration(length)} after {record.name} succeeded"


def _is_superseded(draft: GroupPlan, record: DispatchRecord) -> bool:
    """Whether another workflow has changed what serves since: then the metric is that one's."""
    later = (other for other in draft.dispatches if other.verb in SINGLE_ATTEMPT_VERBS and other.at > record.at)
    return any(
        other.state in (DispatchState.SENT, DispatchState.FINISHED) and other.conclusion in ("", "success")
        for other in later
    )
