"""Pages as HTML: no text gets out of its place, whatever it holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from modelwatch.dashboard.fleet import fleet_page
from modelwatch.dashboard.html import render_fleet, render_view, script_json, sparkline
from modelwatch.dashboard.page import Annotation, AnnotationKind, Answer
from modelwatch.timeutil import HOUR

from ..injection.corpus import CORPUS, EVIL, Sample
from . import samples
from .site import fleet_rows, model_page

ASSETS = {"style": "dashboard.css", "script": "dashboard.js", "themes": "themes.js", "vega": "vega.js"}
LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "ping", "background"}


class Page(HTMLParser):
    """What a page would load and run, and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.data: list[str] = []
        self._is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.loaded += [value for name, value in found.items() if name in LOADING]
        self.loaded += [found["href"]] if tag == "link" else []
        self.links += [found["href"]] if tag == "a" else []
        self.handlers += [name for name in found if name.startswith("on") or name == "style"]
        self._is_data = tag == "script" and found.get("type") == "application/json"
        if tag == "script" and not self._is_data and "src" not in found:
            self.handlers.append("inline script")

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data.append(data)


def pages(hostile: str) -> list[str]:
    page = model_page(hostile)
    page = replace(
        page,
        model=hostile,
        owner=hostile,
        headline=hostile,
        doing=hostile,
        answers=tuple(Answer(one.question, one.id, hostile, hostile, hostile) for one in page.answers),
        annotations=(Annotation(samples.NOW, AnnotationKind.PERSON, hostile, url=hostile),),
        alerts=tuple(replace(one, title=hostile, issue_url=hostile, incident_url=hostile) for one in page.alerts),
        links=((hostile, hostile),),
    )
    rows = [replace(one, owner=hostile, doing=hostile) for one in fleet_rows(3, hostile)]
    texts = [render_view(page, view, ASSETS) for view in page.views]
    return [*texts, render_fleet(fleet_page(rows, samples.NOW, (hostile,)), ASSETS)]


PLAIN = [Page(text) for text in pages("plain")]


@pytest.mark.parametrize("sample", [*CORPUS, Sample("mixed", samples.HOSTILE)], ids=lambda sample: sample.name)
def test_no_text_gets_out_of_its_place(sample: Sample) -> None:
    for text, plain in zip(pages(sample.text), PLAIN, strict=True):
        page = Page(text)
        assert page.loaded == plain.loaded
        assert page.handlers == []
        assert set(page.tags) <= {*plain.tags, "a"}
        assert page.tags.count("script") == plain.tags.count("script")
        for address in page.links:
            assert address.startswith(
                ("https://", "http://", "#", "../", "models/", "index.html", "business.html")
            ) or (address in ("operations.html", "ground-truth.html")), address
        for data in page.data:
            assert json.loads(data)["spec"]


def test_both_times_of_an_alert_that_became_an_error_are_told() -> None:
    page = model_page()
    begun, urgent = samples.NOW - 9 * HOUR, samples.NOW - 2 * HOUR
    listed = replace(page.alerts[0], since=begun, urgent_since=urgent)
    html = render_view(replace(page, alerts=(listed,)), page.views[0], ASSETS)
    assert re.search(r"since <time[^>]*>2026-11-23 15:00 UTC</time>, error since <time[^>]*>2026-11-23 22:00 UTC", html)
    assert "Red for <time" in html


def test_without_scripts_a_page_says_what_is_missing() -> None:
    page = model_page()
    hint = '<noscript><p class="notice">The charts need JavaScript.'
    assert hint in render_view(page, page.views[0], ASSETS)
    assert hint not in render_view(page, page.views[1], ASSETS), "no charts"


def test_a_page_has_its_policy_before_anything_it_loads() -> None:
    for text in pages("plain"):
        policy = text.index("Content-Security-Policy")
        assert policy < text.index("<link")
        assert policy < text.index("<script")
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in text
        assert "unsafe" not in text
        assert EVIL not in text


def test_json_in_a_page_cannot_end_its_script() -> None:
    text = str(script_json({"a": "</script><!-- \u2028 &amp;"}))
    assert "<" not in text
    assert "&" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!-- \u2028 &amp;"}


def test_a_sparkline_keeps_gaps_and_needs_two_values() -> None:
    row = fleet_rows(1)[0]
    assert 'd="M0 45l60 -42 M180 45l60 -42 "' in str(sparkline(replace(row, trend=(1.0, 2.0, None, 1.0, 2.0))))
    assert 'd="M0 45l240 0 "' in str(sparkline(replace(row, trend=(0.5, 0.5))))
    assert sparkline(replace(row, trend=(1.0, None))) == ""


def test_five_hundred_models_are_less_than_500_kb() -> None:
    long = "accuracy (region=latam alone) is 0.829, below its baseline; " * 12
    rows = [replace(row, headline=long) if number % 10 == 0 else row for number, row in enumerate(fleet_rows(500))]
    assert len(render_fleet(fleet_page(rows, samples.NOW), ASSETS).encode()) < 500_000


def test_a_full_view_is_less_than_1_mb() -> None:
    page = model_page()
    panels = tuple(replace(samples.time_chart(), id=f"chart-{number}") for number in range(14))
    view = replace(page.views[0], critical=panels[:3], others=panels[3:12], folded=panels[12:])
    assert len(render_view(page, view, ASSETS).encode()) < 1_000_000
