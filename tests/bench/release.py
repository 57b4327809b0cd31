"""How long people wait for a rollback: from the evaluation that finds the alert to the start of the deploy command."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.crash import releases
from tests.crash.cell import prepare
from tests.crash.scenarios import OPENS
from tests.crash.world import World, at, worlds

from .measure import Row

PROMISED = 60.0
"""Seconds of our own time, with everything installed."""
ROUNDS = 3


def rows() -> Iterator[Row]:
    """The slowest of a few rounds: an evaluation that opens, pages and dispatches, then the dispatched rollback."""
    with worlds() as world:
        taken = [_evaluation(world) + _rollback(world) for _ in range(ROUNDS)]
    worst = max(taken)
    yield Row("from alert to deploy command", f"{worst:.1f} s", "promised: 60 s", worst / PROMISED, 1.0)


def _evaluation(world: World) -> float:
    prepare(world, OPENS)
    began = time.time()
    done = world.evaluate(at(OPENS.hour), fresh=True)
    if done.code != 0 or len(world.github.standin.state.repo("acme/churn").runs.items) != 1:
        raise AssertionError(f"nothing was dispatched: {done.ended.told}")
    return time.time() - began


def _rollback(world: World) -> float:
    """Until the deploy command has left its mark."""
    releases.prepare(world)
    began = time.time()
    done = releases.ask(world, releases.STORIES[releases.ROLLS_BACK.name].asked, 0, fresh=True)
    if done.code != 0 or releases.aliases(world) != releases.BACK:
        raise AssertionError(f"nothing was rolled back: {done.told}")
    return (world.folder / "deployed.txt").stat().st_mtime - began
