"""The plan: what is missing, what differs, what is not ours. Over HTTP, with the real client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelwatch.errors import ConfigError, UserError
from modelwatch.model.pagerduty_setup import owner_in_mark
from modelwatch.model.setup_plan import SetupKind, SetupPlan, SetupVerb
from modelwatch.testing.standins.faults import Fault

from .golden import CASES, HERE, shown
from .world import CHANGED, FULL, MARK, World, run


def changes(plan: SetupPlan) -> list[tuple[str, str, str]]:
    return [(str(one.verb), str(one.kind), one.name) for one in plan.changes]


@pytest.mark.parametrize("case", CASES)
def test_the_plan_is_shown_as_its_golden_files(world: World, case: str) -> None:
    for name, text in shown(world, case).items():
        assert text == (HERE / name).read_text("utf-8"), name


def test_planning_changes_nothing(world: World) -> None:
    world.plan()
    assert world.writes() == []


def test_what_is_there_is_compared_by_what_it_means(world: World) -> None:
    """People and PagerDuty add to what we made: texts, teams, other ids, another order."""
    world.apply()
    policy = world.policy()
    policy["description"] = f"Ask Lead first. {policy['description']} (see the wiki)"
    policy["escalation_rules"][1]["targets"].reverse()
    world.state.service_settings[world.service().id]["acknowledgement_timeout"] = 1800
    for rule in world.rules():
        rule["actions"] |= {"variables": [], "extractions": [], "suppress": False}
        rule["disabled"] = False
    world.subscriptions()[0]["events"].reverse()
    plan = world.plan()
    assert plan.changes == ()
    assert len(plan.same) == 5


def test_what_people_changed_in_ours_is_seen(world: World) -> None:
    world.apply()
    world.policy()["num_loops"] = 0
    world.state.service_settings[world.service().id] |= {"auto_resolve_timeout": 14_400, "policy": "PPOLICY"}
    world.rules()[0]["actions"]["suspend"] = 60
    world.rules()[1]["disabled"] = True
    world.state.active_orchestrations.clear()
    world.subscriptions()[0]["active"] = False
    told = {
        (one.kind, field.field): (field.before, field.after) for one in world.plan().changes for field in one.fields
    }
    assert told[SetupKind.POLICY, "repeat"] == ("0", "2")
    assert told[SetupKind.SERVICE, "escalation policy"] == ("Default (PPOLICY)", "ML on call")
    assert told[SetupKind.SERVICE, "resolves automatically"] == ("after 4 h", "never")
    assert told[SetupKind.RULES, "rule drift can wait"][0].endswith("pause 1 min")
    assert told[SetupKind.RULES, "rule worst"][0].endswith("(disabled)")
    assert told[SetupKind.RULES, "event rules are evaluated"] == ("no", "yes")
    assert told[SetupKind.WEBHOOK, "active"] == ("no", "yes")
    world.apply()
    assert world.plan().changes == ()


def test_rules_out_of_order_or_doubled_are_seen(world: World) -> None:
    world.apply()
    world.rules().reverse()
    (change,) = world.plan().changes
    assert [field.field for field in change.fields] == ["order"]
    world.rules().append(dict(world.rules()[0], id="double"))
    assert "rules of one name" in [field.field for field in world.plan().changes[0].fields]
    world.apply()
    assert world.plan().changes == ()
    assert len(world.rules()) == 2


@pytest.mark.parametrize(
    ("kind", "name"), [("policy", "ML on call"), ("service", "churn-model"), ("service", "Churn-Model")]
)
def test_something_of_the_same_name_without_our_mark_is_left_alone(world: World, kind: str, name: str) -> None:
    if kind == "policy":
        world.state.add_policy(name, "Made by hand")
    else:
        world.state.add_service(name)
    plan = world.plan()
    refusal = plan.refusals[0]
    assert "modelwatch did not create the object with this name" in refusal.reason
    assert MARK in refusal.hint
    assert not [one for one in plan.changes if one.kind is not SetupKind.POLICY]


def test_something_that_another_configuration_made_is_left_alone(world: World) -> None:
    world.state.add_policy("ML on call", "managed by modelwatch: acme/churn-model-2")
    plan = world.plan()
    assert "acme/churn-model-2 manages the object with this name" in plan.refusals[0].reason
    assert "managed_as: acme/churn-model-2" in plan.refusals[0].hint
    assert plan.changes == ()


def test_a_mark_is_the_whole_name() -> None:
    assert owner_in_mark(f"Text. {MARK}") == "acme/churn-model"
    assert owner_in_mark(f"{MARK} (being set up)") == "acme/churn-model"
    assert owner_in_mark("managed by terraform") == ""


def test_who_is_not_at_pagerduty_is_named(world: World) -> None:
    world.config(FULL.replace("lead@", "nobody@").replace("ML primary", "Sundays"))
    (policy, service) = world.plan().refusals
    assert "no schedule 'Sundays'" in policy.reason
    assert "no user 'nobody@acme.example'" in policy.reason
    assert service.kind is SetupKind.SERVICE


def test_a_user_is_found_where_a_search_finds_names_only(world: World) -> None:
    world.server.inject(Fault("status", status=200, body='{"users": []}', path="^/users$"))
    assert world.plan().refusals == ()


def test_a_schedule_whose_name_exists_twice_is_not_guessed(world: World) -> None:
    world.state.add_schedule("ml PRIMARY")
    assert "2 schedules called 'ML primary'" in world.plan().refusals[0].reason


def test_rules_speak_of_what_exists(world: World) -> None:
    world.config(FULL.replace("P1", "P9").replace("Everybody", "Nobody"))
    (refusal,) = world.plan().refusals
    assert refusal.kind is SetupKind.RULES
    assert "no priority 'P9'" in refusal.reason
    assert "no escalation policy 'Nobody'" in refusal.reason


def test_an_escalation_policy_can_be_used_as_it_is(world: World) -> None:
    world.config("      escalation: Everybody\n")
    before = dict(world.policy("Everybody"))
    assert changes(world.plan()) == [("create", "service", "churn-model"), ("create", "integration", "churn-model")]
    world.apply()
    assert world.plan().changes == ()
    assert world.policy("Everybody") == before
    world.config("      escalation: Somebody\n")
    assert "no escalation policy of this name" in world.plan().refusals[0].reason


def test_an_integration_of_our_name_and_another_type_is_left_alone(world: World) -> None:
    world.apply()
    (mine,) = [one for one in world.state.integrations.values() if one.service == world.service().id]
    del world.state.integrations[mine.id]
    world.state.add_integration(world.service(), "modelwatch", "nagios_inbound_integration")
    (refusal,) = world.plan().refusals
    assert refusal.kind is SetupKind.INTEGRATION
    assert "nagios" in refusal.reason


def test_a_subscription_to_the_same_address_that_we_did_not_make_is_left_alone(world: World) -> None:
    world.apply()
    world.subscriptions()[0]["description"] = "Made by hand"
    (refusal,) = world.plan().refusals
    assert refusal.kind is SetupKind.WEBHOOK
    assert world.plan().changes == ()


def test_what_the_configuration_no_longer_wants_of_ours_ends_and_is_not_deleted(world: World) -> None:
    world.apply()
    world.config(FULL[: FULL.index("      event_rules")])
    assert changes(world.plan()) == [
        ("update", "event rules", "churn-model"),
        ("update", "webhook subscription", "churn-model"),
    ]
    world.apply()
    assert [one["active"] for one in world.subscriptions()] == [False]
    assert world.rules() == []
    assert world.plan().changes == ()
    world.config(FULL)
    world.apply()
    assert [one["active"] for one in world.subscriptions()] == [True], "the same one, whose secret is known"


def test_the_digest_stands_for_the_changes(world: World) -> None:
    first = world.plan()
    assert world.plan().digest == first.digest
    world.config(CHANGED)
    assert world.plan().digest != first.digest


FLEET = """\
version: 1
defaults:
  github: {repository: acme/churn-model}
  table: {path: metrics.csv}
  pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", escalation: Everybody}
models:
"""
MODEL = """\
  - name: %s
    pagerduty: %s
    rules: [{name: accuracy, kind: accuracy-drop, metric: eval/accuracy, tiers: {error: {below: 0.8}}}]
"""


def fleet(world: World, **models: str) -> None:
    text = FLEET + "".join(MODEL % pair for pair in models.items())
    (world.folder / "modelwatch.yml").write_text(text, "utf-8")


def test_models_share_a_service(world: World) -> None:
    fleet(world, a="{service: Shared}", b="{service: shared}", c="{service: own, urgency: low}")
    fleet(world, a="{service: shared}", b="{service: shared}", c="{service: own, urgency: low}")
    world.apply()
    assert world.service("shared").name == "shared"
    assert "a, b" in world.state.service_settings[world.service("shared").id]["description"]
    assert world.plan().changes == ()


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ({"a": "{service: s}", "b": "{service: s, urgency: low}"}, "service 's' differently"),
        ({"a": "{service: s}", "b": "{service: S}"}, "service 'S' differently"),
        (
            {"a": "{service: s}", "b": "{service: t, escalation: {policy: Everybody, steps: [{users: a@b.cd}]}}"},
            "escalation policy 'Everybody' differently",
        ),
        (
            {"a": "{service: s, webhook: 'https://r.example'}", "b": "{service: t, webhook: 'https://r.example'}"},
            "two signing secrets",
        ),
        ({"a": "{service: s}", "b": "{service: t, region: eu}"}, "different accounts"),
    ],
)
def test_models_that_contradict_each_other_are_told(world: World, models: dict[str, str], told: str) -> None:
    fleet(world, **models)
    with pytest.raises(UserError, match=told):
        world.plan()
    checked = run("check", group="config")
    assert checked.code == (0 if "accounts" in told else 2)
    assert "accounts" in told or told in checked.err


def test_without_a_repository_nothing_can_be_marked(world: World) -> None:
    path = Path("modelwatch.yml")
    path.write_text(path.read_text().replace("    github: {repository: acme/churn-model}\n", ""))
    with pytest.raises(UserError, match="no name to mark") as caught:
        world.plan()
    assert "GITHUB_REPOSITORY" in caught.value.hint
    world.config(FULL + "      managed_as: acme/ml\n")
    world.apply()
    assert "managed by modelwatch: acme/ml" in world.policy()["description"]


def test_nothing_configured_is_told(world: World) -> None:
    world.config("")
    with pytest.raises(UserError, match="nothing to set up"):
        world.plan()


def test_every_problem_between_models_at_once(world: World) -> None:
    fleet(world, a="{service: s}", b="{service: s, urgency: low}", c="{service: s, urgency: high}")
    with pytest.raises(ConfigError) as caught:
        world.plan()
    assert len(caught.value.problems) == 2


def test_json_is_whole(world: World) -> None:
    told = json.loads((HERE / "empty.json").read_text())
    assert [one["verb"] for one in told["changes"]] == [SetupVerb.CREATE] * 5
    assert set(told) == {"digest", "account", "changes", "refusals", "same"}
