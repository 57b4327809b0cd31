"""Messages sent through apprise, each at most once.

Before a message goes out, its record in the register changes from intended to taken. A crash before that repeats the
message at the next evaluation; a crash after it, or a service that rejects it, loses the message: better none than two,
since the issue has everything. A message that could not be sent is reported on the issue.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from ...errors import ServiceError, UserError
from ...model.plan import Change, ChangeResult
from ...model.register import MessageState, Register
from ...model.secret import Secret
from ..base import ChangeOutcome, GroupRun
from ..register.client import update_register
from .render import message_text


def send_message(change: Change, run: GroupRun) -> ChangeOutcome:
    """Send the message to every address of the model. Raises UserError where one of them does not take it."""
    register = run.register
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
    client = run.issue_client(change)
    run.issue = update_register(client, run.issue.number, change.group, lambda register: _take(register, change.about))
    if run.register is None:
        return ChangeOutcome(ChangeResult.REFUSED, "the issue was changed meanwhile")
    title, body = message_text(run, change.notes[0], run.register)
    failures = [failure for address in model.messages.to if (failure := _notify(address, title, body))]
    if failures:
        raise ServiceError("; ".join(failures), hint="It is not sent again; the issue has everything.")
    return ChangeOutcome(ChangeResult.DONE, record=lambda register: _take(register, change.about))


def _take(register: Register, key: str) -> Register:
    records = tuple(
        replace(record, state=MessageState.TAKEN) if record.key == key else record for record in register.messages
    )
    return replace(register, messages=records)


def _notify(address: Secret, title: str, body: str) -> str:
    """Why the message could not be sent to ``address``; empty where it was. Names the variable, never its value."""
    try:
        import apprise
    except ImportError as error:
        raise UserError("messages need the package apprise", hint='pip install "modelwatch[messages]"') from error

    # Its warnings can quote a part of the address, and the receipt has what matters of them.
    logging.getLogger("apprise").propagate = False
    service = apprise.Apprise.instantiate(address.reveal())
    if service is None:
        return f"{address.name} holds no address that apprise knows"
    notifier = apprise.Apprise()
    notifier.add(service)
    if notifier.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
        return ""
    return f"{service.service_name} did not take the message ({address.name})"
