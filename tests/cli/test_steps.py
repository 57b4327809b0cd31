"""pull, evaluate, plan, apply and run: the same through files as in one go, and told with the right exit code."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from .world import CRITICAL, ERROR, HEALTHY, WARNING, World


def in_steps(world: World) -> None:
    assert world.run("pull").code == 0
    assert world.run("evaluate").code == 0
    planned = world.run("plan", "--format", "json")
    assert planned.code == 0
    assert world.run("apply", "--digest", digest(world)).code == 0


def digest(world: World) -> str:
    """As ``plan`` prints it; the digest does not depend on the format."""
    told = world.run("plan", "--out", "again.json").out
    world.folder.joinpath("again.json").unlink()
    return told.rsplit("digest ", 1)[1].strip()


def test_the_steps_do_what_run_does(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY, ERROR, ERROR)
    world.at(4)
    assert world.run("run", "--dry-run", "--out", "dry").code == 0
    assert world.writes() == []
    in_steps(world)
    for name in ("series.jsonl", "alerts.json", "plan.json"):
        assert world.read(f"dry/{name}") == world.read(f"modelwatch-out/{name}")
    assert [issue.state for issue in world.issues] == ["open"]
    assert [incident.status for incident in world.incidents] == ["triggered"]
    assert [receipt["result"] for receipt in world.load("modelwatch-out/receipts.json")["receipts"]] == ["done", "done"]


def test_an_episode_from_opening_to_closing(world: World) -> None:
    world.metrics(HEALTHY, WARNING, WARNING, ERROR, ERROR, HEALTHY, HEALTHY, HEALTHY)
    for hour in range(1, 9):
        world.at(hour)
        assert world.run("run").code == 0
    (issue,) = world.issues
    assert (issue.state, issue.state_reason) == ("closed", "completed")
    assert issue.title.startswith("[recovered] churn: accuracy")
    (incident,) = world.incidents
    assert (incident.status, incident.severity) == ("resolved", "error")
    (found,) = world.runs
    assert found.title.startswith("modelwatch retrain churn ")
    assert any("Recovered" in comment for comment in world.comments)


def test_a_second_run_at_the_same_time_changes_nothing(world: World) -> None:
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
    world.at(3)
    world.run("run")
    writes = len(world.writes())
    again = world.run("run")
    assert again.code == 0
    assert "No changes needed" in again.out
    assert len(world.writes()) == writes


def test_two_runs_at_the_same_time_have_tokens_of_their_own(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    tokens = set()
    for _ in range(2):
        assert world.run("run").code == 0
        tokens.add(re.search(r'"writer":"([0-9a-f]{16})"', world.issues[0].body)[1])  # type: ignore[index]
        world.github.standin.reset()
    assert len(tokens) == 2


def test_only_applies_what_is_named_and_the_rest_later(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    for step in ("pull", "evaluate"):
        world.run(step)
    told = digest(world)
    world.run("plan")
    assert world.run("apply", "--digest", told, "--only", "issue").code == 0
    assert (len(world.issues), len(world.incidents)) == (1, 0)
    results = {receipt["kind"]: receipt["result"] for receipt in world.load("modelwatch-out/receipts.json")["receipts"]}
    assert results == {"open-issue": "done", "trigger-incident": "not-asked"}
    assert world.run("apply", "--digest", told, "--only", "page", "--only", "dispatch").code == 0
    assert (len(world.issues), len(world.incidents)) == (1, 1)


def test_apply_refuses_a_plan_that_is_missing_altered_or_old(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    world.run("pull")
    world.run("evaluate")
    missing = world.run("apply", "--digest", "0" * 64)
    assert missing.code == 2
    assert "no such file" in missing.err
    told = digest(world)
    world.run("plan")
    plan = world.read("modelwatch-out/plan.json")
    world.write("modelwatch-out/plan.json", plan.replace("churn-model", "other-model"))
    altered = world.run("apply", "--digest", told)
    assert altered.code == 2
    assert "digest differs" in altered.err
    world.write("modelwatch-out/plan.json", plan)
    world.at(5)
    old = world.run("apply", "--digest", told)
    assert old.code == 2
    assert "minutes old" in old.err
    assert world.writes() == []
    without = world.run("apply")
    assert without.code == 2
    assert "--digest" in without.err


def test_apply_refuses_a_plan_of_another_configuration(world: World) -> None:
    """A run that is started again after a merge finds the old plan and the new configuration."""
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    world.run("pull")
    world.run("evaluate")
    told = digest(world)
    world.run("plan")
    before = world.read("modelwatch.yml")
    world.write("modelwatch.yml", before.replace("do: [issue, page]", "do: [issue]"))
    refused = world.run("apply", "--digest", told)
    assert refused.code == 2
    assert "another configuration" in refused.err
    assert world.writes() == []
    world.write("modelwatch.yml", f"# A comment changes nothing.\n{before}")
    assert world.run("apply", "--digest", told).code == 0


@pytest.mark.parametrize(("level", "code"), [(HEALTHY, 0), (WARNING, 10), (ERROR, 11), (CRITICAL, 12)])
@pytest.mark.parametrize("command", ["check", "run --dry-run", "evaluate"])
def test_exit_code_reports_the_worst_alert_when_asked_to(world: World, level: float, code: int, command: str) -> None:
    world.metrics(HEALTHY, *[level] * 5)
    world.at(6)
    if command == "evaluate":
        world.run("pull")
    assert world.run(*command.split(), "--exit-code").code == code
    assert world.run(*command.split()).code == 0


def test_check_changes_nothing_and_says_what_fires(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    found = world.run("check")
    assert found.code == 0
    assert "1 firing (error)" in found.out
    assert "7.6 % below its baseline 0.92" in found.out
    assert world.github.requests == []
    assert world.pagerduty.requests == []


def test_evaluate_takes_a_model_that_was_not_pulled_as_failed(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY)
    world.at(2)
    world.run("pull")
    second = world.read("modelwatch.yml").split("models:\n")[1].replace("name: churn", "name: other")
    world.write("modelwatch.yml", world.read("modelwatch.yml") + second)
    found = world.run("evaluate")
    assert found.code == 3
    assert [failure["model"] for failure in world.load("modelwatch-out/alerts.json")["failures"]] == ["other"]


def test_one_model_can_be_chosen_and_a_typo_is_told(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY)
    world.at(2)
    assert world.run("check", "--model", "churn").code == 0
    wrong = world.run("check", "--model", "chrun")
    assert wrong.code == 2
    assert "Did you mean `churn`?" in wrong.err


def test_run_as_json_is_one_object(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    found = world.run("run", "--format", "json").json
    assert set(found) == {"judgement", "plan", "receipts"}
    assert found["plan"] == world.load("modelwatch-out/plan.json")
    assert json.loads(world.read("modelwatch-out/receipts.json")) == found["receipts"]


def test_the_steps_leave_nothing_in_the_repository(world: World) -> None:
    """What they hand over is in one folder that git does not see."""
    world.metrics(HEALTHY, HEALTHY, ERROR, ERROR)
    world.at(4)
    subprocess.run(["git", "init", "--quiet"], cwd=world.folder, check=True)
    before = git_status(world)
    in_steps(world)
    assert (world.folder / "modelwatch-out/receipts.json").is_file()
    assert git_status(world) == before


def git_status(world: World) -> str:
    command = ["git", "status", "--short", "--untracked-files=all"]
    return subprocess.run(command, cwd=world.folder, capture_output=True, text=True, check=True).stdout


def test_pull_and_evaluate_as_json(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY)
    world.at(2)
    pulled = world.run("pull", "--format", "json").json
    assert pulled["file"] == "modelwatch-out/series.jsonl"
    assert pulled["models"] == [{"model": "churn", "points": 2, "error": "", "notes": []}]
    assert world.run("evaluate", "--format", "json").json == world.load("modelwatch-out/alerts.json")


def test_pull_also_writes_a_table(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY)
    world.at(2)
    assert world.run("pull", "--table", "points.csv").code == 0
    head, *rows = (world.folder / "points.csv").read_text().splitlines()
    assert head == "model,metric,segment,time,value,weight,version"
    assert len(rows) == 2
    refused = world.run("pull", "--table", "points.xlsx")
    assert refused.code == 2
    assert "a table is written as .csv or .parquet" in refused.err
