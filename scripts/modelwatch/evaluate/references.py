"""What the histograms of a feature are compared with: other stretches of history, or one captured histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.drift import DriftSpec
from ..model.rule import DAY, BaselineKind, BaselineSpec
from ..model.series import Histograms
from .baseline import service_before
from .below import Below
from .columns import Floats
from .histograms import common_points, lay, lay_categories, with_one_more
from .service import Service
from .windows import Spans, spans_of

WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Known:
    """Where references come from beside history, and how to tell what kind of feature a histogram is of."""

    asked: DriftSpec
    profiles: Sequence[Histograms] = ()
    """Of ``Pull.references``."""

    def captured(self, spec: BaselineSpec, one: Histograms) -> tuple[Sequence[float], Sequence[float]] | None:
        """Edges and counts of the feature in the file of ``spec``; of several entries the newest."""
        categorical = self.asked.is_categorical(one.name)
        for profile in self.profiles if spec.profile else ():
            same = self.asked.is_categorical(profile.name) == categorical
            if profile.source == spec.path and profile.labels == one.labels and same and profile.name in self._names:
                return profile.edges[0], profile.counts[0]
        entries = [
            entry
            for entry in spec.entries
            if entry.counts
            and entry.labels == one.labels
            and entry.name in self._names
            and self.asked.is_categorical(entry.name) == categorical
        ]
        newest = max(entries, key=lambda entry: entry.captured, default=None)
        return None if newest is None else (newest.edges, newest.counts)

    def is_of_another_kind(self, spec: BaselineSpec, one: Histograms) -> bool:
        """Whether the file has the feature, with categories where history has numbers, or the other way about."""
        here = [profile for profile in self.profiles if profile.source == spec.path and spec.profile]
        names = {profile.name for profile in here if profile.labels == one.labels}
        names |= {entry.name for entry in spec.entries if entry.counts and entry.labels == one.labels}
        return self.captured(spec, one) is None and bool(names & self._names)

    @property
    def _names(self) -> frozenset[str]:
        return self.asked.names


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Reference and current side of every evaluation time, on common points."""

    reference: Below
    current: Below
    ends: Floats
    """Points of numbers, places of categories."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One feature over the evaluation times."""

    one: Histograms
    rows: Sequence[int]
    """Its histograms that count."""
    at: Floats
    """Their times."""
    window: float
    times: Floats
    service: Service


def sides(spec: BaselineSpec, place: Place, known: Known, bins: int) -> Sides:
    """The windows of the feature against what ``spec`` names."""
    one, times = place.one, place.times
    captured = known.captured(spec, one) if spec.kind is BaselineKind.FILE else None
    everything = with_one_more(one, *captured) if captured else one
    rows = [*place.rows, len(one)] if captured else place.rows
    if known.asked.is_categorical(one.name):
        ends, laid = lay_categories(everything, rows)
    else:
        ends = common_points(everything, rows, bins)
        laid = lay(everything, rows, ends)
    windows = spans_of(place.at, times - place.window, times, place.service.start_of(times))
    if captured:
        [current] = laid.rows(slice(len(place.rows))).merged([windows])
        return Sides(laid.rows(np.full(len(times), len(place.rows))), current, ends)
    current, *parts = laid.merged([windows, *_stretches(spec, place)])
    return Sides(_together(parts, laid, times), current, ends)


def _stretches(spec: BaselineSpec, place: Place) -> list[Spans]:
    """The stretches of histograms that make up the reference of each time."""
    at, window, times = place.at, place.window, place.times
    if spec.kind is BaselineKind.ROLLING:
        end = times - window - max(window, WEEK)
        return [spans_of(at, end - spec.length, end)]
    if spec.kind is BaselineKind.SEASONAL:
        back = [times - WEEK * week for week in range(1, int(spec.length // WEEK) + 1)]
        return [spans_of(at, then - window, then) for then in back]
    if spec.kind is BaselineKind.VERSION:
        floor, end = service_before(spec.version, place.service, times, window)
        return [spans_of(at, np.full(len(times), -np.inf), end, floor)]
    return []


def _together(parts: list[Below], laid: Below, times: Floats) -> Below:
    if not parts:
        nothing = np.zeros((len(times), laid.even.shape[1]))
        return Below(nothing, nothing, nothing, np.zeros(len(times)))
    columns = ("even", "least", "most", "n")
    return Below(*(np.sum([getattr(part, name) for part in parts], axis=0) for name in columns))
