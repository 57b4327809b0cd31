"""From a critical alert to the version before: what we take of the minutes, people and GitHub's queues left out.

Whole processes against services on loopback, with everything installed: the evaluation that finds the alert and tells,
the one that answers the approval and dispatches, and the rollback, until the user's deploy command begins.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.release_world import World, open_world
from tests.e2e.workplace import ROOT

from .measure import Row

ROUNDS = 3
PROMISED = 60.0
DEPLOY = """\
#!/usr/bin/env bash
date +%s.%N >"$E2E_PRODUCTION.began"
printf '%s\\n' "$MODELWATCH_VERB $MODELWATCH_VERSION $MODELWATCH_PERCENT" >>"$E2E_PRODUCTION"
"""


@dataclass(frozen=True, slots=True)
class Split:
    """Seconds."""

    tell: float
    answer: float
    rollback: float

    @property
    def whole(self) -> float:
        return self.tell + self.answer + self.rollback


def rows() -> Iterator[Row]:
    """One figure: the whole, with its parts beside the promise."""
    best = min((_once() for _ in range(ROUNDS)), key=lambda split: split.whole)
    parts = f"tell {best.tell:.1f} s, answer {best.answer:.1f} s, roll back {best.rollback:.1f} s"
    yield Row(
        "alert to alias moved and deploy begun",
        f"{best.whole:.1f} s",
        f"promised {PROMISED:.0f} s; {parts}",
        best.whole / PROMISED,
        1.0,
    )


def _once() -> Split:
    with tempfile.TemporaryDirectory() as name, open_world(Path(name), ROOT) as world:
        world.github.standin.state.executor = None
        (world.workplace.repository / "deploy.sh").write_text(DEPLOY)
        world.breaks()
        tell = _modelwatch(world, "run")
        world.comments("alice", "/modelwatch approve")
        answer = _modelwatch(world, "run")
        (dispatched,) = world.dispatched()
        inputs = dispatched.payload["inputs"]
        given = [f"--key={inputs['key']}", f"--from={inputs['version']}", f"--issue={inputs['issue']}"]
        began = time.time()
        _modelwatch(world, "release", "rollback", *given, "--", inputs["target_version"])
        assert world.held()["production"] == "v1"
        assert world.deployed()[-1] == "rollback v1 100"
        rollback = float((world.workplace.folder / "production.began").read_text()) - began
    return Split(tell, answer, rollback)


def _modelwatch(world: World, *words: str) -> float:
    """Seconds of one process. Raises where it fails."""
    place = world.workplace
    command = [place.env["MODELWATCH_PYTHON"], "-I", str(ROOT / "actions/_lib/launch.py"), *words]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(place.folder), **place.env, **place.secrets}
    env["CLUSTER_PASSWORD"] = "of-the-bench"
    began = time.perf_counter()
    done = subprocess.run(command, cwd=place.repository, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began
