"""The points and the histograms of one key in the order in which they came, and the series that they make."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model.keys import KeyPattern
from ..model.series import Histograms, Labels, Series
from ..timeutil import MINUTE
from .cell_parsing import Bins
from .deployment_starts import UNKNOWN_VERSION
from .requirements import KeyRequest

MIN_COUNT_REACH, MAX_COUNT_REACH = 1.0, 10 * MINUTE
"""Seconds between a value and a count that is logged in another call."""


@dataclass(slots=True)
class PointColumn:
    """The points of one key in the order in which they came."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    written: array[float] = field(default_factory=lambda: array("d"))
    """When each was written: of two for one time the newest write wins."""
    versions: array[int] = field(default_factory=lambda: array("i"))
    logged: array[float] = field(default_factory=lambda: array("d"))
    """When each became known; empty unless the request keeps it."""

    def select(self, rows: Any) -> PointColumn:
        """Only these rows: a mask."""
        import numpy as np

        def doubles(column: array[float]) -> array[float]:
            return to_doubles(np.asarray(column)[rows])

        versions = array("i", np.asarray(self.versions)[rows].tobytes())
        return PointColumn(doubles(self.times), doubles(self.values), doubles(self.written), versions)


@dataclass(frozen=True, slots=True)
class LoggedHistogram:
    """One histogram of one key."""

    time: float
    written: float
    bins: Bins
    version: int
    """Index into the names of versions; ``UNKNOWN_VERSION`` where unknown."""
    logged: float
    """When it became known."""


def build_column(
    columns: Mapping[str, PointColumn], request: KeyRequest, labels: Labels, key: str, names: tuple[str, ...]
) -> Series:
    import numpy as np

    column = columns[key]
    latest = _latest_positions(column)
    times = np.asarray(column.times)[latest]
    versions, version_of = _own_versions(np.asarray(column.versions)[latest].tolist(), names)
    weights = columns.get(request.weight_of(key)) if request.weight else None
    return Series(
        name=request.pattern.name,
        labels=labels,
        times=to_doubles(times),
        values=to_doubles(np.asarray(column.values)[latest]),
        weights=to_doubles(_weights_at(weights, times)) if weights else None,
        versions=versions,
        version_of=version_of,
    )


def build_histograms(
    pattern: KeyPattern, key: str, histograms: Sequence[LoggedHistogram], names: tuple[str, ...]
) -> Histograms:
    """Everything under one key by time; of two for one time the one written last."""
    by_write = sorted(histograms, key=lambda histogram: histogram.written)
    newest = {histogram.time: histogram for histogram in by_write}
    rows = [newest[time] for time in sorted(newest)]
    versions, version_of = _own_versions((row.version for row in rows), names)
    return Histograms(
        name=pattern.name,
        labels=pattern.match(key) or (),
        times=array("d", (row.time for row in rows)),
        edges=tuple(row.bins[0] for row in rows),
        counts=tuple(row.bins[1] for row in rows),
        versions=versions,
        version_of=version_of,
    )


def _latest_positions(column: PointColumn) -> Any:
    """Places of the points to keep, by time: of several for one time the one that was written last."""
    import numpy as np

    times = np.asarray(column.times)
    order = np.lexsort((np.arange(len(times)), np.asarray(column.written), times))
    last = np.append(times[order][1:] != times[order][:-1], True)
    return order[last]


def _weights_at(column: PointColumn, times: Any) -> Any:
    """The counts at ``times``. A value without one has the nearest that no value was logged with, such as that of a
    second ``wandb.log``, within half the usual distance of values; NaN if there is none."""
    import numpy as np

    latest = _latest_positions(column)
    known, counts = np.asarray(column.times)[latest], np.asarray(column.values)[latest]
    known, counts = known[~np.isnan(counts)], counts[~np.isnan(counts)]
    if not len(known):
        return np.full(len(times), np.nan)
    places = np.minimum(np.searchsorted(known, times), len(known) - 1)
    weights = np.where(known[places] == times, counts[places], np.nan)
    alone = ~np.isin(known, times)
    if alone.any() and np.isnan(weights).any():
        known, counts, missing = known[alone], counts[alone], np.isnan(weights)
        after = np.minimum(np.searchsorted(known, times[missing]), len(known) - 1)
        before = np.maximum(after - 1, 0)
        gaps = np.abs(known[[before, after]] - times[missing])
        spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        reach = min(max(MIN_COUNT_REACH, spacing / 2), MAX_COUNT_REACH)
        nearest = np.where(gaps[0] <= gaps[1], before, after)
        weights[missing] = np.where(gaps.min(axis=0) < reach, counts[nearest], np.nan)
    return weights


def _own_versions(places: Iterable[int], names: tuple[str, ...]) -> tuple[tuple[str, ...], array[int]]:
    """The versions of one series in order of first appearance, and per point which it is."""
    import numpy as np

    found, first, which = np.unique(np.fromiter(places, "i"), return_index=True, return_inverse=True)
    known = found != UNKNOWN_VERSION
    order = np.argsort(np.where(known, first, len(which)), kind="stable")[: int(known.sum())]
    own = np.full(len(found), UNKNOWN_VERSION, "i")
    own[order] = np.arange(len(order))
    return tuple(names[found[place]] for place in order), array("i", own[which].astype("i").tobytes())


def to_doubles(column: Any) -> array[float]:
    return array("d", column.astype("d").tobytes())
