"""The table: ``python -m tests.false_alarms [windows]``. Status 1 where a default alarms more often than it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from modelwatch.stats.limits import RATE

from .measure import Tally, alarms_of
from .worlds import CATEGORIES, NUMERIC, SHIFTS

SIZES = (50, 100, 200, 500, 1000, 3000, 10_000)
HUGE = 1_000_000
WINDOWS, FEW, TRIES = 10_000, 200, 400

Job = tuple[str, int, int]


def main() -> int:
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else WINDOWS
    few = max(min(FEW, windows // 50), 1)
    jobs = [(name, HUGE, few) for name in (*NUMERIC, *CATEGORIES)]
    jobs += [(name, size, windows) for size in reversed(SIZES) for name in (*NUMERIC, *CATEGORIES)]
    over = 0
    print(
        f"False alarms where nothing changed; stated rate {RATE:.1%} a window and feature; * 99 % lower bound above it"
    )
    print(f"{'data':<14}{'size':>9}{'windows':>9}  alarm rate by method")
    with ProcessPoolExecutor(2) as pool:
        for (name, size, count), tallies in zip(jobs, pool.map(no_change, jobs), strict=True):
            over += sum(one.least > RATE for one in tallies.values())
            print(f"{name:<14}{size:>9}{count:>9}  {' '.join(cells(tallies))}", flush=True)
        print(f"\nPower: share of windows with an alarm and an effect ({min(TRIES, windows)} windows)")
        shifts = [(name, size, min(TRIES, windows)) for name in SHIFTS for size in (100, 500, 3000)]
        for (name, size, _), tallies in zip(shifts, pool.map(shifted, shifts), strict=True):
            print(f"{name:<19}{size:>6}  {' '.join(f'{m} {t.power:.2f}' for m, t in tallies.items())}", flush=True)
    print(f"\n{over} rates above the stated one" if over else "\nevery rate holds")
    return 1 if over else 0


def cells(tallies: dict[str, Tally]) -> Iterator[str]:
    for method, one in tallies.items():
        yield f"{method} {one.share:.4f}{'*' if one.least > RATE else ''}"


def no_change(job: Job) -> dict[str, Tally]:
    name, size, windows = job
    draw = NUMERIC.get(name) or CATEGORIES[name]
    return alarms_of(draw, draw, size, windows, name in CATEGORIES, np.random.default_rng([size, len(name)]))


def shifted(job: Job) -> dict[str, Tally]:
    name, size, windows = job
    return alarms_of(*SHIFTS[name], size, windows, "category" in name, np.random.default_rng(size))


if __name__ == "__main__":
    sys.exit(main())
