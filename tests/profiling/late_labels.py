"""Logs whose labels come late, in a table of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from .logs import DAY, START, write

CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    github: {repository: acme/churn}
    measure: {files: log.parquet, id: id, time: time, score: score, prediction: prediction, %s
              outcomes: {files: labels.parquet, id: id, label: label, label_time: known}}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, window: 2d, every: 1d,
         baseline: {value: 0.856, n: 50000}, tiers: {error: {drop: 4%%}}}
      - {name: label-drift, kind: label-drift, drift: labels/label, method: psi, window: 1d, every: 1d,
         baseline: {rolling: 7d}, tiers: {error: {above: 0.25}}}
      - {name: label-delay, kind: label-delay, metric: labels/delay_days/p90, every: 1d, tiers: {error: {above: 4}}}
"""


def write_late_labels(
    place: Path,
    days: int,
    rows: int,
    medians: Sequence[float],
    *,
    changed: tuple[int, Sequence[float]] | None = None,
    more: str = "",
    column: str = "label",
    seed: int = 5,
) -> None:
    """A log, its labels and a configuration. A fifth of the labels are positive; ``medians``: after how many days
    negatives and positives are known; ``changed``: since a day, others; ``column``: of the labels. Positives
    are found less often."""
    rng, count = np.random.default_rng(seed), days * rows
    times = START + (np.arange(count) + rng.random(count)) / rows * DAY
    positive = rng.random(count) < 0.2
    is_new = times >= START + (changed[0] if changed else days) * DAY
    median = np.where(is_new[:, None], changed[1] if changed else medians, medians)[
        np.arange(count), positive.astype(int)
    ]
    delays = median * DAY * np.exp(rng.normal(0, 0.3, count))
    right = rng.random(count) < np.where(positive, 0.6, 0.92)
    score = np.clip(rng.normal(np.where(positive == right, 0.7, 0.3), 0.1), 0, 1)
    ids = [f"row-{row}" for row in range(count)]
    log = {"id": ids, "time": times, "score": score, "prediction": np.where(positive == right, "yes", "no")}
    write(pa.table(log), place / "log.parquet")
    labels = {"id": ids, column: np.where(positive, "yes", "no"), "known": times + delays}
    write(pa.table(labels), place / "labels.parquet")
    (place / "modelwatch.yml").write_text(CONFIG % more)
