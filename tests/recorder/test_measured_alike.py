"""What recorders count is what ``measure`` counts in the same rows, to the last digit, and what rules judge."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.errors import UserError
from modelwatch.model.monitored_model import Model
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.window_selection import WindowSelection
from modelwatch.recorder import Recorder

from .recorders import DAY, START

NOW = START + 3 * DAY
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    measure:
      {recorder: recorded, id: id, time: time, version: version, score: score, prediction: prediction,
       segments: [region], reference: reference.npz, window: 6h, operations: {latency: latency, error: error}}
    rules:
      - {name: rows, kind: data-quality, metric: quality/rows, tiers: {warning: {below: 1}}}
"""


def table(rows: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "age": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(40, 10, rows)),
        "count": rng.integers(0, 9, rows),
        "plan": rng.choice(["free", "pro", "team"], rows).tolist(),
        "region": rng.choice(["eu", "na"], rows).tolist(),
        "score": rng.random(rows),
        "prediction": rng.choice(["yes", "no"], rows).tolist(),
    }


@pytest.fixture
def model(tmp_path: Path) -> Model:
    pq.write_table(pa.table(table(3000, 1)), tmp_path / "training.parquet")
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    capture(tmp_path, "training.parquet")
    return load_config(tmp_path / "modelwatch.yml", {}).models[0]


def capture(folder: Path, name: str) -> None:
    arguments = ["baseline", "capture", "--model", "churn", "--from-table", str(folder / name)]
    options = ["--out", str(folder / "reference.npz"), "--config", str(folder / "modelwatch.yml")]
    found = CliRunner().invoke(group, [*arguments, *options])
    assert found.exit_code == 0, found.output


def record(folder: Path, replicas: int = 3, begin: int = 0) -> None:
    """Rows one by one and in columns, by several replicas."""
    for replica in range(begin, begin + replicas):
        config = folder / "modelwatch.yml"
        spool, version = folder / f"spool-{replica}", f"v{replica % 2}"
        made = Recorder.from_config(config, "churn", spool=spool, serving_version=version)
        columns = table(400, 10 + replica)
        times = START + np.linspace(0, 2 * DAY - 1, 400)
        batch = {name: column[:200] for name, column in columns.items()}
        made.record_batch({**batch, "time": times[:200], "id": [f"{replica}-{row}" for row in range(200)]}, latency=0.1)
        for row in range(200, 400):
            features = {name: columns[name][row] for name in ("age", "count", "plan", "region")}
            answer = columns["prediction"][row], columns["score"][row]
            error = "Timeout" if row % 50 == 0 else None
            made.record(features, *answer, id=f"{replica}-{row}", time=times[row], latency=0.2, error=error)
        assert made.close(60.0), (spool / "sender.log").read_text()


def measured(model: Model, folder: Path, selection: WindowSelection | None = None) -> MeasureResult:
    return measure(model, NOW, os.environ, RetryPolicy(), folder / "scratch", selection)


def of_rows(model: Model, folder: Path) -> Model:
    assert model.measure is not None
    return replace(model, measure=replace(model.measure, recorder="", files=str(folder / "recorded" / "sample")))


def test_profiles_of_replicas_are_those_of_their_rows(model: Model, tmp_path: Path) -> None:
    record(tmp_path)
    recorded, read = measured(model, tmp_path), measured(of_rows(model, tmp_path), tmp_path)
    assert recorded.profile.rows == read.profile.rows == 1200
    assert len(recorded.rows) == len(read.rows) == 16, "two versions in eight windows"
    for ours, theirs in zip(recorded.rows, read.rows, strict=True):
        assert (ours.time, ours.version, ours.window) == (theirs.time, theirs.version, theirs.window)
        # Files of rows are counted where files are read, and lost rows where recorders counted.
        apart = {"quality/lost_rows", "quality/unreadable_files"}
        assert {name: value for name, value in ours.scalars.items() if name not in apart} == {
            name: value for name, value in theirs.scalars.items() if name not in apart
        }
        some = {
            "features/age/p50",
            "latency/p95",
            "errors/rate",
            "quality/region=eu/rows",
            "quality/feature=age/missing_rate",
        }
        assert ours.scalars.keys() > some
        assert {"features/age", "features/plan/categories"} <= ours.histograms.keys()
        assert ours.histograms.keys() == theirs.histograms.keys()
        for name, (counts, edges) in ours.histograms.items():
            assert np.array_equal(counts, theirs.histograms[name][0])
            assert np.array_equal(edges, theirs.histograms[name][1])


def test_windows_are_selected_as_those_of_a_log(model: Model, tmp_path: Path) -> None:
    record(tmp_path, replicas=1)
    for selection in (WindowSelection(since=START + DAY + 3600), WindowSelection(until=START + DAY / 2)):
        recorded = measured(model, tmp_path, selection)
        read = measured(of_rows(model, tmp_path), tmp_path, selection)
        assert recorded.profile.cells.keys() == read.profile.cells.keys()
        assert 0 < len(recorded.rows) < 8


@pytest.mark.parametrize("round", range(3))
def test_of_two_references_the_newest_counts(model: Model, tmp_path: Path, round: int) -> None:
    """Profiles of both cannot be added; parts have random names, so that their order must not decide."""
    record(tmp_path, replicas=1)
    old = {path.name for path in (tmp_path / "recorded" / "profiles").iterdir()}
    pq.write_table(pa.table(table(3000, 99 + round)), tmp_path / "training.parquet")
    capture(tmp_path, "training.parquet")
    record(tmp_path, replicas=1)  # in the same spool: another part of the same days
    assert len(old) == 2
    assert len(list((tmp_path / "recorded" / "profiles").iterdir())) == 4
    result = measured(model, tmp_path)
    assert result.profile.rows == 400
    (note,) = (note for note in result.notes if "counted in other bins" in note)
    assert "2 profiles" in note
    assert all(Path(name).stem in note for name in old)


@pytest.mark.parametrize("calibration", [False, True])
@pytest.mark.parametrize("words", [(0, 1), (0.0, 1.0), (False, True), ("no", "yes"), ("a", "b")])
@pytest.mark.parametrize("share", [0.4, 0.0])
def test_predictions_of_two_classes_without_a_reference(
    tmp_path: Path, words: tuple[Any, Any], calibration: bool, share: float
) -> None:
    """As the same rows give them, also on a day on which one class has not been predicted."""
    text = CONFIG.replace("reference: reference.npz, window: 6h", f"calibration: {'on' if calibration else 'off'}")
    (tmp_path / "modelwatch.yml").write_text(text)
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    rng = np.random.default_rng(3)
    spool = tmp_path / "spool"
    for day, part in enumerate((share, 0.7)):
        made = Recorder("churn", folder=tmp_path / "recorded", spool=spool, segments=["region"], serving_version="v1")
        for row in range(300):
            answer = words[int(rng.random() < part)], float(rng.random())
            features = {"region": "eu" if row % 2 else "na"}
            made.record(features, *answer, time=START + day * DAY + row, latency=0.1)
        assert made.close(60.0)
    recorded, read = measured(model, tmp_path), measured(of_rows(model, tmp_path), tmp_path)
    assert len(recorded.rows) == len(read.rows) == 2
    approximate = ("predictions/score/",)
    for ours, theirs in zip(recorded.rows, read.rows, strict=True):
        predicted = [{k: v for k, v in row.scalars.items() if k.startswith("predictions/")} for row in (ours, theirs)]
        assert predicted[0].keys() == predicted[1].keys()
        for key, value in predicted[0].items():
            exact = not key.startswith(approximate) and (calibration or "positive_rate" in key or key.endswith("_n"))
            tolerance = 1e-12 if exact else 0.002
            assert value == pytest.approx(predicted[1][key], rel=tolerance, abs=tolerance)
        assert ours.histograms.keys() == theirs.histograms.keys()
    keys = recorded.rows[1].scalars.keys()
    assert ("predictions/positive_rate" in keys) == (words != ("a", "b"))
    assert ("predictions/region=eu/confidence" in keys) == calibration
    assert ("predictions/region=eu/positive_rate" in keys) == (calibration and words != ("a", "b"))


def test_numbers_stay_numbers_where_they_are_predicted(tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(CONFIG.replace("reference: reference.npz, ", ""))
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    made = Recorder("churn", folder=tmp_path / "recorded", spool=tmp_path / "spool", serving_version="v1")
    for row in range(300):
        made.record({}, 200.0 + row, time=START)
    assert made.close(60.0)
    (found,) = measured(model, tmp_path).rows
    assert found.scalars["predictions/prediction/p50"] == pytest.approx(349.5, rel=0.03)


def test_three_classes_have_no_positive_rate(tmp_path: Path) -> None:
    """Also where the third comes later than the others."""
    (tmp_path / "modelwatch.yml").write_text(CONFIG.replace("reference: reference.npz, ", ""))
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    for number, words in enumerate((["no", "yes"], ["maybe"])):
        made = Recorder("churn", folder=tmp_path / "recorded", spool=tmp_path / "spool", serving_version="v1")
        for word in words * 100:
            made.record({}, word, time=START + number)
        assert made.close(60.0)
    (row,) = measured(model, tmp_path).rows
    assert "predictions/positive_rate" not in row.scalars


def test_a_reference_that_the_recorder_lacks(model: Model, tmp_path: Path) -> None:
    """Is told, not computed with, and what a recorder with the reference counts is measured."""
    made = Recorder("churn", folder=tmp_path / "recorded", spool=tmp_path / "other", serving_version="v1")
    for row in range(50):
        made.record({"age": float(row), "plan": "pro"}, "yes", 0.5, time=START + row)
    assert made.close(60.0)
    command = ["measure", "--config", str(tmp_path / "modelwatch.yml"), "--no-publish", "--now", str(NOW)]
    found = CliRunner().invoke(group, command)
    assert isinstance(found.exception, UserError)
    assert found.exception.exit_code == 2
    assert "1 recorded profile was counted without the reference" in str(found.exception)
    assert "Recorder.from_config" in str(found.exception)
    record(tmp_path, replicas=1)
    result = measured(model, tmp_path)
    assert result.profile.rows == 400
    assert any("1 profiles were counted in other bins" in note for note in result.notes)


def test_a_folder_without_profiles(model: Model, tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    assert measured(model, tmp_path).profile.rows == 0
