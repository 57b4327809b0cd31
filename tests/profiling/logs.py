"""Prediction logs that the tests of measuring share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from modelwatch.model.prediction_log import MeasureSpec

START = 1_795_132_800.0
"""2026-11-20T00:00:00Z."""
DAY = 86_400.0
SPEC = MeasureSpec(
    files="log",
    id="id",
    time="time",
    version="version",
    score="score",
    prediction="prediction",
    label="label",
    segments=("region",),
)


def log(rows: int = 2000, seed: int = 1, days: int = 2, **changed: Any) -> pa.Table:
    """Rows spread evenly over the days; v2 is deployed in the middle of the last day."""
    rng = np.random.default_rng(seed)
    times = START + np.linspace(0, days * DAY - 1, rows)
    score = rng.random(rows)
    label = rng.random(rows) < score
    columns = {
        "id": [f"row-{seed}-{row}" for row in range(rows)],
        "time": times,
        "version": np.where(times < START + (days - 0.5) * DAY, "v1", "v2"),
        "age": rng.normal(40, 10, rows),
        "income": rng.lognormal(3, 1, rows),
        "plan": rng.choice(["free", "pro", "team"], rows, p=[0.6, 0.3, 0.1]),
        "signed": rng.choice(["2026-01-02", "2025-12-31"], rows),
        "region": rng.choice(["eu", "na"], rows),
        "score": score,
        "prediction": np.where(score > 0.5, "yes", "no"),
        "label": np.where(label, "yes", "no"),
    }
    return pa.table({**columns, **changed})


def write(table: pa.Table, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=700)
    return path
