"""The W&B stand-in's views, reports, webhooks and automations, as W&B's own client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.wandb import RunRecord, WandbStandIn, WandbState

KEY = "eval/accuracy"
PAYLOAD = {"event_type": "look"}
TOKEN = "token-of-the-team"


class Receiver:
    """Takes what automations send."""

    name = "receiver"

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []

    def handle(self, request: Request) -> Response:
        self.calls.append((request.path, request.headers.get("authorization", ""), request.json()))
        return Response(204)

    def snapshot(self) -> dict[str, Any]:
        return {}

    def reset(self) -> None:
        self.calls.clear()


@pytest.fixture
def receiver() -> Iterator[Server[Receiver]]:
    with Server(Receiver()) as server:
        yield server


@pytest.fixture
def state(wandb_server: Server[WandbStandIn], receiver: Server[Receiver]) -> WandbState:
    state = wandb_server.standin.state
    state.add_run("acme", "churn", "serving", history=[{KEY: 0.88}, {KEY: 0.92}] * 30, state="running")
    state.add_webhook("acme", "hook", f"{receiver.url}/look", TOKEN)
    return state


@pytest.fixture
def run(state: WandbState) -> RunRecord:
    found = state.run("acme", "churn", "serving")
    assert found is not None
    return found


def make(event: Any, name: str = "look", **more: Any) -> Any:
    import wandb
    from wandb.automations import NewAutomation, SendWebhook

    api = wandb.Api()
    (hook,) = api.webhook_integrations(entity="acme")
    action = SendWebhook.from_integration(hook, payload=PAYLOAD)
    return api.create_automation(NewAutomation(name=name, enabled=True, event=event, action=action, **more))


def on_metric(build: Any) -> Any:
    import wandb
    from wandb.automations import OnRunMetric, RunEvent

    project: Any = wandb.Api().project("churn", entity="acme")
    return OnRunMetric(scope=project, filter=build(RunEvent.metric(KEY)))  # type: ignore[call-arg]


EVENTS = {
    "below": (lambda metric: metric.avg(2).lt(0.8), [0.85], [0.7, 0.7]),
    "above": (lambda metric: metric.max(2).gt(1.5), [1.2], [2.0]),
    "falls by a share": (lambda metric: metric.avg(2).decreases_by(frac=0.1), [0.88, 0.88], [0.7, 0.7]),
    "rises": (lambda metric: metric.avg(2).increases_by(diff=0.1), [0.7, 0.7], [1.2, 1.2]),
    "z-score": (lambda metric: metric.zscore(30).lt(-3), [0.9, 0.88, 0.92], [0.1]),
}


@pytest.mark.parametrize("name", EVENTS)
def test_it_fires_when_the_metric_does_it_and_once_a_day(
    state: WandbState, run: RunRecord, receiver: Server[Receiver], name: str
) -> None:
    build, harmless, harmful = EVENTS[name]
    state.clock = lambda: 1_800_000_000.0
    make(on_metric(build))
    for value in harmless:
        state.append_history(run, [{KEY: value}])
    state.automations.wait()
    assert receiver.standin.calls == []
    state.append_history(run, [{KEY: value} for value in harmful])
    state.append_history(run, [{KEY: value} for value in harmful])
    state.automations.wait()
    assert receiver.standin.calls == [("/look", f"Bearer {TOKEN}", PAYLOAD)]
    state.clock = lambda: 1_800_000_000.0 + 86_401
    other = state.add_run("acme", "churn", "other", history=[{KEY: 0.9}], state="running")
    state.append_history(other, [{"loss": 1.0}])
    state.append_history(run, [{KEY: value} for value in harmful])
    state.automations.wait()
    assert len(receiver.standin.calls) == (1 if name in ("falls by a share", "rises") else 2)


def test_a_disabled_one_and_one_of_another_project_do_not_fire(
    state: WandbState, run: RunRecord, receiver: Server[Receiver]
) -> None:
    import wandb

    automation = make(on_metric(lambda metric: metric.avg(1).lt(0.8)))
    automation.enabled = False
    wandb.Api().update_automation(automation)
    state.append_history(run, [{KEY: 0.1}])
    automation.enabled = True
    wandb.Api().update_automation(automation)
    elsewhere = state.add_run("acme", "fraud", "serving", history=[{KEY: 0.9}], state="running")
    state.append_history(elsewhere, [{KEY: 0.1}])
    state.automations.wait()
    assert receiver.standin.calls == []
    state.append_history(run, [{KEY: 0.1}])
    state.automations.wait()
    assert len(receiver.standin.calls) == 1


def test_an_alias_fires_in_its_collection_alone(state: WandbState, receiver: Server[Receiver]) -> None:
    import wandb
    from wandb.automations import ArtifactEvent, OnAddArtifactAlias

    first = state.add_artifact("acme", "churn", "model", {"a": b"1"})
    other = state.add_artifact("acme", "churn", "other", {"a": b"2"})
    collection: Any = wandb.Api().artifact_collection("model", "acme/churn/model")
    make(OnAddArtifactAlias(scope=collection, filter=ArtifactEvent.alias.eq("production")))
    state.move_aliases(other, ["production"])
    state.move_aliases(first, ["staging"])
    state.automations.wait()
    assert receiver.standin.calls == []
    state.move_aliases(first, ["production"])
    state.automations.wait()
    assert len(receiver.standin.calls) == 1


def test_what_the_service_refuses(state: WandbState, wandb_server: Server[WandbStandIn]) -> None:
    import wandb

    event = on_metric(lambda metric: metric.avg(1).lt(0.8))
    make(event)
    with pytest.raises(wandb.Error, match="exists"):
        make(event)
    state.has_automations = False
    with pytest.raises(wandb.Error, match="not available on your plan"):
        make(event, "second")
    state.has_automations = True
    state.automations.webhooks.clear()
    state.add_webhook("other", "hook", "https://elsewhere.example/", TOKEN)
    with pytest.raises(ValueError, match="not enough values"):
        make(event, "third")
    automation = next(wandb.Api().automations(entity="acme"))
    wandb.Api().delete_automation(automation)
    with pytest.raises(wandb.Error):
        wandb.Api().delete_automation(automation)
    assert state.automations.records == {}


def test_a_view_comes_back_as_it_was_written(state: WandbState) -> None:
    from wandb_workspaces import workspaces
    from wandb_workspaces.reports import v2

    workspace = workspaces.Workspace(
        entity="acme",
        project="churn",
        name="first",
        sections=[workspaces.Section(name="s", panels=[v2.LinePlot(title="t", y=[KEY])])],
    )
    workspace.save()
    again = workspaces.Workspace.from_url(workspace.url)
    assert (again.name, again.sections[0].panels[0].title) == ("first", "t")
    again.name = "second"
    again.save()
    (view,) = (view for project in state.projects.values() for view in project.views.values())
    assert (view.display_name, json.loads(view.spec)["section"]["name"]) == ("second", "")
    report = v2.Report(entity="acme", project="churn", title="r", description="d", blocks=[v2.H1("x")])
    report.save()
    assert v2.Report.from_url(report.url).title == "r"
    assert report.delete()
    with pytest.raises(ValueError, match="not found"):
        workspaces.Workspace.from_url(workspace.url[:-1] + "0")
