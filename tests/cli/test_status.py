"""status: what exists."""

from __future__ import annotations

from modelwatch.testing.standins.faults import Fault

from .world import CRITICAL, ERROR, HEALTHY, WARNING, World


def episode(world: World) -> None:
    """Warning with a retraining, error with a page, recovery."""
    world.metrics(HEALTHY, WARNING, WARNING, ERROR, ERROR, HEALTHY, HEALTHY, HEALTHY)
    for hour in range(1, 9):
        world.at(hour)
        assert world.run("run").code == 0
        for found in world.runs:
            if found.status != "completed":
                world.github.standin.state.finish_run(found.id, "success")


def test_status_shows_open_groups_with_incident_and_workflow(world: World) -> None:
    world.metrics(HEALTHY, CRITICAL, CRITICAL, before="v5")
    world.at(3)
    world.run("run")
    found = world.run("status", "--format", "json")
    assert found.code == 0
    (row,) = found.json["groups"]
    assert (row["model"], row["rule"], row["severity"], row["state"]) == ("churn", "accuracy", "critical", "open")
    assert row["incident"] == "triggered"
    assert row["workflows"] == "rollback: proposed"
    shown = world.run("status").out
    assert "accuracy" in shown
    assert "triggered" in shown


def test_status_of_nothing_and_of_everything(world: World) -> None:
    assert "No open issue" in world.run("status").out
    episode(world)
    assert world.run("status", "--format", "json").json == {"groups": [], "troubles": []}
    (row,) = world.run("status", "--all", "--format", "json").json["groups"]
    assert (row["state"], row["incident"]) == ("closed", "resolved")


def test_one_reason_is_one_problem_for_all_workflows(world: World) -> None:
    episode(world)
    world.github.inject(Fault("status", path="/actions/workflows/", status=404, times=-1))
    (problem,) = world.run("status", "--format", "json").json["troubles"]
    assert "list the workflow runs of retrain.yml and rollback.yml in acme/churn-model: 404" in problem[1]
    world.write("metrics.csv", "time,version\n")
    assert world.run("diagnose", "churn").out.count("404") == 1


def test_a_github_that_cannot_be_seen_is_told_with_4(world: World) -> None:
    world.github.inject(Fault("status", status=503, times=-1))
    status = world.run("status")
    assert status.code == 4
    assert "No issue could be read." in status.out
    audit = world.run("audit")
    assert audit.code == 4
    assert "No issue could be read." in audit.out
    assert "churn:" in audit.err
