"""Views, reports and automations, made by the real clients: once, again, after people and failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelwatch.errors import SourceError
from modelwatch.model.plan import ChangeResult
from modelwatch.model.setup_plan import SetupPlan, SetupVerb, WandbKind
from modelwatch.model.wandb_setup import EVENT_TYPE
from modelwatch.testing.standins.faults import Fault
from tests.wandb_setup.world import TOKEN, World, config_text

AUTOMATIONS = [
    "modelwatch churn: accuracy",
    "modelwatch churn: delay",
    "modelwatch churn: latency",
    "modelwatch churn: release:production",
    "modelwatch churn: revenue",
]


def results(world: World, *, force: bool = False) -> list[ChangeResult]:
    return [receipt.result for receipt in world.apply(force=force).receipts]


def reasons(plan: SetupPlan) -> list[str]:
    return [refusal.reason for refusal in plan.refusals]


def verbs(plan: SetupPlan) -> list[tuple[SetupVerb, WandbKind]]:
    return [(change.verb, WandbKind(change.kind)) for change in plan.changes]


def test_everything_is_made_once_and_the_second_time_nothing_is_sent(world: World) -> None:
    assert results(world) == [ChangeResult.DONE] * 7
    assert world.automation_names() == AUTOMATIONS
    assert world.view().display_name == world.report().display_name == "modelwatch: churn"
    before = world.state.snapshot(), world.view().spec, world.report().spec
    world.server.clear()
    plan = world.plan()
    assert (plan.changes, plan.refusals, len(plan.same)) == ((), (), 7)
    assert world.apply().receipts == ()
    assert world.mutations() == []
    assert (world.state.snapshot(), world.view().spec, world.report().spec) == before
    assert world.server.standin.unknown_requests == []


def test_a_plan_changes_nothing(world: World) -> None:
    assert len(world.plan().changes) == 7
    assert world.mutations() == []


def panels(spec: str) -> list[dict[str, Any]]:
    """Every line plot of a specification, wherever it stands."""
    found: list[dict[str, Any]] = []

    def search(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("viewType") == "Run History Line Plot":
                found.append(value["config"])
            for part in value.values():
                search(part)
        elif isinstance(value, list):
            for part in value:
                search(part)

    search(json.loads(spec))
    return found


@pytest.mark.parametrize("kind", ["view", "report"])
def test_the_charts_are_those_of_the_rules_with_their_limits(world: World, kind: str) -> None:
    world.apply()
    spec = (world.view() if kind == "view" else world.report()).spec
    charts = panels(spec)
    accuracy = next(chart for chart in charts if chart["chartTitle"].startswith("accuracy: "))
    assert accuracy["metrics"] == ["eval/accuracy"]
    assert accuracy["expressions"] == [f"${{eval/accuracy}} * 0 + {level}" for level in ("0.9", "0.855", "0.81")]
    assert {chart["metricRegex"] for chart in charts if chart.get("metricRegex")} == {"^eval/region=([^/]*)/accuracy$"}
    (revenue,) = (chart for chart in charts if chart["metrics"] == ["business/revenue"])
    assert not revenue.get("expressions"), "its baseline moves"
    for text in ("Data science", "Business", "Operations", "Ground truth", "https://grafana.acme.example/churn"):
        assert text in spec
    filters = [item for item in find(json.loads(spec), "filters") if isinstance(item, dict)]
    shown = [(entry["key"]["name"], entry["value"]) for item in filters for entry in item["filters"]]
    assert set(map(repr, shown)) == {repr(("tags", ["production"])), repr(("jobType", "serve"))}


def find(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict):
        return [part for key, part in value.items() if key == name] + [
            item for part in value.values() for item in find(part, name)
        ]
    return [item for part in value for item in find(part, name)] if isinstance(value, list) else []


def test_a_changed_rule_changes_the_same_objects(world: World) -> None:
    world.apply()
    ids = world.view().id, world.report().id, world.automation("accuracy").id
    world.replace("baseline: {value: 0.9, n: 1000}", "baseline: {value: 0.8, n: 1000}")
    plan = world.plan()
    assert verbs(plan) == [(SetupVerb.UPDATE, kind) for kind in WandbKind]
    assert results(world) == [ChangeResult.DONE] * 3
    assert (world.view().id, world.report().id, world.automation("accuracy").id) == ids
    assert "* 0 + 0.76" in world.view().spec
    assert (
        json.loads(world.automation("accuracy").event_filter)["run_metric_filter"]["threshold_filter"]["threshold"]
        == 0.76
    )
    assert world.plan().changes == ()


def test_the_automation_of_a_rule_that_is_gone_goes_too(world: World) -> None:
    world.apply()
    other = world.state.automations.records[world.automation("delay").id]
    text = world.path.read_text("utf-8")
    world.write(text[: text.index("      - name: delay")])
    assert (SetupVerb.DELETE, WandbKind.AUTOMATION) in verbs(world.plan())
    world.apply()
    assert other.id not in world.state.automations.records
    assert world.plan().changes == ()


def test_what_is_switched_off_is_left_alone(world: World) -> None:
    world.apply()
    world.write(config_text("{view: off, report: off, automations: off}"))
    world.server.clear()
    plan = world.plan()
    assert (plan.changes, plan.refusals, plan.same) == ((), (), ())
    assert len(world.views()) + len(world.views("runs")) + len(world.automation_names()) == 7


@pytest.mark.parametrize("kind", ["view", "report"])
@pytest.mark.parametrize("by_hand", ["renamed", "edited", "mark"])
def test_a_page_changed_by_hand_is_noticed_and_kept(world: World, kind: str, by_hand: str) -> None:
    world.apply()
    record = world.view() if kind == "view" else world.report()
    if by_hand == "renamed":
        record.display_name = "Churn, for the board"
    elif by_hand == "edited":
        record.spec = record.spec.replace("eval/accuracy", "eval/f1")
    else:
        record.spec = record.spec.replace("managed by modelwatch", "taken over")
        record.description = record.description.replace("managed by modelwatch", "taken over")
    kept = record.spec
    world.replace("{value: 0.9, n: 1000}", "{value: 0.8, n: 1000}")
    if (kind, by_hand) == ("report", "mark"):
        # Without its mark a report is nobody's: another one is made, and this one never touched.
        world.apply()
        assert record.spec == kept
        assert len(world.views("runs")) == 2
        return
    (refusal,) = world.plan().refusals
    assert (refusal.kind, refusal.name) == (kind, "churn")
    assert "edited it in W&B" in refusal.reason or "changed it in W&B" in refusal.reason
    world.apply()
    assert record.spec == kept
    assert ChangeResult.DONE in results(world, force=True)
    assert record.display_name == "modelwatch: churn"
    assert "* 0 + 0.76" in record.spec
    assert world.plan().refusals == ()
    assert world.plan().changes == ()


@pytest.mark.parametrize("by_hand", ["renamed", "switched off", "threshold"])
def test_an_automation_changed_by_hand_is_noticed_and_kept(world: World, by_hand: str) -> None:
    world.apply()
    record = world.automation("latency")
    if by_hand == "renamed":
        record.name = "page me"
    elif by_hand == "switched off":
        record.enabled = False
    else:
        record.event_filter = record.event_filter.replace("250.0", "500.0")
    before = record.name, record.enabled, record.event_filter
    (reason,) = reasons(world.plan())
    assert "changed it in W&B" in reason
    world.replace("{above: 250,", "{above: 300,")
    world.apply()
    assert (record.name, record.enabled, record.event_filter) == before
    world.apply(force=True)
    assert (record.name, record.enabled) == ("modelwatch churn: latency", True)
    assert "300.0" in record.event_filter
    assert world.plan().refusals == ()


def test_a_server_that_stores_pages_in_a_form_of_its_own_changed_nothing_by_hand(world: World) -> None:
    world.state.rewrites_views = True
    assert set(results(world)) == {ChangeResult.DONE}
    plan = world.plan()
    assert (plan.changes, plan.refusals, len(plan.same)) == ((), (), 7)
    assert len(world.views()) == len(world.views("runs")) == 1
    world.view().spec = world.view().spec.replace("eval/accuracy", "eval/f1")
    assert len(world.plan().refusals) == 1


def test_what_was_deleted_by_hand_is_made_again(world: World) -> None:
    world.apply()
    for project in world.state.projects.values():
        project.views.clear()
    del world.state.automations.records[world.automation("accuracy").id]
    assert verbs(world.plan()) == [(SetupVerb.CREATE, kind) for kind in WandbKind]
    world.apply()
    assert world.automation_names() == AUTOMATIONS
    assert world.plan().changes == ()


def test_what_others_made_is_not_touched(world: World) -> None:
    world.apply()
    (other,) = (view for view in world.views("runs"))
    other.description, other.display_name = "By hand", "modelwatch: churn"
    record = world.automation("latency")
    record.description = "By hand"
    plan = world.plan()
    assert verbs(plan) == [(SetupVerb.CREATE, WandbKind.REPORT)]
    assert reasons(plan) == ["modelwatch did not make the automation with this name"]
    world.apply(force=True)
    assert (other.description, record.description) == ("By hand", "By hand")


def test_another_repository_has_pages_of_its_own(world: World) -> None:
    world.apply()
    world.replace("github: {repository: acme/churn-model}", "github: {repository: acme/other}")
    plan = world.plan()
    assert [change.verb for change in plan.changes] == [SetupVerb.CREATE] * 2
    assert "no webhook that sends to https://api.github.com/repos/acme/other/dispatches" in reasons(plan)[0]
    world.write(
        config_text("{managed_as: acme/churn-model}").replace("repository: acme/churn-model", "repository: acme/other")
    )
    assert [change.verb for change in world.plan().changes] == [SetupVerb.UPDATE] * 2


def test_a_page_that_a_repeated_request_made_twice_is_made_one(world: World) -> None:
    world.apply()
    for record in (world.view(), world.report()):
        home = world.state.projects["acme", "churn-prod"]
        copy = type(record)(**{name: getattr(record, name) for name in record.__slots__})
        copy.id += "2"
        home.views[copy.id] = copy
    plan = world.plan()
    assert verbs(plan) == [(SetupVerb.DELETE, WandbKind.VIEW), (SetupVerb.DELETE, WandbKind.REPORT)]
    world.apply()
    assert len(world.views()) == len(world.views("runs")) == 1
    assert world.plan().changes == ()


def test_what_an_automation_sends_is_the_event_and_nothing_else(world: World) -> None:
    world.apply()
    assert {record.payload for record in world.state.automations.records.values()} == {
        f'{{"event_type":"{EVENT_TYPE}"}}'
    }
    assert not any(TOKEN.encode() in (request.body or b"") for request in world.server.requests)


def test_without_a_webhook_there_are_pages_but_no_automations(world: World) -> None:
    world.state.automations.webhooks.clear()
    plan = world.plan()
    assert verbs(plan) == [(SetupVerb.CREATE, WandbKind.VIEW), (SetupVerb.CREATE, WandbKind.REPORT)]
    (refusal,) = plan.refusals
    assert "no webhook that sends to https://api.github.com/repos/acme/churn-model/dispatches" in refusal.reason
    assert "The schedule starts every evaluation until then" in refusal.hint


@pytest.mark.parametrize("webhook", ["another", "start modelwatch"])
def test_a_webhook_can_be_named(world: World, webhook: str) -> None:
    world.state.add_webhook("acme", "another", "https://hooks.acme.example/", "t")
    world.write(config_text(f"{{webhook: {webhook}}}"))
    found = reasons(world.plan())
    assert found == (["the webhook 'another' sends to https://hooks.acme.example/"] if webhook == "another" else [])


def test_a_plan_without_automations_says_so_and_the_pages_are_made(world: World) -> None:
    world.state.has_automations = False
    applied = world.apply()
    failed = [receipt for receipt in applied.receipts if receipt.result is ChangeResult.FAILED]
    assert len(failed) == 5
    assert all("The schedule starts every evaluation without them" in receipt.detail for receipt in failed)
    assert world.view()
    assert world.report()


def test_a_server_without_zscores_keeps_the_others(world: World) -> None:
    world.state.features = frozenset(world.state.features - {"AUTOMATION_EVENT_RUN_METRIC_ZSCORE"})
    assert reasons(world.plan()) == ["this W&B server has no automations about z-scores"]
    world.apply()
    assert world.automation_names() == [name for name in AUTOMATIONS if not name.endswith("delay")]


def test_an_older_server_lists_automations_by_project(world: World) -> None:
    world.state.features = frozenset(world.state.features - {"QUERY_AUTOMATIONS_ON_ENTITY"})
    world.apply()
    assert world.plan().changes == ()


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_server_that_fails_is_one_clear_error(world: World, status: int) -> None:
    world.server.inject(Fault("status", path="graphql", status=status, times=-1))
    with pytest.raises(SourceError, match=f"HTTP {status}"):
        world.plan()
    assert world.mutations() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("mutation", ["upsertView", "createFilterTrigger"])
def test_an_answer_that_is_lost_makes_nothing_twice(world: World, mutation: str, when: str) -> None:
    """The client sends the request again; a name that is taken then is the automation that was made."""
    world.server.inject(Fault("drop", when=when, path="graphql", text=mutation))
    assert set(results(world)) == {ChangeResult.DONE}
    world.apply()
    plan = world.plan()
    assert (plan.changes, plan.refusals, len(plan.same)) == ((), (), 7)
    assert len(world.views()) == len(world.views("runs")) == 1
    assert world.automation_names() == AUTOMATIONS


def test_after_a_failure_of_the_server_nothing_else_is_tried(world: World) -> None:
    world.server.inject(Fault("status", path="graphql", status=503, text="createFilterTrigger", times=-1))
    receipts = world.apply().receipts
    assert [receipt.result for receipt in receipts] == [ChangeResult.DONE] * 2 + [ChangeResult.FAILED] * 5
    assert [receipt.detail.startswith("not tried: ") for receipt in receipts[3:]] == [True] * 4
    world.server.faults.clear()
    assert results(world) == [ChangeResult.DONE] * 5


def test_the_collection_of_a_registry_is_watched_too(world: World) -> None:
    (version,) = world.state.artifacts.values()
    world.state.link_artifact(version, "acme", "wandb-registry-model", "churn")
    world.replace("artifact: acme/churn-train/churn", "artifact: acme/wandb-registry-model/churn")
    assert set(results(world)) == {ChangeResult.DONE}
    plan = world.plan()
    assert (plan.changes, plan.refusals) == ((), ())
    assert world.automation("release:production").scope_type == "ARTIFACT_COLLECTION"


def test_a_collection_that_is_not_there_fails_alone(world: World) -> None:
    world.replace("artifact: acme/churn-train/churn", "artifact: acme/churn-train/other")
    applied = world.apply()
    failed = [receipt for receipt in applied.receipts if receipt.result is ChangeResult.FAILED]
    assert [receipt.change.name for receipt in failed] == ["modelwatch churn: release:production"]
    assert "acme/churn-train/other: W&B has no artifact collection of type 'model'" in failed[0].detail
    assert len(world.automation_names()) == 4
