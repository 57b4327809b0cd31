"""What a chart shows, as text: the newest value, against what, whether that is a problem, and since when."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ..model.alert import Alert, AlertState
from ..model.control_chart import ChartSignal
from ..model.finding import Finding, Outcome, Track
from ..model.rule import STATIC_LIMITS, Rule
from ..model.series import Labels, Series
from ..model.unit import is_share, unit_of, unit_of_time
from ..report.alert_phrase import limit_comparison
from ..report.formatting import bare_value, duration, interval, labels_text, limit_text, percent, quantity, utc_time
from ..report.markdown import plain_line
from ..timeutil import MINUTE

MAX_NAME = 80
"""Characters of a name from outside."""


def series_title(name: str, labels: Labels) -> str:
    """``accuracy``, ``accuracy (region=eu)``; of a feature ``inputs: age``."""
    where = labels_text(labels)
    if not where:
        return plain_line(name, MAX_NAME)
    is_feature = len(labels) == 1 and where == labels[0][1]
    shown = plain_line(where, MAX_NAME)
    return f"{plain_line(name, MAX_NAME)}: {shown}" if is_feature else f"{plain_line(name, MAX_NAME)} ({shown})"


def series_unit(key: str) -> str:
    """How values of a key that no rule watches read, by its name: a unit of time, ``%``, or nothing."""
    return unit_of_time(key) or ("%" if is_share(key) or key.rpartition("/")[2] in ("coverage", "class_share") else "")


def track_sentence(track: Track, alerts: Sequence[Alert], now: float, unit: str = "") -> str:
    """``accuracy is 0.8412 (95 % interval 0.836 to 0.846), 8.6 % below its baseline 0.9203: critical since ...``;
    ``unit``: where the chart knows one that the rule does not."""
    subject = series_title(track.rule.name, track.labels)
    newest = track.finding(-1)
    alert = next((alert for alert in alerts if alert.labels == track.labels), None)
    if newest.value is None:
        return _absence(subject, track, newest, alert, now)
    unit = unit_of(track.rule) or unit
    between = interval(newest, unit) if not has_drift_bounds(track) else ""
    bounds = f" (95 % interval {between})" if between else ""
    verb = ":" if quantity(newest.value, unit) != bare_value(newest.value, unit) else " is"
    compared = comparison(newest, track.rule, unit)
    return f"{subject}{verb} {quantity(newest.value, unit)}{bounds}, {compared}{_state(newest, alert, now)}."


def has_drift_bounds(track: Track) -> bool:
    """Whether low and high say that drift is not beyond chance, and are no interval of the value."""
    return bool(track.drifted) and track.rule.across is None


def comparison(finding: Finding, rule: Rule, unit: str) -> str:
    """Against its baseline, or its fixed limits: ``within its limits (warning above 250 ms)``."""
    tiers = rule.tiers_for(finding.version)
    passed = next((tier.limits for tier in tiers if tier.severity is finding.severity), ())
    fixed = [(tier.severity, limit) for tier in tiers for limit in tier.limits if limit.form in STATIC_LIMITS]
    if finding.severity is not None or not fixed or finding.baseline is not None:
        return limit_comparison(finding, passed, unit)
    if any(limit.is_passed(finding.value or 0.0, 0.0) for _, limit in fixed):
        return "past a limit"
    severity, limit = fixed[0]
    return f"within its limits ({severity} {limit_text(limit, unit)})"


def _state(finding: Finding, alert: Alert | None, now: float) -> str:
    since = since_text(alert.start, now) if alert else ""
    if alert is not None and alert.state is AlertState.FIRING:
        muted = f"; muted: {plain_line(alert.mutes[0].reason)}" if alert.mutes else ""
        if finding.severity is None and finding.outcome is Outcome.OK:
            return f": {alert.severity} {since} until recovery is proven{muted}"
        reached = finding.severity if finding.severity is not None and finding.severity < alert.severity else None
        milder = f"; the newest value reaches {reached} only" if reached is not None else ""
        return f": {alert.severity} {since}{_signal(finding)}{milder}{muted}"
    if finding.outcome is Outcome.UNDECIDED:
        return f": not decided, {finding.reason}" if finding.reason else ": not decided"
    if alert is not None and alert.state is AlertState.PENDING:
        return f": {alert.severity}, not long enough yet to alert, {since}"
    if finding.severity is not None:
        return f": {finding.severity}{_signal(finding)}"
    return ": better than usual" if finding.improved else ": no problem"


def since_text(start: float, now: float) -> str:
    """``since 2026-11-20 14:00 UTC (3 h)``"""
    return f"since {utc_time(start)}" + (f" ({duration(now - start)})" if now - start >= MINUTE else "")


def _signal(finding: Finding) -> str:
    return f" ({finding.signal.text})" if finding.signal is not ChartSignal.NONE else ""


def _absence(subject: str, track: Track, newest: Finding, alert: Alert | None, now: float) -> str:
    rows = [row for row in range(track.grid.count) if math.isfinite(track.value[row])]
    reason = f": {newest.reason}" if newest.reason else ""
    firing = alert is not None and alert.state is AlertState.FIRING
    alerting = f" The earlier alert ({alert.severity}) stays until there is a value." if firing and alert else ""
    if not rows:
        return f"{subject} has no value in the {duration(track.grid.last - track.grid.start)} that are shown{reason}."
    last = track.finding(rows[-1])
    age = duration(now - last.time)
    value = quantity(last.value, unit_of(track.rule))
    return (
        f"{subject} has no value now{reason}. The last one, {value}, is of {utc_time(last.time)} ({age} ago).{alerting}"
    )


def series_sentence(name: str, series: Series, unit: str, *, watched: bool = False) -> str:
    """``p95 is 212 ms, in the 30 d before between 180 ms and 260 ms, usually 205 ms.``; ``watched``: by a rule."""
    shown = plain_line(name, MAX_NAME)
    known = [(time, value) for time, value in zip(series.times, series.values, strict=True) if math.isfinite(value)]
    if not known:
        return f"{shown} has no value that is a number."
    newest = f"{shown} is {bare_value(known[-1][1], unit)} at {utc_time(known[-1][0])}"
    rule = "" if watched else " No rule watches it."
    earlier = [value for _, value in known[:-1]]
    if not earlier:
        return f"{newest}, its only value so far.{rule}"
    low, usual, high = (bare_value(value, unit) for value in (min(earlier), statistics.median(earlier), max(earlier)))
    length = duration(known[-1][0] - known[0][0])
    if low == high:
        same = low == bare_value(known[-1][1], unit)
        return f"{newest}, {'as' if same else f'after {low}'} in all of the {length} before.{rule}"
    return f"{newest}; in the {length} before between {low} and {high}, usually {usual}.{rule}"


def change_text(finding: Finding) -> str:
    """``−8.6 %``, with what was counted: ``−8.6 %, 1,204 rows``."""
    parts = [percent(finding.change)] if finding.change is not None else []
    if finding.n is not None:
        parts.append(f"{finding.n:,.0f} rows")
    return ", ".join(parts)
