"""The trend as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..model.alert import TrendPoint
from ..model.rule import DAY, HOUR
from .escape import mermaid
from .words import when

COLOURS = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#cf222e, #8c959f"}}}}%%'
"""The value in red and its baseline in grey: legible on GitHub's light and dark backgrounds; the default is not."""
DIGITS = 5
"""Significant digits of a point."""
UNEVEN = 0.5
"""A point this far (of a step) from where it would be drawn stands at a wrong time."""
IN_DAYS = 4 * DAY
"""A longer trend (seconds) is told in days."""


def chart(title: str, trend: Sequence[TrendPoint]) -> str:
    """An ``xychart-beta`` of value and baseline. Times without a value are left out; a baseline that is not known at
    once is drawn from where it is, holes filled with the one before."""
    points = _from_first_baseline([point for point in trend if point.value is not None])
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return "Too few points to draw."
    baselines = _filled(points)
    low, high = min(*values, *baselines), max(*values, *baselines)
    pad = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    bottom = max(low - pad, 0.0) if low >= 0 else low - pad
    lines = [
        "```mermaid",
        COLOURS,
        "xychart-beta",
        f'    title "{mermaid(title)}{" and its baseline" if baselines else ""}"',
        f"    x-axis {_axis([point.time for point in points])}",
        f"    y-axis {plain(bottom)} --> {plain(high + pad)}",
        f"    line [{', '.join(map(plain, values))}]",
    ]
    if baselines:
        lines.append(f"    line [{', '.join(map(plain, baselines))}]")
    return "\n".join([*lines, "```"])


def _axis(times: Sequence[float]) -> str:
    """Hours or days before the last point. Mermaid spaces points evenly: where time does not, points are counted."""
    first, last = times[0], times[-1]
    step = (last - first) / (len(times) - 1)
    if any(abs(first + place * step - time) > step * UNEVEN for place, time in enumerate(times)):
        return f'"{mermaid(when(first))} to {mermaid(when(last))}" 0 --> {len(times) - 1}'
    name, unit = ("days", DAY) if last - first > IN_DAYS else ("hours", HOUR)
    return f'"{name} before {mermaid(when(last))}" {plain((first - last) / unit)} --> 0'


def plain(value: float) -> str:
    """A few digits and no exponent, which Mermaid does not read."""
    return format(Decimal(f"{value:.{DIGITS}g}"), "f")


def _from_first_baseline(points: Sequence[TrendPoint]) -> Sequence[TrendPoint]:
    first = next((place for place, point in enumerate(points) if point.baseline is not None), 0)
    return points[first:] if len(points) - first >= 2 else points


def _filled(points: Sequence[TrendPoint]) -> list[float]:
    filled: list[float] = []
    for point in points:
        if point.baseline is not None:
            filled.append(point.baseline)
        elif filled:
            filled.append(filled[-1])
    return filled if len(filled) == len(points) else []
