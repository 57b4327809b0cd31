"""Prediction tables of two versions, made to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelwatch.model.monitored_model import GateSpec
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.profiling.readers import open_log
from modelwatch.release.comparison import Comparison
from modelwatch.release.pairing import read_comparison
from modelwatch.stats.segmentation import MISSING, OTHER, EncodedColumn
from tests.stats.paired.making import of_classes

MEASURE = MeasureSpec(id="id", label="label", prediction="prediction", score="score", value="value")
Rows = dict[str, Any]

SPEC = GateSpec(segments=("region",))


def table(n: int = 400, seed: int = 1, right: float = 0.8, **columns: Any) -> dict[str, Any]:
    """One version's rows; the same ids, labels, regions and values for every seed of ``right``."""
    world, own = np.random.default_rng(0), np.random.default_rng(seed)
    label = world.integers(0, 2, n)
    rows: dict[str, Any] = {
        "id": [f"row-{place}" for place in range(n)],
        "label": label,
        "region": np.array(["eu", "us"])[world.integers(0, 2, n)],
        "value": world.lognormal(0, 1, n),
        "prediction": np.where(own.random(n) < right, label, 1 - label),
        "score": np.clip(0.5 + 0.25 * (label - 0.5) + own.normal(0, 0.2, n), 0, 1),
        "ms": own.lognormal(3, 0.3, n),
    }
    return rows | columns


def write(path: Path, rows: dict[str, Any]) -> Path:
    pq.write_table(pa.table({name: column for name, column in rows.items() if column is not None}), path)
    return path


def part(
    folder: Path,
    champion: Rows,
    candidate: Rows,
    measure: MeasureSpec = MEASURE,
    gate: GateSpec = SPEC,
    name: str = "recent",
) -> Comparison:
    """Both tables through files, as the gate reads them."""
    ours, theirs = (
        open_log(str(write(folder / f"{name}-{who}.parquet", rows)))
        for who, rows in (("champion", champion), ("candidate", candidate))
    )
    return read_comparison(name, ours, theirs, measure, gate)


def counted(name: str, **segments: tuple[int, int, int, int]) -> Comparison:
    """A part from counts a region: both right, candidate alone, champion alone, neither."""
    codes, label, ours, theirs = [], [], [], []
    for place, counts in enumerate(segments.values()):
        for (one, other), count in zip(((1, 1), (0, 1), (1, 0), (0, 0)), counts, strict=True):
            # Half of the labels are 1, so that no segment has one label.
            truth = np.arange(count) % 2
            codes.append(np.full(count, place))
            label.append(truth)
            ours.append(np.where(one, truth, 1 - truth))
            theirs.append(np.where(other, truth, 1 - truth))
    region = EncodedColumn("region", np.concatenate(codes).astype(np.int16), (*segments, OTHER, MISSING))
    pairs = of_classes(("0", "1"), *(np.concatenate(column) for column in (label, ours, theirs)))
    return Comparison(name, pairs, (region,))
