"""``make races``: pairs of evaluations at the same time, as a table; status 1 where anything happened twice.

The argument is the number of pairs, 1,000 by default.
"""

from __future__ import annotations

import sys
import time

from .pairs import SCENARIOS, Pair, bugs, place, try_pair

HEAD = (
    "",
    "pairs",
    "doubled dispatches",
    "doubled incidents",
    "doubled issues",
    "closed at once",
    "doubled comments",
    "postponed",
)


def main(arguments: list[str]) -> int:
    began, count = time.monotonic(), int(arguments[0]) if arguments else 1000
    tried: list[Pair] = []
    with place() as here:
        for seed in range(count):
            one = try_pair(here, SCENARIOS[seed % len(SCENARIOS)], seed)
            tried.append(one)
            if not one.is_sound:
                print(f"{one.scenario.name}, seed {seed}: {one}", flush=True)
        problems = bugs(here)
    rows = [HEAD, *(_row(name, [one for one in tried if one.scenario.name == name]) for name in _names())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" if not place else f"{cell:>{width}}"
                        for place, (cell, width) in enumerate(zip(row, widths, strict=True))))  # fmt: skip
    red = sum(not one.is_sound for one in tried)
    print(f"\n{len(tried)} pairs, {red} red, {time.monotonic() - began:.0f} s")
    print(*problems, sep="\n", end="")
    return 1 if red or problems else 0


def _names() -> list[str]:
    return [scenario.name for scenario in SCENARIOS]


def _row(name: str, pairs: list[Pair]) -> tuple[str, ...]:
    counts = (
        len(pairs),
        sum(one.dispatches for one in pairs),
        sum(one.incidents for one in pairs),
        sum(one.issues for one in pairs),
        sum(one.closed for one in pairs),
        sum(one.comments for one in pairs),
        sum(one.postponed for one in pairs),
    )
    return (name, *map(str, counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
