"""Specifications: drawn by Vega itself, and no text from outside where Vega would read it as more than data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import vl_convert

from modelwatch.dashboard.page import Annotation, AnnotationKind, Panel, TimeChart
from modelwatch.dashboard.themes import TOKENS, Theme, chart_config
from modelwatch.dashboard.vega import charts_of, draw_time_chart, full_spec
from modelwatch.timeutil import DAY

from .samples import NOW, bars, curves, distribution, panels, some_annotations, time_chart

DATA_PLACES = {"domain", "sort"}
"""Where a specification may have words that are data."""


def strings(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield "key", name
            yield from strings(value, name)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value, place)
    elif isinstance(part, str):
        yield place, part


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.id)
@pytest.mark.parametrize("theme", Theme)
def test_vega_draws_every_panel_in_both_themes(panel: Panel, theme: Theme) -> None:
    for chart in charts_of(panel, some_annotations()):
        svg = vl_convert.vegalite_to_svg(full_spec(chart, theme, 600))
        assert re.search(r'class="mark-(line|rect|symbol)', svg)
        assert TOKENS[theme]["@background"] in svg
        assert '"@' not in svg


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.id)
def test_outside_text_is_data_only(panel: Panel) -> None:
    for chart in charts_of(panel, some_annotations()):
        for place, text in strings(chart.spec):
            is_outside = "script" in text or "alert" in text or "region=" in text
            assert not is_outside or place in DATA_PLACES, (place, text)
            assert place != "key" or re.fullmatch(r"[A-Za-z0-9$]+", text), text
        fields = [text for place, text in strings(chart.spec) if place == "field"]
        assert all(re.fullmatch(r"[a-z]{1,2}", field) for field in fields)
        assert not any(text in ("expr", "signal", "calculate", "filter") for _, text in strings(chart.spec))


def test_a_token_in_data_stays_a_text() -> None:
    named = replace(
        curves(), curves=(replace(curves().curves[0], name="@value"), replace(curves().curves[0], name="v7"))
    )
    drawn = full_spec(charts_of(named)[0], Theme.DARK, 600)
    assert drawn["datasets"]["curves"][0]["n"] == "@value"
    colour = drawn["layer"][-1]["encoding"]["color"]["scale"]
    assert colour == {"domain": ["@value", "v7"], "range": [TOKENS[Theme.DARK][one] for one in ("@value", "@other-1")]}


def test_both_themes_have_every_colour_that_is_used() -> None:
    assert set(TOKENS[Theme.LIGHT]) == set(TOKENS[Theme.DARK])
    specs = [chart.spec for panel in panels() for chart in charts_of(panel, some_annotations())]
    used = {text for place, text in strings([*specs, chart_config()]) if text.startswith("@") and place != "domain"}
    assert used <= set(TOKENS[Theme.LIGHT])


def test_annotations_outside_of_the_chart_are_left_out_and_long_ones_end_with_it() -> None:
    chart = time_chart(days=10)
    known = (
        Annotation(NOW - 40 * DAY, AnnotationKind.DEPLOYMENT, "too early"),
        Annotation(NOW + DAY, AnnotationKind.CALENDAR, "too late", NOW + 2 * DAY),
        Annotation(NOW - 20 * DAY, AnnotationKind.SILENCE, "reaches in", NOW - 9 * DAY),
        Annotation(NOW - DAY, AnnotationKind.SILENCE, "reaches out", NOW + 9 * DAY),
    )
    rows = charts_of(chart, known)[0].data.rows()
    assert "moments" not in rows
    assert [(row["t"], row["u"], row["x"]) for row in rows["periods"]] == [
        ((NOW - 10 * DAY) * 1000, (NOW - 9 * DAY) * 1000, "reaches in"),
        ((NOW - DAY) * 1000, NOW * 1000, "reaches out"),
    ]


def test_names_that_look_the_same_are_numbered() -> None:
    chart = time_chart()
    lines = (chart.lines[0], chart.lines[0], *chart.lines[1:])
    rows = charts_of(TimeChart("two", "two", "", chart.times, lines))[0].data.rows()["lines"]
    assert list(dict.fromkeys(row["n"] for row in rows))[:2] == ["accuracy", "accuracy (2)"]


def test_bins_of_different_widths_are_drawn_by_name() -> None:
    chart = distribution()
    assert charts_of(chart)[0].spec["layer"][0]["encoding"]["x"]["type"] == "quantitative"
    uneven = (0.0, 1.0, 50.0, *(float(edge) for edge in range(60, 141, 10)))[: len(chart.reference.edges)]
    other = replace(
        chart, reference=replace(chart.reference, edges=uneven), current=replace(chart.current, edges=uneven), weeks=()
    )
    drawn = charts_of(other)[0]
    assert drawn.spec["layer"][0]["encoding"]["x"]["type"] == "nominal"
    assert drawn.data.rows()["bars"][1]["x"] == "1 to 50"


def test_the_picture_of_a_chart_without_points_is_empty() -> None:
    chart = TimeChart("none", "none", "No point.", (), ())
    assert charts_of(chart) == ()
    drawn = draw_time_chart(chart, some_annotations())
    assert "<svg" in vl_convert.vegalite_to_svg(full_spec(drawn, Theme.LIGHT, 400))


def test_a_specification_is_small() -> None:
    for panel in (time_chart(), curves(), bars()):
        chart = charts_of(panel, some_annotations())[0]
        assert len(json.dumps(chart.spec)) < 6_000
    size = len(json.dumps(charts_of(time_chart(), some_annotations())[0].data.as_json(), separators=(",", ":")))
    assert size < 30_000  # 720 hours of value, interval, baseline and two limits


def test_a_value_without_neighbours_is_a_dot() -> None:
    chart = time_chart()
    alone = replace(chart.lines[0], values=tuple(1.5 if row == 3 else None for row in range(len(chart.times))))
    (drawn,) = charts_of(replace(chart, lines=(alone,), bands=(), decided=()))
    svg = vl_convert.vegalite_to_svg(full_spec(drawn, Theme.LIGHT, 600))
    assert drawn.data.rows()["dots"][3]["v"] == 1.5
    assert svg.count('aria-roledescription="point"') == 1


def test_nothing_is_drawn_where_there_is_no_value() -> None:
    chart = time_chart()
    lines = tuple(replace(line, values=(None,) * len(chart.times)) for line in chart.lines)
    assert charts_of(replace(chart, lines=lines)) == ()
