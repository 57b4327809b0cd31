"""Rules about drift over thirty days of hourly histograms, 25 features, judged every hour against two references."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, best, python

CODE = """
import json, os, time
from array import array
import numpy as np
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import *
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.timeutil import DAY, HOUR
from modelwatch.model.severity import Severity
from modelwatch.model.monitored_model import Model
from modelwatch.stats.profile.categorical import CategoricalProfile
from modelwatch.stats.profile.wandb_histogram import to_histogram
KIND, METHOD = os.environ["BENCH_KIND"], os.environ["BENCH_METHOD"]
FEATURES, HOURS, VALUES, CATEGORIES, MOVED = 25, 720, 500, 100, 5
now = 1_790_000_000 // 3600 * 3600.0
def column(values): return array("d", np.asarray(values, dtype="d").tobytes())
def one(rng, moved, size):
    if KIND == "numbers":  # as the W&B client makes them: 64 bins over the values' own range
        counts, edges = np.histogram(rng.normal(float(moved), 1.0, size), bins=64)
        return column(edges), column(counts)
    shares = np.arange(1, CATEGORIES + 1) ** -0.7
    if moved:
        shares = np.roll(shares, 5)
    counts = rng.multinomial(size, shares / shares.sum())
    made = to_histogram(CategoricalProfile.of({f"city {i}": int(n) for i, n in enumerate(counts) if n}))
    return column(made[0]), column(made[1])
name = "features/categories" if KIND == "categories" else "features"
times = column(now - 3600.0 * np.arange(HOURS)[::-1])
features, entries = [], []
for i in range(FEATURES):
    rng, labels = np.random.default_rng(i), (("features", f"f{i:02}"),)
    rows = [one(rng, i < MOVED and hour >= HOURS - 72, VALUES) for hour in range(HOURS)]
    features.append(Histograms(name, labels, times, *map(tuple, zip(*rows)), (), array("i", [-1] * HOURS)))
    edges, counts = one(rng, False, 100_000)
    entries.append(BaselineEntry(name, labels, 0.0, n=1e5, edges=tuple(edges), counts=tuple(counts)))
rule = Rule("drift", "drift", KeyPattern("features/*/" + METHOD),
            (Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.1),), ("issue",)),), window=DAY, every=HOUR,
            baseline=BaselineSpec(BaselineKind.ROLLING, length=28 * DAY),
            also=(BaselineSpec(BaselineKind.FILE, path="train.json", entries=tuple(entries)),))
model = Model("churn", (rule,), history=30 * DAY)
evaluate_model(model, PulledSeries("churn", (), histograms=tuple(features[:1])), now)  # imports
began = time.process_time()
found = evaluate_model(model, PulledSeries("churn", (), histograms=tuple(features)), now)
seconds = time.process_time() - began
breaches = sum(track.finding(-1).outcome.value == "breach" for track in found.tracks)
assert breaches == MOVED, breaches
open(os.environ["BENCH_OUT"], "w").write(json.dumps(seconds))
"""
FIGURES = (
    ("25 features of numbers, PSI", "numbers", "psi", 3.0),
    ("  the same, Wasserstein", "numbers", "wasserstein", 3.0),
    ("25 features of 100 categories, PSI", "categories", "psi", 2.0),
    ("  the same, total variation", "categories", "total_variation", 2.0),
)


def rows() -> Iterator[Row]:
    """Processor seconds of the judgement alone: 720 evaluations, windows of a day, against 28 days and a captured
    histogram."""
    for figure, kind, method, bar in FIGURES:
        seconds = _seconds(kind, method)
        yield Row(figure, f"{seconds:.2f} s", f"{bar:g} s of processor time", seconds / bar, 1.0)


def _seconds(kind: str, method: str) -> float:
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        told = {"BENCH_OUT": str(out), "BENCH_KIND": kind, "BENCH_METHOD": method, "OPENBLAS_NUM_THREADS": "1"}

        def once() -> object:
            spent = python(CODE, dict(os.environ) | told)
            taken.append(json.loads(out.read_text()))
            return spent

        best(3, once)
    return min(taken)
