"""What a second worker gains on a local Spark: the profile of a Parquet log, without Spark's start.

Needs ``make .tools/engines/installed``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.profiling.engines.test_clusters import ROOT, engine_environment

from .measure import Row

ROUNDS = 3
FILES, ROWS = 8, 500_000
DATA = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
folder, files, rows = sys.argv[1], *map(int, sys.argv[2:])
for part in range(files):
    random = np.random.default_rng(part)
    times = 1_795_132_800.0 + np.linspace(0, 86_399, rows)
    columns = {f"x{i:02}": random.normal(i, 1 + i / 10, rows) for i in range(20)}
    columns |= {f"c{i}": np.array([f"category {k}" for k in range(9)])[random.integers(0, 9, rows)] for i in range(5)}
    pq.write_table(pa.table({"time": times, **columns}), f"{folder}/part-{part}.parquet", row_group_size=131_072)
"""
PROFILE = """
import json, sys, time
from pyspark.sql import SparkSession
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.engines.spark import profile_frame
from modelwatch.profiling.plan_inference import infer_plan
from modelwatch.profiling.profiler import profile_log
from modelwatch.profiling.readers import open_log
folder, workers, rounds = sys.argv[1], *map(int, sys.argv[2:])
log = open_log(folder)
plan = infer_plan(log, MeasureSpec(time="time"))
builder = SparkSession.builder.master(f"local[{workers}]").config("spark.driver.memory", "4g")
session = builder.config("spark.ui.enabled", "false").getOrCreate()
frame = session.read.parquet(folder)
profile_frame(frame.limit(1000), plan)
seconds = []
for _ in range(rounds):
    began = time.perf_counter()
    profile = profile_frame(frame, plan)
    seconds.append(time.perf_counter() - began)
began = time.perf_counter()
assert profile_log(log, plan).rows == profile.rows
print(json.dumps([min(seconds), time.perf_counter() - began]))
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", DATA, folder, str(FILES), str(ROWS)], check=True)
        (one, _), (two, local) = (_profiled(folder, workers) for workers in (1, 2))
    count = f"{FILES * ROWS:,} × 25"
    yield Row(f"{count} on Spark, two workers", f"{two:.1f} s", f"one worker, {one:.1f} s", two / one, 0.75)
    yield Row("… and beside this process", f"{two:.1f} s", f"--engine local, {local:.1f} s", two / local, 5.0)


def _profiled(folder: str, workers: int) -> tuple[float, float]:
    """Seconds on Spark, and in that process without it."""
    environment = engine_environment() | {"PYSPARK_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROFILE, folder, str(workers), str(ROUNDS)]
    done = subprocess.run(command, env=environment, cwd=Path(ROOT), capture_output=True, text=True, check=True)
    spark, local = json.loads(done.stdout.splitlines()[-1])
    return float(spark), float(local)
