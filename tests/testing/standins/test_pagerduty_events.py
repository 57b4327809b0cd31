"""Events at the PagerDuty stand-in: what is accepted, what it does, what is refused."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import warnings
from typing import Any

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn, Service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pdpyras

PAYLOAD = {"summary": "Accuracy fell", "source": "modelwatch", "severity": "error"}


@pytest.fixture
def service(pagerduty_server: Server[PagerDutyStandIn]) -> Service:
    return pagerduty_server.standin.state.add_service("churn")


def session(server: Server[PagerDutyStandIn], key: str) -> Any:
    made = pdpyras.EventsAPISession(key)
    made.url = server.url
    return made


def post(server: Server[PagerDutyStandIn], event: Any, path: str = "/v2/enqueue") -> tuple[int, dict[str, Any]]:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    request = urllib.request.Request(server.url + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def trigger(service: Service, **changes: Any) -> dict[str, Any]:
    payload = PAYLOAD | changes.pop("payload", {})
    return {"routing_key": service.routing_key, "event_action": "trigger", "payload": payload, **changes}


def test_the_life_of_an_incident(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    state = pagerduty_server.standin.state
    events = session(pagerduty_server, service.routing_key)
    key = events.trigger("Accuracy fell", "modelwatch", dedup_key="g1", severity="warning", custom_details={"a": 1})
    assert key == "g1"
    incident = state.incidents[0]
    assert (incident.status, incident.severity, incident.urgency, incident.title) == (
        "triggered", "warning", "low", "Accuracy fell",
    )  # fmt: skip
    events.trigger("Worse", "modelwatch", dedup_key="g1", severity="critical")
    assert len(state.incidents) == 1
    assert (incident.severity, incident.urgency, incident.title) == ("critical", "high", "Accuracy fell")
    events.acknowledge("g1")
    assert (incident.status, incident.changed_by.kind) == ("acknowledged", "integration")
    events.trigger("Better", "modelwatch", dedup_key="g1", severity="info")
    assert (incident.status, incident.severity) == ("acknowledged", "critical")
    events.resolve("g1")
    assert incident.status == "resolved"
    assert [entry.action for entry in incident.log] == ["trigger", "trigger", "acknowledge", "trigger", "resolve"]
    events.trigger("Again", "modelwatch", dedup_key="g1", severity="error")
    assert [found.status for found in state.incidents] == ["resolved", "triggered"]
    assert state.newest_incident("g1") is state.incidents[1]


def test_a_resolve_without_an_open_alert_is_accepted_and_dropped(
    pagerduty_server: Server[PagerDutyStandIn], service: Service
) -> None:
    state = pagerduty_server.standin.state
    events = session(pagerduty_server, service.routing_key)
    events.resolve("never")
    events.acknowledge("never")
    assert not state.incidents
    assert len(state.dropped_events) == 2


def test_a_missing_key_is_made_up(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    first, second = (post(pagerduty_server, trigger(service))[1]["dedup_key"] for _ in range(2))
    assert first != second
    assert len(pagerduty_server.standin.state.incidents) == 2


def test_services_keep_their_alerts_apart(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    other = pagerduty_server.standin.state.add_service("fraud", "f" * 32)
    for each in (service, other):
        assert post(pagerduty_server, trigger(each, dedup_key="same"))[0] == 202
    assert [incident.service.name for incident in pagerduty_server.standin.state.incidents] == ["churn", "fraud"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"routing_key": "0" * 32}, "Invalid routing key"),
        ({"event_action": "open"}, "'event_action' is invalid"),
        ({"event_action": "resolve"}, "'dedup_key' is missing or blank"),
        ({"dedup_key": "k" * 256}, "'dedup_key' is too long"),
        ({"dedup_key": 7}, "'dedup_key' is invalid"),
        ({"payload": {"summary": " "}}, "'payload.summary' is missing or blank"),
        ({"payload": {"summary": "s" * 1025}}, "'payload.summary' is too long"),
        ({"payload": {"source": ""}}, "'payload.source' is missing or blank"),
        ({"payload": {"severity": None}}, "'payload.severity' is missing or blank"),
        ({"payload": {"severity": "fatal"}}, "'payload.severity' is invalid"),
        ({"payload": {"timestamp": "yesterday"}}, "'payload.timestamp' is invalid"),
        ({"payload": {"timestamp": 1_700_000_000}}, "'payload.timestamp' is invalid"),
        ({"payload": {"custom_details": "text"}}, "'payload.custom_details' is invalid"),
        ({"payload": {"component": 7}}, "'payload.component' is invalid"),
        ({"links": [{"text": "no address"}]}, "'links[0].href' is missing or not a URL"),
        ({"links": {}}, "'links' is invalid"),
        ({"images": [{"src": "http://example.com/a.png"}]}, "'images[0].src' is invalid (must be served via HTTPS)"),
    ],
)
def test_what_pagerduty_refuses(
    pagerduty_server: Server[PagerDutyStandIn], service: Service, changes: dict[str, Any], problem: str
) -> None:
    status, body = post(pagerduty_server, trigger(service, **changes))
    assert (status, body["status"], body["message"]) == (400, "invalid event", "Event object is invalid")
    assert len(body["errors"]) == 1
    assert body["errors"][0].startswith(problem)
    assert not pagerduty_server.standin.state.incidents


def test_the_limits_are_inclusive(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    payload = {"summary": "s" * 1024, "timestamp": "2026-01-02T03:04:05.678+00:00", "custom_details": {}}
    links = [{"href": "https://example.com/runbook", "text": "Runbook"}]
    assert post(pagerduty_server, trigger(service, dedup_key="k" * 255, payload=payload, links=links))[0] == 202


def test_every_problem_is_told_at_once(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    _, body = post(pagerduty_server, trigger(service, payload={"summary": "", "source": "", "severity": ""}))
    assert len(body["errors"]) == 3


def test_bodies_that_are_too_large_or_no_json(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    event = trigger(service, payload={"custom_details": {"text": ""}})
    room = 512 * 1024 - len(json.dumps(event).encode())
    event["payload"]["custom_details"]["text"] = "x" * room
    assert post(pagerduty_server, event)[0] == 202
    event["payload"]["custom_details"]["text"] += "x"
    assert post(pagerduty_server, event)[0] == 413
    assert post(pagerduty_server, b"{")[1]["status"] == "Unrecognized object"
    assert post(pagerduty_server, b"[]")[0] == 400


def test_the_rate_limit_is_per_key_and_minute(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    state = pagerduty_server.standin.state
    now = [1_000_000.0]
    state.clock = lambda: now[0]
    state.enforce_limits = True
    other = state.add_service("fraud", "f" * 32)
    statuses = [post(pagerduty_server, trigger(service, dedup_key="k"))[0] for _ in range(121)]
    assert statuses == [202] * 120 + [429]
    assert post(pagerduty_server, trigger(other))[0] == 202
    now[0] += 61
    assert post(pagerduty_server, trigger(service))[0] == 202


def test_change_events_are_kept_and_open_nothing(pagerduty_server: Server[PagerDutyStandIn], service: Service) -> None:
    state = pagerduty_server.standin.state
    changes = pdpyras.ChangeEventsAPISession(service.routing_key)
    changes.url = pagerduty_server.url
    changes.submit("Version 7 is live", source="modelwatch", custom_details={"version": "7"})
    assert state.change_events[0].event["payload"]["summary"] == "Version 7 is live"
    assert not state.incidents
    bad = {"routing_key": service.routing_key, "payload": {"source": "x"}}
    assert post(pagerduty_server, bad, "/v2/change/enqueue")[0] == 400
    assert post(pagerduty_server, {"payload": {"summary": "x"}}, "/v2/change/enqueue")[0] == 400
