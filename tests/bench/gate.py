"""A candidate judged over a million paired predictions in twenty segments: from Parquet files to the verdict."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, best, process, python

SECONDS, MEBIBYTES = 20.0, 1536.0

DATA = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
folder, rows = sys.argv[1], int(sys.argv[2])
for part, n in (("holdout", rows // 4), ("recent", rows - rows // 4)):
    rng = np.random.default_rng(n)
    label = rng.integers(0, 2, n)
    both = {
        "id": np.array([f"{part}-{place:09}" for place in range(n)]),
        "label": label,
        "segment": np.array([f"segment {place}" for place in range(20)])[rng.integers(0, 20, n)],
        "value": rng.lognormal(0, 1, n),
    }
    champion = np.where(rng.random(n) < 0.90, label, 1 - label)
    candidate = np.where(rng.random(n) < 0.5, champion, np.where(rng.random(n) < 0.93, label, 1 - label))
    for who, prediction in (("champion", champion), ("candidate", candidate)):
        score = np.clip(0.5 + 0.3 * (prediction - 0.5) + 0.2 * (label - 0.5) + rng.normal(0, 0.15, n), 0, 1)
        own = {"prediction": prediction, "score": score, "ms": rng.lognormal(3, 0.3, n)}
        order = rng.permutation(n)
        table = pa.table({name: column[order] for name, column in (both | own).items()})
        pq.write_table(table, f"{folder}/{part}-{who}.parquet")
"""
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod}
    measure: {files: unused.parquet, id: id, time: t, label: label, prediction: prediction, score: score, value: value}
    release: {artifact: acme/churn/churn, gate: {metric: METRIC, segments: [segment], latency: ms}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        baseline: {value: 0.9, n: 1000}
        tiers: {critical: {drop: 5%, do: [issue]}}
"""


def rows() -> Iterator[Row]:
    """Seconds and memory of the whole command, by accuracy and by the area under the ROC curve."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python(f"import sys; sys.argv[1:] = [{name!r}, '1000000']\n" + DATA)
        for metric in ("accuracy", "auc"):
            (folder / "modelwatch.yml").write_text(CONFIG.replace("METRIC", metric))
            arguments = [sys.executable, "-m", "modelwatch", "release", "validate", "v8", "--json", "--exit-code"]
            for part in ("holdout", "recent"):
                arguments += [f"--{part}", *(f"{part}-{who}.parquet" for who in ("champion", "candidate"))]
            (spent,) = best(2, lambda given=tuple(arguments): process(given, os.environ, folder))
            seconds, memory = spent.seconds, spent.mebibytes
            figure = f"gate by {metric}, 1M pairs, 20 segments"
            yield Row(figure, f"{seconds:.1f} s", f"{SECONDS:.0f} s", seconds / SECONDS, 1.0)
            yield Row(f"{figure}: peak", f"{memory:.0f} MiB", f"{MEBIBYTES:.0f} MiB", memory / MEBIBYTES, 1.0)
