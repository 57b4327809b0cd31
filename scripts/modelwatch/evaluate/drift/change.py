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
class Distribution:
    """All values of some histograms of one feature."""

    edges: Floats
    counts: Floats
    mean: float
    sd: float

    def quantiles(self) -> list[float]:
        """``QUANTILES`` of values that lie evenly within their bins."""
        below = np.concatenate([[0.0], np.cumsum(self.counts)])
        filled = np.concatenate([[True], np.diff(below) > 0])
        filled[:-1] |= filled[1:]  # where a filled bin begins
        return [float(value) for value in np.interp(np.array(QUANTILES) * below[-1], below[filled], self.edges[filled])]


def describe_change(
    spec: BaselineSpec, windows: FeatureWindows, known: ReferenceLookup, row: int
) -> DistributionChange | None:
    """The window at the evaluation time ``row`` against the reference ``spec``; ``None`` where a side is empty."""
    at = replace(windows, times=windows.times[row : row + 1])
    captured = known.find_histogram(spec, at.histograms) if spec.kind is BaselineKind.FILE else None
    key = ("change", known.spec.is_categorical(at.histograms.name), comparison_key(spec, at, captured))
    return known.shared.get(key, lambda: _describe_change(spec, at, known, captured), lambda _: CHANGE_SIZE)


def window_distributions(
    spec: BaselineSpec, at: FeatureWindows, known: ReferenceLookup
) -> tuple[Distribution | None, Distribution | None]:
    """The reference ``spec`` and the window at the only evaluation time of ``at``; ``None`` for an empty side."""
    captured = known.find_histogram(spec, at.histograms) if spec.kind is BaselineKind.FILE else None
    return _sides(spec, at, known, captured)


def _sides(
    spec: BaselineSpec, at: FeatureWindows, known: ReferenceLookup, captured: CapturedBins | None
) -> tuple[Distribution | None, Distribution | None]:
    current = row_ranges(at.at, at.times - at.window, at.times, at.timeline.start_of(at.times))
    rows = np.asarray(at.rows)
    categorical = known.spec.is_categorical(at.histograms.name)
    after = merge_distribution(at.histograms, rows[current.lo[0] : current.hi[0]], categorical)
    return _reference(spec, at, captured, rows, categorical), after


def _describe_change(
    spec: BaselineSpec, at: FeatureWindows, known: ReferenceLookup, captured: CapturedBins | None
) -> DistributionChange | None:
    before, after = _sides(spec, at, known, captured)
    if before is None or after is None:
        return None
    if known.spec.is_categorical(at.histograms.name):
        return DistributionChange(shares=_share_changes(before, after, known.category_names(at.histograms)))
    quantiles = zip(QUANTILES, before.quantiles(), after.quantiles(), strict=True)
    return DistributionChange((before.mean, after.mean), before.sd, tuple(QuantileChange(*one) for one in quantiles))


def _reference(
    spec: BaselineSpec, at: FeatureWindows, captured: CapturedBins | None, rows: Ints, categorical: bool
) -> Distribution | None:
    if spec.kind is not BaselineKind.FILE:
        stretches = reference_stretches(spec, at)
        chosen = [rows[part.lo[0] : part.hi[0]] for part in stretches]
        return merge_distribution(at.histograms, np.concatenate(chosen), categorical) if chosen else None
    if captured is None:
        return None
    edges, counts = (array("d", column) for column in captured)
    alone = replace(at.histograms, edges=(edges,), counts=(counts,))
    return merge_distribution(alone, np.zeros(1, np.int64), categorical)


def merge_distribution(histograms: Histograms, rows: Ints, categorical: bool) -> Distribution | None:
    """The sum of some of the histograms; ``None`` where they hold nothing."""
    filled = [int(row) for row in rows if any(histograms.counts[row])]
    if not filled:
        return None
    total = None if categorical else _add_up(histograms, filled)
    edges, counts = total or merge_histograms(histograms, filled, categorical)
    return Distribution(edges, counts, *_moments(histograms, filled))


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


def _share_changes(before: Distribution, after: Distribution, names: tuple[str, ...]) -> tuple[ShareChange, ...]:
    sides = [shares_by_place(before), shares_by_place(after)]
    name_of = {place: name for name, place in category_positions(names).items()}
    places = sorted(sides[0].keys() | sides[1].keys())
    changes = [(sides[0].get(place, 0.0), sides[1].get(place, 0.0), place) for place in places]
    changes.sort(key=lambda change: -abs(change[1] - change[0]))
    return tuple(
        ShareChange("all others" if place == OTHER_CATEGORIES_START else name_of.get(place, ""), one, other)
        for one, other, place in changes[:MAX_SHARES]
        if one != other
    )


def shares_by_place(side: Distribution) -> dict[float, float]:
    """Of categories the share of each, by the place where its bin begins."""
    total = float(side.counts.sum())
    return {float(side.edges[place]): float(side.counts[place]) / total for place in np.flatnonzero(side.counts)}
