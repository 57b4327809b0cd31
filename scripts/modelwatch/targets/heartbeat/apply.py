"""Sends the heartbeat, or calls the address for failures: with one repetition, and never for longer than 25 s."""

from __future__ import annotations

from ...clients.http import call_monitor
from ...errors import UserError, shorten
from ...model.plan import HEARTBEAT_FAILED, Change, ChangeResult
from ...model.secret import Secret
from ...model.self_monitoring import HeartbeatMethod, HeartbeatSpec
from ..base import ChangeOutcome, GroupRun
from ..sessions import TargetSessions

MAX_REASON = 1000
"""Characters of a reason that the monitor gets."""


def send_heartbeat(change: Change, run: GroupRun) -> ChangeOutcome:
    """Call the monitor, if the evaluation did everything. Raises UserError where the monitor does not take it."""
    spec = run.sessions.config.heartbeat
    if spec is None:
        return ChangeOutcome(ChangeResult.REFUSED, "no heartbeat is configured")
    if run.sessions.config.is_partial:
        return ChangeOutcome(ChangeResult.NOT_ASKED, "only some of the models were evaluated")
    reason = change.reason if change.about == HEARTBEAT_FAILED else run.unfinished
    if reason:
        return ChangeOutcome(ChangeResult.REFUSED, report_failure(spec, run.sessions, reason))
    if not spec.url.reveal():
        return ChangeOutcome(ChangeResult.REFUSED, f"{spec.url.name} is not set")
    _call(spec.url, spec.method, "the watchdog fires: this evaluation did everything", run.sessions)
    return ChangeOutcome(ChangeResult.DONE)


def report_failure(spec: HeartbeatSpec, sessions: TargetSessions, reason: str) -> str:
    """Call the address for failures, where there is one. Returns ``reason``, and what became of the call. Never
    raises for what the monitor does."""
    if spec.failed_url is None or not spec.failed_url.reveal():
        return reason
    try:
        _call(spec.failed_url, spec.method, reason, sessions)
    except UserError as error:
        return f"{reason}; nor could the failure be reported: {error}"
    return f"{reason}; the failure was reported"


def _call(address: Secret, method: HeartbeatMethod, text: str, sessions: TargetSessions) -> None:
    body = sessions.redactor.redact_text(f"modelwatch: {shorten(text, MAX_REASON)}")
    call_monitor(address.reveal(), address.name, method.upper(), body.encode(), sessions.monitor_retry())
