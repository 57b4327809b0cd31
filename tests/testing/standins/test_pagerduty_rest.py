"""The REST API of the PagerDuty stand-in, driven by pdpyras."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn, PagerDutyState, Service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pdpyras

Fixture = tuple[Any, PagerDutyState, Service]
ALICE = "alice@example.com"


def connect(server: Server[PagerDutyStandIn], token: str, email: str = "") -> Any:
    made = pdpyras.APISession(token, default_from=email or None)
    made.url = server.url
    return made


@pytest.fixture
def world(pagerduty_server: Server[PagerDutyStandIn]) -> Fixture:
    state = pagerduty_server.standin.state
    state.add_user(ALICE)
    service = state.add_service("churn")
    return connect(pagerduty_server, state.add_token(), ALICE), state, service


def fire(state: PagerDutyState, service: Service, key: str, severity: str = "error") -> None:
    payload = {"summary": f"Alert {key}", "source": "x", "severity": severity, "custom_details": {"key": key}}
    links = [{"href": "https://example.com/runbook", "text": "Runbook"}]
    state.receive_event(service, {"event_action": "trigger", "dedup_key": key, "payload": payload, "links": links})


def test_an_incident_is_found_by_the_key_of_its_alert(world: Fixture) -> None:
    rest, state, service = world
    fire(state, service, "g1")
    fire(state, service, "g2", "warning")
    found = rest.list_all("incidents", params={"incident_key": "g2"})
    assert [incident["title"] for incident in found] == ["Alert g2"]
    incident = found[0]
    assert "incident_key" not in incident
    assert (incident["status"], incident["urgency"]) == ("triggered", "low")
    assert incident["html_url"].endswith(f"/incidents/{incident['id']}")
    assert rest.rget(incident["self"].removeprefix(rest.url))["id"] == incident["id"]
    alerts = rest.rget(f"/incidents/{incident['id']}/alerts")
    assert [(alert["alert_key"], alert["severity"], alert["status"]) for alert in alerts] == [
        ("g2", "warning", "triggered")
    ]
    assert alerts[0]["body"]["details"] == {"key": "g2"}
    assert alerts[0]["body"]["contexts"][0]["href"] == "https://example.com/runbook"


def test_who_changed_the_status_last(world: Fixture) -> None:
    rest, state, service = world
    fire(state, service, "g1")
    incident = state.incidents[0]
    path = f"/incidents/{incident.id}"
    assert rest.rget(path)["last_status_change_by"]["type"] == "integration_reference"
    state.acknowledge_as_person(incident, ALICE)
    seen = rest.rget(path)
    assert (seen["status"], seen["last_status_change_by"]["type"]) == ("acknowledged", "user_reference")
    assert seen["acknowledgements"][0]["acknowledger"]["summary"] == "alice"
    state.resolve_as_person(incident, "bob@example.com")
    seen = rest.rget(path)
    assert (seen["status"], seen["last_status_change_by"]["summary"]) == ("resolved", "bob")
    entries = rest.rget(f"{path}/log_entries")
    assert [(entry["type"], entry["agent"]["type"]) for entry in entries] == [
        ("resolve_log_entry", "user_reference"),
        ("acknowledge_log_entry", "user_reference"),
        ("notify_log_entry", "service_reference"),
        ("trigger_log_entry", "integration_reference"),
    ]


def test_nobody_is_notified_who_has_no_rules_for_it(world: Fixture) -> None:
    rest, state, service = world
    state.on_call_is_reachable = False
    fire(state, service, "g1")
    entries = rest.rget(f"/incidents/{state.incidents[0].id}/log_entries")
    assert [entry["type"] for entry in entries] == ["trigger_log_entry"]
    assert state.notifications == []


def test_filters(world: Fixture) -> None:
    rest, state, service = world
    now = [1_800_000_000.0]
    state.clock = lambda: now[0]
    other = state.add_service("fraud")
    fire(state, service, "old")
    now[0] += 60 * 86_400
    fire(state, service, "low", "info")
    fire(state, other, "other")
    fire(state, service, "done")
    state.resolve_as_person(state.incidents[-1], ALICE)

    def titles(**params: Any) -> list[str]:
        return [incident["title"].removeprefix("Alert ") for incident in rest.list_all("incidents", params=params)]

    assert titles() == ["low", "other", "done"]
    assert titles(date_range="all") == ["old", "low", "other", "done"]
    assert titles(since="2027-01-01T00:00:00Z", until="2027-02-01T00:00:00Z") == ["old"]
    assert titles(**{"statuses[]": ["triggered", "acknowledged"]}) == ["low", "other"]
    assert titles(**{"service_ids[]": [other.id]}) == ["other"]
    assert titles(**{"urgencies[]": ["low"]}) == ["low"]
    assert titles(sort_by="incident_number:desc") == ["done", "other", "low"]
    for wrong in ({"statuses[]": ["open"]}, {"sort_by": "colour"}, {"since": "2020-01-01T00:00:00Z"}):
        assert rest.get("/incidents", params=wrong).status_code == 400


def test_pages(world: Fixture) -> None:
    rest, state, service = world
    for index in range(230):
        fire(state, service, f"k{index}")
    everything = rest.list_all("incidents", params={"limit": 100})
    assert [incident["incident_number"] for incident in everything] == list(range(1, 231))
    page = rest.get("/incidents", params={"limit": 500, "offset": 200, "total": "true"}).json()
    assert (page["limit"], page["offset"], page["more"], page["total"]) == (100, 200, False, 230)
    assert len(page["incidents"]) == 30


def test_changes_through_rest_need_a_name(world: Fixture, pagerduty_server: Server[PagerDutyStandIn]) -> None:
    rest, state, service = world
    fire(state, service, "g1")
    incident = state.incidents[0]
    path = f"/incidents/{incident.id}"
    resolved = {"type": "incident_reference", "status": "resolved"}
    anonymous = connect(pagerduty_server, state.add_token())
    assert anonymous.put(path, json={"incident": resolved}).status_code == 400
    stranger = connect(pagerduty_server, state.add_token(), "nobody@example.com")
    assert stranger.put(path, json={"incident": resolved}).json()["error"]["code"] == 1008
    reader = connect(pagerduty_server, state.add_token(read_only=True), ALICE)
    assert reader.rget(path)["status"] == "triggered"
    assert reader.put(path, json={"incident": resolved}).status_code == 403
    assert rest.put(path, json={"incident": {"status": "resolved"}}).status_code == 400
    assert incident.status == "triggered"
    user = state.user_by_email(ALICE)
    own = connect(pagerduty_server, state.add_token(user))
    assert own.rput(path, json={"type": "incident", "status": "acknowledged"})["status"] == "acknowledged"
    assert rest.rput(path, json=resolved)["status"] == "resolved"
    fire(state, service, "g1")
    assert [found.status for found in state.incidents] == ["resolved", "triggered"]


def test_notes(world: Fixture) -> None:
    rest, state, service = world
    fire(state, service, "g1")
    path = f"/incidents/{state.incidents[0].id}/notes"
    assert rest.rpost(path, json={"content": "Retraining"})["content"] == "Retraining"
    assert [(note["content"], note["user"]["summary"]) for note in rest.rget(path)] == [("Retraining", "alice")]
    assert rest.post(path, json={"note": {"content": " "}}).status_code == 400


def test_tokens(world: Fixture, pagerduty_server: Server[PagerDutyStandIn]) -> None:
    rest, state, _ = world
    with pytest.raises(pdpyras.PDHTTPError) as caught:
        connect(pagerduty_server, "wrong").get("/incidents")
    assert caught.value.response.status_code == 401
    assert rest.get("/users/me").status_code == 400
    own = connect(pagerduty_server, state.add_token(state.user_by_email(ALICE)))
    assert own.rget("/users/me")["email"] == ALICE
    assert rest.get("/incidents/Q0").status_code == 404
    assert rest.get("/nothing").status_code == 404


def test_services_and_abilities(world: Fixture) -> None:
    rest, state, service = world
    fire(state, service, "g1")
    assert rest.rget(f"/services/{service.id}")["status"] == "critical"
    assert [found["name"] for found in rest.list_all("services", params={"query": "chu"})] == ["churn"]
    assert "urgencies" in rest.rget("/abilities")
    assert rest.get("/services/P0").status_code == 404
