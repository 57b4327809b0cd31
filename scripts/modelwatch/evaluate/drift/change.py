"""What changed in a feature, as people read it: mean and quantiles, or the shares of categories."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

import numpy as np

from ...model.drift import DistributionChange, QuantileChange, ShareChange
from ...model.rule import BaselineKind, BaselineSpec
from ...model.series import Histograms
from ...stats.arrays import Floats, Ints
from ...stats.profile.wandb_histogram import OTHER_CATEGORIES_START, category_positions
from ..windows import row_ranges
from .rebinning import merge_histograms
from .references import CapturedBins, FeatureWindows, ReferenceLookup, comparison_key, reference_stretches

QUANTILES = (0.1, 0.5, 0.9)
MAX_SHARES = 3
"""The shares that changed most."""
CHANGE_SIZE = 20
"""Numbers in a described change, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """All values of one side."""

    edges: Floats
    counts: Floats
    mean: float
    sd: float


def describe_change(
    spec: BaselineSpec, windows: FeatureWindows, known: ReferenceLookup, row: int
) -> DistributionChange | None:
    """The window at the evaluation time ``row`` against the reference ``spec``; ``None`` where a side is empty."""
    at = replace(windows, times=windows.times[row : row + 1])
    captured = known.find_histogram(spec, at.histograms) if spec.kind is BaselineKind.FILE else None
    key = ("change", known.spec.is_categorical(at.histograms.name), comparison_key(spec, at, captured))
    return known.shared.get(key, lambda: _describe_change(spec, at, known, captured), lambda _: CHANGE_SIZE)


def _describe_change(
    spec: BaselineSpec, at: FeatureWindows, known: ReferenceLookup, captured: CapturedBins | None
) -> DistributionChange | None:
    current = row_ranges(at.at, at.times - at.window, at.times, at.timeline.start_of(at.times))
    rows = np.asarray(at.rows)
    categorical = known.spec.is_categorical(at.histograms.name)
    after = _merge(at, rows[current.lo[0] : current.hi[0]], categorical)
    before = _reference(spec, at, captured, rows, categorical)
    if before is None or after is None:
        return None
    if categorical:
        return DistributionChange(shares=_share_changes(before, after, known.category_names(at.histograms)))
    quantiles = zip(QUANTILES, _quantiles(before), _quantiles(after), strict=True)
    return DistributionChange((before.mean, after.mean), before.sd, tuple(QuantileChange(*one) for one in quantiles))


def _reference(
    spec: BaselineSpec, at: FeatureWindows, captured: CapturedBins | None, rows: Ints, categorical: bool
) -> _Side | None:
    if spec.kind is not BaselineKind.FILE:
        stretches = reference_stretches(spec, at)
        chosen = [rows[part.lo[0] : part.hi[0]] for part in stretches]
        return _merge(at, np.concatenate(chosen), categorical) if chosen else None
    if captured is None:
        return None
    edges, counts = (array("d", column) for column in captured)
    alone = replace(at, histograms=replace(at.histograms, edges=(edges,), counts=(counts,)))
    return _merge(alone, np.zeros(1, np.int64), categorical)


def _merge(at: FeatureWindows, rows: Ints, categorical: bool) -> _Side | None:
    filled = [int(row) for row in rows if any(at.histograms.counts[row])]
    if not filled:
        return None
    total = None if categorical else _add_up(at.histograms, filled)
    edges, counts = total or merge_histograms(at.histograms, filled, categorical)
    return _Side(edges, counts, *_moments(at.histograms, filled))


def _add_up(histograms: Histograms, rows: list[int]) -> tuple[Floats, Floats] | None:
    """The sum of histograms that share all their edges; ``None`` where they do not."""
    edges = histograms.edges[rows[0]]
    if any(histograms.edges[row] != edges for row in rows[1:]):
        return None
    counts = np.sum([np.frombuffer(histograms.counts[row]) for row in rows], axis=0)
    return np.frombuffer(edges), counts


def _moments(histograms: Histograms, rows: list[int]) -> tuple[float, float]:
    """Mean and standard deviation, of values in the middle of their bins."""
    counts = np.concatenate([np.frombuffer(histograms.counts[row]) for row in rows])
    ends = [np.frombuffer(histograms.edges[row]) for row in rows]
    middles, share = np.concatenate([edges[:-1] / 2 + edges[1:] / 2 for edges in ends]), counts / counts.sum()
    mean = float(share @ middles)
    with np.errstate(over="ignore"):
        return mean, float(np.sqrt(share @ (middles - mean) ** 2))


def _quantiles(side: _Side) -> list[float]:
    """Of values that lie evenly within their bins."""
    edges, counts = side.edges, side.counts
    below = np.concatenate([[0.0], np.cumsum(counts)])
    filled = np.concatenate([[True], np.diff(below) > 0])
    filled[:-1] |= filled[1:]  # where a filled bin begins
    return [float(value) for value in np.interp(np.array(QUANTILES) * below[-1], below[filled], edges[filled])]


def _share_changes(before: _Side, after: _Side, names: tuple[str, ...]) -> tuple[ShareChange, ...]:
    sides = [_shares(before), _shares(after)]
    name_of = {place: name for name, place in category_positions(names).items()}
    places = sorted(sides[0].keys() | sides[1].keys())
    changes = [(sides[0].get(place, 0.0), sides[1].get(place, 0.0), place) for place in places]
    changes.sort(key=lambda change: -abs(change[1] - change[0]))
    return tuple(
        ShareChange("all others" if place == OTHER_CATEGORIES_START else name_of.get(place, ""), one, other)
        for one, other, place in changes[:MAX_SHARES]
        if one != other
    )


def _shares(side: _Side) -> dict[float, float]:
    total = float(side.counts.sum())
    return {float(side.edges[place]): float(side.counts[place]) / total for place in np.flatnonzero(side.counts)}
