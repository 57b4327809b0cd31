"""What it costs to profile: against reading the same columns, against plain SciPy, in memory, and for a small log."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Row, Spent, best, python

ROUNDS = 3
ROWS = 1_000_000
LIMIT = 300.0
"""MiB at the peak."""

DATA = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, rows, seed, times = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(seed)
columns = {f"x{i:02}": random.normal(i, 1 + i / 10, rows) if i % 2 else random.lognormal(0, 1, rows) for i in range(20)}
columns |= {f"c{i}": random.choice([f"category {k}" for k in range(5 * i + 5)], rows) for i in range(5)}
table = pa.table(columns)
with pq.ParquetWriter(path, table.schema) as file:
    for _ in range(times):
        file.write_table(table, row_group_size=131_072)
"""
CAPTURE = """
import sys
from pathlib import Path
from modelwatch.measure.reading import open_log
from modelwatch.measure.reference import capture_reference, write_reference
from modelwatch.model.measured import MeasureSpec
write_reference(Path(sys.argv[1]), capture_reference(open_log(sys.argv[2]), MeasureSpec()), {})
"""
CURRENT = """
import sys
from modelwatch.measure.local import profile_batches
from modelwatch.measure.plan import plan_from
from modelwatch.measure.reading import open_log
from modelwatch.measure.reference import read_reference
from modelwatch.model.measured import MeasureSpec
reference, _ = read_reference(sys.argv[1])
plan = plan_from(reference, MeasureSpec())
current = profile_batches(open_log(sys.argv[2]).batches(plan.needed), plan).whole()
"""
DRIFT = """
import numpy as np
from modelwatch.stats.profile.numeric import NumericProfile
def shares(profile):
    if isinstance(profile, NumericProfile):
        return profile.counts, profile.counts / profile.n
    known = [profile.counts.get(name, 0) for name in sorted(profile.vocabulary)]
    counts = np.array([*known, profile.n - sum(known)])
    return counts, counts / profile.n
for name, before in reference.columns.items():
    (c, p), (d, q) = shares(before), shares(current.columns[name])
    both, m = (c + d) > 0, (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        js = np.sqrt((np.where(p > 0, p * np.log2(p / m), 0) + np.where(q > 0, q * np.log2(q / m), 0)).sum() / 2)
        chi = ((c - d) ** 2 / (c + d))[both].sum()
    psi = ((q - p) * np.log(np.maximum(q, 1e-4) / np.maximum(p, 1e-4))).sum()
    if isinstance(before, NumericProfile):
        apart = np.abs(np.cumsum(p - q))
        ks, wasserstein = apart.max(), (apart[:-2] * np.diff(before.edges)).sum()
"""
READ = """
import sys
import pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1]) as file:
    for name in file.schema_arrow.names:
        file.read(columns=[name])
"""
SCIPY = """
import sys
import numpy as np, pyarrow.parquet as pq
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance
for name in pq.read_schema(sys.argv[1]).names:
    one, other = (pq.read_table(path, columns=[name])[name] for path in sys.argv[1:])
    if name.startswith("c"):
        counts = [dict(zip(*map(lambda part: part.to_pylist(), side.value_counts().flatten()))) for side in
                  (one.combine_chunks(), other.combine_chunks())]
        chi2_contingency([[side.get(key, 0) for key in sorted(counts[0] | counts[1])] for side in counts])
        continue
    one, other = one.to_numpy(), other.to_numpy()
    edges = np.quantile(one, np.linspace(0, 1, 11))[1:-1]
    p, q = (np.bincount(np.searchsorted(edges, side), minlength=10) / len(side) for side in (one, other))
    psi = ((q - p) * np.log(np.maximum(q, 1e-4) / np.maximum(p, 1e-4))).sum()
    ks_2samp(one, other, method="asymp")
    wasserstein_distance(one, other)
"""


def rows() -> Iterator[Row]:
    """The five figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, now, small, many, kept = (
            str(folder / part) for part in ("a.parquet", "b.parquet", "c.parquet", "d.parquet", "a.npz")
        )
        for path, count, seed, times in ((before, ROWS, 0, 1), (now, ROWS, 1, 1), (small, 50_000, 2, 1)):
            _run(DATA, path, str(count), str(seed), str(times))
        captured = _run(CAPTURE, kept, before)
        yield from _seconds(before, now, kept, captured)
        [quick] = best(ROUNDS, lambda: _run(CURRENT + DRIFT, kept, small))
        yield Row("profile of 50,000 rows", f"{quick.seconds:.2f} s", "1 s, every import included", quick.seconds, 1.0)
        yield from _memory(now, many, kept, captured)


def _seconds(before: str, now: str, kept: str, captured: Spent) -> Iterator[Row]:
    bare, ours = best(ROUNDS, lambda: _run(READ, now), lambda: _run(CURRENT + DRIFT, kept, now))
    yield Row(
        "profile of 1,000,000 x 25, reference kept",
        f"{ours.seconds:.2f} s",
        f"pyarrow reads the same columns, {bare.seconds:.2f} s",
        ours.seconds / bare.seconds,
        3.0,
    )
    plain = _run(SCIPY, before, now)
    both = captured.seconds + ours.seconds
    yield Row(
        "both sides, five statistics",
        f"{both:.2f} s",
        f"plain SciPy: PSI, KS, Wasserstein, chi-square, {plain.seconds:.1f} s",
        both / plain.seconds,
        1 / 4,
    )


def _memory(now: str, many: str, kept: str, captured: Spent) -> Iterator[Row]:
    one = max(_run(CURRENT, kept, now).mebibytes, captured.mebibytes)
    yield Row("peak memory, 1,000,000 rows", f"{one:.0f} MiB", f"{LIMIT:.0f} MiB", one / LIMIT, 1.0)
    _run(DATA, many, str(ROWS), "1", "10")
    ten = _run(CURRENT, kept, many).mebibytes
    yield Row("peak memory, 10,000,000 rows", f"{ten:.0f} MiB", f"{LIMIT:.0f} MiB", ten / LIMIT, 1.0)


def _run(code: str, *arguments: str) -> Spent:
    set_up = f"import sys; sys.argv[1:] = {list(arguments)!r}\n"
    return python(set_up + code, dict(os.environ), Path(sys.prefix))
