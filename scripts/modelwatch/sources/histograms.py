"""Histograms as W&B logs them: ends and counts of bins, or packed ones of equal width."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from ..model.keys import KeyPattern
from ..model.series import Histograms

MAX_BINS = 10_000
Bins: TypeAlias = "tuple[array[float], array[float]]"


@dataclass(frozen=True, slots=True)
class LoggedHistogram:
    """One histogram of one key."""

    time: float
    written: float
    bins: Bins
    version: int
    """Index into the names of versions; -1 where unknown."""


def parse_histogram(cell: Mapping[str, Any]) -> Bins | None:
    """Ends and counts of the bins of ``{"_type": "histogram", ...}``; ``None`` where it is no whole histogram."""
    values = cell.get("values")
    ends = _bin_edges(cell)
    if not isinstance(values, Sequence) or ends is None or not 0 < len(values) <= MAX_BINS:
        return None
    if len(ends) != len(values) + 1 or any(right <= left for left, right in pairwise(ends)):
        return None
    counts = _finite_numbers(values)
    if counts is None or any(count < 0 for count in counts):
        return None
    return array("d", ends), array("d", counts)


def build_histograms(
    pattern: KeyPattern, key: str, histograms: Sequence[LoggedHistogram], names: tuple[str, ...]
) -> Histograms:
    """Everything under one key by time; of two for one time the one written last."""
    newest: dict[float, LoggedHistogram] = {}
    for one in sorted(histograms, key=lambda one: one.written):
        newest[one.time] = one
    rows = [newest[time] for time in sorted(newest)]
    own = list(dict.fromkeys(row.version for row in rows if row.version >= 0))
    return Histograms(
        name=pattern.name,
        labels=pattern.match(key) or (),
        times=array("d", (row.time for row in rows)),
        edges=tuple(row.bins[0] for row in rows),
        counts=tuple(row.bins[1] for row in rows),
        versions=tuple(names[version] for version in own),
        version_of=array("i", (own.index(row.version) if row.version >= 0 else -1 for row in rows)),
    )


def _bin_edges(cell: Mapping[str, Any]) -> list[float] | None:
    packed = cell.get("packedBins")
    if isinstance(packed, Mapping):
        made = _finite_numbers([packed.get("min"), packed.get("size"), packed.get("count")])
        if made is None or not 0 < made[2] <= MAX_BINS:
            return None
        return [made[0] + place * made[1] for place in range(int(made[2]) + 1)]
    ends = cell.get("bins")
    return _finite_numbers(ends) if isinstance(ends, Sequence) else None


def _finite_numbers(cells: Sequence[Any]) -> list[float] | None:
    if any(type(cell) not in (int, float) or not math.isfinite(cell) for cell in cells):
        return None
    return [float(cell) for cell in cells]
