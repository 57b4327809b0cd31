"""What changed before an alert began: on the issue and in the diagnosis, read only when something begins to fire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.context import make_context
from modelwatch.enrichment import find_recent_changes
from modelwatch.model.monitored_model import Config, Model
from modelwatch.testing.standins.faults import Fault
from tests.report.making import NEWEST, NOW, group

from .world import BEGIN, CONFIG, CRITICAL, HEALTHY, HOUR, REPOSITORY, TABLE, World

NAMES = (("accuracy", HOUR), ("ranking", HOUR), ("missing", 2 * HOUR))
HOSTILE = "Retrain | <img src=x> @bob [x](http://e.org)"


def history(world: World) -> None:
    """A commit long before, one an hour before that touches the configuration, a deployment; then a drop at hour 2."""
    state = world.github.standin.state
    repo = state.repo(REPOSITORY)
    for at, path, message in ((-30, "old.py", "Old"), (0.5, "modelwatch.yml", "Raise the limit"), (1, "m.py", HOSTILE)):
        repo.git.commit("main", {path: message.encode()}, f"{message}\n\nbody", "alice", BEGIN + at * HOUR)
    now, world.clock.now = world.clock.now, BEGIN + 1.5 * HOUR
    state.add_deployment(repo, "production", "alice", "blue-green")
    world.clock.now = now
    world.metrics(HEALTHY, CRITICAL, CRITICAL, CRITICAL)


def reads(world: World) -> list[str]:
    return [asked.path for asked in world.github.requests if asked.path.endswith(("/commits", "/deployments"))]


def section(world: World) -> list[str]:
    (issue,) = world.issues
    body = issue.body.partition("### What changed before\n\n")[2].partition("\n### ")[0]
    return [line for line in body.splitlines() if line.startswith("- ")]


def test_the_issue_lists_what_changed_with_links(world: World) -> None:
    history(world)
    world.at(3)
    assert world.run("run").code == 0
    lines = section(world)
    assert [line.split("**")[1] for line in lines] == ["deployment", "version", "commit", "configuration", "commit"]
    assert "main to production: blue-green`, by `alice`" in lines[0]
    assert "/acme/churn-model/deployments/production)" in lines[0]
    assert "Retrain ¦ <img src=x> @bob [x](http://e.org)`, by `alice` ([open](" in lines[2]
    assert "Raise the limit" in lines[3]
    world.at(10)  # the evidence is refreshed, the list stays, and nothing is read again
    world.metrics(HEALTHY, *[CRITICAL] * 9)
    asked = len(reads(world))
    assert world.run("run").code == 0
    assert section(world) == lines
    assert (asked, len(reads(world))) == (3, 3)


def test_a_healthy_check_reads_nothing_of_it(world: World) -> None:
    history(world)
    world.metrics(HEALTHY, HEALTHY, HEALTHY)
    world.at(3)
    world.run("run")
    world.run("check")
    assert world.run("diagnose").code == 0
    assert reads(world) == []


def test_the_diagnosis_lists_it(world: World) -> None:
    history(world)
    world.at(3)
    shown = world.run("diagnose").out
    before = shown.partition("Before")[2].partition("\nData")[0]
    assert "deployment at 2026-11-20 01:30 UTC, by alice: main to production: blue-green" in " ".join(before.split())
    assert "configuration at 2026-11-20 00:30 UTC" in " ".join(before.split())


@pytest.mark.parametrize("path", ["/commits", "/deployments"])
def test_what_cannot_be_read_is_a_line_and_stops_nothing(world: World, path: str) -> None:
    history(world)
    world.at(3)
    world.github.inject(Fault("status", path=path, status=403, times=-1, body='{"message": "Resource not accessible"}'))
    assert world.run("run").code == 0
    lines = section(world)
    assert any(line.startswith("- Not read: `") and "403" in line for line in lines)
    assert len(world.incidents) == 1
    assert any("**version**" in line for line in lines)


def test_what_gets_no_answer_is_asked_for_once(world: World) -> None:
    """Else two time-outs for what is only context leave GitHub no time for the issue."""
    history(world)
    world.at(3)
    world.github.inject(Fault("status", path="/commits", status=503, times=-1))
    assert world.run("run").code == 0
    assert len([line for line in section(world) if line.startswith("- Not read: `") and "503" in line]) == 2
    assert not [asked for asked in world.github.requests if asked.path.endswith("/commits") and "path" in asked.query]


def test_other_rules_and_the_calendar_are_listed(world: World) -> None:
    calendar = f"{CONFIG}".replace(
        '    owner: "@acme/growth-ml"\n', '    owner: "@acme/growth-ml"\n    calendar: {file: days.yml}\n'
    )
    world.write("days.yml", "- {name: Flash sale, from: 2026-11-19, to: 2026-11-19}\n")
    world.config(calendar, TABLE)
    history(world)
    world.at(3)
    assert world.run("run").code == 0
    assert any("**calendar** `Flash sale`" in line for line in section(world))


def test_what_began_at_the_same_time_is_no_candidate() -> None:
    """Only what began earlier can be the cause."""
    first, same, before = (replace(group(), rule=name, start=NEWEST - ago) for name, ago in NAMES)
    context = make_context(Config((), ""), NOW)
    found = find_recent_changes(context, Model("churn", ()), first, (first, same, before))
    assert [change.text for change in found.changes] == ["missing began to fire"]
