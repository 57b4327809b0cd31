"""``python -m tests.tuning [--worlds N] [--settings N] [--first N] [FAMILY ...]``: the table of tuning in FIGURES.

Of each family so many worlds are drawn, a year each; two thirds are tuned on, and everything in the table is of the
last third. The worlds that choices were made on (``DEVELOPMENT``) are others. The last row is of the families whose
hand-set rule keeps the budget itself: where it does not, a tuned one cannot be as quick. Status 1 where all families
with one budget are together beyond it (95 % bound), or the rules of the last row are later on average.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from modelwatch.backtest.tuning import TuningOptions
from modelwatch.backtest.tuning_grid import MOST_SETTINGS
from modelwatch.model.tuning import AlertBudget
from modelwatch.timeutil import DAY

from .figures import HEAD, Tally, add_world, row, sum_up, tune_world
from .worlds import FAMILIES, draw_world

SEED = 20_261_201


def tally_world(name: str, settings: int, place: int) -> Tally:
    family = FAMILIES[name]
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), place])
    found = tune_world(draw_world(family, rng), TuningOptions(settings=settings))
    budget = family.budget or AlertBudget(1.0, 90 * DAY)
    return add_world(Tally(budget.rate), found)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tuning")
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument("--settings", type=int, default=MOST_SETTINGS)
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    wanted = parser.parse_args(arguments)
    print(HEAD)
    print("|---" * (HEAD.count("|") - 1) + "|", flush=True)
    found: list[Tally] = []
    with ProcessPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)) as pool:
        for name in wanted.families:
            places = range(wanted.first, wanted.first + wanted.worlds)
            tallies = list(pool.map(partial(tally_world, name, wanted.settings), places))
            found.append(sum_up(tallies, tallies[0].budget))
            print(row(name, found[-1]), flush=True)
    quiet = [tally for tally in found if tally.present_keeps_budget]
    if quiet:
        print(row("hand-set rules within their budget", sum_up(quiet, quiet[0].budget)))
    by_budget = [sum_up((one for one in found if one.budget == budget), budget) for budget in {t.budget for t in found}]
    is_late = sum(tally.gained for tally in quiet) < 0
    return 0 if all(tally.keeps_budget for tally in by_budget) and not is_late else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
