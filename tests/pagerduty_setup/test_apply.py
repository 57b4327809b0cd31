"""Applying: idempotent, only what is ours, nothing lost when the world moves or PagerDuty fails."""

from __future__ import annotations

import copy

import pytest

from modelwatch.errors import ServiceError
from modelwatch.model.plan import ChangeResult
from modelwatch.model.setup_plan import SetupKind, SetupVerb
from modelwatch.pagerduty_setup import apply as applying
from modelwatch.pagerduty_setup.plan import make_plan, observe
from modelwatch.testing.standins.faults import Fault

from .world import CHANGED, FULL, MARK, World, facts


def test_a_second_apply_is_empty(world: World) -> None:
    first = world.apply()
    assert [receipt.result for receipt in first.receipts] == [ChangeResult.DONE] * 5
    assert world.plan().changes == ()
    world.server.clear()
    assert world.apply().receipts == ()
    assert world.writes() == []


def test_what_was_made_works(world: World) -> None:
    """The routing key leads to the service, and its urgency follows the severity."""
    keys = world.apply().routing_keys
    service = world.state.service_by_routing_key(keys["churn-model"])
    assert service is not None
    assert service.name == "churn-model"
    for severity, urgency in (("critical", "high"), ("warning", "low")):
        payload = {"summary": "s", "source": "x", "severity": severity}
        world.state.receive_event(service, {"event_action": "trigger", "dedup_key": severity, "payload": payload})
        assert world.state.incidents[-1].urgency == urgency
    (subscription,) = world.subscriptions()
    assert subscription["active"]
    assert subscription["description"].endswith(MARK)
    assert world.kept == {"PAGERDUTY_WEBHOOK_SECRET": subscription["delivery_method"]["secret"]}


def test_nothing_else_in_the_account_is_touched(world: World) -> None:
    before = copy.deepcopy(facts(world.state))
    world.apply()
    world.config(CHANGED)
    world.apply()
    after = facts(world.state)
    for row in before["policies"]:
        assert row in after["policies"]
    assert after["services"]["payments"] == before["services"]["payments"]
    assert [one for one in after["integrations"] if one[0] != "<churn-model>"] == before["integrations"]
    deleted = [one.path for one in world.server.requests if one.method == "DELETE"]
    assert deleted == []


def test_what_others_put_into_our_service_stays(world: World) -> None:
    """PagerDuty replaces all rules at every write; a subscription is a thing of its own."""
    world.apply()
    number = world.service().id
    theirs = {"id": "t1", "label": "theirs", "conditions": [], "actions": {"route_to": "more"}}
    last = {"id": "t2", "label": "last", "conditions": [], "actions": {"severity": "info"}, "disabled": True}
    deep = {"id": "t3", "label": "deep", "conditions": [{"expression": "event.summary exists"}], "actions": {}}
    world.rules().insert(0, theirs)
    world.rules().append(last)
    world.state.orchestrations[number]["sets"].append({"id": "more", "rules": [deep]})
    world.state.orchestrations[number]["catch_all"] = {"actions": {"annotate": "nobody knows"}}
    foreign = dict(world.subscriptions()[0], id="PFOREIGN", description="Made by hand")
    foreign["delivery_method"] = {"type": "http_delivery_method", "url": "https://else.example"}
    world.state.subscriptions["PFOREIGN"] = copy.deepcopy(foreign)
    world.state.add_integration(world.service(), "Nagios", "nagios_inbound_integration")
    assert world.plan().changes == ()
    kept = {rule["label"]: rule["id"] for rule in world.rules()}
    world.config(CHANGED)
    world.apply()
    labels = [rule["label"] for rule in world.rules()]
    assert labels == ["theirs", f"tests ({MARK})", f"drift can wait ({MARK})", "last"]
    assert world.rules()[0] == theirs
    assert world.rules()[3] == last
    assert world.rules()[2]["id"] == kept[f"drift can wait ({MARK})"], "a rule of ours stays the same one"
    assert world.state.orchestrations[number]["sets"][1]["rules"] == [deep]
    assert world.state.orchestrations[number]["catch_all"] == {"actions": {"annotate": "nobody knows"}}
    assert world.state.subscriptions["PFOREIGN"] == foreign


def test_rules_of_others_come_first(world: World) -> None:
    """What people set up before us goes on as before."""
    world.config(FULL[: FULL.index("      event_rules")])
    world.apply()
    theirs = {"id": "t1", "label": "theirs", "conditions": [], "actions": {}}
    world.state.orchestrations[world.service().id] = {"sets": [{"id": "start", "rules": [theirs]}]}
    world.config(FULL)
    world.apply()
    assert [rule["label"].partition(" (")[0] for rule in world.rules()] == ["theirs", "drift can wait", "worst"]


def test_texts_and_teams_that_people_added_stay(world: World) -> None:
    world.apply()
    world.policy()["description"] += " Ask Lead first."
    world.policy()["on_call_handoff_notifications"] = "always"
    world.policy()["escalation_rules"][0]["escalation_rule_assignment_strategy"] = "round_robin"
    world.state.service_settings[world.service().id]["acknowledgement_timeout"] = 1800
    rung = world.policy()["escalation_rules"][0]["id"]
    world.config(CHANGED)
    world.apply()
    assert world.policy()["description"].endswith("Ask Lead first.")
    assert world.policy()["on_call_handoff_notifications"] == "always"
    assert world.policy()["escalation_rules"][0]["id"] == rung
    assert world.policy()["escalation_rules"][0]["escalation_rule_assignment_strategy"] == "round_robin"
    assert world.state.service_settings[world.service().id]["acknowledgement_timeout"] == 1800


def test_another_address_is_another_subscription(world: World) -> None:
    """PagerDuty does not let one be changed; the old one ends and is kept."""
    world.apply()
    world.config(FULL.replace("relay.acme", "relay2.acme"))
    world.apply()
    told = {one["delivery_method"]["url"]: one["active"] for one in world.subscriptions()}
    assert told == {"https://relay.acme.example/pagerduty": False, "https://relay2.acme.example/pagerduty": True}
    assert world.plan().changes == ()


def test_without_a_place_for_its_secret_no_subscription_is_made(world: World) -> None:
    applied = world.apply(storing=False)
    refused = applied.receipts[-1]
    assert (refused.change.kind, refused.result) == (SetupKind.WEBHOOK, ChangeResult.REFUSED)
    assert "--secrets-to" in refused.detail
    assert world.subscriptions() == []
    world.apply()
    assert world.plan().changes == ()


def test_an_unfinished_subscription_is_made_anew(world: World) -> None:
    world.server.inject(Fault("status", status=500, method="PUT", path="^/webhook_subscriptions", times=-1))
    failed = world.apply().receipts[-1]
    assert failed.result is ChangeResult.FAILED
    assert [one["active"] for one in world.subscriptions()] == [False]
    world.server.clear()
    assert [one.verb for one in world.plan().changes] == [SetupVerb.DELETE, SetupVerb.CREATE]
    world.apply()
    (one,) = world.subscriptions()
    assert one["active"]
    assert world.kept["PAGERDUTY_WEBHOOK_SECRET"] == one["delivery_method"]["secret"]
    assert world.plan().changes == ()


def test_what_changed_since_the_plan_is_refused(world: World) -> None:
    world.apply()
    world.config(CHANGED)
    wanted, admin = world.wanted(), world.admin()
    seen = observe(admin, wanted)
    plan = make_plan(wanted, seen)
    world.policy()["num_loops"] = 7
    world.rules()[0]["actions"]["suspend"] = 1
    world.subscriptions()[0]["active"] = False
    receipts = applying.apply(admin, wanted, seen, plan, lambda *_: None).receipts
    told = {receipt.change.kind: receipt for receipt in receipts}
    assert told[SetupKind.POLICY].result is ChangeResult.REFUSED
    assert "plan again" in told[SetupKind.POLICY].detail
    assert world.policy()["num_loops"] == 7
    assert told[SetupKind.RULES].result is ChangeResult.REFUSED
    assert told[SetupKind.SERVICE].result is ChangeResult.DONE
    assert told[SetupKind.WEBHOOK].result is ChangeResult.ALREADY, "the last one: it was to end, and has"


def test_two_at_once_make_one_of_each(world: World) -> None:
    """Both planned before either applied."""
    wanted, admin = world.wanted(), world.admin()
    seen = observe(admin, wanted)
    plan = make_plan(wanted, seen)
    world.apply()
    made = facts(world.state)
    receipts = applying.apply(admin, wanted, seen, plan, lambda *_: None).receipts
    assert [receipt.result for receipt in receipts] == [ChangeResult.ALREADY] * 5
    assert facts(world.state) == made


def test_a_service_that_somebody_else_made_meanwhile_is_left_alone(world: World) -> None:
    wanted, admin = world.wanted(), world.admin()
    seen = observe(admin, wanted)
    plan = make_plan(wanted, seen)
    world.state.add_service("churn-model")
    receipts = applying.apply(admin, wanted, seen, plan, lambda *_: None).receipts
    assert [receipt.result for receipt in receipts] == [ChangeResult.DONE, *[ChangeResult.REFUSED] * 4]
    assert "did not create the object" in receipts[1].detail
    assert "its service was not created" in receipts[2].detail


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503])
def test_a_failure_is_told_and_what_does_not_depend_on_it_goes_on(world: World, status: int) -> None:
    world.server.inject(Fault("status", status=status, method="POST", path="/integrations$", times=-1))
    receipts = {receipt.change.kind: receipt for receipt in world.apply().receipts}
    assert receipts[SetupKind.INTEGRATION].result is ChangeResult.FAILED
    assert str(status) in receipts[SetupKind.INTEGRATION].detail
    assert receipts[SetupKind.WEBHOOK].result is ChangeResult.DONE
    world.server.clear()
    assert [one.kind for one in world.plan().changes] == [SetupKind.INTEGRATION]
    world.apply()
    assert world.plan().changes == ()


@pytest.mark.parametrize("what", ["drop", "reset", "status"])
def test_what_was_made_although_the_answer_was_lost_is_not_made_twice(world: World, what: str) -> None:
    fault = Fault(what, "after", method="POST", status=502, times=-1)
    for _ in range(6):
        world.server.clear()
        world.server.inject(fault)
        world.apply()
    world.server.clear()
    world.apply()
    assert world.plan().changes == ()
    assert len([one for one in world.state.integrations.values() if one.service == world.service().id]) == 1
    assert len(world.subscriptions()) == 1


def test_creating_is_not_repeated_where_it_may_have_happened(world: World) -> None:
    fault = world.server.inject(Fault("status", "before", method="POST", status=503, times=-1))
    world.apply()
    assert fault.strike_count == 1, "without its escalation policy nothing else is tried"
    world.server.clear()
    fault = world.server.inject(Fault("status", "before", method="POST", status=429, times=-1))
    world.apply()
    assert fault.strike_count == 4, "a 429 says that nothing happened"


def test_an_account_without_event_orchestrations_needs_none(world: World) -> None:
    world.config(FULL[: FULL.index("      event_rules")])
    world.apply()
    world.server.inject(Fault("status", status=403, path="^/event_orchestrations", times=-1))
    assert world.plan().changes == ()
    world.config(FULL)
    with pytest.raises(ServiceError, match="403"):
        world.plan()


@pytest.mark.parametrize("body", ["[]", '{"users": null}', '{"services": [3]}', "null", "{}"])
def test_an_answer_that_is_something_else_is_told(world: World, body: str) -> None:
    world.server.inject(Fault("status", status=200, body=body, times=-1))
    with pytest.raises(ServiceError, match="PagerDuty"):
        world.plan()


def test_a_row_without_an_id_is_told(world: World) -> None:
    body = f'{{"services": [{{"name": "churn-model", "description": "{MARK}"}}]}}'
    world.server.inject(Fault("status", status=200, body=body, path="^/services", times=-1))
    with pytest.raises(ServiceError, match="not what its description promises"):
        world.plan()


def test_long_lists_are_read_to_the_end(world: World) -> None:
    for number in range(250):
        world.state.add_policy(f"ML on call {number:03}")
    world.apply()
    assert world.plan().changes == ()
    asked = [one.query for one in world.server.requests if one.path == "/escalation_policies" and one.query]
    offsets = [query["offset"][0] for query in asked]
    assert {"0", "100", "200"} <= set(offsets)
