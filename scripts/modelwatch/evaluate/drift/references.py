"""The references of a feature's histograms: other stretches of history, or one captured histogram."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from ...model.drift import DriftSpec
from ...model.rule import BaselineKind, BaselineSpec, rolling_gap
from ...model.series import Histograms
from ...stats.arrays import Floats
from ...stats.drift.methods import BINNED_STATISTICS, QUANTILE_BINS
from ...timeutil import WEEK
from ..baselines import rolling_stretch, stretch_before
from ..deployments import VersionTimeline
from ..windows import RowRanges, row_ranges
from .rebinning import (
    FINE_BINS,
    MAX_CELLS,
    CumulativeCounts,
    common_bin_ends,
    rebin,
    rebin_categories,
)

MAX_SHARED = 2_000_000
"""Numbers that are kept for other rules."""
Result = TypeVar("Result")
CapturedBins = tuple[Sequence[float], Sequence[float]]
"""Edges and counts."""


@dataclass(slots=True, eq=False)
class SharedResults:
    """What several rules of one model need of the same feature, computed once: PSI, Jensen-Shannon and chi-square count
    in the same bins, and all say the same of what changed. What finds no room is computed again."""

    room: int = MAX_SHARED
    _results: dict[Hashable, Any] = field(default_factory=dict)

    def get(self, key: Hashable, compute: Callable[[], Result], size: Callable[[Result], int]) -> Result:
        """The result of ``compute`` under a key; ``size``: how many numbers it holds."""
        if key in self._results:
            shared: Result = self._results[key]
            return shared
        result = compute()
        if size(result) <= self.room:
            self.room -= size(result)
            self._results[key] = result
        return result


@dataclass(frozen=True, slots=True)
class ReferenceLookup:
    """Where references come from beside history, and which kind of feature a histogram describes."""

    spec: DriftSpec
    profiles: Sequence[Histograms] = ()
    """``PulledSeries.references``."""
    shared: SharedResults = field(default_factory=SharedResults)

    def find_histogram(self, spec: BaselineSpec, feature: Histograms) -> CapturedBins | None:
        """Edges and counts of the feature in the file of ``spec``; of several entries the newest."""
        categorical = self.spec.is_categorical(feature.name)
        same = (bins for name, *bins in self._captured(spec, feature) if self.spec.is_categorical(name) == categorical)
        edges, counts = next(same, (None, None))
        return None if edges is None or counts is None else (edges, counts)

    def category_names(self, feature: Histograms) -> tuple[str, ...]:
        """The names of the feature's categories, from its history and from profiles of it."""
        same = (other for other in self.profiles if (other.name, other.labels) == (feature.name, feature.labels))
        return tuple(dict.fromkeys(name for known in (feature, *same) for name in known.categories))

    def is_of_another_kind(self, spec: BaselineSpec, feature: Histograms) -> bool:
        """Whether the file has the feature, with categories where history has numbers, or the reverse."""
        return self.find_histogram(spec, feature) is None and any(self._captured(spec, feature))

    def _captured(
        self, spec: BaselineSpec, feature: Histograms
    ) -> Iterator[tuple[str, Sequence[float], Sequence[float]]]:
        """Name, edges and counts of what the file of ``spec`` has for the feature, whether numbers or categories."""
        for profile in self.profiles if spec.profile else ():
            if profile.source == spec.path and profile.labels == feature.labels and profile.name in self.spec.names:
                yield profile.name, profile.edges[0], profile.counts[0]
        names = self.spec.names
        entries = (entry for entry in spec.entries if entry.labels == feature.labels and entry.name in names)
        for entry in sorted(entries, key=lambda entry: -entry.captured):
            if entry.counts:
                yield entry.name, entry.edges, entry.counts


@dataclass(frozen=True, slots=True, eq=False)
class BinnedSides:
    """Reference and current side of every evaluation time, on common points."""

    reference: CumulativeCounts
    current: CumulativeCounts
    bin_ends: Floats
    """Points of numbers, places of categories."""

    @property
    def size(self) -> int:
        """How many numbers both sides hold."""
        return self.reference.size + self.current.size


@dataclass(frozen=True, slots=True, eq=False)
class FeatureWindows:
    """One feature over the evaluation times."""

    histograms: Histograms
    rows: Sequence[int]
    """Its histograms that count."""
    at: Floats
    """Their times."""
    window: float
    times: Floats
    timeline: VersionTimeline


def bin_sides(spec: BaselineSpec, place: FeatureWindows, known: ReferenceLookup, method: str) -> BinnedSides:
    """The windows of the feature against what ``spec`` names, in the bins that ``method`` needs."""
    captured = known.find_histogram(spec, place.histograms) if spec.kind is BaselineKind.FILE else None
    bins: tuple[int, int] | None = None
    if not known.spec.is_categorical(place.histograms.name):
        quantiles = method in BINNED_STATISTICS
        bins = (QUANTILE_BINS, 0) if quantiles else (FINE_BINS, MAX_CELLS // (len(place.rows) + (captured is not None)))
    key = ("bins", bins, comparison_key(spec, place, captured))
    return known.shared.get(key, lambda: _bin_sides(spec, place, captured, bins), lambda sides: sides.size)


def comparison_key(spec: BaselineSpec, place: FeatureWindows, captured: CapturedBins | None) -> Hashable:
    """What a comparison depends on beside its bins, the rows that count being the same for all rules of a model."""
    reference = (spec.kind, spec.version, spec.length, *map(id, captured or ()))
    return place.histograms, place.window, place.times.tobytes(), reference


def _bin_sides(
    spec: BaselineSpec, place: FeatureWindows, captured: CapturedBins | None, bins: tuple[int, int] | None
) -> BinnedSides:
    """``bins``: how many, and up to how many shared edges; ``None`` for categories."""
    histograms, times = place.histograms, place.times
    candidates, rows = histograms, place.rows
    if captured:  # it stands for no time, behind all rows
        edges, counts = (array("d", column) for column in captured)
        candidates = replace(histograms, edges=(*histograms.edges, edges), counts=(*histograms.counts, counts))
        rows = [*rows, len(histograms)]
    if bins is None:
        ends, binned = rebin_categories(candidates, rows)
    else:
        ends = common_bin_ends(candidates, rows, *bins)
        binned = rebin(candidates, rows, ends)
    windows = row_ranges(place.at, times - place.window, times, place.timeline.start_of(times))
    if captured:
        [current] = binned.take(slice(len(place.rows))).sum_windows([windows])
        return BinnedSides(binned.take(np.full(len(times), len(place.rows))), current, ends)
    current, *parts = binned.sum_windows([windows, *reference_stretches(spec, place)])
    return BinnedSides(_sum_counts(parts, binned, times), current, ends)


def reference_stretches(spec: BaselineSpec, place: FeatureWindows) -> list[RowRanges]:
    """The stretches of histograms that make up the reference of each time."""
    at, window, times = place.at, place.window, place.times
    if spec.kind is BaselineKind.ROLLING:
        return [row_ranges(at, *rolling_stretch(times, window, spec.length, rolling_gap(window)))]
    if spec.kind is BaselineKind.SEASONAL:
        back = [times - WEEK * week for week in range(1, int(spec.length // WEEK) + 1)]
        return [row_ranges(at, then - window, then) for then in back]
    if spec.kind is BaselineKind.VERSION:
        floor, end = stretch_before(spec.version, place.timeline, times, window)
        return [row_ranges(at, np.full(len(times), -np.inf), end, floor)]
    return []


def _sum_counts(parts: list[CumulativeCounts], binned: CumulativeCounts, times: Floats) -> CumulativeCounts:
    if not parts:
        zeros = np.zeros((len(times), binned.estimate.shape[1]))
        return CumulativeCounts(zeros, zeros, zeros, np.zeros(len(times)))
    columns = ("estimate", "lower", "upper", "n")
    return CumulativeCounts(*(np.sum([getattr(part, name) for part in parts], axis=0) for name in columns))
