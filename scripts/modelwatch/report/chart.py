"""The trend as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..model.alert import TrendPoint
from ..model.rule import DAY, HOUR
from .escape import mermaid_text
from .words import utc_time

COLOUR_THEME = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#cf222e, #8c959f"}}}}%%'
"""The value in red and its baseline in grey: legible on GitHub's light and dark backgrounds; the default is not."""
SIGNIFICANT_DIGITS = 5
"""Significant digits of a point."""
MAX_STEP_DEVIATION = 0.5
"""A point this far (of a step) from where it would be drawn stands at a wrong time."""
DAY_AXIS_ABOVE = 4 * DAY
"""A longer trend (seconds) is told in days."""


def trend_chart(title: str, trend: Sequence[TrendPoint]) -> str:
    """An ``xychart-beta`` of value and baseline. Times without a value are left out; a baseline that is not known at
    once is drawn from where it is, holes filled with the one before."""
    points = _from_first_baseline([point for point in trend if point.value is not None])
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return "Too few points to draw."
    baselines = _fill_baselines(points)
    low, high = min(*values, *baselines), max(*values, *baselines)
    pad = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    bottom = max(low - pad, 0.0) if low >= 0 else low - pad
    lines = [
        "```mermaid",
        COLOUR_THEME,
        "xychart-beta",
        f'    title "{mermaid_text(title)}{" and its baseline" if baselines else ""}"',
        f"    x-axis {_time_axis([point.time for point in points])}",
        f"    y-axis {plain_number(bottom)} --> {plain_number(high + pad)}",
        f"    line [{', '.join(map(plain_number, values))}]",
    ]
    if baselines:
        lines.append(f"    line [{', '.join(map(plain_number, baselines))}]")
    return "\n".join([*lines, "```"])


def _time_axis(times: Sequence[float]) -> str:
    """Hours or days before the last point. Mermaid spaces points evenly: where time does not, points are counted."""
    first, last = times[0], times[-1]
    step = (last - first) / (len(times) - 1)
    if any(abs(first + place * step - time) > step * MAX_STEP_DEVIATION for place, time in enumerate(times)):
        return f'"{mermaid_text(utc_time(first))} to {mermaid_text(utc_time(last))}" 0 --> {len(times) - 1}'
    name, unit = ("days", DAY) if last - first > DAY_AXIS_ABOVE else ("hours", HOUR)
    return f'"{name} before {mermaid_text(utc_time(last))}" {plain_number((first - last) / unit)} --> 0'


def plain_number(value: float) -> str:
    """A few digits and no exponent, which Mermaid does not read."""
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
