"""The evidence beside an alert: trend, worst segments, versions, data to retrain on, links, notes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from math import isfinite

from ..model.alert import Alert, AlertState, DataSpan, Evidence, TrendPoint, UnconfirmedTier
from ..model.alert_scope import find_alert_scope
from ..model.cadence import usual_gap
from ..model.drift import FeatureDrift
from ..model.explanation import Explanation
from ..model.finding import GradualChange, Outcome, Track
from ..model.series import PulledSeries, ServiceStart, StartOrigin, format_labels
from ..model.severity import Severity
from ..model.version_health import VersionHealth, healthy_names
from ..timeutil import DAY
from .state_machine import badness
from .version_health import recount_judgements

TREND_POINTS = 60
MAX_SEGMENTS = 10
TREND_CONTEXT = 7 * DAY
"""The trend shows at least this much (seconds), where there is as much."""
FULL_SHARE = 0.9
"""A window that holds data of this share of its length counts as full."""
MAX_GAPS = 50
"""So many gaps between points show how much time one is about."""
_DECIDED_CODES = (Outcome.OK.code, Outcome.BREACH.code)


def collect_evidence(
    tracks: Sequence[Track],
    alerts: Sequence[Alert],
    health: Sequence[VersionHealth],
    pull: PulledSeries,
    notes: Sequence[str],
    why: Explanation | None = None,
    *,
    is_shown: bool = True,
) -> Evidence:
    """The evidence of one group. ``tracks`` and ``alerts`` are the group's, ``health`` is of its model. What nobody is
    shown has no trend."""
    main = _main_track(tracks, alerts)
    labelled = [track for track in tracks if track.labels]
    described = find_alert_scope(alerts, why, len(labelled)).alert
    labels = described.labels if described else ()
    headline = next((track for track in tracks if track.labels == labels), main)
    version = _serving_version(main, pull)
    start = _service_start(version, pull)
    since = start.began if start else None
    own = recount_judgements(health, tracks)
    return Evidence(
        trend=trend(headline, min((alert.start for alert in alerts), default=headline.grid.last))
        if headline and is_shown
        else (),
        segments=tuple(
            track.finding(_newest_decided(track)) for track in _worst_first(labelled, alerts)[:MAX_SEGMENTS]
        ),
        segments_seen=len(labelled),
        version=version,
        version_since=since,
        version_origin=start.origin if start else StartOrigin.POINT,
        previous=healthy_names(own, version),
        data=_data_span(main, since, pull),
        links=pull.links,
        notes=(*_left_out_notes(tracks), *notes, *pull.notes),
        why=why,
        drifted=_feature_drifts(tracks, alerts),
        estimate=headline.estimate if headline else None,
        anchor=headline.anchor if headline else None,
        unconfirmed=_unconfirmed_tier(headline, described),
        gradual=_gradual_change(headline, tracks, alerts),
        affected=_affected_rows(headline, alerts, pull),
        features=max((track.features for track in tracks), default=0),
        health=own,
        held=_held_length(headline, described, pull),
    )


def add_serving_versions(evidence: Evidence, health: Sequence[VersionHealth], pull: PulledSeries) -> Evidence:
    """``evidence`` with the version in production, and those that were healthy before it by every rule of the model."""
    version = _serving_version(None, pull)
    start = _service_start(version, pull)
    return replace(
        evidence,
        version=version,
        version_since=start.began if start else None,
        version_origin=start.origin if start else StartOrigin.POINT,
        previous=healthy_names(health, version),
        health=tuple(health),
    )


def trend(track: Track, start: float) -> tuple[TrendPoint, ...]:
    """At most 60 points, oldest first, the newest always among them; twice as long as what happened, or a week."""
    grid = track.grid
    length = max(TREND_CONTEXT, 2 * (grid.last - start))
    rows = min(grid.count, int(length // grid.step) + 1)
    stride = -(-rows // TREND_POINTS)
    picked = range(grid.count - 1, grid.count - 1 - rows, -stride)
    findings = (track.finding(index) for index in reversed(picked))
    return tuple(TrendPoint(finding.time, finding.value, finding.baseline) for finding in findings)


def _main_track(tracks: Sequence[Track], alerts: Sequence[Alert]) -> Track | None:
    """The whole; without one the series of the worst alert."""
    by_labels = {track.labels: track for track in reversed(tracks)}
    preferred = (by_labels.get(labels) for labels in ((), *(alert.labels for alert in alerts)))
    return next(filter(None, preferred), tracks[0] if tracks else None)


def _newest_decided(track: Track) -> int:
    """The newest decided finding, or else the newest."""
    last = len(track.outcome) - 1
    return next((i for i in range(last, -1, -1) if track.outcome[i] in _DECIDED_CODES), last)


def _worst_first(tracks: Sequence[Track], alerts: Sequence[Alert]) -> list[Track]:
    firing = {alert.labels for alert in alerts if alert.state is AlertState.FIRING}

    def order(track: Track) -> tuple[bool, int, float]:
        row = _newest_decided(track)
        return track.labels not in firing, -track.severity[row], -badness(track, row)

    return sorted((track for track in tracks if track.grid.count), key=order)


def _feature_drifts(tracks: Sequence[Track], alerts: Sequence[Alert]) -> tuple[FeatureDrift, ...]:
    """What drifted by a rule across features; by a rule about each feature those in alert, worst first."""
    across = [drift for track in tracks if not track.labels for drift in track.drifted]
    loud = {alert.labels for alert in alerts}
    each = [track for track in _worst_first(tracks, alerts) if track.labels in loud]
    return tuple(across or [drift for track in each for drift in track.drifted])[:MAX_SEGMENTS]


def _serving_version(track: Track | None, pull: PulledSeries) -> str:
    if track is not None and track.grid.count:
        version = track.finding(_newest_decided(track)).version
        if version:
            return version
    newest = max(pull.deployments, key=lambda deployment: deployment.since, default=None)
    return newest.version if newest else ""


def _service_start(version: str, pull: PulledSeries) -> ServiceStart | None:
    """Since when the version is in its present service."""
    own = (deployment for deployment in pull.deployments if deployment.version == version)
    newest = max(own, key=lambda deployment: deployment.since, default=None)
    return pull.start_of(newest) if newest else None


def _data_span(
    track: Track | None, since: float | None, pull: PulledSeries, end: float | None = None, *, of_segment: bool = False
) -> DataSpan | None:
    """The points of the whole from ``since`` until before ``end``; by default to the last evaluation.

    ``of_segment``: those of the segment itself, which has fewer rows.
    """
    if track is None or since is None:
        return None
    name = track.rule.metric.name
    fitting = [s for s in pull.series if s.name == name and set(s.labels) <= set(track.labels)]
    series = max(fitting, key=lambda s: len(s.labels) if of_segment else -len(s.labels), default=None)
    if series is None or not len(series):
        return None
    begin = bisect_left(series.times, since)
    stop = bisect_right(series.times, track.grid.last) if end is None else bisect_left(series.times, end)
    is_number = bytes(map(isfinite, series.values[begin:stop]))
    times: Sequence[float] = series.times[begin:stop]
    counts: Sequence[float] = () if series.weights is None else series.weights[begin:stop]
    if 0 in is_number:
        times, counts = (tuple(compress(column, is_number)) for column in (times, counts))
    if not times:
        return None
    known = counts if all(map(isfinite, counts)) else tuple(filter(isfinite, counts))
    return DataSpan(times[0], times[-1], len(times), sum(known) if known else None)


def _affected_rows(track: Track | None, alerts: Sequence[Alert], pull: PulledSeries) -> DataSpan | None:
    """The data of the worst alert's series from its start to its end; ``None`` where its rows are not counted."""
    alert = next((alert for alert in alerts if track and alert.labels == track.labels), None)
    span = _data_span(track, alert.start, pull, alert.end, of_segment=True) if alert else None
    return span if span and span.n is not None else None


def _held_length(track: Track | None, alert: Alert | None, pull: PulledSeries) -> float | None:
    """How much (seconds) of the newest window holds data; ``None`` where that is all of it, or not known."""
    if track is None or alert is None:
        return None
    finding, window = alert.finding, track.rule.window
    began = [one for one in pull.deployments if one.since <= finding.time and one.version == finding.version]
    service = max(began, key=lambda one: one.since, default=None)
    own = (series for series in pull.series if (series.name, series.labels) == (track.rule.metric.name, track.labels))
    series = next((one for one in own if len(one)), None)
    times = series.times if series is not None else ()
    first = bisect_right(times, finding.time - window)
    since = times[first] if first < len(times) else finding.time - window
    gap = usual_gap(times[max(0, first - MAX_GAPS) : first + MAX_GAPS])
    if service is not None and service.since > since:
        since = service.since
    length = finding.time - since + gap  # a point is about the time since the one before
    if service is not None:
        start = pull.start_of(service)
        length = min(length, finding.time - start.began) if start.origin is StartOrigin.MOVE else length
    return length if 0 < length < FULL_SHARE * window and length + gap < window else None


def _unconfirmed_tier(track: Track | None, alert: Alert | None) -> UnconfirmedTier | None:
    if track is None or alert is None or alert.state is not AlertState.FIRING:
        return None
    value, baseline = alert.finding.value, alert.finding.baseline
    tiers = (tier for tier in track.rule.tiers_for(alert.finding.version) if tier.severity > alert.severity)
    if value is None or baseline is None:
        return None
    passed = (
        UnconfirmedTier(tier.severity, limit)
        for tier in sorted(tiers, key=lambda tier: -tier.severity.code)
        for limit in tier.limits
        if limit.is_passed(value, baseline)
    )
    return next(passed, None)


def _gradual_change(headline: Track | None, tracks: Sequence[Track], alerts: Sequence[Alert]) -> GradualChange | None:
    """How the described series changed gradually; ``None`` where a more severe alert came at once."""
    firing = {alert.labels: alert.severity for alert in alerts if alert.state is AlertState.FIRING}
    if headline is None or headline.labels not in firing:
        return None
    worse = (track for track in tracks if firing.get(track.labels, Severity.INFO) > firing[headline.labels])
    return None if any(track.gradual is None for track in worse) else headline.gradual


def _left_out_notes(tracks: Sequence[Track]) -> tuple[str, ...]:
    notes = []
    for track in tracks:
        where = f" of {format_labels(track.labels)}" if track.labels else ""
        if track.late_points:
            notes.append(
                f"{track.late_points:,} points{where} lie more than 5 minutes in the future and were left out."
            )
        if track.bad_points:
            notes.append(f"{track.bad_points:,} points{where} are NaN, infinite or beyond 1e100 and were left out.")
    return tuple(notes[:MAX_SEGMENTS])
