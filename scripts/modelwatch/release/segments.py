"""Which segments are guarded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.gate import Check, GateRow, Verdict
from ..model.release import GateSpec
from ..stats.cells import Column
from .part import Part

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Guarded:
    name: str
    """``region=eu``."""
    rows: NDArray[np.int64]
    worth: float
    """Share of the value, or of the rows where no value is known."""


def segments_of(part: Part, least: int) -> Iterator[Guarded]:
    """Every value with at least ``least`` rows, what is worth most first; the rest and what is missing, too."""
    for column in part.segments:
        sizes, worth = _sizes(part, column)
        order = np.argsort(column.codes, kind="stable")
        ends = np.cumsum(sizes)
        for place in np.argsort(-worth, kind="stable"):
            if sizes[place] >= max(least, 1):
                rows = order[ends[place] - sizes[place] : ends[place]]
                yield Guarded(f"{column.name}={column.values[place]}", rows, float(worth[place]))


def unguarded(part: Part, spec: GateSpec) -> Iterator[GateRow]:
    """One row a column for the values that have too few rows."""
    for column in part.segments:
        sizes, worth = _sizes(part, column)
        small = (sizes > 0) & (sizes < max(spec.least, 1))
        if small.any():
            count = int(small.sum())
            which = "1 value has" if count == 1 else f"{count:,} values have"
            words = f"{which} fewer than {spec.least:,} rows; not guarded."
            yield GateRow(
                *(Check.SEGMENT, part.name, spec.metric, Verdict.TOLD, words),
                segment=f"{column.name}: others",
                n=int(sizes[small].sum()),
                worth=float(worth[small].sum()),
                worth_of=worth_of(part),
            )


def worth_of(part: Part) -> str:
    return "rows" if part.worth is None else "value"


def _sizes(part: Part, column: Column) -> tuple[NDArray[np.int64], Floats]:
    """Rows of every value, and its share of the value."""
    sizes = np.bincount(column.codes, minlength=len(column.values))
    worth = sizes.astype(np.float64) if part.worth is None else np.bincount(column.codes, part.worth, len(sizes))
    total = float(worth.sum())
    return sizes, worth / total if total > 0 else np.zeros(len(sizes))
