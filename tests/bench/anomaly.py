"""A rule with ``anomaly`` over a year of hourly points, judged every hour of its last thirty days."""

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
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import AnomalySpec, Rule, Tier
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR
HOURS, now = 365 * 24, 1_790_000_000 // 3600 * 3600.0
hour = np.arange(HOURS)
values = 10 + 3 * np.sin(2 * np.pi * hour / 24) + np.random.default_rng(7).standard_normal(HOURS)
values[-30] += 15
times = array("d", now - HOUR * hour[::-1])
series = Series("orders", (), times, array("d", values), None)
rule = Rule("orders", "anomaly", KeyPattern("orders"), (Tier(Severity.WARNING, (), ("issue",), false_alarms=90 * DAY),),
            anomaly=AnomalySpec(memory=52 * 7 * DAY))
model, pull = Model("shop", (rule,)), PulledSeries("shop", (series,))
taken = []
for _ in range(6):
    began = time.process_time()
    (track,) = evaluate_model(model, pull, now).tracks
    taken.append(time.process_time() - began)
assert track.finding(-25).outcome.value == "breach"
reference = []
for _ in range(6):
    began = time.process_time()
    [np.sort(values[:end]) for end in range(24, HOURS, 24)]
    reference.append(time.process_time() - began)
open(os.environ["BENCH_OUT"], "w").write(json.dumps([min(taken), min(reference)]))
"""


def rows() -> Iterator[Row]:
    """Processor seconds of the whole judgement, against the bar and against sorting the past anew each day."""
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        env = dict(os.environ) | {"BENCH_OUT": str(out), "OPENBLAS_NUM_THREADS": "1"}

        def once() -> object:
            spent = python(CODE, env)
            seconds, sorting = json.loads(out.read_text())
            taken.append((seconds, sorting))
            return spent

        best(3, once)
    seconds, sorting = (min(column) for column in zip(*taken, strict=True))
    figure = f"{1000 * seconds:.0f} ms"
    yield Row("an anomaly rule, a year of hours", figure, "50 ms of processor time", seconds / 0.05, 1.0)
    reference = f"{1000 * sorting:.0f} ms (its past sorted once a day)"
    yield Row("  the same", figure, reference, seconds / sorting, 5.0)
