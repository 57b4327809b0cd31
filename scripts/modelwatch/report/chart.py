"""Draws the trend of an alert as a Mermaid chart: value, baseline, tiers and deployments, with a legend.

GitHub renders Mermaid in issues; it shows no SVG from an issue's text, and an image would need a place that serves it.
Mermaid's charts have neither a legend nor marks: the legend is the line below, and a deployment is a line that comes
from far below the chart, which looks vertical (bars are wide, and cover what is behind them).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from ..model.alert import Group, TrendPoint
from ..model.rule import STATIC_LIMITS, Rule, Tier
from ..model.severity import Severity
from ..timeutil import DAY, HOUR
from .formatting import bare_value, unit_suffix, utc_time
from .markdown import code, mermaid_text

SIGNIFICANT_DIGITS = 5
"""Significant digits of a point."""
MAX_STEP_DEVIATION = 0.5
"""A point farther (in steps) than this from where Mermaid draws it would appear at a wrong time."""
MAX_DRAWN = 120
"""Points of a line whose times are not evenly spaced."""
DAY_AXIS_ABOVE = 4 * DAY
"""A longer trend (seconds) has an axis in days."""
MAX_STRETCH = 4.0
"""A tier so far away that the chart would be this many times as high is not drawn."""
MAX_MARKS = 3
FAR_BELOW = 100.0
"""So many heights of the chart below it a mark begins: within the chart it is a vertical line."""
TITLE_PADDING = 8
"""Pixels around the titles of the axes; with Mermaid's own 5 the lower one is cut off."""


@dataclass(frozen=True, slots=True)
class ChartColour:
    """A colour that is legible on GitHub's light and dark backgrounds, and its square in the legend."""

    hex: str
    square: str


VALUE, BASELINE = ChartColour("#cf222e", "🟥"), ChartColour("#8c959f", "⬜")
DEPLOYMENT = ChartColour("#2da44e", "🟩")
TIER_COLOURS = {
    Severity.INFO: ChartColour("#54aeff", "🟦"),
    Severity.WARNING: ChartColour("#d4a72c", "🟨"),
    Severity.ERROR: ChartColour("#e16f24", "🟧"),
    Severity.CRITICAL: ChartColour("#8250df", "🟪"),
}


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line, with its entry in the legend."""

    colour: ChartColour
    values: Sequence[float]
    legend: str


def trend_chart(title: str, group: Group, rule: Rule | None) -> str:
    """An ``xychart-beta`` of the group's trend. Times without a value are left out; where the baseline begins late, the
    chart begins there, and gaps in it are filled with the previous one."""
    points = _from_first_baseline([point for point in group.evidence.trend if point.value is not None])
    points = _even_points(points)
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return "Too few points to draw."
    unit = group.unit
    baselines = _fill_baselines(points)
    shown = [ChartLine(VALUE, values, f"value {bare_value(values[-1], unit)}")]
    if baselines:
        shown.insert(0, ChartLine(BASELINE, baselines, f"baseline {bare_value(baselines[-1], unit)}"))
    shown = [*_tier_lines(rule, group, baselines, shown, len(values)), *shown]
    low = min(value for line in shown for value in line.values)
    high = max(value for line in shown for value in line.values)
    pad = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    bottom, top = (max(low - pad, 0.0) if low >= 0 else low - pad), high + pad
    lines = [*_deployment_marks(group, [point.time for point in points], bottom, top), *shown]
    name = unit_suffix(unit).removeprefix(": ")
    axis = f'"{mermaid_text(name)}" ' if name else ""
    text = [
        "```mermaid",
        _theme(lines),
        "xychart-beta",
        f'    title "{mermaid_text(title)}"',
        f"    x-axis {_time_axis([point.time for point in points])}",
        f"    y-axis {axis}{plain_number(bottom)} --> {plain_number(top)}",
        *(f"    line [{', '.join(map(plain_number, line.values))}]" for line in lines),
        "```",
    ]
    return "\n".join(text) + "\n\n" + _legend(lines)


def _theme(lines: Sequence[ChartLine]) -> str:
    """The colours in the order of the lines; Mermaid's own palette is illegible."""
    palette = ", ".join(line.colour.hex for line in lines)
    axes = ", ".join(f'"{axis}": {{"titlePadding": {TITLE_PADDING}}}' for axis in ("xAxis", "yAxis"))
    theme = f'"themeVariables": {{"xyChart": {{"plotColorPalette": "{palette}"}}}}'
    return f'%%{{init: {{"xyChart": {{{axes}}}, {theme}}}}}%%'


def _legend(lines: Sequence[ChartLine]) -> str:
    """The value first, as people read it."""
    return f"<sub>{' · '.join(f'{line.colour.square} {line.legend}' for line in reversed(lines))}</sub>"


def _tier_lines(
    rule: Rule | None, group: Group, baselines: Sequence[float], shown: Sequence[ChartLine], count: int
) -> Iterator[ChartLine]:
    """Where each tier begins, the most severe first; none of a built-in rule, whose values are not the rule's."""
    if rule is None or group.built_in or not group.alerts:
        return
    low = min(value for line in shown for value in line.values)
    high = max(value for line in shown for value in line.values)
    for tier in reversed(rule.tiers_for(group.evidence.version)):
        values = _boundary(tier, baselines, count)
        if values and (max(high, *values) - min(low, *values)) <= MAX_STRETCH * ((high - low) or abs(high) or 1.0):
            legend = f"{tier.severity} {bare_value(values[-1], group.unit)}"
            yield ChartLine(TIER_COLOURS[tier.severity], values, legend)


def _boundary(tier: Tier, baselines: Sequence[float], count: int) -> list[float]:
    """The tier's first limit at every point; empty where it cannot be drawn."""
    for limit in tier.limits:
        # Without a baseline only a fixed limit can be drawn: it is the same for every baseline.
        ends = [limit.boundary(baseline) for baseline in baselines]
        if not baselines and limit.form in STATIC_LIMITS:
            ends = [limit.value] * count
        drawn = [end for end in ends if end is not None]
        if drawn and len(drawn) == count:
            return drawn
    return []


def _deployment_marks(group: Group, times: Sequence[float], bottom: float, top: float) -> Iterator[ChartLine]:
    """A vertical line where a version began to serve."""
    starts = [
        record for record in group.evidence.health if not record.at_least and times[0] < record.since <= times[-1]
    ][:MAX_MARKS]
    if not starts:
        return
    places = {next(place for place, time in enumerate(times) if time >= record.since) for record in starts}
    names = ", ".join(f"{code(record.version, 40)} {utc_time(record.since)}" for record in reversed(starts))
    below = bottom - FAR_BELOW * (top - bottom)
    heights = [top if place in places else below for place in range(len(times))]
    yield ChartLine(DEPLOYMENT, heights, f"deployed: {names}")


def _time_axis(times: Sequence[float]) -> str:
    """Hours or days before the last point."""
    first, last = times[0], times[-1]
    name, unit = ("days", DAY) if last - first > DAY_AXIS_ABOVE else ("hours", HOUR)
    return f'"{name} before {mermaid_text(utc_time(last))}" {plain_number((first - last) / unit)} --> 0'


def _even_points(points: Sequence[TrendPoint]) -> Sequence[TrendPoint]:
    """The same line through points at even times, where its own are not: Mermaid spaces what it draws evenly."""
    if len(points) < 3:
        return points
    first, last = points[0].time, points[-1].time
    step = (last - first) / (len(points) - 1)
    if all(abs(first + place * step - one.time) <= step * MAX_STEP_DEVIATION for place, one in enumerate(points)):
        return points
    shortest = min(after.time - before.time for before, after in pairwise(points))
    count = min(max(round((last - first) / shortest), len(points) - 1), MAX_DRAWN - 1)
    times = [first + place * (last - first) / count for place in range(count)]
    return [*(_point_at(points, time) for time in times), points[-1]]


def _point_at(points: Sequence[TrendPoint], time: float) -> TrendPoint:
    """The point of the line at a time: on the way from one point to the next."""
    place = bisect_right(points, time, key=lambda point: point.time) - 1
    before, after = points[place], points[place + 1]
    share = (time - before.time) / (after.time - before.time)
    start, end = before.value or 0.0, after.value or 0.0
    return TrendPoint(time, start * (1 - share) + end * share, before.baseline)


def plain_number(value: float) -> str:
    """A few digits without an exponent, which Mermaid cannot read."""
    return format(Decimal(f"{value:.{SIGNIFICANT_DIGITS}g}"), "f")


def _from_first_baseline(points: Sequence[TrendPoint]) -> Sequence[TrendPoint]:
    first = next((place for place, point in enumerate(points) if point.baseline is not None), 0)
    return points[first:] if len(points) - first >= 2 else points


def _fill_baselines(points: Sequence[TrendPoint]) -> list[float]:
    filled: list[float] = []
    for point in points:
        if point.baseline is not None:
            filled.append(point.baseline)
        elif filled:
            filled.append(filled[-1])
    return filled if len(filled) == len(points) else []
