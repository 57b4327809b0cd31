"""From the series of a model to its findings, rule by rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..model.drift import Drifting, drifting
from ..model.finding import Cause, Grid, Track
from ..model.rule import Aggregate, Rule
from ..model.series import Histograms, Labels, Pull, Series
from ..model.watched import Model
from .baseline import Place, Reference, reference_for
from .columns import Bools, Floats, Ints, bytes_, doubles, ints, nans
from .grid import grid_for, times_of
from .measure import Measure, Stat
from .outcomes import Circumstances, Rows, decide
from .points import Points, clean
from .segments import LARGEST, find, segments_of, whole_labels
from .service import Service, service_of
from .windows import spans_of, sums

if TYPE_CHECKING:
    from .drift import Measured


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every track of the rules that were judged (of each the whole first, then its segments by labels)."""

    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know: how many segments were left out."""


def evaluate_model(model: Model, pull: Pull, now: float) -> Evaluation:
    """Judge every rule of a model over its history. A source that failed is not judged: no tracks at all."""
    if pull.error:
        return Evaluation(())
    desk = _Desk(model, pull, now)
    with _silence():
        parts = [desk.judge(rule) for rule in model.rules]
    return Evaluation(
        tuple(track for part in parts for track in part.tracks),
        tuple(note for part in parts for note in part.notes),
    )


def evaluate_rule(model: Model, rule: Rule, pull: Pull, now: float) -> Evaluation:
    """Judge one rule; see ``evaluate_model``."""
    with _silence():
        return Evaluation(()) if pull.error else _Desk(model, pull, now).judge(rule)


def _silence() -> np.errstate:
    """Values beyond all numbers become infinite or NaN and are left out; NumPy need not warn of it."""
    return np.errstate(all="ignore")


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """The evaluation times of a rule, and which version served at each."""

    grid: Grid
    at: Floats
    deployed: Floats | None
    """When the version at each time was deployed: no window reaches further back."""
    version: Ints


class _Desk:
    """What the rules of one model share: cleaned series, the service of versions, evaluation times."""

    def __init__(self, model: Model, pull: Pull, now: float) -> None:
        self.model = model
        self.now = now
        self.service: Service = service_of(pull.deployments)
        self.series: dict[str, list[Series]] = defaultdict(list)
        for one in pull.series:
            self.series[one.name].append(one)
        self.histograms: dict[str, list[Histograms]] = defaultdict(list)
        for some in pull.histograms:
            self.histograms[some.name].append(some)
        self._clean: dict[int, Points] = {}
        self._grids: dict[tuple[float, float], _Times] = {}

    def judge(self, rule: Rule) -> Evaluation:
        labels = whole_labels(rule)
        whole = None if labels is None else find(self.series, rule.metric.name, labels)
        segments = segments_of(rule, self.series)
        asked = None if segments or whole is not None else drifting(rule)
        features = self._features(asked) if asked else []
        if asked and features:
            return self._drift(rule, asked, features)
        kept, notes = self._largest(rule, segments)
        tracks: list[Track] = []
        if labels is not None or not segments:
            tracks.append(self._track(rule, whole, labels or (), None))
        born = self._born([whole] if whole is not None else segments)
        tracks.extend(self._track(rule, one, one.labels, born) for one in kept)
        return Evaluation(tuple(tracks), notes)

    def _features(self, asked: Drifting) -> list[Histograms]:
        """The histograms that stand in for a measure of drift that nobody logged; those of one key for each feature."""
        found: dict[Labels, Histograms] = {}
        for pattern in asked.patterns:
            for one in self.histograms[pattern.name]:
                if pattern.fits(one.labels) and len(one):
                    found.setdefault(one.labels, one)
        return [found[labels] for labels in sorted(found)]

    def _drift(self, rule: Rule, asked: Drifting, features: Sequence[Histograms]) -> Evaluation:
        """A track a feature, those that moved most in the newest window."""
        from .drift import measure

        times = self.times(rule)
        found = measure(rule, asked, features, self.service, times.at, self.now)
        ranked = sorted(range(len(found)), key=lambda place: (-np.nan_to_num(found[place].stat.value[-1]), place))
        kept = sorted(ranked[:LARGEST])
        notes: tuple[str, ...] = ()
        if len(ranked) > LARGEST:
            left = len(ranked) - LARGEST
            notes = (f"{self.model.name} / {rule.name}: {left} of {len(ranked)} features, which moved least, left out",)
        tracks = tuple(self._drift_track(rule, features[place].labels, found[place]) for place in kept)
        return Evaluation(tracks, notes)

    def _drift_track(self, rule: Rule, labels: Labels, found: Measured) -> Track:
        times = self.times(rule)
        nothing = nans(times.grid.count)
        none = Reference(nothing, nothing, nothing, nothing, nothing)
        rows = decide(rule, found.stat, none, Circumstances(times.version, self.service.versions))
        rows.undecide(found.small, Cause.TOO_SMALL_COUNT)
        rows.undecide(found.unknown, Cause.NO_BASELINE)
        return _track_of(self.model.name, rule, labels, times, found.stat, none, rows, self.service.versions)

    def points(self, series: Series) -> Points:
        found = self._clean.get(id(series))
        if found is None:
            found = self._clean[id(series)] = clean(series, self.service, self.now)
        return found

    def times(self, rule: Rule) -> _Times:
        key = (rule.every, rule.lag)
        found = self._grids.get(key)
        if found is None:
            grid = grid_for(rule, self.now, self.model.history)
            at = times_of(grid)
            start = self.service.start_of(at) if self.service.known else None
            found = self._grids[key] = _Times(grid, at, start, self.service.version_at(at))
        return found

    def _born(self, series: Sequence[Series]) -> float:
        """When the first of these series began."""
        return min((float(one.times[0]) for one in map(self.points, series) if len(one.times)), default=-np.inf)

    def _largest(self, rule: Rule, segments: list[Series]) -> tuple[list[Series], tuple[str, ...]]:
        """The segments with the largest count in the newest window (points, where no count is logged)."""
        if len(segments) <= LARGEST:
            return segments, ()
        end = self.times(rule).at[-1:]
        ranked = sorted(segments, key=lambda one: (*self._size(self.points(one), end, rule.window), one.labels))
        left = len(segments) - LARGEST
        note = (
            f"{self.model.name} / {rule.name}: the {LARGEST} largest of {len(segments)} segments in the newest window "
            f"are judged, {left} left out"
        )
        return sorted(ranked[:LARGEST], key=lambda one: one.labels), (note,)

    def _size(self, points: Points, end: Floats, window: float) -> tuple[float, float]:
        """Sorts the largest in the newest window first; of equals (of those gone from it), the one with most points."""
        spans = spans_of(points.times, end - window, end, self.service.start_of(end))
        weights = np.ones(len(points.times)) if points.weights is None else np.nan_to_num(points.weights)
        return -float(sums(weights, spans)[0]), -float(len(points.times))

    def _track(self, rule: Rule, series: Series | None, labels: Labels, born: float | None) -> Track:
        """``born``: for a segment, when the whole began; a segment that came later is new for its first window."""
        times = self.times(rule)
        points = self.points(series) if series is not None else _NOTHING
        below = self._denominator(rule, labels)
        measure = Measure(points, below, rule.aggregate, rule.interval)
        stat = measure.over(times.at - rule.window, times.at, times.deployed)
        reference = reference_for(Place(rule, rule.metric.name, labels, measure, self.service, times.at))
        new = None if born is None else _new(points, times.at, rule.window, born)
        around = Circumstances(times.version, self.service.versions, new, _only_bad(points, stat, rule, times))
        rows = decide(rule, stat, reference, around)
        bad, late = len(points.bad), points.late
        if below is not None:
            bad, late = bad + len(below.bad), late + below.late
        track = _track_of(self.model.name, rule, labels, times, stat, reference, rows, self.service.versions)
        return replace(track, bad_points=bad, late_points=late)

    def _denominator(self, rule: Rule, labels: Labels) -> Points | None:
        if rule.aggregate is not Aggregate.RATIO or rule.denominator is None:
            return None
        series = find(self.series, rule.denominator.name, labels)
        return None if series is None else self.points(series)


def _track_of(
    model: str,
    rule: Rule,
    labels: Labels,
    times: _Times,
    stat: Stat,
    reference: Reference,
    rows: Rows,
    versions: tuple[str, ...],
) -> Track:
    return Track(
        model=model,
        rule=rule,
        labels=labels,
        grid=times.grid,
        outcome=bytes_(rows.outcome),
        severity=bytes_(rows.severity),
        clear=bytes_(rows.clear),
        improved=bytes_(rows.improved),
        cause=bytes_(rows.cause),
        value=doubles(stat.value),
        baseline=doubles(reference.value),
        low=doubles(stat.low),
        high=doubles(stat.high),
        n=doubles(stat.n),
        points=ints(stat.points),
        version=ints(times.version),
        versions=versions,
        baseline_n=doubles(reference.n),
    )


_NOTHING = Points(nans(0), nans(0), None, nans(0))


def _new(points: Points, times: Floats, window: float, born: float) -> Bools | None:
    """Rows before the segment has been there for a full window; ``None`` where it was there from the beginning."""
    if not len(points.times) or points.times[0] <= born + window:
        return None
    new: Bools = times < points.times[0] + window
    return new


def _only_bad(points: Points, stat: Stat, rule: Rule, times: _Times) -> Bools | None:
    """Rows without a value whose window holds points that are not finite."""
    if not len(points.bad):
        return None
    there = ~spans_of(points.bad, times.at - rule.window, times.at, times.deployed).empty
    only: Bools = (stat.points == 0) & there
    return only
