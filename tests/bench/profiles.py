"""What drift costs, from Parquet files to the verdicts of five rules on every column.

Against Evidently, against reading the same columns, in memory, and for a small log."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.peers.install import QUIET, ROOT, NotInstalled, installed

from .measure import Row, Spent, best, process

ROUNDS = 3
ROWS = 1_000_000
LIMIT = 300.0
"""Megabytes (10^6 bytes) at the peak."""

DATA = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, rows, seed = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(seed)
columns = {f"x{i:02}": random.normal(i, 1 + i / 10, rows) if i % 2 else random.lognormal(0, 1, rows) for i in range(20)}
names = [np.array([f"category {k}" for k in range(5 * i + 5)]) for i in range(5)]
columns |= {f"c{i}": names[i][random.integers(0, len(names[i]), rows)] for i in range(5)}
pq.write_table(pa.table(columns), path, row_group_size=131_072)
"""
CAPTURE = """
import sys
from pathlib import Path
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference, write_reference
from modelwatch.model.prediction_log import MeasureSpec
write_reference(Path(sys.argv[1]), capture_reference(open_log(sys.argv[2]), MeasureSpec())[0], {})
"""
KEPT = """
import sys
from modelwatch.profiling.reference_store import read_reference
reference, _ = read_reference(sys.argv[1])
"""
BOTH = """
import sys
from modelwatch.profiling.readers import open_log
from modelwatch.profiling.reference_store import capture_reference
from modelwatch.model.prediction_log import MeasureSpec
reference = capture_reference(open_log(sys.argv[1]), MeasureSpec())[0].whole()
"""
DRIFT = """
from modelwatch.profiling.profiler import profile_batches
from modelwatch.profiling.profile_plan import plan_from_reference
from modelwatch.profiling.readers import open_log
from modelwatch.model.prediction_log import MeasureSpec
from array import array
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineEntry, BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.profile.wandb_histogram import full_histogram, to_histogram
plan = plan_from_reference(reference, MeasureSpec())
current = profile_batches(open_log(sys.argv[2]).batches(plan.needed_columns), plan).whole()
def column(values): return array("d", values.tobytes())
windows, entries, day = [], [], 86400.0
for name, before in reference.columns.items():
    key = "features" if isinstance(before, NumericProfile) else "features/categories"
    make = full_histogram if isinstance(before, NumericProfile) else to_histogram
    edges, counts = map(column, make(current.columns[name]))
    windows.append(Histograms(key, (("features", name),), array("d", [day]), (edges,), (counts,), (), array("i", [-1])))
    edges, counts = map(tuple, make(before))
    entries.append(BaselineEntry(key, (("features", name),), 0.0, n=float(before.n), edges=edges, counts=counts))
file = BaselineSpec(BaselineKind.FILE, path="reference", entries=tuple(entries))
tiers = (Tier(Severity.WARNING, (Limit(LimitKind.ABOVE, 0.1),), ("issue",)),)
rules = tuple(
    Rule(method, "drift", KeyPattern(f"features/*/{method}"), tiers, window=day, every=day, baseline=file)
    for method in ("psi", "ks", "wasserstein", "chi_square", "jensen_shannon")
)
model = Model("m", rules, history=day / 2)
tracks = evaluate_model(model, PulledSeries("m", (), histograms=tuple(windows)), day).tracks
assert len(tracks) == 25 * 5 and all(track.drifted[0].against[0].value is not None for track in tracks)
assert all(track.finding(-1).outcome.value == "ok" for track in tracks)
"""
READ = """
import sys
import pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1]) as file:
    for name in file.schema_arrow.names:
        file.read(columns=[name])
"""
EVIDENTLY = """
import sys
import pandas
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
for name in [f"x{i:02}" for i in range(20)]:
    one, other = (pandas.read_parquet(path, columns=[name])[name] for path in sys.argv[1:])
    for method in ("psi", "ks", "wasserstein"):
        test = get_stattest(one, other, ColumnType.Numerical, method)
        test(one, other, ColumnType.Numerical, None)
"""
IMPORTS = """
import pandas
from evidently.legacy.calculations.stattests import get_stattest
"""
SCIPY = """
import sys
import numpy as np, pyarrow.parquet as pq
from scipy.stats import ks_2samp, wasserstein_distance
for name in [f"x{i:02}" for i in range(20)]:
    one, other = (pq.read_table(path, columns=[name])[name].to_numpy() for path in sys.argv[1:])
    edges = np.quantile(one, np.linspace(0, 1, 11))[1:-1]
    p, q = (np.bincount(np.searchsorted(edges, side), minlength=10) / len(side) for side in (one, other))
    psi = ((q - p) * np.log(np.maximum(q, 1e-4) / np.maximum(p, 1e-4))).sum()
    ks_2samp(one, other, method="asymp")
    wasserstein_distance(one, other)
"""


def rows() -> Iterator[Row]:
    """25 columns, 20 of them numbers, in Parquet: time and memory of PSI, KS, Wasserstein, chi-square and JS."""
    tools = ROOT / ".tools"
    tools.mkdir(exist_ok=True)
    # Not where temporary files lie, which may be memory.
    with tempfile.TemporaryDirectory(dir=tools, prefix="bench-") as name:
        folder = Path(name)
        before, now, small = (str(folder / part) for part in ("before.parquet", "now.parquet", "small.parquet"))
        for path, count, seed in ((before, ROWS, 0), (now, ROWS, 1), (small, 50_000, 2)):
            _run(DATA, path, str(count), str(seed))
        kept, few = str(folder / "before.npz"), str(folder / "small.npz")
        _run(CAPTURE, kept, before)
        _run(CAPTURE, few, small)
        yield from _against_peers(before, now)
        bare, ours = best(ROUNDS, lambda: _run(READ, now), lambda: _run(KEPT + DRIFT, kept, now))
        yield Row(
            "five statistics, 1M x 25, reference kept",
            f"{ours.seconds:.2f} s",
            f"pyarrow reads the current file's columns, {bare.seconds:.2f} s",
            ours.seconds / bare.seconds,
            3.0,
        )
        [quick] = best(2 * ROUNDS, lambda: _run(KEPT + DRIFT, few, small))
        yield Row("the same, 50,000 rows", f"{quick.seconds:.2f} s", "1 s, every import included", quick.seconds, 1.0)
        yield _memory("peak memory, 2 x 1,000,000 rows", _run(BOTH + DRIFT, before, now))
        many = folder / "many"
        many.mkdir()
        with ThreadPoolExecutor(2) as pool:
            parts = [(str(many / f"{part}.parquet"), str(ROWS), str(part)) for part in range(10)]
            list(pool.map(lambda part: _run(DATA, *part), parts))
        yield _memory("peak memory, 2 x 10,000,000 rows", _run(BOTH + DRIFT, str(many), str(many)))


def _against_peers(before: str, now: str) -> Iterator[Row]:
    """Ours from start to end, imports included; of Evidently's time that of its imports is taken off."""
    told = "Evidently's stat tests for PSI, KS, Wasserstein"
    less = 0.0
    try:
        peer, code = str(installed("evidently")), EVIDENTLY
        less = best(ROUNDS, lambda: _run(IMPORTS, python=peer))[0].seconds
    except NotInstalled as error:
        print(f"Evidently cannot be installed without the internet: {error}", file=sys.stderr)
        peer, code, told = sys.executable, SCIPY, "plain SciPy (no Evidently): PSI, KS, Wasserstein"
    ours, theirs = best(2, lambda: _run(BOTH + DRIFT, before, now), lambda: _run(code, before, now, python=peer))
    seconds = theirs.seconds - less
    yield Row(
        "five statistics, 2 x 1M x 25", f"{ours.seconds:.2f} s", f"{told}, {seconds:.1f} s", ours.seconds / seconds, 0.1
    )


def _memory(figure: str, spent: Spent) -> Row:
    peak = spent.mebibytes * 1.048576
    return Row(figure, f"{peak:.0f} MB", f"{LIMIT:.0f} MB", peak / LIMIT, 1.0)


def _run(code: str, *arguments: str, python: str = sys.executable) -> Spent:
    """One process of its own; files are in the page cache."""
    set_up = f"import sys; sys.argv[1:] = {list(arguments)!r}\n"
    env: Mapping[str, str] = dict(os.environ) | QUIET
    return process([python, "-c", set_up + code], env, Path(sys.prefix))
