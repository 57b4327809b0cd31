"""Killed at every change, before and after it takes effect: the same command goes on, and nothing is made twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelwatch.testing.standins.faults import Fault
from tests.conftest import wandb_env
from tests.crash.process import Ended, Forge
from tests.wandb_setup.world import World

KILLED = -9
CHANGES = ("upsertView", "createFilterTrigger")


def apply(world: World, forge: Forge) -> Ended:
    env = {
        **wandb_env(world.server.url, world.folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(world.folder / "home"),
        "MODELWATCH_WAIT_SCALE": "0.001",
    }
    (world.folder / "home").mkdir(exist_ok=True)
    return forge.start(("wandb", "apply", "--yes"), env, world.folder)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("change", "skip"), [("upsertView", 0), ("upsertView", 1), ("createFilterTrigger", 2)])
def test_killed_at_a_change(world: World, change: str, skip: int, when: str) -> None:
    forge = Forge()
    world.server.inject(Fault("kill", when=when, text=change, skip=skip, pid=forge.victim))
    assert apply(world, forge).code == KILLED
    ended = apply(world, forge)
    assert ended.code == 0, ended.told
    assert len(world.views()) == len(world.views("runs")) == 1
    assert len(world.automation_names()) == 5
    plan = world.plan()
    assert (plan.changes, plan.refusals) == ((), ())
