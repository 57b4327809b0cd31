"""Messages sent through apprise, each at most once.

Before a message goes out, its record in the register changes from intended to taken. A crash before that repeats the
message at the next evaluation; a crash after it, or a service that rejects it, loses the message: better none than two,
since the issue has everything. A message that could not be sent is reported on the issue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import ServiceError, UserError
from ...model.plan import Change, ChangeResult
from ...model.register import MessageState, Register
from ...model.secret import Secret
from ...model.severity import Severity
from ..base import ChangeOutcome, GroupRun
from ..register.client import update_register
from ..sessions import TargetSessions
from .addresses import open_address
from .render import message_text

if TYPE_CHECKING:
    import apprise

SERVICE_TIMEOUT = 30.0
"""Seconds for one message to one service."""
TOO_SLOW = "messages have delayed this run for too long already"


def send_message(change: Change, run: GroupRun) -> ChangeOutcome:
    """Send the message to every address of the model. Raises UserError where one of them does not take it."""
    register = run.register
    if run.superseded:
        return ChangeOutcome(ChangeResult.ALREADY, "another evaluation, at the same time, sends it")
    if run.blocked_reason or run.issue is None or register is None:
        reason = run.blocked_reason or "there is no issue"
        return ChangeOutcome(ChangeResult.REFUSED, f"the message is not recorded on the issue: {reason}")
    record = next((record for record in register.messages if record.key == change.about), None)
    if record is None or not change.notes:
        # Without a record a message could be sent twice.
        return ChangeOutcome(ChangeResult.REFUSED, "the message is not recorded on the issue")
    if record.state is MessageState.TAKEN:
        return ChangeOutcome(ChangeResult.ALREADY)
    model = run.model(change.model)
    if model is None or not model.messages.to:
        raise UserError("no address for messages is configured", hint="Set `messages: {to: [...]}`.")
    if run.sessions.messages_breaker.refusal(TOO_SLOW):
        return ChangeOutcome(ChangeResult.REFUSED, f"{TOO_SLOW}; the next evaluation sends it")
    services, failures = _open_services(model.messages.to)
    if not services:
        # Not taken: the next evaluation sends it, if the address is right by then.
        raise failures[0]
    client = run.issue_client(change)
    run.issue = update_register(
        client, run.issue.number, change.group, lambda register: take_message(register, change.about)
    )
    if run.register is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the issue was changed meanwhile")
    title, body = message_text(run, change.notes[0], run.register)
    level = _notify_level(change.notes[0].topic, run.register.severity)
    refusals = [
        f"{service.service_name} did not take the message ({address.name})"
        for address, service in services
        if not _notify(service, title, body, level, run.sessions)
    ]
    if reasons := [*(failure.message for failure in failures), *refusals]:
        raise ServiceError("; ".join(reasons), hint="It is not sent again; the issue has everything.")
    return ChangeOutcome(ChangeResult.DONE, record=lambda register: take_message(register, change.about))


def _open_services(addresses: Sequence[Secret]) -> tuple[list[tuple[Secret, apprise.NotifyBase]], list[UserError]]:
    """The services that can be reached, and why others cannot."""
    services, failures = [], []
    for address in addresses:
        try:
            services.append((address, open_address(address)))
        except UserError as error:
            failures.append(error)
    return services, failures


def take_message(register: Register, key: str) -> Register:
    records = tuple(
        replace(record, state=MessageState.TAKEN) if record.key == key else record for record in register.messages
    )
    return replace(register, messages=records)


def _notify(service: apprise.NotifyBase, title: str, body: str, level: str, sessions: TargetSessions) -> bool:
    """Whether the service took the message in time."""
    import apprise

    breaker, seconds = sessions.messages_breaker, sessions.timeout(SERVICE_TIMEOUT)
    if breaker.refusal(TOO_SLOW):
        return False
    notifier = apprise.Apprise()
    notifier.add(service)
    kind, form = apprise.NotifyType(level), apprise.NotifyFormat.TEXT
    with breaker.measure():
        return bool(notifier.notify(title=title, body=body, notify_type=kind, body_format=form, timeout=seconds))


def _notify_level(topic: str, severity: Severity) -> str:
    """The severity in the words of apprise, which give a message its colour and sign."""
    if topic == "recovered":
        return "success"
    return {Severity.INFO: "info", Severity.WARNING: "warning"}.get(severity, "failure")
