"""The table: ``python -m tests.false_promotions [trials]``. Status 1 where equal models are promoted too often."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from modelwatch.model.gate import Decision
from modelwatch.model.release import GateSpec

from .measure import decisions, least
from .worlds import EQUAL, IMPROVED

TRIALS, TRIES = 10_000, 200
STEP = 500
"""Trials a task, so that both cores are busy to the end."""

Job = tuple[str, int, int, int]


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    alpha, over = GateSpec().alpha, 0
    print(f"False promotions of equal models; alpha {alpha:.0%}; * 99 % lower bound above it; {trials} trials")
    print(f"{'metric':<42}{'rows':>8} {'promoted':>9} {'rejected':>9} {'held':>9}")
    with ProcessPoolExecutor(2) as pool:
        jobs = [(name, n, seed, min(STEP, trials)) for name, (_, sizes) in EQUAL.items() for n in sizes
                for seed in range(max(1, trials // STEP))]  # fmt: skip
        for (name, n), found in gathered(jobs, pool.map(equal, jobs)).items():
            count, total = found[Decision.PROMOTE], found.total()
            bad = least(count, total) > alpha
            over += bad
            print(line(name, n, found) + ("*" if bad else ""), flush=True)
        tries = min(TRIES, trials)
        print(f"\nPower: candidates that are better ({tries} trials)")
        jobs = [(name, n, 0, tries) for name, (_, sizes) in IMPROVED.items() for n in sizes]
        for (name, n), found in gathered(jobs, pool.map(improved, jobs)).items():
            print(line(name, n, found), flush=True)
    print(f"\n{over} rates above alpha" if over else "\nevery rate holds")
    return 1 if over else 0


def gathered(jobs: list[Job], results: object) -> dict[tuple[str, int], Counter[Decision]]:
    found: dict[tuple[str, int], Counter[Decision]] = {}
    for (name, n, _, _), one in zip(jobs, results, strict=True):  # type: ignore[call-overload]
        found.setdefault((name, n), Counter()).update(one)
    return found


def line(name: str, n: int, found: Counter[Decision]) -> str:
    shares = [found[one] / found.total() for one in (Decision.PROMOTE, Decision.REJECT, Decision.HOLD)]
    return f"{name:<42}{n:>8,} " + " ".join(f"{share:>9.4f}" for share in shares)


def equal(job: Job) -> Counter[Decision]:
    name, n, seed, trials = job
    return decisions(EQUAL[name][0], n, trials, seed + 1)


def improved(job: Job) -> Counter[Decision]:
    name, n, seed, trials = job
    return decisions(IMPROVED[name][0], n, trials, seed + 1)


if __name__ == "__main__":
    sys.exit(main())
