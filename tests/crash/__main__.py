"""``make crash-matrix``: the whole matrix as tables; status 1 where a cell is red."""

from __future__ import annotations

import sys
import time

import click

from .columns import COLUMNS, LEGEND
from .matrix import ALL, Tried, all_cells, rehearsals, sample, try_cells
from .releases import RELEASES
from .table import explain, render
from .world import worlds


@click.command()
@click.argument("words", nargs=-1)
@click.option("--sample", "sampled", is_flag=True, help="Only the cells of `make test`.")
def main(words: tuple[str, ...], sampled: bool) -> None:
    """The whole matrix, or the scenarios with one of WORDS in their names."""
    began = time.monotonic()
    scenarios = [one for one in ALL if not words or any(word in one.name for word in words)]
    with worlds() as world:
        known = rehearsals(world, scenarios, fresh=scenarios)
    cells = (sample if sampled else all_cells)(scenarios, known)
    tried: list[Tried] = []

    def tell(one: Tried) -> None:
        tried.append(one)
        if one.wrong:
            print(explain(one), flush=True)
        elif len(tried) % 100 == 0:
            print(f"  {len(tried)} of {len(cells)} cells", file=sys.stderr, flush=True)

    try_cells(cells, known, tell)
    for scenario in scenarios:
        mine = [one for one in tried if one.cell.scenario is scenario]
        what = "A release that" if scenario in RELEASES else "An evaluation that"
        print("\n" + render(f"{what} {scenario.name}", mine, COLUMNS))
    red = sum(bool(one.wrong) for one in tried)
    print(f"\n{LEGEND}")
    print(f"{len(tried)} cells, {red} red, {time.monotonic() - began:.0f} s")
    sys.exit(1 if red else 0)


if __name__ == "__main__":
    main()
