"""A fleet of healthy models in a W&B stand-in that takes 50 ms a call, read side by side and one after another."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.testing.standins.wandb.state import WandbState
from modelwatch.timeutil import DAY, HOUR

from .measure import Row, python

MODELS = 100
DAYS = 10
DELAY = 0.05

CONFIG = """\
version: 1
defaults:
  history: 7d
models:
"""
MODEL = """\
  - name: {name}
    owner: "@acme/ml"
    wandb: {{entity: acme, project: {name}, runs: {{tags: production}}, version: model_version}}
    github: {{repository: acme/models}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 24h
        every: 1h
        baseline: {{value: 0.9, n: 100000}}
        tiers: {{warning: {{drop: 2%}}, error: {{drop: 5%}}}}
"""

SIDE_BY_SIDE = """
import os, sys, time
from pathlib import Path
from modelwatch import pipeline
from modelwatch.config.loader import load_config
from modelwatch.clients.wandb import WandbSessions
from modelwatch.sources.pull import pull_all
import wandb
wandb.Api()
config = load_config(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.environ["BENCH_CONFIG"]), os.environ)
workers = int(os.environ["BENCH_WORKERS"])
began = time.perf_counter()
if workers == 1:
    pulls = {}
    for model in config.models:
        pulls |= pull_all([model], float(os.environ["BENCH_NOW"]), WandbSessions(os.environ), workers=1)
else:
    pulls = pull_all(config.models, float(os.environ["BENCH_NOW"]), WandbSessions(os.environ))
assert all(not pull.error and pull.series for pull in pulls.values()), next(iter(pulls.values()))
Path(os.environ["BENCH_OUT"]).write_text(str(time.perf_counter() - began))
"""


def seed(state: WandbState, models: int, now: float, days: int = DAYS) -> None:
    """One W&B run a day for each model, the last one of the 24 hours before ``now``: an hourly accuracy around 0.9."""
    random = Random(1)
    end = now // HOUR * HOUR
    for place in range(models):
        for back in range(days, 0, -1):
            start = end - (back - 1) * DAY
            history = [
                {
                    "_timestamp": start - DAY + hour * HOUR,
                    "_step": hour,
                    "eval/accuracy": 0.9 + random.uniform(-0.01, 0.01),
                    "eval/n": 1000,
                }
                for hour in range(24)
            ]
            state.add_run(
                "acme",
                f"m{place:03}",
                f"day-{back}",
                config={"model_version": "v1"},
                tags=["production"],
                history=history,
                created_at=start - DAY,
                heartbeat_at=start,
            )


def write_config(folder: Path, models: int) -> Path:
    path = folder / "modelwatch.yml"
    path.write_text(CONFIG + "".join(MODEL.format(name=f"m{place:03}") for place in range(models)), "utf-8")
    return path


def environment(url: str, folder: Path) -> dict[str, str]:
    """For a client of the stand-in at ``url``; its files go to ``folder``."""
    places = {f"WANDB_{name}_DIR": str(folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return (
        kept
        | places
        | {
            "WANDB_BASE_URL": url,
            "WANDB_API_KEY": "k" * 40,
            "WANDB_DIR": str(folder),
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
        }
    )


def rows() -> Iterator[Row]:
    """Time side by side against one after another, and the memory of the former."""
    with tempfile.TemporaryDirectory() as name, Server(WandbStandIn(), delay=DELAY) as server:
        folder = Path(name)
        now = time.time()
        seed(server.standin.state, MODELS, now)
        config = write_config(folder, MODELS)
        env = environment(server.url, folder) | {"BENCH_CONFIG": str(config), "BENCH_NOW": str(now)}
        taken = {}
        for workers in (1, 16):
            out = folder / f"seconds-{workers}"
            spent = python(SIDE_BY_SIDE, env | {"BENCH_WORKERS": str(workers), "BENCH_OUT": str(out)}, folder)
            taken[workers] = (float(out.read_text()), spent.mebibytes)
    yield Row(
        f"{MODELS} models, W&B at 50 ms a call",
        f"{taken[16][0]:.1f} s",
        f"one after another, {taken[1][0]:.1f} s",
        taken[16][0] / taken[1][0],
        0.2,
    )
    yield Row("  peak memory", f"{taken[16][1]:.0f} MiB", "600 MB", taken[16][1] * 1.048576 / 600, 1.0)
