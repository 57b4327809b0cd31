"""The table: ``python -m tests.false_alarms [windows]``. Status 1 where a default alarms more often than it says."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from modelwatch.stats.drift.measures import BY_BINS, METHODS
from modelwatch.stats.limits import RATE

from . import histograms, others, samples
from .tally import Tally
from .worlds import NUMBERS, SHIFTS, WORLDS, Shares

WINDOWS = 10_000
SIZES = (100, 300, 1000, 3000, 10_000)
HUGE, FEW = 1_000_000, 200
POWER = (100, 300, 1000, 3000)
TRIES = 400
PART = 1000
"""Windows of one task."""
SHORT = {
    "psi": "PSI",
    "jensen_shannon": "JS",
    "hellinger": "Hell.",
    "total_variation": "TV",
    "chi_square": "chi2",
    "ks": "KS",
    "wasserstein": "Wass.",
    "cramer_von_mises": "CvM",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the table. ``rate``: what is stated; 0 for power."""

    table: str
    data: str
    size: int
    windows: int
    rate: float = RATE

    def parts(self) -> Iterator[tuple[Job, int, int]]:
        """Tasks of at most so many windows, each with a seed of its own."""
        part = PART if self.size < HUGE else 20
        for place, start in enumerate(range(0, self.windows, part)):
            yield self, min(part, self.windows - start), crc32(f"{self.table} {self.data} {self.size} {place}".encode())


def jobs(windows: int) -> list[Job]:
    """Everything that is measured, in the order of the table; lengthy measures on fewer windows."""
    quarter, fifth, tenth, few, tries = (max(windows // part, 20) for part in (4, 5, 10, 50, 25))
    few, tries = min(few, FEW), min(tries, TRIES)
    sizes = {name: (100, 1000, 10_000) if name == "100 categories" else SIZES for name in WORLDS}
    return [
        *(Job("samples", name, 50, tenth) for name in WORLDS),  # too few to decide anything
        *(Job("samples", name, size, windows) for name in WORLDS for size in sizes[name]),
        *(Job("samples", name, HUGE, few) for name in WORLDS),
        *(Job("histograms", name, size, quarter) for name in WORLDS for size in (100, 300, 1000, 10_000)),
        *(Job("histograms", name, HUGE, few) for name in WORLDS),
        *(Job("own bins", name, 1000, few) for name in NUMBERS),
        *(Job("25 features", name, 1000, tenth) for name in ("normal", "few values", "8 categories")),
        *(Job("segments", name, 1000, fifth, others.LEVEL) for name in list(others.SIDES)[:2]),
        *(Job("segments", name, 10_000, tenth, others.LEVEL) for name in list(others.SIDES)[:2]),
        Job("segments", "no change", HUGE, few, others.LEVEL),
        *(Job("embeddings", method, size, tenth) for method in ("classifier", "mmd") for size in (100, 500)),
        *(Job("power of samples", name, size, tries, 0) for name in SHIFTS for size in POWER),
        *(Job("power of histograms", name, size, tries, 0) for name in SHIFTS for size in (100, 1000)),
        *(Job("power of segments", "one segment drops", size, tries, 0) for size in (1000, 3000, 10_000)),
        *(Job("power of embeddings", method, 300, tries, 0) for method in ("classifier", "mmd")),
    ]


def task(given: tuple[Job, int, int]) -> dict[str, Tally]:
    job, windows, seed = given
    rng = np.random.default_rng(seed)
    if job.table.endswith("segments"):
        return {"culprit": others.segments(job.data, job.size, windows, rng)}
    if job.table.endswith("embeddings"):
        return {"p <= 1 %": others.rows(job.data, 0.0 if job.rate else 0.2, job.size, windows, rng)}
    before, after = (WORLDS[job.data],) * 2 if job.rate else SHIFTS[job.data]
    if job.table.endswith("samples"):
        return samples.alarms(before, after, job.size, windows, rng)
    categorical = isinstance(before, Shares) and before.values is None
    methods = tuple(BY_BINS) if categorical else METHODS
    features = 25 if job.table == "25 features" else 1
    return histograms.alarms(before, after, job.size, windows, rng, methods, features, job.table == "own bins")


HEADS = {
    "samples": "Samples: a window and its reference of the same size; p-value at 1 %",
    "histograms": "Rules over histograms: a day against the 7 days a week before; size: rows of a day",
    "own bins": "The same, every histogram with 64 bins over its own range",
    "25 features": "The same with 25 features in one rule, corrected for their number: any alarm in a window",
    "segments": "Search for a segment: a culprit named among 6 columns and their crossings; stated 5 %; rows a side",
    "embeddings": "Embeddings of 8 dimensions; p-value at 1 %",
    "power of samples": "Power: alarm and effect of at least what a tier asks for",
    "power of histograms": "Power of rules over histograms",
    "power of segments": "Power of the search: the right segment is named (an eighth of the rows, 0.90 -> 0.75)",
    "power of embeddings": "Power: every dimension moved by 0.2 standard deviations",
}


def main() -> int:
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else WINDOWS
    begin = time.monotonic()
    print("How often each default alarms where nothing changed, in %. * its 99 % lower bound (Clopper-Pearson,")
    print(f"one-sided) is above the stated rate, {RATE:.0%} a window where none is named.")
    todo = jobs(windows)
    found: dict[Job, dict[str, Tally]] = {job: {} for job in todo}
    parts = [part for job in todo for part in job.parts()]
    left = {job: sum(1 for part in parts if part[0] == job) for job in todo}
    table, over = "", 0
    with ProcessPoolExecutor(2) as pool:
        for (job, _, _), tallies in zip(parts, pool.map(task, parts), strict=True):
            for method, tally in tallies.items():
                found[job][method] = found[job].get(method, Tally()) + tally
            left[job] -= 1
            if left[job]:
                continue
            if job.table != table:
                table = job.table
                print(f"\n{HEADS[table]}\n{'data':<20}{'size':>9}{'windows':>9}", end="")
                print(
                    "".join(
                        f"{SHORT.get(method, method):>9}" for method in (METHODS if len(found[job]) > 1 else found[job])
                    )
                )
            over += line(job, found[job])
    print(
        f"\n{over} rates above what is stated" if over else "\nevery rate holds", f"({time.monotonic() - begin:.0f} s)"
    )
    return 1 if over else 0


def line(job: Job, tallies: dict[str, Tally]) -> int:
    """Prints one; how many of its rates are too high."""
    print(f"{job.data:<20}{job.size:>9}{job.windows:>9}", end="")
    for one in tallies.values():
        print(
            f"{100 * (one.share if job.rate else one.power):>8.2f}{'*' if job.rate and one.least > job.rate else ' '}",
            end="",
        )
    print(flush=True)
    return sum(bool(job.rate) and one.least > job.rate for one in tallies.values())


if __name__ == "__main__":
    sys.exit(main())
