"""What it costs to start: ``modelwatch --help``, and a check of one healthy model."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .fleet import environment, seed, write_config
from .measure import Row, best, process, python

ROUNDS = 10
COMMAND = str(Path(sys.executable).parent / "modelwatch")

BARE_READS = """
import json, wandb
api = wandb.Api()
for run in api.runs("acme/m000", filters={"tags": {"$in": ["production"]}}, order="-heartbeat_at", lazy=False):
    for row in run.scan_history(use_cache=False):
        pass
"""


def rows() -> Iterator[Row]:
    """The two figures."""
    bare, ours = best(
        ROUNDS * 2, lambda: python("import click"), lambda: process([COMMAND, "--help"], dict(os.environ))
    )
    yield Row(
        "modelwatch --help",
        f"{ours.seconds * 1000:.0f} ms",
        f"python -c 'import click', {bare.seconds * 1000:.0f} ms",
        ours.seconds / bare.seconds,
        1.5,
    )
    yield _healthy_check()


def _healthy_check() -> Row:
    with tempfile.TemporaryDirectory() as name, Server(WandbStandIn()) as server:
        folder = Path(name)
        seed(server.standin.state, 1, time.time())
        config = write_config(folder, 1)
        env = environment(server.url, folder)
        _require_healthy(config, env, folder)
        bare, ours = best(
            ROUNDS,
            lambda: python(BARE_READS, env, folder),
            lambda: process([COMMAND, "check", "--config", str(config)], env, folder),
        )
    return Row(
        "check of one healthy model",
        f"{ours.seconds:.2f} s",
        f"import wandb, Api() and the same reads, {bare.seconds:.2f} s",
        ours.seconds / bare.seconds,
        1.25,
    )


def _require_healthy(config: Path, env: Mapping[str, str], folder: Path) -> None:
    """What is measured has to be what the row says: a model with recent data, and nothing firing."""
    command = [COMMAND, "check", "--config", str(config), "--exit-code"]
    done = subprocess.run(command, env=dict(env), cwd=folder, capture_output=True, text=True, check=True)
    if "1 healthy" not in done.stdout:
        raise RuntimeError(f"the model of this figure is not healthy:\n{done.stdout}")
