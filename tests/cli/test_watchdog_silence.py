"""The main evaluation notices that the watchdog has stopped: one issue, closed by a newer successful run."""

from __future__ import annotations

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.run_lifecycle import run_schedule

from .world import CONFIG, HEALTHY, HOUR, REPOSITORY, World

WATCHED = "watchdog: {workflow: watchdog.yml, every: 6h}\nmodels:"
WORKFLOW = """\
name: watchdog
on: {schedule: [{cron: "57 * * * *"}]}
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: echo look
"""


@pytest.fixture
def watched(world: World) -> World:
    world.config(CONFIG.replace("models:", WATCHED))
    world.metrics(*[HEALTHY] * 60)
    state = world.github.standin.state
    state.add_file(state.repo(REPOSITORY), ".github/workflows/watchdog.yml", WORKFLOW)
    return world


def succeed(world: World, conclusion: str = "success") -> None:
    state = world.github.standin.state
    run = run_schedule(state, state.repo(REPOSITORY), "watchdog.yml")
    state.finish_run(run.id, conclusion)


def evaluate(world: World, hour: float, code: int = 0) -> str:
    world.at(hour)
    ran = world.run("run")
    assert ran.code == code, ran.out + ran.err
    return ran.out


def test_its_silence_is_one_issue_until_it_succeeds_again(watched: World) -> None:
    watched.at(2)
    succeed(watched)
    for hour in (3, 8, 13.9):
        evaluate(watched, hour)
    assert watched.issues == []
    for hour in (14, 15, 20):
        succeed(watched, "failure")
        evaluate(watched, hour)
    (issue,) = watched.issues
    assert issue.state == "open"
    assert "the watchdog has not succeeded for twice its period" in issue.title
    assert "watchdog.yml in acme/churn-model succeeded last at 2026-11-20 02:05 UTC" in issue.body
    assert "Until then nobody notices when modelwatch stops" in issue.body
    assert "/watchdog.md)" in issue.body
    assert watched.incidents == []
    succeed(watched)
    evaluate(watched, 21)
    (issue,) = watched.issues
    assert issue.state == "closed"
    assert "has succeeded again" in issue.body
    evaluate(watched, 22)
    assert len(watched.issues) == 1


def test_one_that_never_succeeded_counts_from_when_it_was_made(watched: World) -> None:
    evaluate(watched, 11.9)
    assert watched.issues == []
    evaluate(watched, 13)
    assert "has never succeeded since" in watched.issues[0].body


def test_a_workflow_that_is_not_there_is_silent(watched: World) -> None:
    watched.config(CONFIG.replace("models:", WATCHED.replace("watchdog.yml", "none.yml")))
    evaluate(watched, 3)
    assert "there is no workflow none.yml" in watched.issues[0].body


def test_what_cannot_be_read_opens_and_closes_nothing(watched: World) -> None:
    evaluate(watched, 13)
    succeed(watched)
    watched.github.inject(Fault("status", path="/watchdog.yml/runs", status=403, times=-1, body='{"message": "no"}'))
    out = " ".join(evaluate(watched, 14, 4).split())
    assert "dispatch cannot be observed: GitHub" in out
    assert "could not list the runs of watchdog.yml in acme/churn-model: 403 no" in out
    assert watched.issues[0].state == "open"


def test_it_costs_one_request_and_none_where_nothing_is_configured(watched: World) -> None:
    succeed(watched)
    evaluate(watched, 3)
    asked = [request.path for request in watched.github.requests if "watchdog" in request.path]
    assert asked == [f"/repos/{REPOSITORY}/actions/workflows/watchdog.yml/runs"]
    watched.config()
    evaluate(watched, 4)
    assert len([request for request in watched.github.requests if "watchdog" in request.path]) == 1


def test_another_shard_leaves_it_to_the_one_with_the_first_model(watched: World) -> None:
    text = CONFIG.replace("models:", WATCHED)
    watched.config(text + text[text.index("  - name: churn") :].replace("name: churn", "name: other"))
    watched.at(13)
    assert watched.run("run", "--model", "other").code == 0
    assert watched.issues == []
    assert watched.run("run", "--model", "churn").code == 0
    assert len(watched.issues) == 1


def test_a_silence_of_the_model_mutes_it(watched: World) -> None:
    muted = "    silences: [{until: 2027-01-01, owner: alice, reason: move, rule: watchdog-silent}]\n    rules:"
    watched.config(CONFIG.replace("models:", WATCHED).replace("    rules:", muted))
    evaluate(watched, 13)
    assert watched.issues == []


def test_an_hour_is_an_hour(watched: World) -> None:
    """The limit is reached at twice the period exactly."""
    watched.at(2)
    succeed(watched)
    watched.clock.now += 12 * HOUR - 1
    assert watched.run("run").code == 0
    assert watched.issues == []
    watched.clock.now += 1
    assert watched.run("run").code == 0
    assert len(watched.issues) == 1
