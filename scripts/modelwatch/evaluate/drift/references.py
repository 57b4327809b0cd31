"""The references of a feature's histograms: other stretches of history, or one captured histogram."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class ReferenceLookup:
    """Where references come from beside history, and which kind of feature a histogram describes."""

    spec: DriftSpec
    profiles: Sequence[Histograms] = ()
    """``PulledSeries.references``."""

    def find_histogram(self, spec: BaselineSpec, feature: Histograms) -> tuple[Sequence[float], Sequence[float]] | None:
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
        for entry in sorted(spec.entries, key=lambda entry: -entry.captured):
            if entry.counts and entry.labels == feature.labels and entry.name in self.spec.names:
                yield entry.name, entry.edges, entry.counts


@dataclass(frozen=True, slots=True, eq=False)
class BinnedSides:
    """Reference and current side of every evaluation time, on common points."""

    reference: CumulativeCounts
    current: CumulativeCounts
    bin_ends: Floats
    """Points of numbers, places of categories."""


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
    histograms, times = place.histograms, place.times
    captured = known.find_histogram(spec, histograms) if spec.kind is BaselineKind.FILE else None
    candidates, rows = histograms, place.rows
    if captured:  # it stands for no time, behind all rows
        edges, counts = (array("d", column) for column in captured)
        candidates = replace(histograms, edges=(*histograms.edges, edges), counts=(*histograms.counts, counts))
        rows = [*rows, len(histograms)]
    if known.spec.is_categorical(histograms.name):
        ends, binned = rebin_categories(candidates, rows)
    else:
        bins = (QUANTILE_BINS, 0) if method in BINNED_STATISTICS else (FINE_BINS, MAX_CELLS // len(rows))
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
