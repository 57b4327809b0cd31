"""A panel as a Vega-Lite specification and its data, apart: the same for the page, the permalink and the picture.

Outside text is data only. It never becomes a field name, an expression or a key: a cell says to which line, bar or
category a row belongs, and the words of legends are domains of scales, which Vega takes as values.

https://vega.github.io/vega-lite/docs/
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..model.severity import Severity
from ..model.unit import PERCENT, TIMES, number_text
from ..report.markdown import plain_line
from .columns import ChartData
from .page import (
    Annotation,
    AnnotationKind,
    BarChart,
    CurveChart,
    DistributionChart,
    Histogram,
    Line,
    LineRole,
    Panel,
    Table,
    TimeChart,
)
from .themes import OTHER_LINES, Theme, apply_theme, chart_config, legend_columns

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
HEIGHT = 190
BAR_STEP = 24
SMALL_WIDTH, SMALL_HEIGHT = 110, 64
"""Of one of the small multiples."""
MAX_NAME = 60
EQUAL_BINS = 1.5
"""Bins whose widths differ by more than this factor are drawn side by side by name, not to scale."""
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing: ``spec`` names the datasets of ``data``, and colours by token."""

    spec: Spec
    data: ChartData
    is_over_time: bool = False
    """Its lines answer the pointer and the arrow keys, all at once: the page's script does that."""
    is_small_multiple: bool = False
    """Its width is that of the page, into which as many small charts a row go as fit."""


def charts_of(panel: Panel, annotations: Sequence[Annotation] = ()) -> tuple[Chart, ...]:
    """The drawings of a panel, the main one first; none of a table."""
    match panel:
        case TimeChart():
            return (draw_time_chart(panel, annotations),) if _has_values(panel) else ()
        case DistributionChart():
            return (_distribution(panel), *([_weeks(panel)] if panel.weeks else []))
        case BarChart():
            return (_bars(panel),)
        case CurveChart():
            return (_curves(panel),)
        case Table():
            return ()


def full_spec(chart: Chart, theme: Theme, width: int, columns: int = 6) -> Spec:
    """``chart`` with its rows, colours and a width in pixels, for a renderer outside of a page."""
    spec = {**chart.spec, "config": chart_config(legend_columns(width)), "datasets": {}}
    if chart.is_small_multiple:
        spec["columns"] = columns
    else:
        spec["width"] = width
    themed: Spec = apply_theme(spec, theme)
    return {**themed, "datasets": chart.data.rows()}


def _has_values(panel: TimeChart) -> bool:
    return any(value is not None for line in panel.lines for value in line.values)


def _lone_values(line: Line) -> list[float | None]:
    """The values without one before and after, of which a line shows nothing."""
    padded = [None, *line.values, None]
    return [
        value if before is None and after is None else None
        for before, value, after in zip(padded, padded[1:], padded[2:])
    ]


def draw_time_chart(panel: TimeChart, annotations: Sequence[Annotation]) -> Chart:
    """The lines of ``panel``, even where it has no value."""
    data = ChartData()
    times, names = data.add_times(panel.times), _unique([line.name for line in panel.lines])
    for name, line in zip(names, panel.lines):
        data.add_block("lines", {"t": times, "v": data.add(line.values)}, {"n": name})
        lone = _lone_values(line)
        if any(value is not None for value in lone):
            data.add_block("dots", {"t": times, "v": data.add(lone)}, {"n": name})
    for band in panel.bands:
        data.add_block("bands", {"t": times, "lo": data.add(band.low), "hi": data.add(band.high)})
    start, end = (panel.times[0], panel.times[-1]) if panel.times else (0.0, 0.0)
    _add_spans(panel, data, start, end)
    _add_annotations(data, annotations, start, end)
    axis = {"labelOverlap": True, "tickCount": 6}
    x: Spec = {"field": "t", "type": "temporal", "title": None, "axis": axis}
    x["scale"] = {"type": "utc", "nice": False}
    y: Spec = {"field": "v", "type": "quantitative", "title": _axis_title(panel.unit), "scale": {"zero": False}}
    y["axis"] = _number_axis(panel.unit)
    names_scale = {"domain": names, "range": _line_colours(panel.lines)}
    dashes = {"domain": names, "range": [_DASHES[line.role] for line in panel.lines]}
    legend: Spec | None = {"title": None} if len(panel.lines) > 1 else None
    layers = [*_span_layers(data, x), *_annotation_layers(data, x)]
    if "bands" in data.datasets:
        edges = {"y": {**y, "field": "lo"}, "y2": {"field": "hi"}}
        layers.append(
            _layer("bands", {"type": "area", "opacity": 0.16, "color": "@value", "clip": True}, {"x": x, **edges})
        )
    line_encoding = {
        "x": x,
        "y": y,
        "color": {"field": "n", "type": "nominal", "scale": names_scale, "legend": legend},
        "strokeDash": {"field": "n", "type": "nominal", "scale": dashes, "legend": legend},
    }
    layers.append(_layer("lines", {"type": "line", "clip": True, "strokeWidth": 1.75}, line_encoding))
    if "dots" in data.datasets:
        dot = {"type": "point", "filled": True, "size": 18, "opacity": 1, "clip": True}
        layers.append(_layer("dots", dot, {key: line_encoding[key] for key in ("x", "y", "color")}))
    return Chart(_spec(layers, HEIGHT), data, is_over_time=True)


_DASHES: dict[LineRole, list[int]] = {
    LineRole.VALUE: [1, 0],
    LineRole.BASELINE: [6, 3],
    LineRole.LIMIT: [2, 3],
    LineRole.OTHER: [1, 0],
}


def _line_colours(lines: Sequence[Line]) -> list[str]:
    colours, others = [], 0
    for line in lines:
        if line.role is LineRole.OTHER:
            colours.append(f"@other-{others % OTHER_LINES}")
            others += 1
        else:
            colours.append(f"@{line.severity or 'error'}" if line.role is LineRole.LIMIT else f"@{line.role}")
    return colours


def _add_spans(panel: TimeChart, data: ChartData, start: float, end: float) -> None:
    spans = [span for span in panel.decided if span.until > start and span.since < end]
    if spans:
        columns = {
            "t": data.add_moments([max(span.since, start) for span in spans]),
            "u": data.add_moments([min(span.until, end) for span in spans]),
            "k": data.add([str(span.severity or UNDECIDED) for span in spans]),
            "x": data.add([plain_line(span.text) for span in spans]),
        }
        data.add_block("spans", columns)


def _span_layers(data: ChartData, x: Spec) -> list[Spec]:
    """What the rule decided: a strip below the lines, and a tint behind them."""
    if "spans" not in data.datasets:
        return []
    colour = {
        "field": "k",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": [*_SEVERITIES, UNDECIDED], "range": [f"@{name}" for name in (*_SEVERITIES, UNDECIDED)]},
    }
    place = {"x": x, "x2": {"field": "u"}, "color": colour}
    words = [_time_tooltip("t", "From"), _time_tooltip("u", "Until"), {"field": "k", "title": "State"}]
    strip = {**place, "y": {"value": HEIGHT - 5}, "y2": {"value": HEIGHT}, "tooltip": [*words, _text_tooltip("x")]}
    tint = {**place, "opacity": {"value": 0.07}}
    return [_layer("spans", {"type": "rect"}, tint), _layer("spans", {"type": "rect", "clip": True}, strip)]


def _add_annotations(data: ChartData, annotations: Sequence[Annotation], start: float, end: float) -> None:
    shown = [one for one in annotations if one.at <= end and (one.until or one.at) >= start]
    for dataset, some in (
        ("periods", [one for one in shown if one.until is not None]),
        ("moments", [one for one in shown if one.until is None]),
    ):
        if some:
            columns = {
                "t": data.add_moments([max(one.at, start) for one in some]),
                "u": data.add_moments([min(one.until or one.at, end) for one in some]),
                "k": data.add([str(one.kind) for one in some]),
                "x": data.add([plain_line(one.text) for one in some]),
            }
            data.add_block(dataset, columns)


def _annotation_layers(data: ChartData, x: Spec) -> list[Spec]:
    kinds = [str(kind) for kind in AnnotationKind]
    scale = {"domain": kinds, "range": [f"@{kind}" for kind in kinds]}
    colour = {"field": "k", "type": "nominal", "legend": None, "scale": scale}
    shapes = {"domain": kinds, "range": [_SHAPES[kind] for kind in AnnotationKind]}
    words = [_time_tooltip("t"), {"field": "k", "title": "Kind"}, _text_tooltip("x")]
    layers = []
    if "periods" in data.datasets:
        until = [words[0], _time_tooltip("u", "Until"), *words[1:]]
        place = {"x": x, "x2": {"field": "u"}, "color": colour, "tooltip": until}
        layers.append(_layer("periods", {"type": "rect", "opacity": 0.12}, place))
    if "moments" in data.datasets:
        place = {"x": x, "color": colour, "tooltip": words}
        layers.append(_layer("moments", {"type": "rule", "strokeDash": [2, 2], "opacity": 0.8}, place))
        shape = {"field": "k", "type": "nominal", "legend": None, "scale": shapes}
        place = {**place, "y": {"value": 4}, "shape": shape}
        layers.append(_layer("moments", {"type": "point", "filled": True, "size": 70, "opacity": 1}, place))
    return layers


UNDECIDED = "undecided"
_SEVERITIES = tuple(map(str, Severity))
_SHAPES = {
    AnnotationKind.DEPLOYMENT: "triangle-down",
    AnnotationKind.MOVE: "triangle-down",
    AnnotationKind.INCIDENT: "cross",
    AnnotationKind.DATA_PROBLEM: "diamond",
    AnnotationKind.SILENCE: "square",
    AnnotationKind.CALENDAR: "square",
    AnnotationKind.PERSON: "circle",
}


def _distribution(panel: DistributionChart) -> Chart:
    """The current shares beside those of the reference: to scale, or by name where bins differ much in width."""
    data, names = ChartData(), _unique([panel.reference.name, panel.current.name])
    colour = {
        "field": "n",
        "type": "nominal",
        "legend": {"title": None},
        "scale": {"domain": names, "range": ["@baseline", "@value"]},
    }
    share = _share_encoding("y", "Share of rows")
    words = [{"field": "n", "title": "Distribution"}, {"field": "x", "title": "Bin"}, _share_tooltip("y")]
    histograms = (panel.reference, panel.current)
    for name, histogram in zip(names, histograms):
        _add_bins(data, "bars", histogram, {"n": name})
    if _is_to_scale(panel.reference):
        scale: Spec = {"zero": False, "nice": False}
        x: Spec = {"field": "a", "type": "quantitative", "title": None, "scale": scale}
        place = {"x": x, "x2": {"field": "b"}, "y": share, "y2": {"datum": 0}, "color": colour, "tooltip": words}
        return Chart(_spec([_layer("bars", {"type": "rect", "opacity": 0.5}, place)], HEIGHT), data)
    x = {"field": "x", "type": "nominal", "title": None, "sort": None, "axis": {"labelAngle": -30, "labelLimit": 90}}
    place = {"x": x, "xOffset": {"field": "n", "sort": names}, "y": share, "color": colour, "tooltip": words}
    return Chart(_spec([_layer("bars", {"type": "bar"}, place)], HEIGHT), data)


def _weeks(panel: DistributionChart) -> Chart:
    """A small chart a week, each over the reference, so that gradual creep shows."""
    data = ChartData()
    names = _unique([week.name for week in panel.weeks])
    reference = data.add(panel.reference.shares)
    for name, week in zip(names, panel.weeks):
        _add_bins(data, "bars", week, {"w": name}, {"r": reference})
    facet = {"field": "w", "type": "nominal", "title": None, "sort": names}
    share = {**_share_encoding("y", None), "axis": None}
    x = {"field": "i", "type": "ordinal", "axis": None}
    words = [{"field": "w", "title": "Week"}, {"field": "x", "title": "Bin"}, _share_tooltip("y")]
    words.append(_share_tooltip("r", "Reference"))
    bars = {"mark": {"type": "bar", "color": "@value"}, "encoding": {"x": x, "y": share, "tooltip": words}}
    ticks = {
        "mark": {"type": "tick", "color": "@text", "thickness": 1.5},
        "encoding": {"x": x, "y": {**share, "field": "r"}},
    }
    spec = {
        "$schema": SCHEMA,
        "data": {"name": "bars"},
        "facet": facet,
        "spacing": 10,
        "spec": {"width": SMALL_WIDTH, "height": SMALL_HEIGHT, "layer": [bars, ticks]},
    }
    return Chart(spec, data, is_small_multiple=True)


def _add_bins(
    data: ChartData,
    dataset: str,
    histogram: Histogram,
    constants: Mapping[str, str],
    columns: Mapping[str, str] | None = None,
) -> None:
    own = {
        "i": data.add(list(range(len(histogram.shares)))),
        "x": data.add(_bin_names(histogram)),
        "y": data.add(histogram.shares),
    }
    if histogram.edges:
        own |= {"a": data.add(histogram.edges[:-1]), "b": data.add(histogram.edges[1:])}
    data.add_block(dataset, {**own, **(columns or {})}, constants)


def _bin_names(histogram: Histogram) -> list[str]:
    if histogram.categories:
        return _unique(histogram.categories)
    return [f"{number_text(low)} to {number_text(high)}" for low, high in pairwise(histogram.edges)]


def _is_to_scale(histogram: Histogram) -> bool:
    widths = [high - low for low, high in pairwise(histogram.edges)]
    return bool(widths) and all(map(math.isfinite, widths)) and max(widths) <= EQUAL_BINS * min(widths)


def _bars(panel: BarChart) -> Chart:
    data, names = ChartData(), _unique([bar.name for bar in panel.bars])
    states = [str(bar.severity or "value") for bar in panel.bars]
    texts: dict[str, list[str]] = {"n": names, "k": states, "x": [plain_line(bar.text) for bar in panel.bars]}
    numbers: dict[str, list[float | None]] = {
        "v": [bar.value for bar in panel.bars],
        "lo": [bar.low for bar in panel.bars],
        "hi": [bar.high for bar in panel.bars],
    }
    data.add_block(
        "bars",
        {name: data.add(cells) for name, cells in numbers.items()}
        | {name: data.add(cells) for name, cells in texts.items()},
    )
    kinds = ["value", *_SEVERITIES]
    scale = {"domain": kinds, "range": [f"@{kind}" for kind in kinds]}
    colour = {"field": "k", "type": "nominal", "legend": None, "scale": scale}
    y = {"field": "n", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 160, "domain": False}}
    axis = {**_number_axis(panel.unit), "grid": True}
    # A bar that begins at 0 hides the difference of 0.91 and 0.90, which a dot on its own scale shows.
    zero = not any(bar.low is not None for bar in panel.bars)
    x = {"field": "v", "type": "quantitative", "title": _axis_title(panel.unit), "axis": axis, "scale": {"zero": zero}}
    words: list[Spec] = [{"field": "n", "title": "Name"}, _number_tooltip("v", "Value", panel.unit)]
    layers = []
    if zero:
        layers.append(_layer("bars", {"type": "bar", "opacity": 0.85}, {"x": x, "y": y, "color": colour}))
    else:
        words += [_number_tooltip("lo", "From", panel.unit), _number_tooltip("hi", "To", panel.unit)]
        ends = {"x": {**x, "field": "lo"}, "x2": {"field": "hi"}, "y": y, "color": colour}
        layers.append(_layer("bars", {"type": "rule", "strokeWidth": 2, "opacity": 0.6}, ends))
        layers.append(_layer("bars", {"type": "point", "filled": True, "size": 70}, {"x": x, "y": y, "color": colour}))
    if panel.reference is not None:
        data.add_block("reference", {"v": data.add([panel.reference])})
        rule = {"x": x, "tooltip": [_number_tooltip("v", "Reference", panel.unit)]}
        layers.append(_layer("reference", {"type": "rule", "strokeDash": [6, 3], "color": "@baseline"}, rule))
    if any(bar.text for bar in panel.bars):
        words.append(_text_tooltip("x"))
    for layer in layers[: 1 if zero else 2]:
        layer["encoding"]["tooltip"] = words
    return Chart(_spec(layers, BAR_STEP * max(1, len(names))), data)


def _curves(panel: CurveChart) -> Chart:
    data, names = ChartData(), _unique([curve.name for curve in panel.curves])
    for name, curve in zip(names, panel.curves):
        cells: dict[str, list[float | None]] = {
            "a": [point.x for point in curve.points],
            "v": [point.y for point in curve.points],
            "lo": [point.low for point in curve.points],
            "hi": [point.high for point in curve.points],
        }
        data.add_block("curves", {field: data.add(column) for field, column in cells.items()}, {"n": name})
    data.datasets.setdefault("curves", [])
    colours = [f"@other-{place % OTHER_LINES}" for place in range(len(names))]
    colours[:1] = ["@value"]
    colour = {
        "field": "n",
        "type": "nominal",
        "legend": {"title": None} if len(names) > 1 else None,
        "scale": {"domain": names, "range": colours},
    }
    x = {"field": "a", "type": "quantitative", "title": plain_line(panel.x_title, MAX_NAME), "scale": {"zero": False}}
    y = {"field": "v", "type": "quantitative", "title": plain_line(panel.y_title, MAX_NAME), "scale": {"zero": False}}
    words: list[Spec] = [{"field": "n", "title": "Curve"}, _number_tooltip("a", "x"), _number_tooltip("v", "y")]
    layers = []
    if panel.diagonal:
        data.add_block("diagonal", {"a": data.add([0.0, 1.0]), "v": data.add([0.0, 1.0])})
        line = {"type": "line", "strokeDash": [6, 3], "color": "@baseline", "strokeWidth": 1.5}
        layers.append(_layer("diagonal", line, {"x": x, "y": y}))
    if any(point.low is not None for curve in panel.curves for point in curve.points):
        ends = {"x": x, "y": {**y, "field": "lo"}, "y2": {"field": "hi"}, "color": colour}
        layers.append(_layer("curves", {"type": "rule", "opacity": 0.5}, ends))
        words += [_number_tooltip("lo", "From"), _number_tooltip("hi", "To")]
    mark = {"type": "line", "point": {"filled": True, "size": 45}, "strokeWidth": 2}
    layers.append(_layer("curves", mark, {"x": x, "y": y, "color": colour, "tooltip": words}))
    return Chart(_spec(layers, HEIGHT), data)


def _spec(layers: Sequence[Spec], height: int) -> Spec:
    apart = {"scale": dict.fromkeys(("color", "shape", "strokeDash"), "independent")}
    rest = {"width": "container", "height": height, "resolve": apart}
    return {"$schema": SCHEMA, **rest, "layer": list(layers)}


def _layer(dataset: str, mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"name": dataset}, "mark": mark, "encoding": encoding}


def _number_format(unit: str) -> str:
    return ".3~%" if unit == PERCENT else ",.4~g"


def _number_axis(unit: str) -> Spec:
    return {"format": ".2~%" if unit == PERCENT else ",~r", "tickCount": 5}


def _axis_title(unit: str) -> str | None:
    return unit if unit in TIMES else None


def _number_tooltip(field: str, title: str, unit: str = "") -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "format": _number_format(unit)}


def _share_encoding(field: str, title: str | None) -> Spec:
    axis = {"format": ".2~%", "tickCount": 4}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, "stack": None}


def _share_tooltip(field: str, title: str = "Share") -> Spec:
    return _number_tooltip(field, title, PERCENT)


def _time_tooltip(field: str, title: str = "Time (UTC)") -> Spec:
    return {"field": field, "type": "temporal", "title": title, "timeUnit": "utcyearmonthdatehoursminutes"}


def _text_tooltip(field: str) -> Spec:
    return {"field": field, "type": "nominal", "title": "What"}


def _unique(names: Sequence[str]) -> list[str]:
    """Names that can be shown, each once: what would be the same gets a number."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        shown = plain_line(name, MAX_NAME) or "(empty)"
        seen[shown] = seen.get(shown, 0) + 1
        unique.append(shown if seen[shown] == 1 else f"{shown} ({seen[shown]})")
    return unique
