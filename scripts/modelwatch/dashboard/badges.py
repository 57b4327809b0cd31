"""Badges for READMEs: the health of a model, or of all, as SVG without scripts and fonts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..report.markdown import plain_line
from ..report.model_health import Health
from .page import FleetRow

HEIGHT, FONT_SIZE, PADDING = 20, 11, 7
CHARACTER = 6.6
"""Pixels of one character on average; ``textLength`` makes every renderer keep to it."""
MAX_LABEL = 40
_COLOURS = {Health.RED: "#c62f3a", Health.YELLOW: "#8a6100", Health.GREEN: "#1a7f37", Health.GREY: "#59636e"}
"""White text on each has a contrast of at least 4.5."""
_WORDS = {Health.RED: "red", Health.YELLOW: "yellow", Health.GREEN: "green", Health.GREY: "no data"}
_LABEL_COLOUR = "#343a40"


def model_badge(row: FleetRow) -> str:
    """``churn | red, 2 alerts``."""
    alerts = f", {row.firing} alert{'' if row.firing == 1 else 's'}" if row.firing else ""
    return badge(row.model, f"{_WORDS[row.health]}{alerts}", row.health)


def fleet_badge(rows: Sequence[FleetRow]) -> str:
    """``models | 1 red, 2 yellow, 97 green``; its colour is the worst."""
    counts = {health: sum(row.health is health for row in rows) for health in Health}
    text = ", ".join(f"{count} {_WORDS[health]}" for health, count in counts.items() if count)
    # Without data nobody knows: that is no green, but a red model elsewhere is worse.
    worst = next((health for health in (Health.RED, Health.GREY, Health.YELLOW) if counts[health]), Health.GREEN)
    return badge("models", text or "none", worst if rows else Health.GREY)


def badge(label: str, text: str, health: Health) -> str:
    label = plain_line(label, MAX_LABEL)
    left, right = (round(len(part) * CHARACTER + 2 * PADDING) for part in (label, text))
    spoken, label_text, state_text = (escape(part) for part in (f"{label}: {text}", label, text))
    texts = "".join(
        f'<text x="{at + PADDING}" y="14" textLength="{width - 2 * PADDING}" lengthAdjust="spacingAndGlyphs">'
        f"{part}</text>"
        for at, width, part in ((0, left, label_text), (left, right, state_text))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img" '
        f'aria-label="{spoken}"><title>{spoken}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="{HEIGHT}" fill="{_LABEL_COLOUR}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{_COLOURS[health]}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="{FONT_SIZE}">{texts}</g></svg>\n'
    )
