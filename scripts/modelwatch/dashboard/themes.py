"""The colours of pages and charts, light and dark. Specifications name them as ``@token``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Theme(StrEnum):
    LIGHT = "light"
    DARK = "dark"


FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
OTHER_LINES = 8
"""Colours of further lines, which are used again from the first on."""
TOKENS: dict[Theme, dict[str, str]] = {
    Theme.LIGHT: {
        "@background": "#ffffff",
        "@text": "#1f2328",
        "@muted": "#59636e",
        "@grid": "#e7eaee",
        "@axis": "#b4bcc5",
        "@value": "#0b62c4",
        "@baseline": "#57606a",
        "@info": "#57606a",
        "@warning": "#9a6700",
        "@error": "#cf222e",
        "@critical": "#8f0e1b",
        "@undecided": "#818b98",
        "@deployment": "#7a3fc4",
        "@move": "#7a3fc4",
        "@incident": "#cf222e",
        "@data-problem": "#9a6700",
        "@silence": "#57606a",
        "@calendar": "#11766c",
        "@person": "#b0357f",
        "@other-0": "#11766c",
        "@other-1": "#b35900",
        "@other-2": "#7a3fc4",
        "@other-3": "#b0357f",
        "@other-4": "#4d6b00",
        "@other-5": "#0c7ba8",
        "@other-6": "#8a5a44",
        "@other-7": "#59636e",
    },
    Theme.DARK: {
        "@background": "#151a21",
        "@text": "#e6edf3",
        "@muted": "#9aa5b1",
        "@grid": "#262d36",
        "@axis": "#48525e",
        "@value": "#62a8ff",
        "@baseline": "#9aa5b1",
        "@info": "#9aa5b1",
        "@warning": "#e0a526",
        "@error": "#ff7b72",
        "@critical": "#ff5a7a",
        "@undecided": "#7d8792",
        "@deployment": "#bd93ff",
        "@move": "#bd93ff",
        "@incident": "#ff7b72",
        "@data-problem": "#e0a526",
        "@silence": "#9aa5b1",
        "@calendar": "#3fc6b4",
        "@person": "#f47fc0",
        "@other-0": "#3fc6b4",
        "@other-1": "#ffa657",
        "@other-2": "#bd93ff",
        "@other-3": "#f47fc0",
        "@other-4": "#a5c94a",
        "@other-5": "#5ccbf0",
        "@other-6": "#d6a48c",
        "@other-7": "#b7c0ca",
    },
}


LEGEND_WIDTH = 165
"""Pixels of a line's name in the legend."""


def legend_columns(width: float) -> int:
    """How many names a legend of ``width`` pixels has side by side; ``dashboard.js`` does the same in the page."""
    return max(1, int(width // LEGEND_WIDTH))


def chart_config(columns: int = 3) -> dict[str, Any]:
    """The ``config`` of every chart, with so many ``columns`` in legends; its colours are tokens."""
    return {
        "background": "@background",
        "font": FONT,
        "padding": {"left": 2, "top": 4, "right": 8, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "domainColor": "@axis",
            "gridColor": "@grid",
            "labelColor": "@muted",
            "labelFontSize": 11,
            "tickColor": "@axis",
            "tickSize": 4,
            "titleColor": "@muted",
            "titleFontSize": 11,
            "titleFontWeight": "normal",
        },
        "axisY": {"domain": False, "ticks": False},
        "axisX": {"grid": False},
        "legend": {
            "labelColor": "@text",
            "labelFontSize": 11,
            "columns": columns,
            "labelLimit": LEGEND_WIDTH - 30,
            "orient": "top",
            "symbolSize": 110,
            "symbolStrokeWidth": 2,
            "titleColor": "@muted",
        },
        "header": {"labelColor": "@muted", "labelFontSize": 11, "labelPadding": 2},
        "text": {"color": "@text"},
        "rule": {"color": "@muted"},
    }


WORDS = frozenset({"domain", "sort"})
"""Parts of a specification that hold words of the data, of which none is a token."""


def apply_theme(spec: Any, theme: Theme) -> Any:
    """``spec`` with every colour token replaced; ``dashboard.js`` does the same in the page."""
    if isinstance(spec, dict):
        return {name: part if name in WORDS else apply_theme(part, theme) for name, part in spec.items()}
    if isinstance(spec, list):
        return [apply_theme(part, theme) for part in spec]
    return TOKENS[theme].get(spec, spec) if isinstance(spec, str) else spec
