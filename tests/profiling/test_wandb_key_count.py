"""W&B limits the keys of a project: profiles travel as artifacts, and the number of scalars stays small."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.profiling.measure import measure
from modelwatch.profiling.wandb_profiles import publish
from modelwatch.stats.segmentation import MAX_VALUES
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .logs import DAY, SPEC, START, log, write

NOW = START + 2.5 * DAY
EVERY = RetryPolicy(max_attempts=1, timeout=20.0)


def logged(server: Server[WandbStandIn], place: Path, name: str, rows: int, users: int) -> dict[str, set[str]]:
    """What W&B got of a log in which ``users`` people made ``rows`` predictions: keys of scalars, of histograms, and
    names of artifacts."""
    rng = np.random.default_rng(1)
    user = [f"user-{number}" for number in rng.integers(0, users, rows)]
    remark = [f"{name} {number}" for number in rng.integers(0, 10**9, rows)]
    write(log(rows, user=user, remark=remark), place / name / "log.parquet")
    spec = replace(SPEC, files=str(place / name / "log.parquet"), segments=("region", "user"))
    model = Model(name, (), wandb=WandbSpec("acme", name, base_url=server.url), measure=spec)
    measured = measure(model, NOW, os.environ, EVERY, place)
    publish(model, measured.profile, measured.rows, os.environ, EVERY)
    runs = list(server.standin.state.projects["acme", name].runs.values())
    cells = [(key, value) for run in runs for row in run.history.rows for key, value in row.items()]
    return {
        "scalars": {key for key, value in cells if isinstance(value, int | float)},
        "histograms": {key for key, value in cells if isinstance(value, dict)},
        "artifacts": set(server.standin.snapshot()[f"acme/{name}"]["artifacts"]),
    }


def test_scalars_stay_few_however_many_rows_people_and_texts(
    wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    few = logged(wandb_server, tmp_path, "few", 4_000, 60)
    many = logged(wandb_server, tmp_path, "many", 24_000, 5_000)
    people = [{key for key in found["scalars"] if "/user=" in key} for found in (few, many)]
    assert all(len({key.split("/")[1] for key in keys}) <= MAX_VALUES + 2 for keys in people)
    assert len(many["scalars"]) <= len(few["scalars"])
    assert len(many["scalars"]) < 1_000
    assert len(many["histograms"]) == len(few["histograms"]) < 20
    assert len(many["artifacts"]) == len(few["artifacts"]) == 3, "one profile a W&B run holds everything else"
