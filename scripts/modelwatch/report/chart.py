"""The trend as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..model.alert import TrendPoint
from .escape import mermaid
from .words import when

COLOURS = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#cf222e, #8c959f"}}}}%%'
"""The value in red and its baseline in grey: legible on GitHub's light and dark backgrounds; the default is not."""
DIGITS = 5
"""Significant digits of a point."""


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
    span = f"{mermaid(when(points[0].time))} to {mermaid(when(points[-1].time))}"
    lines = [
        "```mermaid",
        COLOURS,
        "xychart-beta",
        f'    title "{mermaid(title)}{" and its baseline" if baselines else ""}"',
        f'    x-axis "{span}" 0 --> {len(points) - 1}',
        f"    y-axis {plain(bottom)} --> {plain(high + pad)}",
        f"    line [{', '.join(map(plain, values))}]",
    ]
    if baselines:
        lines.append(f"    line [{', '.join(map(plain, baselines))}]")
    return "\n".join([*lines, "```"])


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
