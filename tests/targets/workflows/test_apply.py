"""Workflow runs found by the key in their name, and dispatched at most once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.monitored_model import WorkflowSpec
from modelwatch.model.plan import ChangeKind, ChangeResult, ObservedRun, Plan
from modelwatch.model.register import DispatchState
from modelwatch.targets.observe import observe_models
from modelwatch.targets.workflows.apply import workflow_inputs
from modelwatch.targets.workflows.observe import parse_run
from modelwatch.testing.standins.faults import Fault

from ..world import (
    ELSEWHERE,
    GROUP,
    KEY,
    NOW,
    REPO,
    World,
    change,
    dispatch,
    intent,
    opening,
    plan,
    register,
    results,
)

ROLLBACK = f"{GROUP}.1.rollback.1"


def dispatching(**fields: object) -> Plan:
    return plan(
        change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(intent(),))),
        change(ChangeKind.DISPATCH_WORKFLOW, dispatch=dispatch(**fields)),
    )


def test_the_contract_of_a_dispatched_workflow(world: World) -> None:
    world.apply(opening())
    (run,) = world.state.repo(REPO).runs.items.values()
    assert run.payload["inputs"] == {
        "key": KEY,
        "model": "churn",
        "version": "v7",
        "target_version": "",
        "reason": "accuracy fell",
        "issue": f"{world.github.url}/{REPO}/issues/1",
    }


@pytest.mark.parametrize(
    "text",
    [
        "region=a\nb",
        "v6\r\n::set-output name=x::y",
        "$(reboot) `id`; \"'${{ secrets.TOKEN }}",
        "\u202egnp.exe\u0000",
        "x" * 100_000,
    ],
    ids=["line", "command", "shell", "bidi", "long"],
)
def test_what_was_logged_to_wandb_reaches_a_workflow_as_one_line_of_bounded_length(world: World, text: str) -> None:
    """Our reusable workflows refuse inputs of several lines, and GitHub long ones: no name may stop a rollback."""
    receipts = world.apply(dispatching(version=text, reason=f"accuracy ({text}) is critical"))
    assert results(receipts) == ["done", "done"]
    (run,) = world.state.repo(REPO).runs.items.values()
    inputs = run.payload["inputs"]
    for name in ("version", "reason"):
        assert inputs[name].isprintable()
        assert len(inputs[name]) <= 1000
    if text.isprintable() and len(text) < 100:
        assert inputs["version"] == text, "what a shell or an expression makes of it is up to the workflow: it is data"


def test_fixed_inputs_never_change_the_contract() -> None:
    assert workflow_inputs(dispatch(inputs=(("key", "mine"), ("depth", "3"))), "url")["key"] == KEY


def test_runs_are_observed_with_their_outcome(world: World) -> None:
    world.apply(opening())
    (run,) = world.state.repo(REPO).runs.items.values()
    world.state.finish_run(run.id, "failure")
    (seen,) = world.observe_model(now=NOW).runs
    assert (seen.key, seen.verb, seen.model, seen.status, seen.conclusion) == (
        KEY,
        "retrain",
        "churn",
        "completed",
        "failure",
    )
    assert seen.id == run.id


def test_an_older_server_that_refuses_run_details(world: World) -> None:
    world.state.is_old_server = True
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "done", "done"]
    assert len(world.runs()) == 1
    (seen,) = world.observe()
    assert seen.register is not None
    assert (seen.register.dispatches[0].state, seen.register.dispatches[0].run_id) == (DispatchState.SENT, None)


@pytest.mark.parametrize("what", ["drop", "reset", "broken-json"])
def test_a_lost_answer_is_looked_for_and_never_repeated(world: World, what: str) -> None:
    world.github.inject(Fault(what, when="after", method="POST", path="/dispatches$"))
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "done", "done"]
    assert len(world.runs()) == 1
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.dispatches[0].run_id is not None


def test_a_lost_answer_that_is_not_found_keeps_the_intent(world: World) -> None:
    world.state.lag.seconds = 3600.0
    world.github.inject(Fault("drop", when="after", method="POST", path="/dispatches$"))
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "done", "failed"]
    world.state.catch_up_lists()
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.dispatches[0].state is DispatchState.INTENDED
    assert "the dispatch of retrain failed" in seen.register.troubles[0]
    assert results(world.apply(opening()))[2] == "already"
    assert len(world.runs()) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_runs_that_cannot_be_seen_mean_no_dispatch(world: World, status: int) -> None:
    world.github.inject(Fault("status", status=status, path="/runs$", times=-1))
    receipt = world.apply(dispatching()).receipts[1]
    assert receipt.result is ChangeResult.FAILED
    assert str(status) in receipt.detail
    assert world.runs() == []
    observed = world.observe_model(now=NOW)
    assert [trouble.target.value for trouble in observed.errors] == ["dispatch"]


def test_a_workflow_that_does_not_exist_is_told(world: World) -> None:
    (_, receipt) = world.apply(dispatching(workflow="nothing.yml")).receipts
    assert receipt.result is ChangeResult.FAILED
    assert "nothing.yml" in receipt.detail
    assert "404" in receipt.detail


def test_inputs_that_the_workflow_does_not_have_are_told(world: World) -> None:
    (_, receipt) = world.apply(dispatching(inputs=(("surprise", "1"),))).receipts
    assert receipt.result is ChangeResult.FAILED
    assert "422" in receipt.detail


def test_too_many_inputs_are_refused_before_anything_is_sent(world: World) -> None:
    many = tuple((f"input{number}", "x") for number in range(20))
    (_, receipt) = world.apply(dispatching(inputs=many)).receipts
    assert receipt.result is ChangeResult.FAILED
    assert "26 inputs are too many" in receipt.detail
    assert not any("dispatches" in line for line in world.requests())


def test_another_repository_gets_a_repository_dispatch(world: World) -> None:
    other = "acme/serving"
    world.state.add_repo(other, files={".github/workflows/serve.yml": ELSEWHERE})
    rollback = dispatch(
        key=ROLLBACK, verb="rollback", workflow="", repository=other, event_type="rollback", target_version="v6"
    )
    wanted = plan(
        change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(intent(ROLLBACK, verb="rollback"),))),
        change(ChangeKind.DISPATCH_WORKFLOW, dispatch=rollback),
    )
    assert results(world.apply(wanted)) == ["done", "done"]
    assert world.runs(other) == [f"modelwatch rollback churn {ROLLBACK}"]
    world.workflows = (WorkflowSpec("rollback", "", repository=other, event_type="rollback"),)
    (seen,) = world.observe_model(now=NOW).runs
    assert seen.key == ROLLBACK
    assert results(world.apply(wanted)) == ["already", "already"]
    assert len(world.runs(other)) == 1


def test_a_repository_dispatch_that_is_refused_is_not_silent(world: World) -> None:
    """PyGithub's own method returns False on 401, 404 and 422."""
    (_, receipt) = world.apply(dispatching(event_type="rollback", repository="acme/unknown")).receipts
    assert receipt.result is ChangeResult.FAILED
    assert "404" in receipt.detail


def test_names_that_are_not_ours() -> None:
    row = {"id": 1, "html_url": "u", "created_at": "2026-11-20T00:00:00Z", "display_title": "Nightly"}
    assert parse_run(row) is None
    assert parse_run(row | {"display_title": "modelwatch retrain churn"}) is None
    found = parse_run(row | {"display_title": f"modelwatch retrain my churn model {KEY}"})
    assert isinstance(found, ObservedRun)
    assert (found.model, found.key) == ("my churn model", KEY)


def test_a_shared_workflow_counts_for_its_own_model_only(world: World) -> None:
    world.apply(opening())
    targets = world.connect()
    twin = replace(world.model, name="fraud")
    targets.config = replace(targets.config, models=(world.model, twin))
    world.github.clear()
    observed = observe_models(targets, targets.config.models, None, NOW)
    assert [len(observed[name].runs) for name in ("churn", "fraud")] == [1, 0]
    assert len(world.requests()) == 2, "one list of issues and one of runs, however many models share them"


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        (Fault("status", status=403, path="/runs$", times=-1), {}),
        (Fault("status", status=503, path="/runs$", times=-1), {}),
        (Fault("drop", path="/runs$", times=-1), {}),
        (Fault("broken-json", path="/runs$", times=-1), {}),
        (Fault("status", status=404, method="GET", path=f"^/repos/{REPO}$", times=-1), {}),
        (Fault("status", status=422, method="POST", path="/dispatches$"), {}),
        (None, {"workflow": "nothing.yml"}),
        (None, {"inputs": tuple((f"input{number}", "x") for number in range(20))}),
    ],
)
def test_what_was_certainly_not_sent_is_no_attempt(
    world: World, fault: Fault | None, fields: dict[str, object]
) -> None:
    if fault:
        world.github.inject(replace(fault))
    receipts = world.apply(dispatching(**fields))
    assert [receipt.result for receipt in receipts.receipts] == [ChangeResult.DONE, ChangeResult.FAILED]
    world.github.clear()
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.dispatches == (), "the next evaluation plans it again, with the same key"
    assert "the dispatch of retrain failed" in seen.register.troubles[0]
    assert world.runs() == []


def test_a_dispatch_to_nobody_is_accepted_and_never_starts(world: World) -> None:
    """ "A 204 for a dispatch does not promise that a workflow listens"."""
    world.workflows = (WorkflowSpec("retrain", "", event_type="nobody-listens"),)
    receipts = world.apply(dispatching(workflow="", event_type="nobody-listens"))
    assert results(receipts) == ["done", "done"]
    (seen,) = world.observe()
    assert seen.register is not None
    assert (seen.register.dispatches[0].state, seen.register.dispatches[0].run_id) == (DispatchState.SENT, None)
    assert world.runs() == []
