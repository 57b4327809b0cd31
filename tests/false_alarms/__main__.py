"""The tables: ``python -m tests.false_alarms``. Status 1 where a default or a rule alarms more often than it says.

First every default of drift, the search and embeddings on windows; then the rules that have a budget of false alarms,
over model-years (``model_year_table``).

The verdict, laid down before anything is drawn. A default is a method on a kind of data. It is judged on all of its
windows together, whatever their world and size: at least 10,000 of 100 to 10,000 rows, and on their own at least 200
of 1,000,000. The 99 % lower bound of its rate of alarms (Clopper and Pearson, one-sided) must not be above the rate
that is stated. Below 100 rows every default is undecided by design: there a single alarm fails.

Beside that stand the cells, one for each world and size, with fewer windows each. Of so many some are high by chance,
so a cell counts (``*``) only beyond the bound corrected for the number of cells of its table (Bonferroni); it then
fails, too.

Of more than 5,000 or 500 rows a sample of embeddings is judged, so that larger sizes are the same. Of W&B's own bins at
1,000,000 rows only worlds of few values are drawn (the others need 8,000,000 values a window).
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from zlib import crc32

import numpy as np
from threadpoolctl import threadpool_limits

from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS, MIN_RELIABLE_COUNT
from modelwatch.stats.drift.null_distribution import FALSE_ALARM_RATE

from . import histograms, model_year_table, others
from .tally import Tally
from .worlds import CATEGORIES, NUMBERS, SHIFTS, WORLDS, Shares

WINDOWS = 10_000
FEW, SIZES = 50, (100, 300, 1000, 3000, 10_000)
UNLIKE = ((100, 10_000), (200, 10_000), (1000, 10_000), (10_000, 100))
"""Rows of the reference and of the window."""
CAPTURED = ((10_000, 300), (10_000, 1000), (10_000, 10_000), (300, 10_000))
"""The same for captured profiles."""
HUGE, HUGE_WINDOWS = 1_000_000, 200
POWER = (100, 300, 1000, 3000)
TRIES = 100
PART = 400
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
    rate: float = FALSE_ALARM_RATE
    reference: int = 0
    """Rows of the reference where they are not as many."""

    def parts(self) -> Iterator[tuple[Job, int, int]]:
        """Tasks of at most so many windows, each with a seed of its own."""
        part = PART if self.size < HUGE else 20
        for place, start in enumerate(range(0, self.windows, part)):
            name = f"{self.table} {self.data} {self.reference} {self.size} {place}"
            yield self, min(part, self.windows - start), crc32(name.encode())

    @property
    def kind(self) -> str:
        """What is judged together."""
        return f"{self.table}: {self.data}" if self.table == "embeddings" else self.table


def _jobs(
    table: str, data: Mapping[str, object], sizes: tuple[int, ...], windows: int, rate: float = FALSE_ALARM_RATE
) -> Iterator[Job]:
    """At least ``windows`` in all."""
    for name in data:
        for size in sizes:
            yield Job(table, name, size, -(-windows // (len(data) * len(sizes))), rate)


def _some(*names: str) -> dict[str, object]:
    return dict.fromkeys(names)


def jobs(windows: int) -> list[Job]:
    """Everything that is measured, in the order of the table."""
    huge, tries = min(windows, HUGE_WINDOWS), min(windows, TRIES)
    few = max(windows // 20, 1)
    tables: list[Job] = []
    for kind, worlds in (("numbers", NUMBERS), ("categories", CATEGORIES)):
        mixed = [name for name in worlds if name not in ("heavy tail", "skewed", "2 categories")]
        each = -(-windows // (len(mixed) * len(UNLIKE)))
        tables += [
            *_jobs(f"rules, {kind}", worlds, (FEW,), huge),
            *_jobs(f"rules, {kind}", worlds, SIZES, windows),
            *_jobs(f"rules, {kind}", worlds, (HUGE,), huge),
            *(Job(f"rules, {kind}, unlike", name, m, each, FALSE_ALARM_RATE, n) for name in mixed for n, m in UNLIKE),
        ]
    each = -(-windows // (len(NUMBERS) * len(CAPTURED)))
    tables += [Job("profiles", name, m, each, FALSE_ALARM_RATE, n) for name in NUMBERS for n, m in CAPTURED]
    tables += [
        Job("profiles", name, HUGE, -(-huge // len(NUMBERS)), FALSE_ALARM_RATE, CAPTURED[0][0]) for name in NUMBERS
    ]
    sides, level = _some(*list(others.SIDES)[:2]), others.LEVEL
    tables += [
        *_jobs("rules, own bins", NUMBERS, (100, 1000, 3000), windows),
        *_jobs("rules, own bins", _some("few values", "many zeros"), (HUGE,), huge),
        *_jobs("rules, 25 features", _some("normal", "few values"), (1000,), windows),
        Job("rules, 25 features", "8 categories", 1000, few),
        *_jobs("rules, 25 features", _some("normal", "few values"), (HUGE,), huge),
        *_jobs("segments", sides, (1000, 3000), windows, level),
        *_jobs("segments", sides, (HUGE,), huge, level),
        *_jobs("embeddings", _some("classifier_auc"), (100, 1000), windows),
        Job("embeddings", "classifier_auc", HUGE, huge),
        *_jobs("embeddings", _some("mmd"), (100, 500), windows),
        Job("embeddings", "mmd", HUGE, huge),
    ]
    for name, (before, _) in SHIFTS.items():
        tables += [Job("power of rules", name, size, tries, 0) for size in POWER]
        if not _is_categorical(before):
            tables += [Job("power of profiles", name, size, tries, 0, CAPTURED[0][0]) for size in POWER[1:3]]
    tables.sort(key=lambda job: job.table.startswith("power"))
    tables.sort(key=lambda job: job.table if job.table.startswith("power") else "")
    tables += [Job("power of segments", "one segment drops", size, tries, 0) for size in (1000, 3000, 10_000)]
    return [*tables, *(Job("power of embeddings", one, 300, tries, 0) for one in ("classifier_auc", "mmd"))]


def _is_categorical(world: object) -> bool:
    return isinstance(world, Shares) and world.values is None


def task(given: tuple[Job, int, int]) -> dict[str, Tally]:
    job, windows, seed = given
    rng = np.random.default_rng(seed)
    if job.table.endswith("segments"):
        return {"culprit": others.segments(job.data, job.size, windows, rng)}
    if job.table.endswith("embeddings"):
        return {"alarm": others.rows(job.data, 0.0 if job.rate else 0.2, job.size, windows, rng)}
    before, after = (WORLDS[job.data],) * 2 if job.rate else SHIFTS[job.data]
    if job.table.endswith("profiles"):
        return histograms.captured_alarms(before, after, job.size, windows, rng, job.reference)
    methods = tuple(BINNED_STATISTICS) if _is_categorical(before) else METHODS
    features, own = (25 if "25 features" in job.table else 1), "own bins" in job.table
    return histograms.alarms(before, after, job.size, windows, rng, methods, features, own, job.reference)


HEADS = {
    "rules, numbers": "Rules over histograms: a day against the 7 days a week before; size: rows of a day",
    "rules, numbers, unlike": "Rules over histograms: a day and a reference of another size",
    "rules, categories": "Rules over histograms of categories",
    "rules, categories, unlike": "Rules over histograms of categories: a day and a reference of another size",
    "profiles": "Rules over measured profiles against a captured one",
    "rules, own bins": "Rules over histograms with 64 bins each over its own range, as W&B makes them",
    "rules, 25 features": "Rules over 25 features, corrected for their number: any alarm in a window",
    "segments": "Search for a segment: a culprit named among 6 columns and their crossings; stated 5 %; rows a side",
    "embeddings": "Embeddings of 8 dimensions: the limit of the mildest tier, and its interval",
    "power of profiles": "Power over profiles: alarm, and effect of at least what a tier requires",
    "power of rules": "Power of rules over histograms: the same",
    "power of segments": "Power of the search: the right segment is named (an eighth of the rows, 0.90 -> 0.75)",
    "power of embeddings": "Power: every dimension moved by 0.2 standard deviations",
}
OPENING = f"""\
How often each default alarms where nothing changed, in %. The verdict stands below the tables; it is on all windows of
a default (a method on a kind of data) together: at least {WINDOWS} of 100 to 10,000 rows, and on their own at least
{HUGE_WINDOWS} of {HUGE}. The 99 % lower bound of its rate (Clopper-Pearson, one-sided) is at or under what is stated,
{FALSE_ALARM_RATE:.0%} a window but for the search. * in a cell: above it even by the bound corrected for the number of
cells of its table; that fails, too. Below {MIN_RELIABLE_COUNT} rows a default never alarms. Power stands last."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--windows", type=int, default=WINDOWS, help="of each default; 0: none")
    parser.add_argument("--years", type=int, default=model_year_table.YEARS, help="model-years; 0: none")
    options = parser.parse_args()
    begin = time.monotonic()
    wrong = 0
    with ProcessPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)) as pool:
        if options.windows:
            wrong += print_windows(pool, options.windows)
        if options.years:
            wrong += model_year_table.print_model_years(pool, options.years)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - begin:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time")
    return 1 if wrong else 0


def print_windows(pool: Executor, windows: int) -> int:
    """The tables of the defaults on windows; how much is wrong."""
    print(OPENING, flush=True)
    found: dict[Job, dict[str, Tally]] = {}
    parts = [part for job in jobs(windows) for part in job.parts()]
    together = zip(parts, pool.map(task, parts), strict=True)
    for table, here in groupby(together, key=lambda one: one[0][0].table):
        for (job, _, _), tallies in here:
            before = found.setdefault(job, {})
            for method, tally in tallies.items():
                before[method] = before.get(method, Tally()) + tally
        print_cells(table, {job: tallies for job, tallies in found.items() if job.table == table})
    return print_verdict(found)


def print_cells(table: str, found: Mapping[Job, Mapping[str, Tally]]) -> None:
    methods = list(dict.fromkeys(method for tallies in found.values() for method in tallies))
    named = "".join(f"{SHORT.get(method, method):>9}" for method in methods)
    print(f"\n{HEADS[table]}\n{'data':<20}{'reference':>10}{'size':>9}{'windows':>9}{named}")
    flagged = set(high_cells(found))
    for job, tallies in found.items():
        print(f"{job.data:<20}{job.reference or '':>10}{job.size:>9}{job.windows:>9}", end="")
        for method, one in tallies.items():
            share = one.share if job.rate else one.power
            print(f"{100 * share:>8.2f}{'*' if (job, method) in flagged else ' '}", end="")
        print(flush=True)


def high_cells(found: Mapping[Job, Mapping[str, Tally]]) -> Iterator[tuple[Job, str]]:
    """Cells of one table that are too high for chance."""
    cells = [(job, method, one) for job, tallies in found.items() if job.rate for method, one in tallies.items()]
    decided = sum(job.size >= MIN_RELIABLE_COUNT for job, _, _ in cells)
    for job, method, one in cells:
        if one.alarms if job.size < MIN_RELIABLE_COUNT else one.least(decided) > job.rate:
            yield job, method


def pooled(found: Mapping[Job, Mapping[str, Tally]]) -> dict[tuple[str, str, bool], tuple[Tally, float]]:
    """All windows of a default, those of a million rows (True) on their own, and what is stated."""
    sums: dict[tuple[str, str, bool], tuple[Tally, float]] = {}
    for job, tallies in found.items():
        for method, one in tallies.items():
            if job.rate and job.size >= MIN_RELIABLE_COUNT:
                key = (job.kind, method, job.size >= HUGE)
                sums[key] = sums.get(key, (Tally(), 0.0))[0] + one, job.rate
    return sums


def print_verdict(found: Mapping[Job, Mapping[str, Tally]]) -> int:
    """How much is wrong."""
    print(f"\nVerdict, in %\n{'default':<27}{'method':<10}{'rows':>10}{'windows':>9}{'alarms':>8}", end="")
    print(f"{'rate':>8}{'bound':>8}{'stated':>8}")
    wrong = 0
    for (kind, method, huge), (one, rate) in pooled(found).items():
        high = one.least() > rate
        wrong += high
        rows = f"{HUGE}" if huge else "to 10,000"
        print(f"{kind:<27}{SHORT.get(method, method):<10}{rows:>10}{one.windows:>9}{one.alarms:>8}", end="")
        print(f"{100 * one.share:>8.2f}{100 * one.least():>8.2f}{100 * rate:>8.2f}  {'ABOVE' if high else 'holds'}")
    tables = {job.table for job in found if job.rate}
    cells = sum(
        1
        for table in tables
        for _ in high_cells({job: tallies for job, tallies in found.items() if job.table == table})
    )
    few = [
        one for job, tallies in found.items() if job.rate and job.size < MIN_RELIABLE_COUNT for one in tallies.values()
    ]
    print(
        f"\nbelow {MIN_RELIABLE_COUNT} rows {sum(one.alarms for one in few)} alarms in "
        f"{sum(one.windows for one in few)} windows"
    )
    print(f"{wrong} defaults above what is stated, {cells} cells too high for chance")
    return wrong + cells


if __name__ == "__main__":
    sys.exit(main())
