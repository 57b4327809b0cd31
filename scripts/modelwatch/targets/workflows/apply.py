"""Dispatches workflows, each once, after its intent was written on the issue."""

from __future__ import annotations

import time
from dataclasses import replace

from ...clients.github import GitHubClient
from ...clients.workflow_dispatch import AcceptedDispatch, dispatch_repository, dispatch_workflow
from ...errors import ServiceError, UserError
from ...model.plan import Change, ChangeResult, Dispatch, ObservedRun
from ...model.register import MAX_REMEMBERED, DispatchRecord, DispatchState, Register
from ...report.markdown import plain_line
from ..base import ChangeOutcome, GroupRun
from ..register.claim import hold_claim, withdraw_intent
from ..register.ledger import add_entries, dispatch_entry
from .observe import find_run

MAX_VERSION, MAX_REASON = 256, 1000
"""Characters of the inputs that hold texts from W&B."""


def apply_dispatch(change: Change, run: GroupRun) -> ChangeOutcome:
    """Dispatch a workflow whose intent is written; withdraw the intent if nothing was sent. Raises UserError."""
    if change.dispatch is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the plan does not say what to dispatch")
    spec = run.github_spec(change)
    repository = change.dispatch.repository or change.repository or spec.repository
    dispatch = replace(change.dispatch, repository=repository)

    def withdraw(register: Register) -> Register:
        return withdraw_intent(register, dispatch.key, run.writer)

    try:
        record, refused = _claim_intent(run, change, dispatch.key)
        if record is None:
            run.updates.append(withdraw)
            return ChangeOutcome(ChangeResult.REFUSED, refused)
        if record.state is not DispatchState.INTENDED:
            return ChangeOutcome(ChangeResult.ALREADY, f"it is {record.state} already", record.url)
        if not run.claimed:
            return ChangeOutcome(ChangeResult.ALREADY, "another evaluation, at the same time, dispatches it")
        accepted, existed = dispatch_once(run.sessions.github(spec, repository), dispatch, run.issue_url, run.now)
    except UserError as error:
        if not (isinstance(error, ServiceError) and error.uncertain):
            run.updates.append(withdraw)
        raise
    result = ChangeResult.ALREADY if existed else ChangeResult.DONE
    sent = replace(record, state=DispatchState.SENT, run_id=accepted.run_id, url=accepted.url)
    return ChangeOutcome(result, url=accepted.url, record=lambda register: record_dispatch(register, sent))


def describe_dispatch(change: Change) -> str:
    return f"the dispatch of {change.dispatch.verb}" if change.dispatch else "the dispatch"


def _claim_intent(run: GroupRun, change: Change, key: str) -> tuple[DispatchRecord | None, str]:
    """See ``_find_intent``; the issue of one that is not sent yet is read again, to know whose it is."""
    record, refused = _find_intent(run, key)
    if record is not None and record.state is DispatchState.INTENDED and not run.claimed:
        hold_claim(run, run.issue_client(change))
        record, refused = _find_intent(run, key)
    return record, refused


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


def record_dispatch(register: Register, sent: DispatchRecord) -> Register:
    """``register`` with the receipt, whether another evaluation has left the intent there or not."""
    records = {record.key: record for record in register.dispatches}
    known = records.get(sent.key)
    if known is not None and known.state in (DispatchState.SENT, DispatchState.FINISHED):
        return register
    records[sent.key] = sent
    return add_entries(replace(register, dispatches=tuple(records.values())[-MAX_REMEMBERED:]), dispatch_entry(sent))


def workflow_inputs(dispatch: Dispatch, issue_url: str) -> dict[str, str]:
    """The inputs that every dispatched workflow gets, and the fixed ones of its configuration. Versions and reason hold
    what was logged to W&B: each is one line of bounded length, since a workflow refuses others, or GitHub does."""
    return dict(dispatch.inputs) | {
        "key": dispatch.key,
        "model": dispatch.model,
        "version": plain_line(dispatch.version, MAX_VERSION),
        "target_version": plain_line(dispatch.target_version, MAX_VERSION),
        "reason": plain_line(dispatch.reason, MAX_REASON),
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
