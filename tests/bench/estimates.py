"""Estimated performance: seconds for a million rows, and coverage in worlds of known truth, beside NannyML's CBPE."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from modelwatch.stats.estimated_performance.classification import BinaryRows, estimate_binary
from modelwatch.stats.estimated_performance.density_ratio import density_ratio

from ..estimates.verdict import Verdict, judge, shares_covered
from ..estimates.worlds import CATEGORICAL, Cohort, make_world
from ..peers.install import NotInstalled, run
from .measure import Row

ROWS, WINDOWS, WORLDS = 500_000, 10, 100
METRICS = ("accuracy", "f1", "auc")


def rows() -> Iterator[Row]:
    """Half a million labelled rows and as many others in ten windows; then worlds."""
    with tempfile.TemporaryDirectory() as name:
        yield from _speed(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from _coverage(Path(name))


def _speed(folder: Path) -> Iterator[Row]:
    world = make_world(1, "none", sizes=(ROWS, ROWS))
    seconds = min(_estimate_windows(world.labelled, world.rows) for _ in range(2))
    _write(folder, "large", world.labelled, world.rows)
    try:
        peer = min(_nannyml(folder, WINDOWS)["large"]["seconds"] for _ in range(2))
    except NotInstalled as reason:
        yield Row("estimates, 1M rows", f"{seconds:.2f} s", f"NannyML is not installed: {reason}"[:52], 0.0, 1 / 3)
        return
    yield Row(
        "estimates, 1M rows, 10 windows", f"{seconds:.2f} s", f"NannyML's CBPE {peer:.2f} s", seconds / peer, 1 / 3
    )


def _estimate_windows(labelled: Cohort, others: Cohort) -> float:
    """Seconds: weights from a domain classifier and an estimate for each window."""
    categorical = np.append(CATEGORICAL, False)
    began = time.perf_counter()
    known = np.column_stack([labelled.inputs, labelled.scores])
    for places in np.array_split(np.arange(len(others.labels)), WINDOWS):
        ratio = density_ratio(known, np.column_stack([others.inputs[places], others.scores[places]]), categorical)
        own = BinaryRows(others.scores[places], others.predicted[places] == 1)
        estimate_binary(BinaryRows(labelled.scores, labelled.predicted == 1), labelled.labels == 1, own, ratio=ratio)
    return time.perf_counter() - began


def _coverage(folder: Path) -> Iterator[Row]:
    verdicts: dict[str, Verdict] = {}
    for seed in range(WORLDS):
        world = make_world(seed)
        verdicts[f"{seed:03}"] = judge(world)
        _write(folder, f"{seed:03}", world.labelled, world.rows)
    covered = shares_covered(list(verdicts.values()))
    try:
        peer = _nannyml(folder, 1)
    except NotInstalled:
        peer = {}
    for metric in METRICS:
        widths = [one.estimates[metric].high - one.estimates[metric].low for one in verdicts.values()]
        theirs = [peer[name][metric] for name in verdicts if name in peer]
        inside = [
            low <= verdicts[name].realized.get(metric, np.nan) <= high
            for name, (_, low, high) in zip(verdicts, theirs, strict=False)
        ]
        said = "NannyML is not installed"
        if theirs:
            width = float(np.mean([high - low for _, low, high in theirs]))
            said = f"NannyML {100 * float(np.mean(inside)):.0f} %, {width:.3f} wide"
        share = f"{100 * covered[metric]:.0f} %"
        reference = f"at least 93 %; {np.mean(widths):.3f} wide; {said}"
        yield Row(f"estimated {metric} in {WORLDS} worlds, covered", share, reference, 0.93 / covered[metric], 1.0)


def _write(folder: Path, name: str, labelled: Cohort, others: Cohort) -> None:
    import pandas as pd

    for part, cohort in (("labelled", labelled), ("rows", others)):
        columns: dict[str, Any] = {"score": cohort.scores, "prediction": cohort.predicted, "label": cohort.labels}
        pd.DataFrame(columns).to_parquet(folder / f"{name}-{part}.parquet")


def _nannyml(folder: Path, chunks: int) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(run("nannyml", "estimate_with_nannyml.py", str(folder), str(chunks)))
    return found
