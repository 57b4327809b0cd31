"""Columns whose cells are not all of one type: everything arrives, and numbers stay numbers."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.recorder.recorder_plan import ENOUGH_CELLS
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.numeric import NumericProfile

from .recorders import START, recorded_profile, recorded_rows, recorder, write_config

PAIRS: dict[str, tuple[Any, Any]] = {
    "floats, texts": (np.arange(3.0), ["a", "b", "c"]),
    "floats, times": (np.arange(3.0), np.array(["2026-01-01"] * 3, dtype="M8[ns]")),
    "floats, mappings": (np.arange(3.0), [{"a": 1}] * 3),
    "floats, vectors": (np.arange(3.0), np.ones((3, 2))),
    "texts, vectors": (["a"] * 3, [[1, 2]] * 3),
    "vectors": ([[1, 2]] * 3, [[1.5]] * 3),
    "booleans, floats": (np.array([True] * 3), np.arange(3.0)),
    "huge, floats": (np.array([2**64 - 1] * 3, dtype=np.uint64), np.arange(3.0)),
    "integers, huge": (np.arange(3), np.array([2**64 - 1] * 3, dtype=np.uint64)),
    "decimals, floats": ([Decimal("1.5")] * 3, np.arange(3.0)),
    "objects, floats": (np.array(["a", 1, None], dtype=object), np.arange(3.0)),
    "complex, floats": (np.array([1j] * 3), np.arange(3.0)),
    "durations, floats": (np.array([1] * 3, dtype="m8[s]"), np.arange(3.0)),
    "moments, texts": ([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 3, ["a"] * 3),
    "nothing, vectors": ([None] * 3, [[1.0]] * 3),
}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {"spool": tmp_path / "spool", "folder": tmp_path / "recorded"}


@pytest.mark.parametrize("pair", PAIRS)
def test_batches_of_two_types_are_sent(folders: dict[str, Path], pair: str) -> None:
    with recorder(**folders) as made:
        for column in PAIRS[pair]:
            assert made.record_batch({"c": column}) == 3
            made.record({"c": column[0]})
        assert made.close(60.0), (folders["spool"] / "sender.log").read_text()
    rows = recorded_rows(folders["folder"])
    assert len(rows) == recorded_profile(folders["folder"]).rows == 8
    assert len({type(row["c"]) for row in rows if row["c"] is not None}) == 1


@pytest.mark.parametrize("odd", ["oops", "n/a", [1.0], {"a": 1}, b"\xff", dt.date(2026, 1, 1)])
def test_an_odd_cell_makes_no_category(folders: dict[str, Path], odd: Any) -> None:
    with recorder(**folders) as made:
        for age in (*[float(age) for age in range(50)], odd):
            made.record({"age": age}, score=age / 50 if age.__class__ is float else "none", time=START)
    age = recorded_profile(folders["folder"]).whole().columns["age"]
    assert isinstance(age, NumericProfile)
    assert (age.n, age.other_types + age.missing) == (50, 1)


@pytest.mark.parametrize("spools", [1, 2])
def test_an_odd_cell_that_comes_first_makes_no_category(folders: dict[str, Path], tmp_path: Path, spools: int) -> None:
    """Sent before the others, of the same spool or of another one."""
    parts: list[list[Any]] = [["oops"], [float(age) for age in range(100)]]
    for number, ages in enumerate(parts):
        made = recorder(tmp_path / f"spool-{number % spools}", folder=folders["folder"])
        for age in ages:
            made.record({"age": age, "plan": "pro"}, "yes", 0.5, time=START)
        assert made.close(60.0)
    config = write_config(tmp_path, f"recorder: {folders['folder']}")
    arguments = ["measure", "--config", str(config), "--no-publish", "--format", "json", "--now", str(START + 1e6)]
    found = CliRunner().invoke(group, arguments)
    assert found.exit_code == 0, found.output
    (model,) = json.loads(found.stdout)["models"]
    assert model["rows"] == 101
    assert "left out" not in found.output


def test_a_column_changes_its_type_when_most_of_its_cells_do(folders: dict[str, Path]) -> None:
    kinds = []
    for cells in (["a"], [1.0] * 3, [1.0] * 50, ["b"] * 50):
        made = recorder(**folders)
        made.record_batch({"c": cells}, time=START)
        assert made.close(60.0)
        kinds.append(json.loads((folders["spool"] / "columns.json").read_text())["kinds"]["c"])
    assert kinds == ["category", "category", "number", "number"]
    assert ENOUGH_CELLS > 1000


@pytest.mark.parametrize(
    "missing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN")]
)
def test_missing_cells_are_missing(folders: dict[str, Path], missing: Any) -> None:
    with recorder(**folders) as made:
        for plan, age in (("pro", 1.5), (missing, missing)):
            made.record({"plan": plan, "age": age}, plan, 0.5, version=plan, error=missing, time=START)
        made.record_batch({"plan": ["pro", missing], "age": [1.5, missing]}, time=START)
        made.record_batch({"plan": np.array(["pro", missing], object), "age": np.array([1.5, np.nan])}, time=START)
    rows = recorded_rows(folders["folder"])
    assert [row["plan"] for row in rows].count(None) == [row["age"] for row in rows].count(None) == 3
    assert {row["plan"] for row in rows} == {"pro", None}
    assert {row["prediction"] for row in rows} == {"pro", None}
    assert {row["error"] for row in rows} == {None}
    whole = recorded_profile(folders["folder"]).whole()
    plans, ages = whole.columns["plan"], whole.columns["age"]
    assert isinstance(plans, CategoricalProfile)
    assert isinstance(ages, NumericProfile)
    assert (plans.named_counts, plans.missing, ages.n, ages.missing) == ({"pro": 3}, 3, 3, 3)


def test_whole_numbers_are_one_category(folders: dict[str, Path]) -> None:
    with recorder(**folders) as made:
        for code in (4, 4.0, np.int64(4), np.float64(4), "4", "x", "x", "x", "x", "x", "x"):
            made.record({"code": code}, time=START)
    column = recorded_profile(folders["folder"]).whole().columns["code"]
    assert isinstance(column, CategoricalProfile)
    assert column.named_counts == {"4": 5, "x": 6}


def test_times_of_two_types(folders: dict[str, Path]) -> None:
    with recorder(**folders) as made:
        made.record({}, time=START)
        made.record_batch({"time": ["2026-11-20T06:00:00Z", None]})
    profile = recorded_profile(folders["folder"])
    assert (profile.rows, profile.undated) == (2, 1)
    assert {key.window for key in profile.cells} == {START}


def test_scores_near_the_ends_have_fine_bins(folders: dict[str, Path]) -> None:
    scores = 10.0 ** np.linspace(-8, -1, 1001)
    for side in (scores, 1.0 - scores):
        made = recorder(folders["spool"] / str(side[0]), folder=folders["folder"] / str(side[0]))
        made.record_batch({"score": side}, time=START)
        assert made.close(60.0)
        score = recorded_profile(folders["folder"] / str(side[0])).whole().columns["score"]
        assert isinstance(score, NumericProfile)
        for share in (0.1, 0.2, 0.5, 0.8):
            expected, found = np.quantile(side, share), score.quantile(share)
            assert min(found / expected, (1 - found) / (1 - expected)) == pytest.approx(1.0, rel=0.04)


def test_the_status_counts_what_has_not_arrived(folders: dict[str, Path], tmp_path: Path) -> None:
    def status() -> Any:
        found = CliRunner().invoke(group, ["recorder", "status", str(folders["spool"]), "--format", "json"])
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    folders["folder"].write_text("a file where the folder should be")
    made = recorder(**folders)
    made.record({"age": 1.0}, time=START)
    assert not made.close(60.0)
    assert (status()["waiting"], status()["sampled_waiting"]) == (0, 1)
    assert [day["sent"] for day in status()["days"].values()] == [False]
    text = CliRunner().invoke(group, ["recorder", "status", str(folders["spool"])]).output
    assert "1 sampled row for the folder" in text
    assert "waits to be sent" in text
    batch = folders["spool"] / "batch-000000009"
    batch.mkdir()
    (batch / "00000000000001-x-000001.17-0.rec").write_bytes(b"")
    assert status()["waiting"] == 17


def test_rows_that_are_left_at_the_end_are_counted(folders: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    folders["spool"].write_text("")
    made = recorder(**folders)
    for _ in range(7):
        made.record({"age": 1.0})
    assert made.record_batch({"age": np.ones(3)}) == 3
    assert not made.close(1.0)
    assert (made.stats().lost, made.stats().pending_bytes) == (10, 0)
    assert "10 rows are lost" in caplog.text
