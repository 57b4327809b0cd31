"""``make check-peers``: ours beside theirs, a row a statistic; status 1 where one is further apart than the bound."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from . import fixtures
from .install import NAMES, NotInstalled, run
from .ours import METHODS, Pair

BOUND = 1e-9
"""Absolute; relative for statistics above 1."""
CHOICES = """
Where a peer's own choice is another than ours, ours follows it above. What we do instead:
  PSI, JS, Hellinger  bins at the reference's quantiles, closed on the right. Evidently: equal bins over both sides
                      (Sturges), of which one outlier empties all but one. NannyML: equal bins over the reference
                      (Doane), and one for the rest.
  PSI, empty bins     half an observation. Evidently: a share of 1e-4, or a millionth of the least share where that is
                      smaller; so that bins which are empty on both sides add to its PSI.
  JS                  to base 2, as NannyML. Evidently: to base e.
  KS                  every value, at every size. NannyML: 10,000 equal bins from 10,000 rows on. Our p-value is by
                      Smirnov's limit at every size. Evidently tells SciPy's only: exact up to 10,000 rows, above it
                      another limit, which is compared at our distance.
  Wasserstein         in the feature's unit, and in standard deviations of the reference as Evidently. NannyML: 10,000
                      equal bins from 10,000 rows on, and values beyond them with one row too many; columns that have
                      such values are not compared.
  Chi-square          both sides are samples, as NannyML. Evidently takes the reference for exact; not compared.
"""


@dataclass(frozen=True)
class Row:
    peer: str
    rows: str
    method: str
    column: str
    ours: float
    theirs: float

    @property
    def apart(self) -> float:
        return abs(self.ours - self.theirs) / max(1.0, abs(self.theirs))

    @property
    def holds(self) -> bool:
        return self.apart <= BOUND

    def told(self, columns: int) -> str:
        return (
            f"{self.peer:<10} {self.rows:<6} {self.method:<19} {columns:>7}  {self.column:<9} {self.ours:>22.15g} "
            f"{self.theirs:>22.15g} {self.apart:>9.1e}  {'yes' if self.holds else 'NO'}"
        )


def compared(peer: str, folder: Path) -> Iterator[Row]:
    """Every statistic of every column that both have."""
    theirs = json.loads(run(peer, f"run_{peer}.py", str(folder)))
    for size in fixtures.SIZES:
        tables = [pq.read_table(folder / f"{size}-{side}.parquet") for side in ("reference", "current")]
        for name in tables[0].column_names:
            pair = Pair(*(table[name].to_numpy() for table in tables))
            for method, ours in METHODS[peer].items():
                answer = theirs.get(f"{size}/{method}/{name}")
                mine = None if answer is None else ours(pair)
                if mine is not None:
                    yield Row(peer, size, method, name, mine, answer)


def main() -> int:
    for size, (reference, current) in fixtures.SIZES.items():
        print(f"{size}: {reference:,} rows of the reference, {current:,} of the current side")
    print(
        f"\n{'peer':<10} {'rows':<6} {'statistic':<19} {'columns':>7}  {'furthest':<9} {'ours':>22} {'theirs':>22} "
        f"{'apart':>9}  within {BOUND:.0e}"
    )
    holds = True
    with tempfile.TemporaryDirectory() as name:
        fixtures.write(Path(name))
        for peer in NAMES:
            try:
                rows = list(compared(peer, Path(name)))
            except NotInstalled as error:
                print(f"{peer} could not be installed, which needs the internet: {error}", file=sys.stderr)
                return 1
            for kind in dict.fromkeys((row.rows, row.method) for row in rows):
                some = sorted((row for row in rows if (row.rows, row.method) == kind), key=lambda row: -row.apart)
                wrong = [row for row in some if not row.holds]
                holds = holds and not wrong
                for row in wrong or some[:1]:
                    print(row.told(len(some)), flush=True)
    print(CHOICES)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
