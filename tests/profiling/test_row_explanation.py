"""The search for the segment of a drop, from the rows of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.errors import UserError

from .logs import DAY, START, log, write

ROWS = 8000
CONFIG = """
version: 1
models:
  - name: churn
    table: {path: none.csv}
    measure: {files: log.parquet, id: id, time: time, label: label, prediction: prediction, segments: [region, device]}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, tiers: {warning: {below: 0.5}}}
"""


def explained(folder: Path, *more: str, **columns: Any) -> str:
    write(log(ROWS, days=4, **columns), folder / "log.parquet")
    (folder / "modelwatch.yml").write_text(CONFIG)
    given = ["--config", str(folder / "modelwatch.yml"), "--now", str(START + 4 * DAY), "--model", "churn"]
    found = CliRunner().invoke(group, ["explain", *given, *more])
    assert found.exception is None or isinstance(found.exception, UserError), found.output
    return found.output or str(found.exception)


def world(bad: float) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    columns = {"region": rng.choice(["eu", "na"], ROWS), "device": rng.choice(["ios", "web", "tv"], ROWS)}
    late = np.linspace(0, 4, ROWS) >= 3
    broken = late & (columns["region"] == "na") & (columns["device"] == "ios")
    label = rng.random(ROWS) < 0.5
    right = rng.random(ROWS) < np.where(broken, bad, 0.9)
    columns |= {"label": label.astype(int), "prediction": np.where(right, label, ~label).astype(int)}
    return columns


def test_the_crossing_that_broke_is_named(tmp_path: Path) -> None:
    told = explained(tmp_path, **world(0.3)).splitlines()
    assert told[0].startswith("accuracy: 0.8968 to 0.8115 ")
    assert told[0].endswith("(6,000 rows before, 2,000 after)")
    assert told[1].startswith("Significantly worse than the others, of ")
    assert told[2].startswith("  device=ios, region=na: 0.9")
    assert told[2].endswith("p < 0.001")


def test_a_long_text_is_told_by_its_beginning(tmp_path: Path) -> None:
    columns = world(0.3)
    columns["device"] = np.where(columns["device"] == "ios", "a long story " * 30, columns["device"])
    told = explained(tmp_path, **columns).splitlines()
    assert told[2].startswith("  device=a long story a long story ")
    assert "~" in told[2]
    assert all(len(line) < 250 for line in told)


def test_nothing_is_named_where_nothing_broke(tmp_path: Path) -> None:
    assert "No segment is significantly worse than the others" in explained(tmp_path, **world(0.9))


def test_numbers_are_explained_by_their_squared_error(tmp_path: Path) -> None:
    columns = world(0.9)
    rng = np.random.default_rng(3)
    late = (np.linspace(0, 4, ROWS) >= 3) & (columns["device"] == "tv")
    columns["label"] = rng.normal(100, 10, ROWS)
    columns["prediction"] = columns["label"] + rng.normal(0, np.where(late, 4.0, 1.0))
    told = explained(tmp_path, **columns).splitlines()
    assert told[0].startswith("squared error: ")
    assert told[2].startswith("  device=tv: ")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--since", "2026-12-01"], "not in order"),
        (["--before", "2026-01-01", "--since", "2026-02-01"], "reference period has no row"),
    ],
)
def test_what_cannot_be_explained_is_told(more: list[str], told: str, tmp_path: Path) -> None:
    assert told in explained(tmp_path, *more, **world(0.9))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": ["a", "b"] * (ROWS // 2), "prediction": ["x", "y"] * (ROWS // 2)}, "no prediction is ever a label"),
        ({"time": ["soon"] * ROWS}, "no row has a time that can be read in column 'time', such as 'soon'"),
    ],
)
def test_what_measure_refuses_is_refused_here(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    assert said in explained(tmp_path, **world(0.9) | columns)


@pytest.mark.parametrize(
    ("word", "dropped", "said"),
    [("pending", False, "taken as missing"), ("9", True, "they count as wrong predictions")],
)
def test_late_labels_that_are_none(tmp_path: Path, word: str, dropped: bool, said: str) -> None:
    """Half of the last day's labels in one region are not known yet."""
    columns = world(0.9)
    late = (np.linspace(0, 4, ROWS) >= 3) & (columns["region"] == "na") & (np.arange(ROWS) % 2 == 0)
    columns["label"] = np.where(late, word, columns["label"].astype(str))
    told = explained(tmp_path, **columns)
    assert f"churn: {late.sum()} labels are {word!r}, which no prediction ever is: {said}." in told
    assert ("Significantly worse than the others" in told) is dropped


def test_files_that_differ_or_are_broken(tmp_path: Path) -> None:
    columns = world(0.2)
    write(log(ROWS, days=4, **columns).drop_columns(["prediction", "device"]), tmp_path / "logs/a.parquet")
    write(log(ROWS, days=4, **columns), tmp_path / "logs/b.parquet")
    (tmp_path / "logs/c.parquet").write_bytes(b"PAR1 broken")
    (tmp_path / "modelwatch.yml").write_text(CONFIG.replace("log.parquet", "logs"))
    given = ["--config", str(tmp_path / "modelwatch.yml"), "--now", str(START + 4 * DAY), "--model", "churn"]
    found = CliRunner().invoke(group, ["explain", *given])
    assert "left out: " in found.stderr
    assert "c.parquet: this is not a readable Parquet file" in found.stderr
    assert found.stdout == explained(tmp_path, **columns)
