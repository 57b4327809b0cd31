"""Weighted performance of a log in which labels are chosen by the score, as measure publishes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.measure import MeasureResult, measure

from .logs import DAY, START, write


def selective_log(rows: int, *, chosen: bool = True, gap: bool = False, seed: int = 3) -> pa.Table:
    """Two days. High scores are hardly ever labelled (``chosen``), in na even less; ``gap``: never in na."""
    rng = np.random.default_rng(seed)
    scores, region = rng.random(rows), rng.choice(["eu", "na"], rows)
    positive = rng.random(rows) < 0.1 + 0.6 * scores
    chance = np.where(region == "na", 0.45, 0.95) - 0.4 * scores if chosen else np.full(rows, 0.4)
    labelled = (rng.random(rows) < chance) & ~((region == "na") & (scores > 0.9) & gap)
    columns: dict[str, Any] = {
        "id": [f"row-{row}" for row in range(rows)],
        "time": START + np.linspace(0, 2 * DAY - 1, rows),
        "score": scores,
        "prediction": np.where(scores > 0.5, "yes", "no"),
        "region": region,
        "label": pa.array(np.where(positive, "yes", "no"), mask=~labelled),
    }
    return pa.table(columns)


def measured(place: Path, table: pa.Table, **more: Any) -> MeasureResult:
    write(table, place / "log.parquet")
    columns: dict[str, Any] = {name: name for name in ("id", "time", "score", "prediction", "label")}
    columns |= {"files": str(place / "log.parquet"), "segments": ("region",), "metrics": ("accuracy", "auc", "recall")}
    spec = MeasureSpec(**columns, **more)
    return measure(Model("m", (), measure=spec), START + 3 * DAY, {}, RetryPolicy(), place)


def test_weighted_metrics_are_nearer_to_the_truth_and_it_says_so(tmp_path: Path) -> None:
    full = measured(tmp_path, selective_log(40_000, chosen=False).set_column(5, "label", truth(40_000)))
    result = measured(tmp_path, selective_log(40_000), weighted=True)
    for row, known in zip(result.rows, full.rows, strict=True):
        for name in ("accuracy", "auc", "recall"):
            wanted = known.scalars[f"eval/{name}"]
            found = row.scalars[f"weighted/{name}"]
            assert abs(found - wanted) < abs(row.scalars[f"eval/{name}"] - wanted) + 0.005
            assert row.scalars[f"weighted/{name}/low"] < found < row.scalars[f"weighted/{name}/high"]
        assert 1000 < row.scalars["weighted/n"] < row.scalars["eval/n"]
    assert any(note.startswith("labels are selective: accuracy is") for note in result.notes)
    first = result.rows[0].scalars
    assert first["labels/region=na/coverage"] < first["labels/region=eu/coverage"]
    assert first["labels/decile=10/coverage"] < first["labels/decile=01/coverage"] - 0.2


def truth(rows: int) -> pa.Array:
    rng = np.random.default_rng(3)
    scores, _ = rng.random(rows), rng.choice(["eu", "na"], rows)
    return pa.array(np.where(rng.random(rows) < 0.1 + 0.6 * scores, "yes", "no"))


def test_labels_by_chance_and_no_labels_raise_no_note(tmp_path: Path) -> None:
    fair = measured(tmp_path, selective_log(20_000, chosen=False), weighted=True)
    assert not any("selective" in note or "without any label" in note for note in fair.notes)
    table = selective_log(2000)
    nothing = measured(tmp_path, table.set_column(5, "label", pa.nulls(2000, pa.string())), weighted=True)
    assert not any(key.startswith("weighted/") for row in nothing.rows for key in row.scalars)


def test_cells_that_nobody_labels_are_said(tmp_path: Path) -> None:
    result = measured(tmp_path, selective_log(20_000, gap=True), weighted=True)
    assert any("cells of score and segment without any label" in note for note in result.notes)
    assert result.rows[0].scalars["weighted/uncovered_share"] == pytest.approx(0.05, abs=0.01)


def test_it_is_off_by_default(tmp_path: Path) -> None:
    result = measured(tmp_path, selective_log(2000))
    assert not any(key.startswith("weighted/") for row in result.rows for key in row.scalars)


def test_numbers_are_weighted_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    truth_values, rows = rng.normal(100, 20, 8000), 8000
    table = pa.table(
        {
            "id": [f"row-{row}" for row in range(rows)],
            "time": START + np.linspace(0, 2 * DAY - 1, rows),
            "prediction": truth_values + rng.normal(3, 5, rows),
            "region": rng.choice(["eu", "na"], rows),
            "label": pa.array(truth_values, mask=rng.random(rows) > 0.5),
        }
    )
    write(table, tmp_path / "log.parquet")
    spec = MeasureSpec(
        files=str(tmp_path / "log.parquet"),
        id="id",
        time="time",
        prediction="prediction",
        label="label",
        segments=("region",),
        weighted=True,
    )
    result = measure(Model("m", (), measure=spec), START + 3 * DAY, {}, RetryPolicy(), tmp_path)
    scalars = result.rows[0].scalars
    for name in ("mae", "rmse", "bias"):
        assert scalars[f"weighted/{name}"] == pytest.approx(scalars[f"eval/{name}"], abs=0.2)
