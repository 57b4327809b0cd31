"""Which segments are guarded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.gate import GateCheck, GateRow, GateVerdict
from ..model.release import GateSpec
from ..stats.cells import EncodedColumn
from .part import Comparison

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GuardedSegment:
    name: str
    """``region=eu``."""
    rows: NDArray[np.int64]
    worth: float
    """Share of the value, or of the rows where no value is known."""


def guarded_segments(comparison: Comparison, least: int) -> Iterator[GuardedSegment]:
    """Every value with at least ``least`` rows (of a ranking: queries), what is worth most first; the rest and what is
    missing, too."""
    for column in comparison.segments:
        sizes, worth = _value_sizes(comparison, column)
        units = _independent_units(comparison, column, sizes)
        order = np.argsort(column.codes, kind="stable")
        ends = np.cumsum(sizes)
        for place in np.argsort(-worth, kind="stable"):
            if units[place] >= max(least, 1):
                rows = order[ends[place] - sizes[place] : ends[place]]
                yield GuardedSegment(f"{column.name}={column.values[place]}", rows, float(worth[place]))


def unguarded_rows(comparison: Comparison, spec: GateSpec) -> Iterator[GateRow]:
    """One row a column for the values that have too few rows."""
    for column in comparison.segments:
        sizes, worth = _value_sizes(comparison, column)
        units = _independent_units(comparison, column, sizes)
        small = (sizes > 0) & (units < max(spec.least, 1))
        if small.any():
            count = int(small.sum())
            which = "1 value has" if count == 1 else f"{count:,} values have"
            what = "rows" if comparison.pairs.query is None else "queries"
            words = f"{which} fewer than {spec.least:,} {what}; not guarded."
            yield GateRow(
                *(GateCheck.SEGMENT, comparison.name, spec.metric, GateVerdict.TOLD, words),
                segment=f"{column.name}: others",
                n=int(units[small].sum()),
                worth=float(worth[small].sum()),
                worth_of=worth_unit(comparison),
                unit=what,
            )


def worth_unit(comparison: Comparison) -> str:
    return "rows" if comparison.worth is None else "value"


def _value_sizes(comparison: Comparison, column: EncodedColumn) -> tuple[NDArray[np.int64], Floats]:
    """Rows of every value, and its share of the value."""
    sizes = np.bincount(column.codes, minlength=len(column.values))
    worth = (
        sizes.astype(np.float64)
        if comparison.worth is None
        else np.bincount(column.codes, comparison.worth, len(sizes))
    )
    total = float(worth.sum())
    return sizes, worth / total if total > 0 else np.zeros(len(sizes))


def _independent_units(comparison: Comparison, column: EncodedColumn, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of every value what stands for itself: rows, or the queries of a ranking that have a row there."""
    query = comparison.pairs.query
    if query is None:
        return sizes
    pairs = np.unique(np.stack([column.codes.astype(np.int64), query]), axis=1)
    return np.bincount(pairs[0], minlength=len(column.values))
