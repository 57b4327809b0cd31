"""What is set up at the PagerDuty stand-in: checked as the published description says."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

Duty = Server[PagerDutyStandIn]
POLICY = {
    "type": "escalation_policy",
    "name": "ML",
    "escalation_rules": [{"escalation_delay_in_minutes": 5, "targets": [{"id": "USER", "type": "user_reference"}]}],
}
GUARD = {"id": "PPOLICY", "type": "escalation_policy_reference"}
SERVICE = {"type": "service", "name": "churn", "escalation_policy": GUARD}
HOOK = {
    "type": "webhook_subscription",
    "delivery_method": {"type": "http_delivery_method", "url": "https://relay.example"},
    "events": ["incident.resolved"],
    "filter": {"type": "service_reference", "id": "SERVICE"},
}


class Client:
    def __init__(self, server: Duty) -> None:
        self.server, self.state = server, server.standin.state
        self.token = self.state.add_token()
        self.user = self.state.add_user("a@acme.example").id
        self.service = self.state.add_service("there").id

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        text = json.dumps(body).replace('"USER"', f'"{self.user}"').replace('"SERVICE"', f'"{self.service}"')
        headers = {"Authorization": f"Token token={token or self.token}", "Content-Type": "application/json"}
        data = None if body is None else text.encode()
        request = urllib.request.Request(self.server.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture
def client(pagerduty_server: Duty) -> Client:
    return Client(pagerduty_server)


@pytest.mark.parametrize(
    ("path", "name", "good", "wrong"),
    [
        ("/escalation_policies", "escalation_policy", POLICY, {"escalation_rules": []}),
        ("/escalation_policies", "escalation_policy", POLICY, {"num_loops": -1}),
        ("/escalation_policies", "escalation_policy", POLICY, {"escalation_rules": [{"targets": []}]}),
        ("/services", "service", SERVICE, {"escalation_policy": GUARD | {"id": "PNONE"}}),
        ("/services", "service", SERVICE, {"escalation_policy": GUARD | {"type": "escalation_policy"}}),
        ("/services", "service", SERVICE, {"auto_resolve_timeout": "4h"}),
        ("/services", "service", SERVICE, {"status": "disabled"}),
        ("/services", "service", SERVICE, {"incident_urgency_rule": {"type": "constant", "urgency": "loud"}}),
        ("/services", "service", SERVICE, {"colour": "red"}),
        ("/services", "service", SERVICE, {"name": "THERE"}),
        ("/webhook_subscriptions", "webhook_subscription", HOOK, {"events": []}),
        ("/webhook_subscriptions", "webhook_subscription", HOOK, {"events": ["a", "a"]}),
        ("/webhook_subscriptions", "webhook_subscription", HOOK, {"filter": {"type": "service_reference"}}),
        ("/webhook_subscriptions", "webhook_subscription", HOOK, {"delivery_method": {"url": "https://x.example"}}),
    ],
)
def test_what_is_wrong_is_refused(
    client: Client, path: str, name: str, good: dict[str, Any], wrong: dict[str, Any]
) -> None:
    status, answer = client.ask("POST", path, {name: {**good, **wrong}})
    assert status == 400, answer
    assert answer["error"]["errors"]
    for field in good:
        if field in ("type", "escalation_policy", "delivery_method", "events", "filter", "escalation_rules"):
            part = {key: value for key, value in good.items() if key != field}
            assert client.ask("POST", path, {name: part})[0] == 400, field
    assert client.ask("POST", path, {name: good})[0] in (200, 201)
    token = client.state.add_token(read_only=True)
    assert client.ask("POST", path, {name: good}, token)[0] == 403


def test_names_are_unique_whatever_their_case(client: Client) -> None:
    assert client.ask("POST", "/escalation_policies", {"escalation_policy": POLICY})[0] == 201
    status, answer = client.ask("POST", "/escalation_policies", {"escalation_policy": {**POLICY, "name": "ml"}})
    assert (status, answer["error"]["errors"]) == (400, ["Name has already been taken"])


def test_a_policy_is_shown_with_who_is_behind_it(client: Client) -> None:
    number = client.ask("POST", "/escalation_policies", {"escalation_policy": POLICY})[1]["escalation_policy"]["id"]
    shown = client.ask("GET", f"/escalation_policies/{number}")[1]["escalation_policy"]
    (rule,) = shown["escalation_rules"]
    assert rule["targets"][0]["summary"] == "a"
    assert rule["id"]
    changed = {**POLICY, "num_loops": 3}
    assert client.ask("PUT", f"/escalation_policies/{number}", {"escalation_policy": changed})[0] == 200
    listed = client.ask("GET", "/escalation_policies?query=m")[1]["escalation_policies"]
    assert [one["num_loops"] for one in listed] == [3]


def test_an_integration_leads_into_its_service(client: Client) -> None:
    made = client.ask("POST", "/services", {"service": SERVICE})[1]["service"]
    body = {"integration": {"type": "events_api_v2_inbound_integration", "name": "modelwatch"}}
    one = client.ask("POST", f"/services/{made['id']}/integrations", body)[1]["integration"]
    found = client.state.service_by_routing_key(one["integration_key"])
    assert found is not None
    assert found.name == "churn"
    (reference,) = client.ask("GET", f"/services/{made['id']}")[1]["service"]["integrations"]
    assert reference["type"] == "events_api_v2_inbound_integration_reference"
    path = f"/services/{made['id']}/integrations/{reference['id']}"
    assert client.ask("GET", path)[1]["integration"]["integration_key"] == one["integration_key"]
    assert client.ask("GET", path.replace(made["id"], client.service))[0] == 404
    bad = {"integration": {"type": "carrier_pigeon"}}
    assert client.ask("POST", f"/services/{made['id']}/integrations", bad)[0] == 400


def test_the_urgency_of_a_service_holds_for_its_incidents(client: Client) -> None:
    rule = {"type": "constant", "urgency": "low"}
    body = {"service": {**SERVICE, "name": "there", "incident_urgency_rule": rule}}
    assert client.ask("PUT", f"/services/{client.service}", body)[0] == 200
    event = {"event_action": "trigger", "dedup_key": "k", "payload": {"summary": "s", "severity": "critical"}}
    client.state.receive_event(client.state.services[client.service], event)
    assert client.state.incidents[0].urgency == "low"
    assert client.ask("GET", "/incidents")[1]["incidents"][0]["escalation_policy"]["summary"] == "Default"


def test_event_rules_are_replaced_as_a_whole(client: Client) -> None:
    path = f"/event_orchestrations/services/{client.service}"
    assert client.ask("GET", path)[1]["orchestration_path"]["sets"] == [{"id": "start", "rules": []}]
    rules = [{"label": "a", "actions": {"suspend": 60}}, {"label": "b", "actions": {"suppress": True}}]
    for kept in (rules, rules[:1]):
        body = {"orchestration_path": {"sets": [{"id": "start", "rules": kept}]}}
        assert client.ask("PUT", path, body)[0] == 200
        shown = client.ask("GET", path)[1]["orchestration_path"]["sets"][0]["rules"]
        assert [rule["label"] for rule in shown] == [rule["label"] for rule in kept]
        assert all(rule["id"] for rule in shown)
    for actions in ({"suspend": "1m"}, {"severity": "bad"}, {"priority": "P1"}, {"route_to": "x"}, {"shout": True}):
        body = {"orchestration_path": {"sets": [{"id": "start", "rules": [{"actions": actions}]}]}}
        assert client.ask("PUT", path, body)[0] == 400, actions
    assert client.ask("PUT", path, {"orchestration_path": {"sets": []}})[0] == 400
    assert client.ask("GET", f"{path}/active")[1] == {"active": False}
    assert client.ask("PUT", f"{path}/active", {"active": True})[1] == {"active": True}
    assert client.ask("PUT", f"{path}/active", {"active": "yes"})[0] == 400


def test_a_signing_secret_is_shown_once_and_an_address_stays(client: Client) -> None:
    made = client.ask("POST", "/webhook_subscriptions", {"webhook_subscription": HOOK})[1]["webhook_subscription"]
    assert made["delivery_method"]["secret"]
    assert made["active"] is True
    path = f"/webhook_subscriptions/{made['id']}"
    assert client.ask("GET", path)[1]["webhook_subscription"]["delivery_method"]["secret"] is None
    moved = {"delivery_method": {"type": "http_delivery_method", "url": "https://else.example"}}
    assert client.ask("PUT", path, {"webhook_subscription": moved})[0] == 400
    ended = client.ask("PUT", path, {"webhook_subscription": {"active": False}})[1]["webhook_subscription"]
    assert (ended["active"], ended["delivery_method"]["url"]) == (False, "https://relay.example")
    of_it = f"/webhook_subscriptions?filter_type=service&filter_id={client.service}"
    assert len(client.ask("GET", of_it)[1]["webhook_subscriptions"]) == 1
    assert client.ask("GET", "/webhook_subscriptions?filter_type=service")[0] == 400
    assert client.ask("GET", "/webhook_subscriptions?filter_type=team&filter_id=T")[1]["webhook_subscriptions"] == []
    token = client.state.add_token(read_only=True)
    assert client.ask("DELETE", path, token=token)[0] == 403
    assert client.ask("DELETE", path)[0] == 204
    assert client.ask("DELETE", path)[0] == 404


def test_schedules_and_priorities_are_listed(client: Client) -> None:
    client.state.add_schedule("ML primary")
    client.state.add_priority("P1")
    assert [one["name"] for one in client.ask("GET", "/schedules?query=ml")[1]["schedules"]] == ["ML primary"]
    assert client.ask("GET", "/schedules?query=x")[1]["schedules"] == []
    assert [one["summary"] for one in client.ask("GET", "/priorities")[1]["priorities"]] == ["P1"]
