"""One rule at one moment: its segments, or its features by their drift, worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..model.alert import AlertState
from ..model.alert_scope import FEATURE_LABELS
from ..model.drift import drift_spec
from ..model.finding import Finding, Outcome, Track, is_beyond_limits
from ..model.rule import STATIC_LIMITS, Rule
from ..model.unit import unit_of
from ..report.formatting import column_heading, labels_text, limit_text, quantity
from ..report.markdown import plain_line
from .page import Bar, BarChart
from .panel_ids import panel_id
from .rule_views import RuleTracks
from .sentences import MAX_NAME, change_text, comparison, has_drift_bounds, series_title, since_text
from .thinning import finite

MAX_BARS = 30


def segment_bars(own: RuleTracks, now: float) -> BarChart | None:
    """The segments of a rule in their newest windows; ``None`` where fewer than two have a value."""
    rows = _newest(own)
    if len(rows) < 2:
        return None
    rule, unit = own.rule, unit_of(own.rule)
    rows.sort(key=lambda row: own.rank_of(row[0]), reverse=True)
    worst_track, worst = rows[0]
    whole = own.whole.finding(-1) if own.whole is not None else None
    firing = sum(own.severity_of(track) is not None for track, _ in rows)
    name, where = plain_line(rule.name, MAX_NAME), plain_line(labels_text(worst_track.labels), MAX_NAME)
    first = f"{name} is worst in {where}: {quantity(worst.value, unit)}, {comparison(worst, rule, unit)}"
    severity = own.severity_of(worst_track)
    start = _start(own, worst_track)
    state = f" ({severity} {since_text(start, now)})" if severity is not None and start is not None else ""
    one = "column" if {label for label, _ in worst_track.labels} <= FEATURE_LABELS else "segment"
    rest = f"{firing} of {len(rows)} {one}s {_are(firing)} beyond a limit" if firing else _unproven(rows, rule, one)
    overall = f"; overall it is {quantity(whole.value, unit)}" if whole is not None and whole.value is not None else ""
    return BarChart(
        panel_id("segments", rule.name),
        f"{name} by {one}",
        f"{first}{state}. {rest}{overall}.",
        tuple(_bar(own, track, finding) for track, finding in rows[:MAX_BARS]),
        unit,
        finite(whole.value) if whole is not None and whole.value is not None else None,
        _left_out(len(rows), f"{one}s"),
    )


def _unproven(rows: Sequence[tuple[Track, Finding]], rule: Rule, one: str) -> str:
    """Where no tier holds: a value that passes a limit is not proven to, and not fine either."""
    beyond = sum(is_beyond_limits(finding, rule) for _, finding in rows)
    if not beyond:
        return f"No {one} is beyond a limit"
    return f"{beyond} of {len(rows)} {one}s {_are(beyond)} beyond a limit, which is not proven"


def drift_bars(own: RuleTracks, now: float) -> BarChart | None:
    """Every feature of a drift rule by how far it is from its reference, the furthest first; of a rule across features
    those that it counts as drifted. ``None`` where there is nothing to show."""
    rule = own.rule
    spec = drift_spec(rule.metric)
    if spec is None:
        return None
    if rule.across is not None:
        return _across_bars(own)
    unit = unit_of(rule)
    rows = sorted(_newest(own), key=lambda row: (-_severity_rank(own, row[0]), -(row[1].value or 0.0), row[0].labels))
    if not rows:
        return None
    drifted = [track for track, _ in rows if own.severity_of(track) is not None]
    track, finding = rows[0]
    start = _start(own, track)
    since = f", {since_text(start, now)}" if start is not None else ""
    feature = plain_line(labels_text(track.labels) or rule.name, MAX_NAME)
    furthest = f"{feature}, {quantity(finding.value, unit)}{since if drifted else ''}"
    found = len(drifted) or "None"
    count = f"{found} of {len(rows)} features {'have' if len(drifted) > 1 else 'has'} drifted"
    if len(rows) == 1:
        count = "It has drifted" if drifted else "It has not drifted"
    return BarChart(
        panel_id("drift", rule.name),
        f"{plain_line(rule.name, MAX_NAME)}: drift by feature",
        f"{count}. Furthest from its reference: {furthest}.",
        tuple(_bar(own, track, finding) for track, finding in rows[:MAX_BARS]),
        unit,
        _mildest_limit(rule),
        " ".join(filter(None, (_limits_note(rule, unit), _left_out(len(rows), "features")))),
    )


def _across_bars(own: RuleTracks) -> BarChart | None:
    track = own.tracks[0]
    if not track.drifted:
        return None
    severity = own.severity_of(track)
    method = track.drifted[0].method
    names = ", ".join(plain_line(drift.feature, MAX_NAME) for drift in track.drifted[:3])
    return BarChart(
        panel_id("drift", own.rule.name),
        f"{plain_line(own.rule.name, MAX_NAME)}: features that drifted",
        f"{len(track.drifted)} of {track.features} features {'has' if len(track.drifted) == 1 else 'have'} drifted, "
        f"most of all {names}.",
        tuple(
            Bar(plain_line(drift.feature, MAX_NAME), finite(drift.value) or 0.0, severity=severity)
            for drift in track.drifted
        ),
        method,
        note=f"{column_heading(method)} of each.",
    )


def _newest(own: RuleTracks) -> list[tuple[Track, Finding]]:
    rows = [(track, track.finding(-1)) for track in own.segments]
    if own.is_drift and not rows:
        rows = [(track, track.finding(-1)) for track in own.tracks]
    return [(track, finding) for track, finding in rows if finding.value is not None and math.isfinite(finding.value)]


def _severity_rank(own: RuleTracks, track: Track) -> int:
    severity = own.severity_of(track)
    return 0 if severity is None else 1 + severity.code


def _start(own: RuleTracks, track: Track) -> float | None:
    alerts = (alert for alert in own.alerts if alert.labels == track.labels and alert.state is AlertState.FIRING)
    return next((alert.start for alert in alerts), None)


def _bar(own: RuleTracks, track: Track, finding: Finding) -> Bar:
    bounds = (None, None) if has_drift_bounds(track) else (finding.low, finding.high)
    low, high = ((finite(bound) if bound is not None else None) for bound in bounds)
    text = change_text(finding)
    if finding.outcome is Outcome.UNDECIDED and finding.reason:
        text = ", ".join(filter(None, (text, f"not decided: {finding.reason}")))
    name = plain_line(labels_text(track.labels) or series_title(own.rule.name, ()), MAX_NAME)
    known = low is not None and high is not None
    value = finite(finding.value or 0.0) or 0.0
    return Bar(name, value, low if known else None, high if known else None, own.severity_of(track), text)


def _mildest_limit(rule: Rule) -> float | None:
    limits = [limit.value for tier in rule.tiers for limit in tier.limits if limit.form in STATIC_LIMITS]
    return limits[0] if limits else None


def _limits_note(rule: Rule, unit: str) -> str:
    texts = [f"{tier.severity} {limit_text(limit, unit)}" for tier in rule.tiers for limit in tier.limits]
    return f"Limits: {', '.join(texts)}." if texts else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _left_out(count: int, what: str) -> str:
    return f"The {MAX_BARS} worst of {count} {what} are shown." if count > MAX_BARS else ""
