"""The page "Past one machine": its job and its notebook cells run on a local Spark, and W&B gets the metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt

from modelwatch.testing.standins.servers import serve_all

from ..logs import log, write
from .test_clusters import ROOT, engine_environment

PAGE = (ROOT / ".github/PAST-ONE-MACHINE.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
JOB, CELL, FRAME = (content for info, content in BLOCKS if info == "python")
(CONFIG,) = (content for info, content in BLOCKS if info == "yaml")
SPARK_SUBMIT = ROOT / ".tools/engines/packages/pyspark/bin/spark-submit"
VIEW = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[2]").getOrCreate()
"""
ROWS = 1200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A serving log and its outcomes under the names of the page; the log is of the stand-ins' past."""
    table = log(ROWS).rename_columns(
        ["request_id", "time", "version", "age", "income", "plan", "signed", "region", "score", "predicted", "churned"]
    )
    labels = table.select(["request_id", "churned"]).append_column("known_at", table["time"])
    write(labels, tmp_path / "labels" / "part.parquet")
    day = pa.array(["2999-01-01"] * ROWS).cast(pa.date32())
    write(table.drop_columns(["churned"]).append_column("day", day), tmp_path / "serving_log" / "part.parquet")
    write(table, tmp_path / "training.parquet")
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def env(folder: Path) -> Iterator[dict[str, str]]:
    with serve_all() as variables:
        yield engine_environment() | variables | {"HOME": str(folder), "PYSPARK_PYTHON": sys.executable}


def run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


@pytest.mark.timeout(300)
def test_the_job_that_is_submitted(folder: Path, env: dict[str, str]) -> None:
    (folder / "measure_churn.py").write_text(VIEW + CELL.splitlines()[2] + "\n" + JOB)
    told = run([str(SPARK_SUBMIT), "--master", "local[2]", "measure_churn.py"], folder, env)
    assert f"churn: {ROWS:,} rows, 3 windows; two classes, 'yes' is positive" in told
    assert "acme/churn-prod" in told


@pytest.mark.timeout(300)
def test_the_cells_of_the_notebook(folder: Path, env: dict[str, str]) -> None:
    capture = ["baseline", "capture", "--model", "churn", "--from-table", "training.parquet", "--out", "churn.npz"]
    run([sys.executable, "-m", "modelwatch", *capture], folder, env)
    told = run([sys.executable, "-c", VIEW + CELL + FRAME], folder, env)
    assert f"churn: {ROWS:,} rows, 3 windows; two classes, 'yes' is positive" in told
    assert f"{ROWS} rows in 2 windows" in told


def test_every_engine_has_a_row() -> None:
    for name in ("local", "spark", "dask", "ray"):
        assert f"| `{name}` |" in PAGE
    assert os.access(SPARK_SUBMIT, os.X_OK)
