"""Offline W&B run directories, written by the real client and read by its own reader."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import BaselineKind, BaselineSpec
from modelwatch.model.series import PulledSeries
from modelwatch.sources.pull import pull_period
from modelwatch.timeutil import DAY, HOUR

from .builders import model, pull, rule, series_of, sessions, versions

NOW = float((int(time.time()) // 3600 + 1) * 3600)
"""Soon: the client logs at the real time, and what is logged later than ``NOW`` is not known yet."""
BEGIN = NOW - 2 * DAY
CLIENT = f"""
import os, sys, wandb
for number, tag in enumerate(("production", "test")):
    with wandb.init(entity="acme", project="churn", id=f"run-{{number}}", mode="offline", tags=[tag], job_type="serve",
                    group="g", config={{"model": {{"version": "v1"}}}}) as run:
        for hour in range(100):
            if hour == 60:
                run.config.update({{"model": {{"version": "v2"}}}}, allow_val_change=True)
            run.log({{"end": {BEGIN} + hour * 1800,
                     "eval": {{"accuracy": 0.9, "n": 10, "region=eu": {{"accuracy": 0.8}}}},
                     "latency/p95": float("inf") if hour == 3 else hour, "scores": wandb.Histogram([1, 2]),
                     "features/age": wandb.Histogram([1, 2, 2, hour], num_bins=4),
                     "features/plan/categories": wandb.Histogram(np_histogram=([3, 0, 1], [7, 8, 20, 21]))}})
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``wandb/offline-run-*`` of two W&B runs."""
    folder = tmp_path_factory.mktemp("offline")
    # Sessions of other tests leave their settings in this process's environment.
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    subprocess.run([sys.executable, "-c", textwrap.dedent(CLIENT)], check=True, cwd=folder, env=env, timeout=120)
    return folder / "wandb"


def read(place: Path | str, **wandb: Any) -> PulledSeries:
    rules = (
        rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),)),
        rule("latency/p95", name="latency"),
    )
    return pull(model(*rules, offline=str(place), time="end", version="model.version", **wandb), NOW, env={})


def test_what_the_client_wrote_is_what_is_read(runs: Path) -> None:
    found = read(runs, tags=("production",))
    whole = series_of(found)
    assert list(whole.times) == [BEGIN + i * 1800 for i in range(100)]
    assert set(whole.weights or ()) == {10.0}
    assert versions(whole) == ["v1"] * 60 + ["v2"] * 40
    assert len(series_of(found, region="eu")) == 100
    assert series_of(found, "latency/p95").values[3] == math.inf
    assert [deployment.version for deployment in found.deployments] == ["v1", "v2"]


def test_only_the_runs_that_match_are_read(runs: Path) -> None:
    assert len(series_of(read(runs, tags=("test",), group="g", job_type="serve"))) == 100


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"tags": ("prodution",)}, "has the tag 'prodution'. Did you mean `production`?"),
        ({"group": "h"}, "has the group 'h'. There are g."),
        ({"job_type": "train"}, "has the job_type 'train'. There are serve."),
        ({"project": "chrun"}, "is of the project acme/chrun. Did you mean `churn`?"),
    ],
)
def test_where_no_run_matches_there_is_no_series(runs: Path, other: dict[str, object], told: str) -> None:
    found = read(next(runs.glob("offline-run-*-run-0")), **other)
    assert (found.error, found.series) == ("", ())
    assert any(note.startswith("no W&B run of ") and told in note for note in found.notes)


@pytest.mark.parametrize("below", ["", "offline-run-*", "offline-run-*-run-0", "offline-run-*-run-0/run-run-0.wandb"])
def test_directories_files_and_globs_all_name_runs(runs: Path, below: str) -> None:
    place = runs / below if below else runs.parent
    assert len(series_of(read(place, tags=("production",)))) == 100


def test_a_file_that_ends_early_is_read_as_far_as_it_goes_and_told(runs: Path, tmp_path: Path) -> None:
    (log,) = runs.glob("offline-run-*-run-0/*.wandb")
    whole = log.read_bytes()
    (tmp_path / log.name).write_bytes(whole[: len(whole) // 2])
    found = read(tmp_path)
    assert 10 < len(series_of(found)) < 90
    assert any("the file ends early" in note for note in found.notes)


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.wandb").write_text("nonsense")
    assert "the W&B client cannot read this file" in read(tmp_path).error


def test_one_file_that_is_none_fails_no_other_run(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "wandb", symlinks=True)
    broken = tmp_path / "wandb" / "offline-run-20260101_000000-x" / "run-x.wandb"
    broken.parent.mkdir()
    broken.write_text("nonsense")
    found = read(tmp_path / "wandb", tags=("production",))
    assert len(series_of(found)) == 100
    assert any(note.startswith(f"left out: {broken.resolve()}: the W&B client cannot") for note in found.notes)


@pytest.mark.parametrize("size", [None, 0, 7, 60])
@pytest.mark.parametrize("alone", [True, False])
def test_a_run_that_has_written_nothing_yet_fails_nothing(
    runs: Path, tmp_path: Path, size: int | None, alone: bool
) -> None:
    """The client keeps the first records in memory: a run that just began has an empty file, or none."""
    if not alone:
        shutil.copytree(runs, tmp_path / "wandb", symlinks=True)
    begun = tmp_path / "wandb" / "offline-run-20990101_000000-x"
    begun.mkdir(parents=True)
    if size is not None:
        (log,) = runs.glob("offline-run-*-run-0/*.wandb")
        (begun / "run-x.wandb").write_bytes(log.read_bytes()[:size])
    found = read(tmp_path / "wandb", tags=("production",))
    assert found.error == ""
    assert sum(map(len, found.series)) == (0 if alone else 300)
    told = [note for note in found.notes if "nothing yet" in note]
    assert told == ([] if size is None else ["1 offline W&B run has written nothing yet"])


def test_names_that_no_offline_run_has(runs: Path) -> None:
    watched = model(rule("eval/acuracy"), offline=str(runs), time="ends", version="model.versions")
    notes = pull(watched, NOW, env={}).notes
    assert "no W&B run logs 'ends' (`wandb: {time}`), so no row counts. Did you mean `end`?" in notes
    assert any(note.endswith("in its config or history. Did you mean `model.version`?") for note in notes)
    assert any(note.startswith("no points under eval/acuracy. Did you mean `eval") for note in notes)


def test_a_place_without_runs_is_an_error(tmp_path: Path) -> None:
    assert "there is no offline W&B run here" in read(tmp_path).error


def test_one_run_of_many_for_a_baseline(runs: Path) -> None:
    watched = model(rule(), offline=str(runs), time="end")
    assert len(series_of(pull_period(watched, BEGIN, BEGIN + HOUR, sessions({}), wandb_run="run-1"))) == 3
    assert "there is no W&B run 'run-7'" in pull_period(watched, BEGIN, NOW, sessions({}), wandb_run="run-7").error


def test_a_link_to_the_latest_run_is_not_read_twice(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "wandb", symlinks=True)
    (tmp_path / "wandb" / "latest").symlink_to(next((tmp_path / "wandb").glob("offline-run-*-run-0")))
    assert len(series_of(read(tmp_path / "wandb" / "*", tags=("production",)))) == 100


def test_histograms_reach_the_rules_about_drift(runs: Path) -> None:
    drift = rule("features/*/psi", name="drift", baseline=BaselineSpec(BaselineKind.ROLLING))
    found = pull(model(drift, offline=str(runs), time="end", tags=("production",)), NOW, env={})
    assert found.error == ""
    by_feature = {dict(one.labels)["features"]: one for one in found.histograms}
    assert set(by_feature) == {"age", "plan"}
    assert len(by_feature["age"]) == len(by_feature["plan"]) == 100
    assert (list(by_feature["plan"].edges[0]), list(by_feature["plan"].counts[0])) == ([7, 8, 20, 21], [3, 0, 1])
    assert sum(by_feature["age"].counts[50]) == 4
