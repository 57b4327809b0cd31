"""A log in several files, and what each engine makes of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec, OutcomesSpec, RankingSpec
from modelwatch.profiling.engines.engine import Engine
from modelwatch.profiling.measure import MeasureResult, measure
from modelwatch.profiling.plan_inference import infer_and_profile
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.window_selection import WindowSelection
from modelwatch.stats.profile.codec import to_bytes
from modelwatch.stats.profile.table import Profile

from ..logs import DAY, SPEC, START, log, write

NOW = START + 3 * DAY
WITH_SEGMENTS = replace(SPEC, segments=("region", "plan"), crossings=(("plan", "region"),), min_rows=5, intervals=True)


def write_log(folder: Path, files: int = 5, suffix: str = ".parquet") -> MeasureSpec:
    """A log of 4,000 rows without labels, their outcomes, and a reference."""
    whole = log(4000)
    labels = pa.table({"request": whole["id"], "label": whole["label"], "known_at": whole["time"]})
    write(labels.slice(0, 3000), folder / "outcomes" / "labels.parquet")
    bare = whole.drop_columns(["label"])
    size = -(-bare.num_rows // files)
    for part in range(files):
        write(bare.slice(part * size, size), folder / "log" / f"part-{part}{suffix}")
    reference = folder / "reference.npz"
    training = write(log(3000, seed=7), folder / "training.parquet")
    captured = replace(WITH_SEGMENTS, time="", version="")
    profile = infer_and_profile(open_log(str(training)), captured)[1]
    reference.write_bytes(to_bytes(Profile({key: profile.cells[key] for key in profile.cells if not key.segment})))
    outcomes = OutcomesSpec(str(folder / "outcomes" / "*.parquet"), "request", "label", "known_at")
    return replace(WITH_SEGMENTS, files=str(folder / "log" / f"*{suffix}"), outcomes=outcomes, reference=str(reference))


def measured(spec: MeasureSpec, folder: Path, engine: Engine | None = None, since: float = -math.inf) -> MeasureResult:
    selection = WindowSelection(since)
    return measure(Model("churn", (), measure=spec), NOW, {}, RetryPolicy(), folder, selection, engine=engine)


def ranked(spec: MeasureSpec) -> MeasureSpec:
    """With metrics that need rows; intervals of custom ones depend on the order of rows."""
    custom = (("hits", "tests.profiling.engines.measured:hits"),)
    return replace(
        spec, ranking=RankingSpec("region", 5), custom=custom, metrics=("accuracy", "auc", "ndcg"), intervals=False
    )


def hits(labels: object, predictions: object) -> float:
    """A custom metric."""
    import numpy as np

    return float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def assert_same(one: MeasureResult, other: MeasureResult) -> None:
    """To the bit: profiles; rows but for the order in which floats were added; notes."""
    assert to_bytes(one.profile) == to_bytes(other.profile)
    assert one.notes == other.notes
    assert len(one.rows) == len(other.rows) > 0
    for row, another in zip(one.rows, other.rows, strict=True):
        assert (row.time, row.version) == (another.time, another.version)
        assert row.scalars.keys() == another.scalars.keys()
        for key, value in row.scalars.items():
            assert math.isclose(value, another.scalars[key], rel_tol=1e-12), key
