"""status and audit: what exists, and who did what."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.testing.standins.faults import Fault

from .world import CRITICAL, ERROR, HEALTHY, REPOSITORY, WARNING, World


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
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
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


def test_audit_tells_who_did_what_in_order(world: World) -> None:
    episode(world)
    entries = world.run("audit", "--format", "json").json
    told = [entry["what"] for entry in entries]
    assert told[0] == "opened issue #1 (episode 1)"
    assert "retrain finished: success" in told
    assert any(what.startswith("incident resolved") for what in told)
    assert "closed issue #1" in told
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    shown = world.run("audit").out
    assert all(word in shown for word in ("retrain", "incident", "closed"))


def test_audit_lists_the_issue_before_what_followed_from_it(world: World) -> None:
    """An evaluation stamps its acts with its beginning, and GitHub's clock comes later."""
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
    world.at(3)
    world.run("run")
    (issue,) = world.issues
    issues = world.github.standin.state.repo(REPOSITORY).issues.items
    issues[issue.number] = replace(issue, created=issue.created + 30)
    told = [entry["what"].split()[0] for entry in world.run("audit", "--format", "json").json]
    assert told[0] == "opened"
    assert len(told) == 3


def test_audit_of_nothing(world: World) -> None:
    assert "The registers hold nothing yet." in world.run("audit").out


def test_a_github_that_cannot_be_seen_is_told_with_4(world: World) -> None:
    world.github.inject(Fault("status", status=503, times=-1))
    status = world.run("status")
    assert status.code == 4
    assert "No issue could be read." in status.out
    audit = world.run("audit")
    assert audit.code == 4
    assert "churn:" in audit.err
