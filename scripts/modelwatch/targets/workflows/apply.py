"""Dispatches workflows, each once, after its intent was written on the issue."""

from __future__ import annotations

import time
from dataclasses import replace

from ...clients.github import GitHubClient
from ...clients.workflow_dispatch import AcceptedDispatch, dispatch_repository, dispatch_workflow
from ...errors import ServiceError
from ...model.plan import Change, ChangeResult, Dispatch, ObservedRun
from ...model.register import DispatchRecord, DispatchState, Register
from ..base import ChangeOutcome, GroupRun
from ..register.ledger import add_entries, dispatch_entry
from .observe import find_run


def apply_dispatch(change: Change, run: GroupRun) -> ChangeOutcome:
    """Dispatch a workflow whose intent is written. Raises UserError, ServiceError."""
    if change.dispatch is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the plan does not say what to dispatch")
    spec = run.github_spec(change)
    repository = change.dispatch.repository or change.repository or spec.repository
    dispatch = replace(change.dispatch, repository=repository)
    record, refused = _find_intent(run, dispatch.key)
    if record is None:
        return ChangeOutcome(ChangeResult.REFUSED, refused)
    if record.state is not DispatchState.INTENDED:
        return ChangeOutcome(ChangeResult.ALREADY, f"it is {record.state} already", record.url)
    accepted, existed = dispatch_once(run.sessions.github(spec, repository), dispatch, run.issue_url, run.now)
    result = ChangeResult.ALREADY if existed else ChangeResult.DONE
    return ChangeOutcome(
        result, url=accepted.url, record=lambda register: _record_dispatch(register, dispatch.key, accepted)
    )


def describe_dispatch(change: Change) -> str:
    return f"the dispatch of {change.dispatch.verb}" if change.dispatch else "the dispatch"


def _find_intent(run: GroupRun, key: str) -> tuple[DispatchRecord | None, str]:
    """The intent on the issue, or why there is none: without one nothing is dispatched."""
    if run.blocked_reason or run.issue is None or run.register is None:
        return None, f"its intent is not written on the issue: {run.blocked_reason or 'there is no issue'}"
    if run.issue.state != "open":
        return None, f"issue #{run.issue.number} is closed"
    record = next((record for record in run.register.dispatches if record.key == key), None)
    if record is None or record.state in (DispatchState.PROPOSED, DispatchState.LOST):
        return None, f"its intent is not written on the issue #{run.issue.number}"
    return record, ""


def _record_dispatch(register: Register, key: str, accepted: AcceptedDispatch) -> Register:
    records = tuple(
        replace(record, state=DispatchState.SENT, run_id=accepted.run_id, url=accepted.url)
        if record.key == key and record.state is DispatchState.INTENDED
        else record
        for record in register.dispatches
    )
    sent = [record for record in records if record.key == key and record not in register.dispatches]
    return add_entries(replace(register, dispatches=records), *map(dispatch_entry, sent))


def workflow_inputs(dispatch: Dispatch, issue_url: str) -> dict[str, str]:
    """The inputs that every dispatched workflow gets, and the fixed ones of its configuration."""
    return dict(dispatch.inputs) | {
        "key": dispatch.key,
        "model": dispatch.model,
        "version": dispatch.version,
        "target_version": dispatch.target_version,
        "reason": dispatch.reason,
        "issue": issue_url,
    }


def dispatch_once(
    github: GitHubClient, dispatch: Dispatch, issue_url: str, now: float
) -> tuple[AcceptedDispatch, bool]:
    """Dispatch, unless a workflow run with this key exists; the flag says whether it did.

    Where the answer is lost, the workflow runs are listed once: a dispatch is never repeated to find out.
    Raises UserError, ServiceError.
    """
    if run := find_run(github, dispatch, now):
        return AcceptedDispatch(run.id, run.url), True
    inputs = workflow_inputs(dispatch, issue_url)
    try:
        if dispatch.event_type:
            return dispatch_repository(github, dispatch.repository, dispatch.event_type, inputs), False
        return dispatch_workflow(github, dispatch.repository, dispatch.workflow, dispatch.ref, inputs), False
    except ServiceError as error:
        run = _find_after_lost_answer(github, dispatch, now) if error.uncertain else None
        if run is None:
            raise
        return AcceptedDispatch(run.id, run.url), False


def _find_after_lost_answer(github: GitHubClient, dispatch: Dispatch, now: float) -> ObservedRun | None:
    time.sleep(github.retry.backoff(1))
    try:
        return find_run(github, dispatch, now)
    except ServiceError:
        return None  # the first error is reported; the intent stays open, and the next evaluation looks again
