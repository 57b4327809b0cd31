"""The sample from which a plan is inferred."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling import plan_inference
from modelwatch.profiling.readers import open_log

from .logs import write


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_the_sample_is_spread_evenly_whether_or_not_the_rows_are_known(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_inference, "SAMPLE_ROWS", 100)
    for part in range(6):
        rows = np.arange(part * 1000, part * 1000 + 1000)
        write(pa.table({"row": rows}), tmp_path / f"{part}-{name}")
    batch = plan_inference._sample_rows(open_log(str(tmp_path)), ["row"])
    rows = np.array([int(cell) for cell in batch.column("row").to_pylist()])
    assert 50 <= len(rows) <= 100
    assert set(np.diff(rows)) == {60} if name == "log.parquet" else len(set(np.diff(rows))) <= 3
    assert np.ptp(np.histogram(rows, 6, (0, 6000))[0]) <= 2


def test_files_that_differ_in_columns_and_types_have_one_plan(tmp_path: Path) -> None:
    write(pa.table({"a": [1, 2, 3] * 50, "b": ["x", "y", "z"] * 50}), tmp_path / "1.parquet")
    write(pa.table({"a": [1.5, None, 3.0] * 50, "c": ["u", "v", None] * 50}), tmp_path / "2.parquet")
    write(pa.table({"a": [9, 8, 7] * 50, "b": ["x", "w", "z"] * 50}), tmp_path / "3.csv")
    plan = plan_inference.infer_plan(open_log(str(tmp_path)), MeasureSpec())
    kinds = {column.name: column.is_numeric for column in plan.columns}
    assert kinds == {"a": True, "b": False, "c": False}
    edges = plan.columns[0].edges
    assert edges is not None
    assert {1.0, 1.5, 9.0} <= set(edges.tolist())
    assert plan.columns[1].vocabulary == {"w", "x", "y", "z"}
    assert plan.columns[2].vocabulary == {"u", "v"}


def test_capturing_a_profile_loads_neither_pandas_nor_scipy_nor_requests(tmp_path: Path) -> None:
    cells = {"a": [1.0, None, 2.0] * 50, "b": ["x", None, "z"] * 50, "id": list(range(150)), "l": ["1", "0", None] * 50}
    write(pa.table(cells), tmp_path / "log.parquet")
    code = f"""
import sys
from modelwatch.profiling.plan_inference import infer_and_profile
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference
from modelwatch.model.prediction_log import MeasureSpec
spec = MeasureSpec(id="id", label="l", prediction="b", score="a", segments=("b",))
infer_and_profile(open_log({str(tmp_path)!r}), spec)
capture_reference(open_log({str(tmp_path)!r}), spec)
print(*sorted({{"pandas", "scipy", "wandb", "duckdb", "requests"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
