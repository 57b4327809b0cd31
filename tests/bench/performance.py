"""Metrics of fifty segments, and the search for the worst segment, over a million rows."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, best, python

METRICS = """
import json, os, sys, time
import numpy as np, pyarrow as pa
from modelwatch.profiling.profiler import profile_batches
from modelwatch.profiling.performance import performance_metrics
from modelwatch.profiling.plan_inference import infer_plan_from_sample
from modelwatch.model.prediction_log import METRICS, MeasureSpec
ROWS, SEGMENTS = 1_000_000, 50
rng = np.random.default_rng(7)
names = np.array([f"s{place:02}" for place in range(SEGMENTS)])
label = rng.random(ROWS) < 0.3
score = np.clip(0.35 + 0.25 * label + rng.normal(0, 0.15, ROWS), 0, 1)
log = pa.table({"segment": names[rng.integers(0, SEGMENTS, ROWS)], "label": label.astype(int), "score": score,
                "prediction": (score > 0.5).astype(int)})
spec = MeasureSpec(label="label", prediction="prediction", score="score", segments=("segment",), metrics=METRICS)
began = time.perf_counter()
batches = log.to_batches(1 << 15)
plan = infer_plan_from_sample(log.slice(0, 200_000).combine_chunks().to_batches()[0], log.column_names, spec)
profile = profile_batches(batches, plan)
cells = profile.cells.items()
told = {key: value for cell, table in cells for key, value in performance_metrics(table, cell.segment, spec)}
seconds = time.perf_counter() - began
assert len(profile.cells) == SEGMENTS + 1 and sum("/auc" in key for key in told) >= SEGMENTS + 1
"""

SEARCH = """
import json, os, time
import numpy as np
from modelwatch.stats.segmentation import encode_columns
from modelwatch.stats.segment_search import search_segments
ROWS = 1_000_000
rng = np.random.default_rng(7)
names = [np.array([f"v{value}" for value in range(count)], dtype=object) for count in (4, 6, 10, 20, 50)]
table = {f"c{place}": some[rng.integers(0, len(some), 2 * ROWS)] for place, some in enumerate(names)}
table["age"] = rng.normal(40, 10, 2 * ROWS)
after = np.repeat([False, True], ROWS)
bad = after & (table["c1"] == "v2") & (table["c2"] == "v3")
right = (rng.random(2 * ROWS) < np.where(bad, 0.8, 0.9)).astype(float)
began = time.perf_counter()
found = search_segments(encode_columns(table), right, after)
seconds = time.perf_counter() - began
culprit = found.significant_suspect()
assert culprit is not None and culprit.segment == (("c1", "v2"), ("c2", "v3")), culprit
"""

TELL = """
import resource
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
open(os.environ["BENCH_OUT"], "w").write(json.dumps([seconds, memory]))
"""


def rows() -> Iterator[Row]:
    """From columns in memory to every metric of every segment; the search looks at a million rows on either side."""
    seconds = _seconds(METRICS)
    yield Row("metrics, 50 segments, 1M rows", f"{seconds:.2f} s", "3 s", seconds / 3, 1.0)
    seconds = _seconds(SEARCH)
    yield Row("worst segment, 6 columns, 2 x 1M", f"{seconds:.2f} s", "5 s", seconds / 5, 1.0)


def _seconds(code: str) -> float:
    """The fewest seconds of three processes."""
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"

        def once() -> object:
            spent = python(code + TELL, dict(os.environ) | {"BENCH_OUT": str(out)})
            taken.append(tuple(json.loads(out.read_text())))
            return spent

        best(3, once)
    return min(taken)[0]
