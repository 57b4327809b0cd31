"""Metrics over time: what a rule saw, was compared with and decided, and series that no rule watches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ..model.alert import Alert
from ..model.cadence import usual_gap
from ..model.control_chart import ChartSignal
from ..model.finding import Finding, Outcome, Track
from ..model.rule import Aggregate, BaselineKind, Limit, LimitKind, Rule
from ..model.series import Series
from ..model.severity import Severity
from ..model.unit import unit_of
from ..report.formatting import bare_value, duration, limit_text
from ..report.markdown import plain_line
from .page import Band, DecidedSpan, Line, LineRole, TimeChart
from .panel_ids import panel_id
from .sentences import MAX_NAME, has_drift_bounds, series_title, track_sentence
from .thinning import finite, kept_rows, thinning_note

MAX_SPANS = 60
"""What was decided, the newest."""
INTERVAL = "95 % interval"
MAX_STRETCH = 4.0
"""A limit so far away that the chart would be this many times as high is not drawn."""
HOLDS = 0.99
"""For this part of the usual time between two points a value is drawn alone where other series have points."""
NAN = math.nan
_DECIDED = (Outcome.OK.code, Outcome.BREACH.code)
_AGGREGATES = {
    Aggregate.SUM: "Sum",
    Aggregate.LAST: "Newest value",
    Aggregate.P50: "Median",
    Aggregate.P95: "95th percentile",
    Aggregate.P99: "99th percentile",
    Aggregate.RATIO: "Ratio",
}


def track_chart(track: Track, alerts: Sequence[Alert], now: float) -> TimeChart:
    """One rule on one series: value, baseline, limits in the value's own unit, interval, and what was decided.

    ``alerts``: of the rule's group, for since when. What lies before the first value is not drawn.
    """
    rule = track.rule
    first = next((row for row in range(track.grid.count) if math.isfinite(track.value[row])), track.grid.count)
    shown = range(first, track.grid.count)
    limits, far = _near_limits(limit_columns(track, shown), [*track.value[first:], *track.baseline[first:]])
    bounds = _bounds(track, shown)
    is_compared = any(math.isfinite(track.baseline[row]) for row in shown)
    decisions = [_decision(track, row) for row in shown]
    changes = [row for row in range(1, len(shown)) if decisions[row] != decisions[row - 1]]
    columns = 2 + is_compared + len(limits) + len(bounds)
    rows = kept_rows([track.value[first:]], len(shown), columns, changes)

    def thinned(values: Sequence[float]) -> tuple[float | None, ...]:
        return tuple(finite(values[row]) for row in rows)

    lines = [Line(series_title(rule.name, track.labels), LineRole.VALUE, thinned(track.value[first:]))]
    if is_compared:
        lines.append(Line("baseline", LineRole.BASELINE, thinned(track.baseline[first:])))
    lines += [
        Line(f"{severity}: {text}", LineRole.LIMIT, thinned(values), severity)
        for (severity, text), values in limits.items()
    ]
    notes = (
        _method_note(rule),
        _undrawn_limits(rule),
        _far_note(far),
        thinning_note(len(rows), len(shown), "evaluations"),
    )
    return TimeChart(
        panel_id("rule", rule.name, *(part for pair in track.labels for part in pair)),
        series_title(rule.name, track.labels),
        track_sentence(track, alerts, now),
        tuple(track.grid.time(shown[row]) for row in rows),
        tuple(lines) if rows else (),
        (Band(INTERVAL, thinned(bounds[0]), thinned(bounds[1])),) if bounds else (),
        decided_spans(track, shown, decisions, now),
        unit_of(rule),
        " ".join(filter(None, notes)),
    )


LimitColumns = dict[tuple[Severity, str], list[float]]
"""By tier and limit as text a value in each row."""


def limit_columns(track: Track, rows: Sequence[int]) -> LimitColumns:
    """By tier and limit as text the value at which it is passed in each of ``rows``, NaN where there is none: no
    baseline, another version with other tiers, or a limit in standard deviations."""
    columns: LimitColumns = {}
    unit = unit_of(track.rule)
    limits: dict[int, list[tuple[Limit, list[float]]]] = {}
    """By index of the version, each with its column."""
    for place, row in enumerate(rows):
        version, baseline = track.version[row], track.baseline[row]
        if version not in limits:
            tiers = track.rule.tiers_for(track.versions[version] if version >= 0 else "")
            limits[version] = [
                (one, columns.setdefault((tier.severity, limit_text(one, unit)), [NAN] * len(rows)))
                for tier in tiers
                for one in tier.limits
            ]
        for limit, column in limits[version]:
            boundary = limit.boundary(baseline)
            if boundary is not None and math.isfinite(boundary):
                column[place] = boundary
    return {key: column for key, column in columns.items() if any(map(math.isfinite, column))}


def _near_limits(limits: LimitColumns, values: Sequence[float]) -> tuple[LimitColumns, list[str]]:
    """The limits that leave room for the values: the nearest, and those that make the chart at most ``MAX_STRETCH``
    times as high; and the names of the others."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return limits, []
    low, high = min(known), max(known)
    ranges = {key: _finite_range(column) for key, column in limits.items()}
    order = sorted(ranges, key=lambda key: max(low - ranges[key][0], ranges[key][1] - high))
    near: set[tuple[Severity, str]] = set()
    room = 0.0
    for key in order:
        bottom, top = min(low, ranges[key][0]), max(high, ranges[key][1])
        if near and top - bottom > MAX_STRETCH * room:
            break
        near.add(key)
        room = room or top - bottom
    drawn = {key: column for key, column in limits.items() if key in near}
    return drawn, [f"{severity} {text}" for severity, text in limits if (severity, text) not in near]


def _finite_range(column: Sequence[float]) -> tuple[float, float]:
    known = [value for value in column if math.isfinite(value)]
    return min(known), max(known)


def _far_note(far: Sequence[str]) -> str:
    return f"Not drawn, since far away: {', '.join(far)}." if far else ""


def _bounds(track: Track, rows: Sequence[int]) -> tuple[list[float], ...]:
    """Low and high, NaN where either is unknown; empty where there is no interval."""
    pairs = [(track.low[row], track.high[row]) for row in rows]
    pairs = [pair if math.isfinite(pair[0]) and math.isfinite(pair[1]) else (NAN, NAN) for pair in pairs]
    if has_drift_bounds(track) or all(math.isnan(low) for low, _ in pairs):
        return ()
    return [low for low, _ in pairs], [high for _, high in pairs]


def _decision(track: Track, row: int) -> tuple[int, int, int, int]:
    """Codes of outcome, severity, cause (of what is not decided) and signal of a control chart."""
    outcome = track.outcome[row]
    cause = 0 if outcome in _DECIDED else track.cause[row]
    return outcome, track.severity[row], cause, track.signal[row] if track.signal else 0


def decided_spans(
    track: Track, rows: Sequence[int], decisions: Sequence[tuple[int, int, int, int]], now: float
) -> tuple[DecidedSpan, ...]:
    """Each unbroken run of one decision, but for that all is well, until the next evaluation decided otherwise."""
    spans = []
    for (outcome, severity, *_), run in groupby(zip(rows, decisions, strict=True), key=lambda pair: pair[1]):
        members = [row for row, _ in run]
        if outcome == Outcome.OK.code:
            continue
        since = track.grid.time(members[0])
        until = max(min(track.grid.time(members[-1]) + track.grid.step, now), since)
        found = Severity.from_code(severity) if severity >= 0 else None
        spans.append(DecidedSpan(since, until, found, _span_text(track, members)))
    return tuple(spans[-MAX_SPANS:])


def _span_text(track: Track, rows: Sequence[int]) -> str:
    """``critical for 3 h: 0.8102 at worst``; ``undecided: too few points in the window``."""
    first = track.finding(rows[0])
    if first.severity is None:
        word = "no data" if first.outcome is Outcome.NO_DATA else "not decided"
        return f"{word}: {first.reason}" if first.reason else word
    signal = f" ({first.signal.text})" if first.signal is not ChartSignal.NONE else ""
    length = duration(len(rows) * track.grid.step)
    worst = max((track.finding(row) for row in rows), key=_badness)
    return f"{first.severity} for {length}{signal}: {bare_value(worst.value, unit_of(track.rule))} at worst"


def _badness(finding: Finding) -> float:
    if finding.value is None:
        return -math.inf
    return abs(finding.value - finding.baseline) if finding.baseline is not None else abs(finding.value)


def _method_note(rule: Rule) -> str:
    """``Mean of eval/accuracy over 6 h, every 1 h, against the 28 d before.``"""
    what = "Share of features that drifted by" if rule.across else _AGGREGATES.get(rule.aggregate, "Mean of")
    what += "" if what.endswith((" of", " by")) else " of"
    waits = f", as of {duration(rule.total_lag)} ago" if rule.total_lag else ""
    key = plain_line(rule.metric.text, MAX_NAME)
    return f"{what} {key} over {duration(rule.window)}, every {duration(rule.every)}{waits}{_against(rule)}."


def _against(rule: Rule) -> str:
    if rule.anomaly is not None:
        return ", against its own past"
    if not rule.compares and rule.baseline.kind is BaselineKind.NONE:
        return ""
    spec = rule.baseline
    match spec.kind:
        case BaselineKind.FILE:
            return f", against {plain_line(spec.path, MAX_NAME)}"
        case BaselineKind.ROLLING:
            return f", against the {duration(spec.length)} before"
        case BaselineKind.SEASONAL:
            return f", against the same hours of the {duration(spec.length)} before"
        case BaselineKind.VERSION:
            version = "the version before" if spec.version == "previous" else plain_line(spec.version, MAX_NAME)
            return f", against {version}"
        case BaselineKind.CONSTANT:
            return f", against {bare_value(spec.value, unit_of(rule))}"
        case _:
            return ""


def _undrawn_limits(rule: Rule) -> str:
    """Limits without a line: those in standard deviations, of control charts and of a metric's own past."""
    sigma = [limit for tier in rule.tiers for limit in tier.limits if limit.form is LimitKind.SIGMA]
    charts = sorted({str(tier.chart.method).replace("_", " ") for tier in rule.tiers if tier.chart is not None})
    if sigma:
        return f"Not drawn: limits of {bare_value(sigma[0].value)} standard deviations, which follow the spread."
    if charts:
        return f"Judged point by point by a control chart ({', '.join(charts)}), whose limits are not drawn."
    return "Not drawn: limits, which follow from how rare a value is." if rule.anomaly is not None else ""


def series_chart(
    id: str,
    title: str,
    sentence: str,
    lines: Mapping[str, Series],
    since: float,
    *,
    unit: str = "",
    note: str = "",
    limits: Mapping[str, tuple[Severity, float]] | None = None,
    band: tuple[Series, Series] | None = None,
    decided: tuple[DecidedSpan, ...] = (),
    main: str = "",
) -> TimeChart:
    """Series as they were logged, by name, from ``since`` on (seconds, UTC): ``main``, by default the first, as the
    value, the others beside it. ``limits``: fixed ones of rules on them. ``band``: low and high of the first."""
    sides, value = list(band or ()), main or next(iter(lines), "")
    columns = [_known_points(series, since) for series in (*lines.values(), *sides)]
    times = sorted({time for column in columns[: len(lines)] for time in column})
    values = [_on_axis(column, times) for column in columns]
    fixed = dict(limits or {})
    rows = kept_rows(values[: len(lines)], len(times), 1 + len(columns) + len(fixed))
    drawn = [tuple(finite(column[row]) for row in rows) for column in values]
    shown = [
        Line(plain_line(name, MAX_NAME), LineRole.VALUE if name == value else LineRole.OTHER, drawn[place])
        for place, name in enumerate(lines)
    ]
    shown += [
        Line(name, LineRole.LIMIT, (finite(limit),) * len(rows), severity) for name, (severity, limit) in fixed.items()
    ]
    bands = _joint_band(drawn[len(lines) :])
    thinned = thinning_note(len(rows), len(times), "times")
    return TimeChart(
        id,
        title,
        sentence,
        tuple(times[row] for row in rows),
        tuple(shown) if rows else (),
        tuple(bands),
        decided,
        unit,
        " ".join(filter(None, (note, thinned))),
    )


def _known_points(series: Series, since: float) -> dict[float, float]:
    pairs = zip(series.times, series.values, strict=True)
    return {time: value for time, value in pairs if time >= since and math.isfinite(value)}


def _on_axis(column: Mapping[float, float], times: Sequence[float]) -> list[float]:
    """A series at the times of all: between two of its own points, unless they are far apart, its last value holds, so
    that series logged a little apart are lines and not dots."""
    gap = usual_gap(sorted(column))
    values, last = [], -math.inf
    for time in times:
        last = time if time in column else last
        values.append(column[last] if time - last < HOLDS * gap or time == last else NAN)
    return values


def _joint_band(sides: Sequence[Sequence[float | None]]) -> Iterator[Band]:
    """Where both sides are known."""
    if len(sides) != 2:
        return
    known = [low is not None and high is not None for low, high in zip(*sides, strict=True)]
    if any(known):
        low, high = (tuple(value if both else None for value, both in zip(side, known, strict=True)) for side in sides)
        yield Band(INTERVAL, low, high)
