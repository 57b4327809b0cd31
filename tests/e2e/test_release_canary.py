"""From a retraining over the gate and a canary into production; and a canary that is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwatch.testing.standins.github.issue_actions import Person
from tests.e2e.release_world import COMMAND_SECRET, World, dump, moves, open_world, plain
from tests.e2e.workplace import REPOSITORY, WorkflowRun

HOSTILE = "$(touch${IFS}pwned); `touch pwned` ' \" * ::error::obeyed"


@pytest.fixture
def world(tmp_path: Path, published: Path) -> Iterator[World]:
    with open_world(tmp_path, published, environment="unprotected") as opened:
        yield opened


def succeeded(told: WorkflowRun, *jobs: str) -> None:
    assert told.code == 0, told.told
    assert set(told.jobs.values()) == {"success"}, told.told
    assert set(jobs) <= {name.split("/")[-1] for name in told.jobs}, told.jobs
    assert COMMAND_SECRET not in told.told


def pulls(world: World) -> list[str]:
    """Titles of the pull requests."""
    issues = world.github.standin.state.repo(REPOSITORY).issues.items.values()
    return [issue.title for issue in issues if issue.pull]


def test_a_fall_is_answered_by_a_retraining_that_goes_all_the_way(world: World) -> None:
    """The alert dispatches a training, the gate lets its version through, the canary proves it, the loop closes."""
    world.accuracy["v1"] = 0.89
    world.hours(6)
    succeeded(world.scheduled())
    assert world.issue().state == "open"
    assert world.executor.ended.acquire(timeout=240)
    (run,) = world.dispatched()
    assert run.title.startswith("modelwatch retrain churn ")
    assert run.conclusion == "success", dump(world)
    assert COMMAND_SECRET not in run.log
    assert world.held() == {"production": "v1", "previous": "v0", "candidate": "v2", "canary": "v2"}
    assert world.deployed() == ["canary v2 5"]
    assert moves(world) == [("retrain", "", "done"), ("register", "v2", "done"), ("canary", "v2", "done")]

    # Its hours are too few at first; then it is promoted, and what it does becomes the baseline by pull request.
    world.accuracy["v2"] = 0.94
    world.hours(2)
    told = world.scheduled("canary.yml")
    succeeded(told)
    assert told.outputs["move"]["step"] == "continue"
    assert world.held()["production"] == "v1"
    world.hours(3)
    told = world.scheduled("canary.yml")
    succeeded(told)
    assert told.outputs["move"]["step"] == "promote"
    assert world.held() == {"production": "v2", "previous": "v1"}
    assert world.deployed() == ["canary v2 5", "promote v2 100"]
    assert pulls(world) == ["Baseline of churn 1.2.0 (v2)"], told.told
    world.hours(1)
    succeeded(world.scheduled("canary.yml"))
    assert len(pulls(world)) == 1

    world.hours(2)
    succeeded(world.scheduled())
    issue = world.issue()
    assert issue.state == "closed", issue.body
    answers = "\n".join(plain(text) for text in world.answers())
    assert "**retrain ended: success**" in answers
    assert "**Recovered** after" in answers
    assert "promote to v2" in (issue.body or ""), issue.body
    changes = [change.event["payload"]["summary"] for change in world.pagerduty.standin.state.change_events]
    assert [text.startswith("churn promoted to 1.2.0 (v2) from 1.1.0 (v1): ") for text in changes] == [True], changes


def test_a_canary_that_fails_is_taken_back(world: World) -> None:
    state = world.wandb.standin.state
    run = state.add_run("acme", "churn-train", "trainer-2", {"lr": 0.5})
    files = {"model.bin": b"weights 2"}
    state.add_artifact("acme", "churn-train", "churn", files, aliases=["1.2.0", "candidate"], run=run)
    succeeded(world.asked("canary.yml", step="start", reason="a try"))
    assert world.held()["canary"] == "v2"
    world.accuracy["v2"] = 0.70
    world.hours(2)
    told = world.scheduled("canary.yml")
    succeeded(told)
    assert told.outputs["move"]["step"] == "abort", told.told
    assert world.held() == {"production": "v1", "previous": "v0", "candidate": "v2"}
    assert world.deployed() == ["canary v2 5", "abort v1 0"]
    assert [state for _, _, state in moves(world)] == ["done", "done"]
    assert "accuracy reaches critical" in told.summary

    # Whatever a person types into the form is text, and versions that do not exist are refused.
    told = world.asked("rollback.yml", key=HOSTILE, target_version=HOSTILE, reason=HOSTILE, issue=HOSTILE)
    assert told.code != 0
    assert told.outputs["move"]["exit-code"] == "2", told.told
    assert "there is no version" in "".join(told.errors())
    assert "obeyed" not in told.errors()
    told = world.asked("promote.yml", target_version="v9")
    assert told.outputs["move"]["exit-code"] == "2", told.told
    assert not list(world.workplace.folder.rglob("pwned"))
    assert world.held()["production"] == "v1"
    assert len(moves(world)) == 2


def test_a_candidate_that_is_no_better_goes_no_further(world: World) -> None:
    """The reasons stand in the summary, and on the issue that asked for the retraining."""
    state = world.github.standin.state
    issue = Person(state, state.repo(REPOSITORY), "alice").open_issue("accuracy falls")
    world.workplace.env["E2E_TRAINED"] = "same"
    address = f"{world.github.url}/{REPOSITORY}/issues/{issue.number}"
    told = world.asked("retrain.yml", key="spring.1", issue=address)
    succeeded(told)
    assert told.outputs["validate"]["decision"] == "hold", told.told
    assert world.held() == {"production": "v1", "previous": "v0", "candidate": "v2"}
    assert world.deployed() == []
    (answer,) = world.answers()
    assert plain(answer).startswith(
        "**Hold: `churn` `1.2.0 (v2)` against `1.1.0 (v1)`.** The candidate is not proven better, so it stops here."
    )
    assert "Hold: `churn`" in told.summary
