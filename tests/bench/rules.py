"""Evaluating 1,000 rules over thirty days of hourly points, alerts and groups included."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .measure import Row, best, python

CODE = """
import json, time
import numpy as np
from array import array
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import *
from modelwatch.model.series import Deployment, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.rule import Interval
from modelwatch import pipeline
from modelwatch.context import make_context
RULES, HOURS = 1000, 720
now = 1_790_000_000 // 3600 * 3600.0
rng = np.random.default_rng(7)
def column(values): a = array("d"); a.frombytes(np.asarray(values, dtype="d").tobytes()); return a
times = now - 3600.0 * np.arange(HOURS)[::-1]
tiers = tuple(Tier(s, (Limit(LimitKind.DROP, v),), ("issue",), false_alarms=RULES * 90 * 86400.0)
              for s, v in ((Severity.WARNING, .02), (Severity.ERROR, .05), (Severity.CRITICAL, .10)))
rules, series = [], []
for i in range(RULES):
    name = f"eval/m{i}"
    entry = BaselineEntry(name, (), 0.9, n=1e6, low=0.8995, high=0.9005, sd=0.01)
    rules.append(Rule(f"r{i}", "accuracy-drop", KeyPattern(name), tiers, Direction.HIGHER, weight="eval/n",
                      interval=Interval.WILSON, baseline=BaselineSpec(BaselineKind.FILE, entries=(entry,)), for_=2))
    values = 0.9 + rng.normal(0, 0.004, HOURS)
    if i % 50 == 0:
        values[-100:] -= 0.08
    series.append(Series(name, (), column(times), column(values), column(np.full(HOURS, 1000.0)),
                         ("v1",), array("i", [0] * HOURS)))
model = Model("churn", tuple(rules))
config = Config((model,), "digest")
pulls = {"churn": PulledSeries("churn", tuple(series), (Deployment("v1", times[0]),))}
began = time.perf_counter()
judgement = pipeline.judge(make_context(config, now), pulls)
seconds = time.perf_counter() - began
firing = sum(group.state.value == "firing" for group in judgement.groups)
assert firing == RULES / 50, firing
import os, resource
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
open(os.environ["BENCH_OUT"], "w").write(json.dumps([seconds, memory]))
"""


def rows() -> Iterator[Row]:
    """Seconds of the judgement alone, and the peak memory of the whole process, against their bars."""
    import os
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        taken = []

        def once() -> object:
            spent = python(CODE, dict(os.environ) | {"BENCH_OUT": str(out)})
            taken.append(json.loads(out.read_text()))
            return spent

        best(3, once)
    seconds, memory = min(taken)
    yield Row("1,000 rules, 30 days of hours", f"{seconds:.2f} s", "2 s", seconds / 2, 1.0)
    yield Row("  peak memory", f"{memory:.0f} MiB", "300 MB", memory * 1.048576 / 300, 1.0)
