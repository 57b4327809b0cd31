"""Decides which of several evaluations acts that write the issue of a group at the same time.

GitHub has no edit that fails if the text has changed since it was read: the last one wins. Its lists lag behind, but an
issue that is read by its number does not. So two rules hold:

* Of two issues that were opened for one episode the one with the lower number counts. The evaluation that
  opened the other one finds it by its number, and closes its own before anything is dispatched.
* The intents on an issue belong to the evaluation that wrote it last: its token is in the register. Before it acts on
  them, it waits until ``CLAIM_SECONDS`` have passed since it wrote the issue, and reads it again. If it took longer
  than that from reading the issue to having written it, it does not act.

Two evaluations never act on the same intent. The second one would have read the issue before the first one wrote it,
and written it after the first one had read it again: more than ``CLAIM_SECONDS`` later (Fischer's mutual exclusion).
"""

from __future__ import annotations

from dataclasses import replace

from ...model.register import DispatchState, Register
from ..base import GroupRun
from .client import IssueClient, IssueView

CLAIM_SECONDS = 5.0
"""An issue is read and written within a second or two."""


def sign(run: GroupRun, register: Register) -> Register:
    """``register`` as this evaluation writes it: with its token, and with the present time in its intents, from which
    others count when they take one for lost."""
    present = run.now + run.sessions.clock.age()
    records = (
        replace(record, at=present)
        if record.state is DispatchState.INTENDED and record.at == run.planned_at
        else record
        for record in register.dispatches
    )
    return replace(register, writer=run.writer, dispatches=tuple(records))


def check_write_time(run: GroupRun, register: Register, read_at: float) -> str:
    """Remember that the issue, which was read at ``read_at``, is written. Returns why nothing may be dispatched."""
    run.written_at = run.sessions.clock.monotonic()
    seconds = run.written_at - read_at
    if seconds <= CLAIM_SECONDS or not any(record.state is DispatchState.INTENDED for record in register.dispatches):
        return ""
    return (
        f"the issue is written, but GitHub took {seconds:.0f} s, so another evaluation may have written it meanwhile: "
        "nothing is dispatched, and the next evaluation tries again"
    )


def hold_claim(run: GroupRun, client: IssueClient) -> bool:
    """Whether this evaluation acts on the intents in ``run.issue``, which is read again first. Raises ServiceError."""
    if run.claimed or run.issue is None:
        return run.claimed
    if not is_foreign(run, run.issue):
        clock = run.sessions.clock
        passed = 0.0 if run.written_at is None else clock.monotonic() - run.written_at
        clock.sleep(max(CLAIM_SECONDS - passed, 0.0) * client.github.retry.wait_scale)
        run.issue = client.get(run.issue.number)
    run.superseded = is_foreign(run, run.issue)
    run.claimed = not run.superseded
    return run.claimed


def is_foreign(run: GroupRun, issue: IssueView) -> bool:
    """Whether another evaluation wrote the issue last."""
    register = issue.register_block.register
    return register is not None and register.writer != run.writer


def withdraw_intent(register: Register, key: str, writer: str) -> Register:
    """``register`` without an intent of this evaluation that it certainly did not carry out: the next one plans it
    again. What a person requested waits for approval again."""
    if register.writer != writer:
        return register
    records = []
    for record in register.dispatches:
        if record.key != key or record.state is not DispatchState.INTENDED:
            records.append(record)
        elif record.by:
            records.append(replace(record, state=DispatchState.PROPOSED, by=""))
    return replace(register, dispatches=tuple(records))
