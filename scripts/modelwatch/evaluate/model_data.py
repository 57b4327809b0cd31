"""What the rules of one model share: cleaned series, versions in service, evaluation times and arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.rule import Aggregate, Rule
from ..model.series import Labels, PulledSeries, Series
from ..stats.arrays import Floats
from .aggregation import Aggregator, WindowStats
from .arrivals import ArrivalsCache
from .deployments import VersionTimeline, version_timeline
from .points import Points, clean_points
from .segments import MAX_SEGMENTS, find_series, group_by_name
from .windows import EvaluationTimes, evaluation_grid, grid_times, row_ranges, window_sums


class ModelData:
    """One model's series as they were pulled, each cleaned once; the times at which its rules are evaluated."""

    def __init__(self, model: Model, pull: PulledSeries, now: float) -> None:
        self.model = model
        self.now = now
        self.service: VersionTimeline = version_timeline(pull.deployments)
        self.series = group_by_name(pull.series)
        self.histograms = group_by_name(histograms for histograms in pull.histograms if len(histograms))
        self.references = pull.references
        self.arrivals = ArrivalsCache()
        self._clean: dict[int, Points] = {}
        self._grids: dict[tuple[float, float, float], EvaluationTimes] = {}

    def points(self, series: Series) -> Points:
        """The points of ``series`` without what cannot be judged."""
        points = self._clean.get(id(series))
        if points is None:
            points = self._clean[id(series)] = clean_points(series, self.service, self.now)
        return points

    def times(self, rule: Rule) -> EvaluationTimes:
        """Shared by rules with the same ``every`` and ``lag``."""
        key = (rule.every, rule.lag, rule.label_age)
        times = self._grids.get(key)
        if times is None:
            grid = evaluation_grid(rule, self.now, self.model.history)
            at = grid_times(grid)
            start = self.service.start_of(at) if self.service.has_deployments else None
            times = self._grids[key] = EvaluationTimes(grid, at, start, self.service.version_at(at))
        return times

    def first_point_time(self, series: Sequence[Series]) -> float:
        """When the first of these series began."""
        return min(
            (float(points.times[0]) for points in map(self.points, series) if len(points.times)), default=-np.inf
        )

    def largest_segments(self, rule: Rule, segments: list[Series]) -> tuple[list[Series], tuple[str, ...]]:
        """The segments with the largest count in the newest window (points, where no count is logged)."""
        if len(segments) <= MAX_SEGMENTS:
            return segments, ()
        end = self.times(rule).at[-1:]
        ranked = sorted(
            segments, key=lambda series: (*self._size_key(self.points(series), end, rule.window), series.labels)
        )
        left = len(segments) - MAX_SEGMENTS
        note = (
            f"the {MAX_SEGMENTS} largest of {len(segments)} segments in the newest window are judged, {left} left out"
        )
        return sorted(ranked[:MAX_SEGMENTS], key=lambda series: series.labels), (note,)

    def _size_key(self, points: Points, end: Floats, window: float) -> tuple[float, float]:
        """Sorts the largest in the newest window first; of equals (of those gone from it), the one with most points."""
        spans = row_ranges(points.times, end - window, end, self.service.start_of(end))
        weights = np.ones(len(points.times)) if points.weights is None else np.nan_to_num(points.weights)
        return -float(window_sums(weights, spans)[0]), -float(len(points.times))

    def window_stats(self, rule: Rule, aggregator: Aggregator) -> WindowStats:
        """The windows; those of measures of drift with the interval that follows from their count."""
        times = self.times(rule)
        rows = self.arrivals.of(aggregator.points.times, rule.window, times).rows
        stat = aggregator.aggregate(times.at - rule.window, times.at, times.deployed_since, rows)
        spec = drift_spec(rule.metric)
        if spec is None:
            return stat
        from .drift.logged_scores import logged_interval

        low, high = logged_interval(spec, rule.false_alarms, stat)
        return replace(stat, low=low, high=high)

    def denominator(self, rule: Rule, labels: Labels) -> Points | None:
        """What a ratio is divided by; ``None`` where the rule has none, or no series of it has these labels."""
        if rule.aggregate is not Aggregate.RATIO or rule.denominator is None:
            return None
        series = find_series(self.series, rule.denominator.name, labels)
        return None if series is None else self.points(series)
