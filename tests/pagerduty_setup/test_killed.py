"""Killed at every request, before and after it takes effect: the same command goes on, and nothing is made twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

from ..crash.process import Ended, Forge
from .world import CHANGED, World, facts

KILLED = -9
ARGUMENTS = ("pagerduty", "apply", "--yes", "--secrets-to", "secrets.env")


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with Forge() as found:
        yield found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[World]:
    with Server(PagerDutyStandIn()) as server:
        yield World(server, tmp_path)
    assert server.errors == []


def begin(stage: World, *, changed: bool) -> None:
    """An empty account; or one that is set up and has to change, with a set-up that was cut off."""
    stage.renew()
    (stage.folder / "secrets.env").unlink(missing_ok=True)
    if changed:
        stage.apply()
        stage.config(CHANGED)
        stage.server.clear()


def apply(stage: World, forge: Forge) -> Ended:
    env = stage.env(PATH="/usr/bin:/bin", HOME=str(stage.folder))
    return forge.fork(ARGUMENTS, env, stage.folder)


def secrets(stage: World) -> dict[str, str]:
    lines = (stage.folder / "secrets.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("changed", [False, True], ids=["from nothing", "from another configuration"])
def test_killed_at_every_request(stage: World, forge: Forge, changed: bool) -> None:
    begin(stage, changed=changed)
    assert apply(stage, forge).code == 0
    requests = [(one.method, one.path) for one in stage.server.requests]
    wanted = facts(stage.state)
    assert len([method for method, _ in requests if method != "GET"]) >= 6
    wrong = []
    for place, (method, path) in enumerate(requests):
        if method == "GET" and changed:
            continue  # nothing is different from being killed at the write before it
        moments = ("after",) if method == "GET" else ("before", "after")
        for when in moments:
            begin(stage, changed=changed)
            stage.server.inject(Fault("kill", when, skip=place, pid=forge.victim))
            killed = apply(stage, forge)
            stage.server.clear()
            again = apply(stage, forge)
            problems = check(stage, killed, again, wanted)
            wrong += [f"{when} {method} {path} ({place}): {problem}" for problem in problems]
    assert wrong == []


def check(stage: World, killed: Ended, again: Ended, wanted: object) -> list[str]:
    found = [] if killed.code == KILLED else [f"not killed but {killed.code}: {killed.told[-300:]}"]
    found += [] if again.code == 0 else [f"exit code {again.code}: {again.told[-600:]}"]
    found += [] if facts(stage.state) == wanted else [f"not as undisturbed: {facts(stage.state)}"]
    if stage.plan().changes:
        found.append(f"a next one would not be empty: {stage.plan().changes}")
    active = [one["delivery_method"]["secret"] for one in stage.subscriptions() if one["active"]]
    stored = secrets(stage)
    if active != [stored.get("PAGERDUTY_WEBHOOK_SECRET")]:
        found.append("the signing secret that was stored is not the one that signs")
    if stored.get("PAGERDUTY_ROUTING_KEY") != stage.service().routing_key:
        found.append("the routing key that was stored is not the service's")
    if any(secret in killed.told + again.told for secret in stored.values()):
        found.append("a secret was printed")
    return found
