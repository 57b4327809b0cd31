"""What ``modelwatch measure`` costs at many shapes of logs, each against pyarrow reading the same files in the same
session, whole processes, both from the page cache. And three sizes of each: time grows no faster than the log.

Files are as ``pyarrow.parquet.write_table`` writes them by default. Of the columns one in five is a category, the rest
are numbers; beside them lie the time, the prediction and the label. The reference is captured, as in production. The
profile is written to a file, and nothing is published: neither W&B nor the metrics that it gets are in these rows."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from tests.peers.install import QUIET, ROOT

from .measure import Row, Spent, best, process

ROUNDS = 2
MEGABYTE = 1.048576
"""Of a MiB."""

DATA = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq
kind, folder, rows, columns, days, files, segments, seed = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
random = np.random.default_rng(seed)
names = [np.array([f"category {k}" for k in range(20)]), np.array([f"kind {k}" for k in range(7)])]
step = -(-rows // files)
for part in range(files):
    begin, end = part * step, min((part + 1) * step, rows)
    count = end - begin
    label = random.integers(0, 2, count)
    table = {"time": 1_795_132_800 + np.arange(begin, end) * (days * 86_400 / rows)}
    for i in range(columns):
        if i % 5 == 4:
            chosen = names[i // 5 % 2]
            codes = pa.array(random.integers(0, len(chosen), count).astype(np.int32))
            table[f"c{i:03}"] = pa.DictionaryArray.from_arrays(codes, pa.array(chosen)).dictionary_decode()
        else:
            table[f"x{i:03}"] = random.normal(i, 1 + i / 10, count) if i % 2 else random.lognormal(0, 1, count)
    table["prediction"] = np.where(random.random(count) < 0.9, label, 1 - label)
    if segments:
        chosen = np.array([f"segment {k}" for k in range(segments)])
        table["segment"] = chosen[random.integers(0, segments, count)]
    if kind == "outcomes":
        table["id"] = [f"request-{row:012}" for row in range(begin, end)]
        order = random.permutation(count)
        known = {"id": pa.array(table["id"]).take(pa.array(order)), "label": label[order], "at": table["time"][order]}
        pq.write_table(pa.table(known), folder / f"labels-{part:03}.parquet")
    else:
        table["label"] = label
    if kind == "csv":
        pyarrow.csv.write_csv(pa.table(table), folder / f"log-{part:03}.csv")
    else:
        pq.write_table(pa.table(table), folder / f"log-{part:03}.parquet")
"""
READ = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
for path in sorted(Path(sys.argv[1]).iterdir()):
    if path.suffix == ".csv":
        from pyarrow import csv
        csv.read_csv(path)
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            file.read()
"""
CONFIG = """
version: 1
models:
  - name: m
    table: {{path: none.csv}}
    measure:
      files: {files}
      reference: reference.npz
      time: time
      window: {window}
      prediction: prediction
      {more}
    rules:
      - {{name: accuracy, kind: accuracy-drop, metric: eval/accuracy, tiers: {{warning: {{below: 0.5}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """A log: its size, and how it is measured."""

    rows: int
    columns: int = 25
    kind: str = "parquet"
    days: int = 1
    files: int = 1
    window: str = "24h"
    segments: int = 0

    @property
    def text(self) -> str:
        size = f"{self.rows:,} x {self.columns:,}"
        return size + (f" in {self.files} files" if self.files > 1 else "")


BARS = {
    "20 segments": (Shape(1_000_000, segments=20), 3.0, 0.0),
    "50 files": (Shape(5_000_000, files=50), 4.0, 0.0),
    "200 columns": (Shape(1_000_000, 200), 4.0, 0.0),
    "1,000 columns": (Shape(100_000, 1_000), 5.0, 1000.0),
    "hourly windows, 20 segments, 30 days": (Shape(1_000_000, days=30, window="1h", segments=20), 6.0, 500.0),
    "joining outcomes, 20 segments": (Shape(1_000_000, kind="outcomes", segments=20), 4.0, 0.0),
    "CSV": (Shape(1_000_000, kind="csv"), 1.5, 0.0),
}
"""By figure the log, the most that measuring may cost of reading, and the most megabytes (10^6 bytes), if any."""
SIZES = {
    "rows": [Shape(rows) for rows in (1_000_000, 2_000_000, 4_000_000)],
    "columns": [Shape(200_000, columns) for columns in (50, 100, 200)],
    "windows": [Shape(500_000, days=days, window="1h") for days in (10, 20, 40)],
    "segments": [Shape(500_000, days=5, window="1h", segments=count) for count in (10, 20, 40)],
    "outcomes": [Shape(rows, kind="outcomes") for rows in (500_000, 1_000_000, 2_000_000)],
}
"""By what grows: three logs of which each has twice as many as the one before."""
TWICE = 2.2
"""The most that the time may grow by where the log doubles; a tenth is what two runs differ by."""


def rows() -> Iterator[Row]:
    """Every shape against reading it, and what grows against what doubles."""
    for figure, (shape, bar, megabytes) in BARS.items():
        with written(shape) as place:
            bare, ours = best(ROUNDS, lambda: _run(READ, str(place / "log")), lambda: measured(place))
        yield Row(
            f"measure, {figure}",
            f"{ours.seconds:.2f} s",
            f"pyarrow reads {shape.text}, {bare.seconds:.2f} s",
            ours.seconds / bare.seconds,
            bar,
        )
        if megabytes:
            peak = ours.mebibytes * MEGABYTE
            yield Row("... peak memory", f"{peak:.0f} MB", f"{megabytes:.0f} MB", peak / megabytes, 1.0)
    for figure, shapes in SIZES.items():
        yield from _growth(figure, shapes)


def _growth(figure: str, shapes: Sequence[Shape]) -> Iterator[Row]:
    """The largest growth of the time from one size to the next."""
    spent = []
    for shape in shapes:
        with written(shape) as place:
            spent += best(ROUNDS, lambda: measured(place))
    growth = max(after.seconds / before.seconds for before, after in pairwise(spent))
    seconds = ", ".join(f"{one.seconds:.2f}" for one in spent)
    yield Row(
        f"twice as many {figure}, and again", f"{growth:.2f} x", f"the log: 2 x ({seconds} s)", growth / 2, TWICE / 2
    )


@contextmanager
def written(shape: Shape) -> Iterator[Path]:
    """A folder with the log of a shape, its reference, and a configuration; it goes at the end."""
    tools = ROOT / ".tools"
    tools.mkdir(exist_ok=True)
    # Not where temporary files lie, which may be memory.
    with tempfile.TemporaryDirectory(dir=tools, prefix="bench-") as name:
        place = Path(name)
        write(shape, place)
        yield place


def write(shape: Shape, place: Path) -> None:
    training = replace(shape, rows=100_000, files=1, kind="parquet", days=1)
    for name, some, seed in (("training", training, 1), ("log", shape, 0)):
        (place / name).mkdir()
        size = (some.rows, some.columns, some.days, some.files, some.segments, seed)
        _run(DATA, some.kind, str(place / name), *map(str, size))
    more = ["label: label"] if shape.kind != "outcomes" else []
    if shape.kind == "outcomes":
        more += ["id: id", "outcomes: {files: log/labels-*.parquet, id: id, label: label, label_time: at}"]
    if shape.segments:
        more.append("segments: [segment]")
    files = "log/log-*.csv" if shape.kind == "csv" else "log/log-*.parquet"
    config = CONFIG.format(files=files, window=shape.window, more="\n      ".join(more))
    (place / "modelwatch.yml").write_text(config)
    training_table = str(place / "training" / "log-000.parquet")
    _command(place, "baseline", "capture", "--model", "m", "--from-table", training_table, "--out", "reference.npz")


def measured(place: Path) -> Spent:
    return _command(place, "measure", "--no-publish", "--out", "profiles", "--now", "2026-12-31T00:00:00Z")


def _command(place: Path, *arguments: str) -> Spent:
    env: Mapping[str, str] = dict(os.environ) | QUIET
    return process([sys.executable, "-m", "modelwatch", *arguments], env, place)


def _run(code: str, *arguments: str) -> Spent:
    set_up = f"import sys; sys.argv[1:] = {list(arguments)!r}\n"
    return process([sys.executable, "-c", set_up + code], dict(os.environ) | QUIET, Path(sys.prefix))
