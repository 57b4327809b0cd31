"""Judges every rule of a model over its history: one track for each series."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.drift import MIN_EFFECT, DriftSpec, drift_spec
from ..model.finding import Cause, ModelFindings, Outcome, Track
from ..model.label_maturity import follow_labels, waiting_notes
from ..model.monitored_model import Model
from ..model.rule import Aggregate, Rule
from ..model.series import Histograms, Labels, PulledSeries, Series
from ..stats.arrays import Bools, Floats, sort_distinct
from .aggregation import Aggregator, WindowStats
from .anomaly import find_anomalies
from .arrays import nans, to_array
from .arrivals import Arrivals, fresh_rows, new_segment_rows, overdue_rows
from .baselines import Baseline, BaselineRequest, compute_baseline
from .calendars import SeriesCalendar, expect_windows, series_calendar
from .chart_signals import ChartDecision, ChartRequest, chart_tiers, decide_charts
from .detection import Detection, DetectionRequest, detect_tiers
from .heavy_tails import heavy_tail_note
from .hypotheses import is_detectable
from .implausible_values import implausible_rows
from .model_data import ModelData
from .points import Points, left_out_notes
from .samples import measured_points, measured_request, needed_counts, short_history_note
from .segments import MAX_SEGMENTS, find_series, match_patterns, segment_series, whole_labels
from .tiers import Outcomes, RowContext, decide_outcomes
from .windows import only_bad_rows, uncounted_rows

if TYPE_CHECKING:
    from .drift.features import FeatureResult
    from .drift.references import SharedResults


RULES_AT_ONCE = 32
"""Rules whose detectors decide together."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenTrack:
    """One rule on one series, before it is known what its windows are compared with."""

    rule: Rule
    labels: Labels
    points: Points
    denominator: Points | None
    stat: WindowStats
    request: BaselineRequest
    measured: Points
    """What detectors see."""
    calendar: SeriesCalendar | None
    start: float | None
    """For a segment, when the whole began; a segment that came later is new for its first window."""
    share: float
    """How many series share the rule's budget of false alarms, each as much as this one."""


@dataclass(frozen=True, slots=True, eq=False)
class RuleTracks:
    """The tracks of one rule: those that detectors decide are open."""

    tracks: Sequence[Track | OpenTrack]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WindowReference:
    """What the windows of a series are compared with, and what control charts decide."""

    reference: Baseline
    charts: ChartDecision | None
    unknown: Bools | None
    """Rows on days of the calendar about which nothing is known; ``None`` without a calendar."""


def evaluate_model(model: Model, pull: PulledSeries, now: float) -> ModelFindings:
    """Judge every rule of a model over its history. A source that failed is not judged: no tracks at all."""
    if pull.error:
        return ModelFindings(())
    model = follow_labels(model, pull)
    evaluator = _RuleEvaluator(ModelData(model, pull, now))
    # Values beyond all numbers become infinite or NaN and are left out; NumPy need not warn about them.
    with np.errstate(all="ignore"):
        parts = [
            evaluator.evaluate(model.rules[first : first + RULES_AT_ONCE])
            for first in range(0, len(model.rules), RULES_AT_ONCE)
        ]
    notes = (*waiting_notes(model, pull), *(note for part in parts for note in part.notes))
    return ModelFindings(tuple(track for part in parts for track in part.tracks), notes)


class _RuleEvaluator:
    """Judges rules of one model, many at once."""

    def __init__(self, data: ModelData) -> None:
        self._data = data
        self._shared: SharedResults | None = None
        """Made by the first rule about drift."""

    def evaluate(self, rules: Sequence[Rule]) -> ModelFindings:
        """What these rules find. Detectors decide last, and on many series together."""
        opened = [(rule, self._open_rule(rule)) for rule in rules]
        waiting = [track for _, part in opened for track in part.tracks if isinstance(track, OpenTrack)]
        results = detect_tiers([self._detection_request(track) for track in waiting])
        young: dict[str, list[tuple[int, int]]] = {}
        for track, (_, detection) in zip(waiting, results, strict=True):
            if detection.history is not None:
                young.setdefault(track.rule.name, []).append(detection.history)
        decided = iter(results)
        closed = [
            [track if isinstance(track, Track) else self._close_track(track, *next(decided)) for track in part.tracks]
            for _, part in opened
        ]
        return ModelFindings(
            tuple(track for tracks in closed for track in tracks),
            tuple(
                f"{self._data.model.name} / {rule.name}: {note}"
                for (rule, part), tracks in zip(opened, closed, strict=True)
                for note in (
                    *part.notes,
                    *map(short_history_note, filter(None, [young.get(rule.name)])),
                    *_zero_baseline_notes(tracks),
                    *filter(None, [heavy_tail_note(rule, [one.measured.values for one in _open_tracks(part)])]),
                )
            ),
        )

    def _open_rule(self, rule: Rule) -> RuleTracks:
        labels = whole_labels(rule)
        whole = None if labels is None else find_series(self._data.series, rule.metric.name, labels)
        segments = segment_series(rule, self._data.series)
        spec = None if whole is not None else drift_spec(rule.metric)
        if spec is not None:
            drift = self._evaluate_drift(rule, spec, segments)
            if drift is not None:
                return drift
        if rule.optional and whole is None and not segments:
            return RuleTracks(())
        largest, notes = self._data.largest_segments(rule, segments)
        tracks: list[Track | OpenTrack] = []
        has_whole = labels is not None or not segments
        # Half of the budget is for the whole, the other half for the segments together.
        if has_whole:
            tracks.append(self._open_track(rule, whole, labels or (), None, 2.0 if largest else 1.0))
        start = self._data.first_point_time([whole] if whole is not None else segments)
        share = float(2 * len(largest) if has_whole else len(largest))
        tracks.extend(self._open_track(rule, series, series.labels, start, share) for series in largest)
        judged = [self._data.points(series) for series in [*largest, *filter(None, [whole])]]
        return RuleTracks(tracks, (*notes, *left_out_notes(judged)))

    def _evaluate_drift(self, rule: Rule, spec: DriftSpec, logged: Sequence[Series]) -> RuleTracks | None:
        """Features judged by their histograms, and those whose drift is ``logged`` as numbers; ``None``: judge the rule
        like any other."""
        from .drift.features import comparison_notes, measure_features
        from .drift.references import ReferenceLookup, SharedResults

        scalars = {series.labels for series in logged}
        # The histograms from which drift is computed where it is not logged; those of one key for each feature.
        matches = match_patterns(spec.patterns, self._data.histograms)
        features = [histograms for histograms in matches if histograms.labels not in scalars]
        if not features and rule.across is None:
            return None
        times = self._data.times(rule)
        self._shared = self._shared or SharedResults()
        known = ReferenceLookup(spec, self._data.references, self._shared)
        results = measure_features(rule, known, features, self._data.service, times.at, self._data.now)
        notes = comparison_notes(rule, known, features)
        if rule.across is not None:
            return self._evaluate_share(rule, spec, logged, list(zip(features, results, strict=True)), notes)
        ranked = sorted(range(len(results)), key=lambda place: (-np.nan_to_num(results[place].stat.value[-1]), place))
        if len(ranked) > MAX_SEGMENTS:
            left = len(ranked) - MAX_SEGMENTS
            notes.append(f"{left} of {len(ranked)} features, which moved least, left out")
        tracks: list[Track | OpenTrack] = []
        for place in ranked[:MAX_SEGMENTS]:
            result = results[place]
            undecided = ((result.small, Cause.TOO_SMALL_COUNT), (result.unknown, Cause.NO_BASELINE))
            track = self._distance_track(
                rule, features[place].labels, result.stat, undecided, [result.times], result.detection
            )
            tracks.append(replace(track, drifted=(result.summary,) if result.summary else ()))
        largest, more = self._data.largest_segments(rule, list(logged))
        tracks += [
            self._open_track(rule, series, series.labels, self._data.first_point_time(logged)) for series in largest
        ]
        return RuleTracks(sorted(tracks, key=lambda track: track.labels), (*notes, *more))

    def _distance_track(
        self,
        rule: Rule,
        labels: Labels,
        stat: WindowStats,
        undecided: Sequence[tuple[Bools, Cause]],
        points: Sequence[Floats],
        detection: Detection | None = None,
    ) -> Track:
        """The track of a drift statistic, which is a distance already: it has no baseline. ``points``: the times of
        what it is computed from."""
        times = self._data.times(rule)
        reference = Baseline.missing(times.grid.count)
        context = RowContext(times.version, self._data.service.versions, detection=detection)
        rows = decide_outcomes(rule, stat, reference, context)
        for mask, cause in undecided:
            rows.mark_undecided(mask, cause)
        fresh = fresh_rows(points, rule.window, times)
        arrivals = sort_distinct(np.concatenate(points)) if points else np.zeros(0)
        overdue = overdue_rows(arrivals, rule.every, times.at)
        return self._build_track((rule, labels), (stat, reference, rows), (fresh, overdue))

    def _evaluate_share(
        self,
        rule: Rule,
        spec: DriftSpec,
        logged: Sequence[Series],
        measured: Sequence[tuple[Histograms, FeatureResult]],
        notes: list[str],
    ) -> RuleTracks:
        """One track for all features."""
        from .drift.features import feature_name, logged_result, share_of_features

        least = MIN_EFFECT[spec.method]
        features = [(feature_name(histograms.labels), result) for histograms, result in measured]
        for series in logged:
            stat = self._data.window_stats(
                rule, Aggregator(self._data.points(series), None, rule.aggregate, rule.interval)
            )
            result = logged_result(spec, series.labels, stat, self._data.points(series).times, least)
            features.append((feature_name(series.labels), result))
        share = share_of_features(features, least, rule.importances, self._data.times(rule).grid.count)
        undecided = [(share.undecided, Cause.TOO_FEW_FEATURES)]
        points = [result.times for _, result in features]
        track = self._distance_track(rule, (), share.stat, undecided, points)
        track = replace(track, drifted=share.drifted, features=int(np.nan_to_num(share.stat.n[-1])))
        if not features:
            track = replace(track, cause=to_array("b", np.full(track.grid.count, float(Cause.NO_DATA_YET.code))))
        return RuleTracks((track,), (*notes, *share.notes))

    def _open_track(
        self, rule: Rule, series: Series | None, labels: Labels, start: float | None, share: float = 1.0
    ) -> Track | OpenTrack:
        """``start`` and ``share``: see ``OpenTrack``. Open only where detectors decide."""
        times = self._data.times(rule)
        points = self._data.points(series) if series is not None else _NO_POINTS
        if rule.anomaly is not None:
            return self._anomaly_track(rule, labels, points, share)
        below = self._data.denominator(rule, labels)
        aggregator = Aggregator(points, below, rule.aggregate, rule.interval)
        stat = self._data.window_stats(rule, aggregator)
        request = BaselineRequest(rule, labels, aggregator, self._data.service, times.at)
        is_detected = is_detectable(rule)
        measured = measured_points(rule, points, below) if is_detected else points
        calendar = series_calendar(rule, measured)
        track = OpenTrack(rule, labels, points, below, stat, request, measured, calendar, start, share)
        if is_detected:
            return track
        return self._close_track(track, compute_baseline(_on_ordinary_days(request, calendar)), None)

    def _close_track(self, track: OpenTrack, reference: Baseline, detection: Detection | None) -> Track:
        rule, points, stat, below = track.rule, track.points, track.stat, track.denominator
        times = self._data.times(rule)
        compared = self._compare(track, reference, detection)
        new = None if track.start is None else new_segment_rows(points, times.at, rule.window, track.start)
        only_bad = only_bad_rows(points.bad_times, stat.points, rule.window, times)
        counts = needed_counts(rule, track.measured) if detection is not None else None
        uncounted = uncounted_rows(track.measured.times, counts, rule.window, times)
        version, versions = times.version, self._data.service.versions
        context = RowContext(version, versions, new, only_bad, uncounted, detection, compared.charts)
        rows = decide_outcomes(rule, stat, compared.reference, context)
        _mark_undecided(rows, rule, stat, compared.unknown, detection.too_young if detection else None)
        both = [points] if below is None else [points, below]
        arrivals = self._data.arrivals.of(points.times, rule.window, times)
        fresh = arrivals.fresh
        if below is not None:
            fresh = fresh | fresh_rows([below.times], rule.window, times)
        if only_bad is not None:
            fresh = np.where(only_bad, fresh_rows([points.bad_times], rule.window, times), fresh)
        _mark_absent(rows, points, arrivals, only_bad)
        return self._build_track(
            (rule, track.labels),
            (stat, compared.reference, rows),
            (fresh, arrivals.overdue),
            bad_points=sum(len(part.bad_times) for part in both),
            late_points=sum(part.late for part in both),
            implausible=self._implausible_rows(rule, track.labels, points, below),
            estimate=detection.estimate if detection else None,
            noise=detection.noise if detection else None,
            level_noise=detection.level_noise if detection else None,
            budget_share=track.share if detection else 1.0,
            anchor=detection.anchor if detection else None,
            gradual=detection.gradual if detection else None,
        )

    def _implausible_rows(self, rule: Rule, labels: Labels, points: Points, below: Points | None) -> array[int]:
        """Which rows' newest value cannot be true; of a rule with a whole only the whole is looked at."""
        whole, rows = whole_labels(rule), array("b")
        if (whole is not None and labels != whole) or drift_spec(rule.metric) is not None:
            return rows
        judged = measured_points(rule, points, below) if rule.aggregate is Aggregate.RATIO else points
        causes = implausible_rows(rule, judged, self._data.times(rule).at)
        return rows if causes is None else to_array("b", causes)

    def _compare(self, track: OpenTrack, reference: Baseline, detection: Detection | None) -> WindowReference:
        """What the windows are compared with, and what control charts decide."""
        rule, calendar, measured = track.rule, track.calendar, track.measured
        if detection is not None and rule.aggregate is Aggregate.SUM:  # its exposure is time
            reference = replace(reference, n=nans(len(reference.n)))
        ordinary = measured if calendar is None else measured.select(calendar.is_ordinary)
        charts = self._charts(rule, ordinary, reference, track.share)  # charts skip the days of a calendar
        unknown: Bools | None = None
        if calendar is not None:
            reference, unknown = self._on_calendar_days(rule, calendar, reference, detection)
        return WindowReference(reference, charts, unknown)

    def _charts(self, rule: Rule, points: Points, reference: Baseline, share: float) -> ChartDecision | None:
        if not chart_tiers(rule):
            return None
        times = self._data.times(rule)
        return decide_charts(ChartRequest(rule, points, times.at, times.version, self._data.service, share, reference))

    def _anomaly_track(self, rule: Rule, labels: Labels, points: Points, share: float) -> Track:
        """The track of a rule without limits, whose baseline is what was usual at each time."""
        times = self._data.times(rule)
        found = find_anomalies(rule, points, times.at, share, series_calendar(rule, points))
        bad = only_bad_rows(points.bad_times, found.stat.points, rule.window, times)
        context = RowContext(times.version, self._data.service.versions, only_bad=bad, detection=found.detection)
        rows = decide_outcomes(rule, found.stat, found.reference, context)
        rows.mark_undecided(found.too_young, Cause.TOO_YOUNG)
        rows.mark_undecided(found.is_unknown & (rows.outcome != Outcome.BREACH.code), Cause.UNKNOWN_DAY)
        arrivals = self._data.arrivals.of(points.times, rule.window, times)
        _mark_absent(rows, points, arrivals, bad)
        return self._build_track(
            (rule, labels),
            (found.stat, found.reference, rows),
            (arrivals.fresh, arrivals.overdue),
            bad_points=len(points.bad_times),
            late_points=points.late,
            past_since=found.past_since,
            implausible=self._implausible_rows(rule, labels, points, None),
        )

    def _build_track(
        self,
        identity: tuple[Rule, Labels],
        columns: tuple[WindowStats, Baseline, Outcomes],
        arrivals: tuple[Bools, Bools],
        **more: Any,
    ) -> Track:
        """``arrivals``: fresh and overdue rows; ``more``: what a track has besides its columns."""
        (rule, labels), (stat, reference, rows), (fresh, overdue) = identity, columns, arrivals
        times = self._data.times(rule)
        return Track(
            model=self._data.model.name,
            rule=rule,
            labels=labels,
            grid=times.grid,
            outcome=to_array("b", rows.outcome),
            severity=to_array("b", rows.severity),
            clear=to_array("b", rows.clear),
            improved=to_array("b", rows.improved),
            cause=to_array("b", rows.cause),
            value=to_array("d", stat.value),
            baseline=to_array("d", reference.value),
            low=to_array("d", stat.low),
            high=to_array("d", stat.high),
            n=to_array("d", stat.n),
            points=to_array("i", stat.points),
            version=to_array("i", times.version),
            versions=self._data.service.versions,
            baseline_n=to_array("d", reference.n),
            signal=to_array("b", np.zeros(0) if rows.signal is None else rows.signal),
            fresh=to_array("b", fresh),
            overdue=to_array("b", overdue),
            **more,
        )

    def _on_calendar_days(
        self, rule: Rule, calendar: SeriesCalendar, reference: Baseline, detection: Detection | None
    ) -> tuple[Baseline, Bools]:
        """The baseline on the days of the calendar, and the rows about which nothing can be said on them: those whose
        window holds a day of unknown level or, where detectors decide, whose newest point is of such a day."""
        times = self._data.times(rule)
        effects = (detection.effects if detection else None) or calendar.effects()
        start, floor = times.at - rule.window, times.deployed_since
        moved, unknown = expect_windows(reference, calendar, effects, start, times.at, floor)
        if detection is None:
            value, low, high = (np.where(unknown, np.nan, column) for column in (moved.value, moved.low, moved.high))
            return replace(moved, value=value, low=low, high=high), unknown
        newest = np.searchsorted(calendar.points.times, times.at, side="right") - 1
        return moved, (newest >= 0) & np.isnan(effects.change[newest])

    def _detection_request(self, track: OpenTrack) -> DetectionRequest:
        times, points = self._data.times(track.rule), track.measured
        first = float(points.times[0]) if len(points.times) else -np.inf

        def baseline(healthy: Points) -> BaselineRequest:
            return measured_request(track.request, healthy, first)

        return DetectionRequest(
            track.rule, points, times.at, times.version, self._data.service, track.share, baseline, track.calendar
        )


def _open_tracks(part: RuleTracks) -> list[OpenTrack]:
    return [track for track in part.tracks if isinstance(track, OpenTrack)]


def _zero_baseline_notes(tracks: Sequence[Track]) -> Iterator[str]:
    """About segments beside a whole: of those nothing else is reported."""
    segments = [track for track in tracks if track.labels and track.cause]
    count = sum(track.cause[-1] == Cause.ZERO_BASELINE.code for track in segments)
    if count and len(segments) < len(tracks):
        yield f"{count} of {len(segments)} segments cannot be judged: {Cause.ZERO_BASELINE.text}"


_NO_POINTS = Points(nans(0), nans(0), None, nans(0))


def _mark_absent(rows: Outcomes, points: Points, arrivals: Arrivals, only_bad: Bools | None) -> None:
    """Where no window holds a point, that is no silence that began with the days that are watched."""
    if not arrivals.rows.is_empty.all() or (only_bad is not None and only_bad.any()):
        return
    is_older = len(points.times) or len(points.bad_times)
    rows.cause[:] = (Cause.NOTHING_WATCHED if is_older else Cause.NO_DATA_YET).code


def _on_ordinary_days(request: BaselineRequest, calendar: SeriesCalendar | None) -> BaselineRequest:
    """The request for a baseline in which the days of the calendar do not count."""
    if calendar is None:
        return request
    rule, below = request.rule, request.aggregator.denominator
    if below is not None:
        other = series_calendar(rule, below)
        below = below if other is None else below.select(other.is_ordinary)
    points, ordinary = calendar.points, calendar.is_ordinary
    if rule.aggregate is Aggregate.SUM:  # a sum over a part of a window is no sum: such windows have none
        quiet = replace(points, values=np.where(ordinary, points.values, np.nan))
    else:
        quiet = points.select(ordinary)
    return replace(request, aggregator=Aggregator(quiet, below, rule.aggregate, rule.interval))


def _mark_undecided(
    rows: Outcomes, rule: Rule, stat: WindowStats, unknown: Bools | None, too_young: Bools | None
) -> None:
    """Rows about which nothing can be said: after too little history, on unknown days, and drift scores of too few
    rows."""
    if too_young is not None:
        unsure = (rows.outcome == Outcome.OK.code) | (rows.cause == Cause.NOT_CLEARED.code)
        rows.mark_undecided(too_young & unsure, Cause.TOO_YOUNG)
    if unknown is not None:
        rows.mark_undecided(unknown & (rows.outcome != Outcome.BREACH.code) & (stat.points > 0), Cause.UNKNOWN_DAY)
    spec = drift_spec(rule.metric)
    if spec is not None:
        from .drift.logged_scores import has_too_few_rows

        rows.mark_undecided(has_too_few_rows(spec, stat), Cause.TOO_SMALL_COUNT)
