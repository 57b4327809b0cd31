"""GitHub Actions around the command: what is refused there, and what is left behind for later steps."""

from __future__ import annotations

import json

import pytest

from .world import ERROR, HEALTHY, World


@pytest.fixture
def actions(world: World) -> World:
    """A scheduled workflow run on the default branch, with an alert to act on."""
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    event = world.write("event.json", json.dumps({"repository": {"default_branch": "main"}}))
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "acme/churn-model",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "4711",
        "GITHUB_STEP_SUMMARY": str(world.folder / "summary"),
        "GITHUB_OUTPUT": str(world.folder / "output"),
    }.items():
        world.setenv(name, value)
    return world


def outputs(world: World) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it."""
    found: dict[str, str] = {}
    lines = iter(world.read("output").splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value: list[str] = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        found[name] = "\n".join(value)
    return found


def test_run_leaves_a_summary_and_outputs(actions: World) -> None:
    assert actions.run("run").code == 0
    assert "## modelwatch: 1 firing (error)" in actions.read("summary")
    found = outputs(actions)
    plan = "modelwatch-out/plan.json"
    assert found | {"plan-digest": ""} == {
        "firing": "1",
        "worst-severity": "error",
        "failures": "0",
        "plan": plan,
        "plan-digest": "",
        "changes": "2",
        "receipts": "modelwatch-out/receipts.json",
    }
    assert len(found["plan-digest"]) == 64
    assert "https://github.com/acme/churn-model/actions/runs/4711" in (actions.issues[0].body or "")


@pytest.mark.parametrize("ref", ["refs/heads/topic", "refs/pull/7/merge", "refs/tags/main", ""])
@pytest.mark.parametrize("command", [["run"], ["apply", "--digest", "0" * 64]])
def test_only_the_default_branch_is_applied(actions: World, ref: str, command: list[str]) -> None:
    actions.setenv("GITHUB_REF", ref)
    found = actions.run(*command)
    assert found.code == 2
    assert "only the configuration of the default branch (main) is applied" in found.err
    assert actions.writes() == []


def test_a_dry_run_is_fine_on_any_branch(actions: World) -> None:
    actions.setenv("GITHUB_REF", "refs/heads/topic")
    assert actions.run("run", "--dry-run").code == 0
    assert actions.writes() == []


@pytest.mark.parametrize("event", ["", "{}", "[]", "not json", '{"repository": {"default_branch": ""}}'])
def test_an_unknown_default_branch_is_not_this_one(actions: World, event: str) -> None:
    if event:
        actions.write("event.json", event)
    else:
        actions.delenv("GITHUB_EVENT_PATH")
    found = actions.run("run")
    assert found.code == 2
    assert actions.writes() == []


@pytest.mark.parametrize("event", ["schedule", "repository_dispatch"])
def test_a_schedule_runs_on_the_default_branch_only(actions: World, event: str) -> None:
    """Their payload may lack the repository: GitHub starts them nowhere else."""
    actions.setenv("GITHUB_EVENT_NAME", event)
    actions.write("event.json", "{}")
    assert actions.run("run").code == 0


def test_outputs_cannot_be_forged_by_what_a_model_is_called(actions: World) -> None:
    actions.write("modelwatch.yml", actions.read("modelwatch.yml").replace("issue, page", "page"))
    assert actions.run("shards").code == 2, "shards takes no --now"
    assert actions.run("shards", now=False).code == 0
    found = outputs(actions)
    assert json.loads(found["matrix"]) == {"include": [{"shard": "1", "models": "churn"}]}
    assert found["shards"] == "1"


def test_a_mistake_in_the_configuration_is_annotated_in_its_line(actions: World) -> None:
    text = actions.read("modelwatch.yml")
    actions.write("modelwatch.yml", text.replace("window: 1h", "windw: 1h").replace("for: 2", "for: two"))
    found = actions.run("config", "check", now=False)
    assert found.code == 2
    lines = [line for line in found.err.splitlines() if line.startswith("::error ")]
    assert len(lines) == 2
    assert all(line.startswith("::error file=modelwatch.yml,line=") for line in lines)
    assert "window" in found.err, "did you mean"
    assert "2 problems" in found.err


def test_nothing_is_left_behind_outside_of_actions(world: World) -> None:
    world.metrics(HEALTHY)
    world.at(1)
    assert world.run("run").code == 0
    assert not (world.folder / "summary").exists()


def test_every_evaluation_appends_its_summary(actions: World) -> None:
    actions.run("check")
    actions.run("check")
    assert actions.read("summary").count("## modelwatch:") == 2
