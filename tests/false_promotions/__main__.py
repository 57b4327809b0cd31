"""The table: ``python -m tests.false_promotions [trials]``. Status 1 where what is no better is promoted too often."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby

from modelwatch.model.gate import GateDecision
from modelwatch.model.monitored_model import GateSpec

from .measure import decisions, least
from .worlds import IMPROVED, UNFIT

TRIALS, TRIES = 10_000, 200
STEP = 500
"""Trials a task, so that both cores are busy to the end."""

Job = tuple[str, int, int, int]


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    alpha, over = GateSpec().alpha, 0
    print(f"False promotions of what is no better; alpha {alpha:.0%}; * 99 % lower bound above it; {trials} trials")
    print(f"{'metric':<42}{'rows':>8} {'promoted':>9} {'rejected':>9} {'held':>9}")
    with ProcessPoolExecutor(2) as pool:
        jobs = [(name, n, seed, min(STEP, trials)) for name, (_, sizes) in UNFIT.items() for n in sizes
                for seed in range(max(1, trials // STEP))]  # fmt: skip
        for (name, n), found in gathered(jobs, pool.map(unfit, jobs)):
            count, total = found[GateDecision.PROMOTE], found.total()
            bad = least(count, total) > alpha
            over += bad
            print(line(name, n, found) + ("*" if bad else ""), flush=True)
        tries = min(TRIES, trials)
        print(f"\nPower: candidates that are better ({tries} trials)")
        jobs = [(name, n, 0, tries) for name, (_, sizes) in IMPROVED.items() for n in sizes]
        for (name, n), found in gathered(jobs, pool.map(improved, jobs)):
            print(line(name, n, found), flush=True)
    print(f"\n{over} rates above alpha" if over else "\nevery rate holds")
    return 1 if over else 0


def gathered(
    jobs: Sequence[Job], results: Iterable[Counter[GateDecision]]
) -> Iterator[tuple[tuple[str, int], Counter[GateDecision]]]:
    """The sums of jobs of one world and size, which stand one after the other."""
    pairs = zip(jobs, results, strict=True)
    for key, group in groupby(pairs, key=lambda pair: pair[0][:2]):
        found: Counter[GateDecision] = Counter()
        for _, one in group:
            found.update(one)
        yield key, found


def line(name: str, n: int, found: Counter[GateDecision]) -> str:
    shares = [found[one] / found.total() for one in (GateDecision.PROMOTE, GateDecision.REJECT, GateDecision.HOLD)]
    return f"{name:<42}{n:>8,} " + " ".join(f"{share:>9.4f}" for share in shares)


def unfit(job: Job) -> Counter[GateDecision]:
    name, n, seed, trials = job
    return decisions(UNFIT[name][0], n, trials, seed + 1)


def improved(job: Job) -> Counter[GateDecision]:
    name, n, seed, trials = job
    return decisions(IMPROVED[name][0], n, trials, seed + 1)


if __name__ == "__main__":
    sys.exit(main())
