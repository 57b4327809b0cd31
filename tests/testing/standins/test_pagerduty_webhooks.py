"""Webhooks of the PagerDuty stand-in: delivered, tried again, dropped and disabled as PagerDuty does it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.pagerduty import PagerDutyState
from modelwatch.testing.standins.pagerduty.records import Actor
from modelwatch.testing.standins.pagerduty.webhooks import IncidentAnnouncer, WebhookSender, make_event, workflow_event

SECRETS = ("new", "old")


@dataclass
class Receiver:
    """Answers 202 to everything."""

    name: str = "receiver"
    seen: list[dict[str, object]] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        self.seen.append(json.loads(request.body)["event"])
        return Response(202)


@pytest.fixture
def receiver() -> Iterator[Server[Receiver]]:
    with Server(Receiver()) as server:
        yield server


def courier(receiver: Server[Receiver], **more: int) -> WebhookSender:
    return WebhookSender(lambda: f"{receiver.url}/hook", SECRETS, wait_scale=0.001, **more)


def event(name: str) -> dict[str, object]:
    return make_event(name, "incident.triggered", time.time(), None, {"type": "incident"})


def test_a_webhook_is_signed_with_every_secret(receiver: Server[Receiver]) -> None:
    with courier(receiver) as one:
        one.send(event("A"))
        one.send_ping()
        assert one.wait(10)
    sent = receiver.requests[0]
    values = [hmac.new(secret.encode(), sent.body, hashlib.sha256).hexdigest() for secret in SECRETS]
    assert sent.headers["x-pagerduty-signature"] == ",".join(f"v1={value}" for value in values)
    assert {seen["event_type"] for seen in receiver.standin.seen} == {"incident.triggered", "pagey.ping"}


@pytest.mark.parametrize(
    "fault", [Fault("status", status=500, times=3), Fault("status", status=429, times=3), Fault("reset", times=3)]
)
def test_what_is_temporary_is_tried_again(receiver: Server[Receiver], fault: Fault) -> None:
    receiver.inject(fault)
    with courier(receiver) as one:
        webhook = one.send(event("A"))
        assert one.wait(10)
    assert len(webhook.statuses) == 4
    assert webhook.statuses[-1] == 202
    assert len({recorded.headers["x-webhook-id"] for recorded in receiver.requests}) == 1
    assert one.dropped == []


def test_another_4xx_is_dropped_and_three_in_a_row_disable(receiver: Server[Receiver]) -> None:
    receiver.inject(Fault("status", status=403, times=3))
    with courier(receiver, workers=1) as one:
        one.disabled_until = 0.0
        for name in "ABC":
            one.send(event(name))
        assert one.wait(10)
        assert one.is_disabled
        one.send(event("D"))
        assert len(one.dropped) == 4
        assert receiver.standin.seen == []
        one.disabled_until = 0.0
        one.send(event("E"))
        assert one.wait(10)
    assert [seen["id"] for seen in receiver.standin.seen] == ["E"]


def test_what_was_taken_may_come_again(receiver: Server[Receiver]) -> None:
    with courier(receiver, redeliver_every=2) as one:
        for number in range(4):
            one.send(event(str(number)))
        assert one.wait(10)
    assert len(receiver.standin.seen) == 6
    assert len(one.delivered) == 4


def test_webhooks_of_one_incident_stay_in_order(receiver: Server[Receiver]) -> None:
    receiver.inject(Fault("status", status=503, times=2))
    state = PagerDutyState()
    service = state.add_service("churn-model")
    with courier(receiver) as one:
        announcer = IncidentAnnouncer(state, "http://127.0.0.1", one)
        payload = {"summary": "down", "source": "x", "severity": "error"}
        state.receive_event(service, {"event_action": "trigger", "dedup_key": "key", "payload": payload})
        state.acknowledge_as_person(state.incidents[0])
        state.resolve_as_person(state.incidents[0])
        assert len(announcer.send_new_entries()) == 3
        assert announcer.send_new_entries() == []
        assert one.wait(10)
        pressed = workflow_event(state, "http://127.0.0.1", state.incidents[0], "Retrain", Actor("user", "PU", "Ann"))
        one.send(pressed)
        assert one.wait(10)
    kinds = [str(seen["event_type"]) for seen in receiver.standin.seen]
    assert kinds == [
        "incident.triggered", "incident.acknowledged", "incident.resolved", "incident.workflow.started",
    ]  # fmt: skip
    data = receiver.standin.seen[2]["data"]
    assert isinstance(data, dict)
    assert (data["status"], data["incident_key"]) == ("resolved", "key")
