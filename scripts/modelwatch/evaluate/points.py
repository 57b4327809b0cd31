"""The points of a series that count, and how many do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.series import Series
from ..stats.arrays import Bools, Floats, Ints
from .deployments import VersionTimeline

MAX_CLOCK_SKEW = 300.0
"""Seconds that a point can lie in the future (clock skew); later ones are left out and counted."""
MAX_VALUE = 1e100
"""Values further from 0 are left out like infinite ones: their squares, summed and multiplied, are no numbers."""
MAX_COUNT = 2.0**53
"""A larger count is unknown: it counts nothing, since not every whole number exists there."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Finite points with strictly ascending times, of the version that served at their time."""

    times: Floats
    values: Floats
    weights: Floats | None
    """Positive; NaN where the count is unknown. ``None`` where no count was logged."""
    bad_times: Floats
    """Times of the points left out for a value that is no usable number: NaN, infinite or beyond ``MAX_VALUE``."""
    late: int = 0
    """Points left out because they lie too far in the future."""
    replaced: int = 0
    """Points left out for a later one of the same time with another value."""
    uncountable: int = 0
    """Points whose count is infinite or beyond ``MAX_COUNT``, and so unknown."""

    def between(self, start: float, end: float) -> Points:
        """Only the points from ``start`` until ``end`` (seconds, UTC), both included."""
        rows = slice(int(np.searchsorted(self.times, start)), int(np.searchsorted(self.times, end, side="right")))
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, times=self.times[rows], values=self.values[rows], weights=weights)

    def select(self, rows: Bools) -> Points:
        """Only these points."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, times=self.times[rows], values=self.values[rows], weights=weights)


def clean_points(series: Series, service: VersionTimeline, now: float) -> Points:
    """What counts of a series.

    Left out are: points later than ``now`` + 5 min (counted as ``late``), rows whose weight is not positive (they
    count nothing, so their value, often 0/0, does not matter), points of a version that was not the deployed one,
    and values that are no usable numbers (counted as ``bad``). Of two such points for one time the newest, that is the
    one further down, wins. A point of unknown version belongs to whatever is deployed. A count that cannot be one is
    unknown.
    """
    times = np.asarray(series.times)
    rows = _ascending_rows(times)
    times = times[rows]
    ends = int(np.searchsorted(times, now + MAX_CLOCK_SKEW, side="right"))
    late, times = len(times) - ends, times[:ends]
    rows = slice(ends) if isinstance(rows, slice) else rows[:ends]
    values = np.asarray(series.values)[rows]
    weights = None if series.weights is None else np.asarray(series.weights)[rows]
    keep = _rows_that_count(times, weights, _version_codes(series, service, rows), service)
    replaced = 0 if isinstance(rows, slice) else _leave_out_replaced(times, values, keep)
    finite = np.abs(values) <= MAX_VALUE
    bad = times[keep & ~finite]
    keep &= finite
    if not keep.all():
        times, values = times[keep], values[keep]
        weights = None if weights is None else weights[keep]
    if weights is None or not (uncountable := weights > MAX_COUNT).any():
        return Points(times, values, weights, bad, late, replaced)
    known = np.where(uncountable, np.nan, weights)
    return Points(times, values, known, bad, late, replaced, int(uncountable.sum()))


def left_out_notes(points: Sequence[Points]) -> tuple[str, ...]:
    """What was left out of these series, and is not said beside each of them."""
    replaced, uncountable = sum(part.replaced for part in points), sum(part.uncountable for part in points)
    notes = []
    if replaced:
        notes.append(
            f"{replaced} points were left out for a later one of the same time with another value; log what several "
            "processes measure under keys or segments of their own"
        )
    if uncountable:
        notes.append(f"{uncountable} counts above 9e15 are no counts, and were taken as unknown")
    return tuple(notes)


def _ascending_rows(times: Floats) -> slice | Ints:
    """Rows in ascending order of time, without unknown times; mostly all of them as they are, with no time twice."""
    if len(times) == 0 or (bool((times[1:] > times[:-1]).all()) and np.isfinite(times[0])):
        return slice(None)
    rows = np.flatnonzero(np.isfinite(times))
    return np.asarray(rows[np.argsort(times[rows], kind="stable")])


def _leave_out_replaced(times: Floats, values: Floats, keep: Bools) -> int:
    """Of rows that count for one time, keep only the newest; returns how many others have another value."""
    kept = np.flatnonzero(keep)
    older = np.flatnonzero(times[kept][1:] == times[kept][:-1])
    keep[kept[older]] = False
    return int((values[kept[older]] != values[kept[older + 1]]).sum())


def _version_codes(series: Series, service: VersionTimeline, rows: slice | Ints) -> Ints | None:
    """Per row the version as an index into ``service.versions``: -1 unknown, -2 one that was never deployed."""
    if len(series.version_of) != len(series) or not service.has_deployments:
        return None
    if len(service.versions) == 1 and series.versions in ((), service.versions):
        return None  # No version but the one that serves.
    places = {version: place for place, version in enumerate(service.versions)}
    codes = np.array([*(places.get(version, -2) for version in series.versions), -1], dtype=np.int64)
    return codes[np.asarray(series.version_of)[rows].astype(np.int64)]


def _rows_that_count(times: Floats, weights: Floats | None, own: Ints | None, service: VersionTimeline) -> Bools:
    keep = np.ones(len(times), dtype=np.bool_)
    if weights is not None:
        keep &= ~(weights <= 0)
    if own is not None:
        deployed = service.version_at(times)
        keep &= (own == deployed) | (own == -1) | (deployed == -1)
    return keep
