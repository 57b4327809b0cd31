"""Columns that are no inputs: ids, times and free text are no features unless somebody names them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.input_columns import MIN_CELLS, reason_not_an_input
from modelwatch.profiling.plan_inference import infer_plan
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference

ROWS = 400
RANDOM = np.random.default_rng(5)
START = datetime(2026, 11, 20, tzinfo=UTC)
TIMES = [START + timedelta(minutes=7 * row) for row in range(ROWS)]
WORDS = np.array(["refund", "late", "thank you", "where", "order", "parcel", "never", "came", "please", "again"])


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("seen", TIMES, "it holds times"),
        ("born", [date(1980, 1, 1) + timedelta(days=row) for row in range(ROWS)], "it holds times"),
        ("seen", [time.isoformat() for time in TIMES], "it holds times"),
        ("seen", [f"{time:%Y-%m-%d %H:%M:%S} UTC" for time in TIMES], "it holds times"),
        ("event_time", [int(time.timestamp() * 1000) for time in reversed(TIMES)], "it holds times"),
        ("createdAt", [str(int(time.timestamp())) for time in reversed(TIMES)], "it holds times"),
        ("month", ["11"] * ROWS, "it holds times"),
        ("mixed", ["a", "b"] * 100 + [str(number) for number in range(50)] * 4, ""),
        (
            "mixed",
            [None, *(time.isoformat() for time in TIMES[:300]), *(f"{time:%Y%m%d}" for time in TIMES[301:])],
            "it holds times",
        ),
        ("payment", RANDOM.permutation(ROWS) + 1000, "it numbers the rows"),
        ("payment", np.arange(ROWS) * 13, "it numbers the rows"),
        ("Unnamed: 0", [str(row % 300) for row in range(ROWS)], "it numbers the rows"),
        ("customer_id", RANDOM.integers(0, 10**9, ROWS), "it numbers the rows"),
        ("session", [f"{value:032x}" for value in range(ROWS)], "most rows have a text of their own"),
        ("comment", [" ".join(RANDOM.choice(WORDS, 6)) for _ in range(ROWS)], "most rows have a text of their own"),
    ],
)
def test_columns_that_are_no_inputs(name: str, cells: Any, reason: str) -> None:
    assert reason_not_an_input(name, pa.array(cells)) == reason
    assert reason_not_an_input(name, pa.array(cells).dictionary_encode()) == reason


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("age", RANDOM.integers(18, 90, ROWS)),
        ("amount_cents", RANDOM.integers(0, 10**9, ROWS)),
        ("amount", RANDOM.lognormal(3, 1, ROWS)),
        ("amount", [f"{value:.2f}" for value in RANDOM.lognormal(3, 1, ROWS)]),
        ("hour", RANDOM.integers(0, 24, ROWS)),
        ("lead_time", RANDOM.integers(1, 30, ROWS)),
        ("customer_id", RANDOM.integers(0, 20, ROWS)),
        ("city", RANDOM.choice([f"city {place}" for place in range(100)], ROWS)),
        ("zip", [f"{place:05}" for place in RANDOM.integers(0, 150, ROWS)]),
        ("flag", RANDOM.random(ROWS) < 0.5),
        ("empty", [None] * ROWS),
        ("score", np.linspace(0, 1, ROWS)),
        ("few", [f"text {row}" for row in range(MIN_CELLS - 1)]),
    ],
)
def test_columns_that_can_be_inputs(name: str, cells: Any) -> None:
    assert reason_not_an_input(name, pa.array(cells)) == ""


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_they_are_left_out_unless_they_are_named(tmp_path: Path, suffix: str) -> None:
    columns = {"age": RANDOM.integers(18, 90, ROWS), "payment": np.arange(ROWS), "seen": [str(time) for time in TIMES]}
    path = tmp_path / f"log.{suffix}"
    if suffix == "csv":
        rows = zip(*columns.values(), strict=True)
        path.write_text("\n".join(",".join(map(str, row)) for row in [tuple(columns), *rows]))
    else:
        pq.write_table(pa.table(columns), path)
    log = open_log(str(path))
    plan = infer_plan(log, MeasureSpec(str(path)))
    assert [column.name for column in plan.columns] == ["age"]
    omitted = {"payment": "it numbers the rows", "seen": "it holds times"}
    assert dict(plan.omitted) == omitted
    profile, left_out = capture_reference(log, MeasureSpec(str(path)))
    assert (set(profile.whole().columns), left_out) == ({"age"}, omitted)
    named = MeasureSpec(str(path), features=("age", "payment"))
    assert not infer_plan(log, named).omitted
    assert set(capture_reference(log, named)[0].whole().columns) == {"age", "payment"}
