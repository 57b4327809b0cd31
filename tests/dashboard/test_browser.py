"""The pages in a real browser: drawn, quiet, reachable by keyboard, readable on a phone and on paper."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.collect import collect_results, read_results
from modelwatch.dashboard.site import write_site

from ..injection.chromium import Chromium, Tab
from .fleet import write_fleet
from .pages import ALL_DRAWN, check_pages
from .samples import NOW
from .site import model_page, write_sample_site

AXE = Path(__file__).resolve().parents[2] / ".tools/npm/node_modules/axe-core/axe.min.js"
MODEL, FLEET = "models/churn/index.html", "index.html"
pytestmark = [pytest.mark.slow, pytest.mark.tools]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Below a path that browsers have to encode."""
    folder = tmp_path_factory.mktemp("site") / "a team's #1 site"
    write_sample_site(folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    opened = browser.open_tab()
    # The clock of the page: the day after its evaluation would call it stale.
    opened.call("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {(NOW + 600) * 1000:.0f};")
    yield opened
    opened.close()


def test_every_page_is_drawn_without_a_complaint_and_without_asking_anybody(site: Path, browser: Chromium) -> None:
    assert len(list(site.rglob("*.html"))) == 5
    assert check_pages(browser, site) == 10


def test_every_page_of_a_real_evaluation_is_drawn(tmp_path: Path, browser: Chromium) -> None:
    config = load_config(write_fleet(tmp_path, 4), os.environ)
    results = read_results(tmp_path / "results")
    write_site(tmp_path / "site", collect_results(make_context(config, results.judgement.at), results))
    assert check_pages(browser, tmp_path / "site") > 4 * 12


def test_charts_have_marks_and_say_what_they_show(site: Path, tab: Tab) -> None:
    tab.go((site / MODEL).as_uri())
    assert tab.evaluate(ALL_DRAWN) == 7
    marks = """[...document.querySelectorAll("figure.drawn")].map((one) =>
      one.querySelectorAll("svg .mark-line path, svg .mark-rect path, svg .mark-symbol path").length)"""
    assert all(count > 0 for count in tab.evaluate(marks))
    titles = [panel.title for panel in model_page().views[0].critical]
    named = tab.evaluate("[...document.querySelectorAll('figure')].map((one) => one.getAttribute('aria-label'))")
    assert all(any(label.startswith(title) for label in named) for title in titles)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 760)])
def test_each_answer_is_above_the_fold(site: Path, browser: Chromium, width: int, height: int) -> None:
    opened = browser.open_tab(width, height)
    opened.call("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {(NOW + 600) * 1000:.0f};")
    opened.go((site / MODEL).as_uri())
    places: dict[str, float] = opened.evaluate(
        """Object.fromEntries([...document.querySelectorAll("[data-answer]")].map((one) =>
          [one.dataset.answer, one.getBoundingClientRect().bottom]))"""
    )
    assert set(places) == {"health", "trend", "inputs", "business", "problem", "change", "doing", "next"}
    assert max(places.values()) <= height
    opened.close()


@pytest.mark.parametrize("page", [MODEL, FLEET, "models/churn/business.html"])
def test_a_phone_scrolls_only_down(site: Path, browser: Chromium, page: str) -> None:
    opened = browser.open_tab(360, 740)
    opened.go((site / page).as_uri())
    opened.evaluate(ALL_DRAWN)
    wide = (
        "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)"
    )
    wide += ".filter((one) => !one.closest('.scroll, .tabs, .hidden, svg')).map((one) => one.outerHTML.slice(0, 90))"
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360, opened.evaluate(wide)
    opened.close()


def test_the_pointer_and_the_arrow_keys_read_a_chart(site: Path, tab: Tab) -> None:
    tab.go((site / MODEL).as_uri())
    tab.evaluate(ALL_DRAWN)
    place = tab.evaluate(
        "(({x, y, width, height}) => [x + width / 2, y + height / 2])("
        "document.querySelector('#accuracy .drawing').getBoundingClientRect())"
    )
    for shift in (0, 3):
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] + shift, y=place[1])
    shown = tab.evaluate("document.querySelector('#accuracy .cursor:not([hidden])')?.textContent ?? ''")
    assert re.search(r"2026-11-\d\d \d\d:\d\d UTC.*accuracy.*0\.\d+.*baseline0\.902.*interval0\.\d+ to 0\.\d+", shown)
    tab.evaluate("document.querySelector('#accuracy figure').focus()")
    tab.press("Home", 36)
    tab.press("ArrowRight", 39)
    spoken = tab.evaluate("document.querySelector('#accuracy [aria-live]').textContent")
    assert spoken.startswith("2026-10-25 01:00 UTC: accuracy 0.")
    tab.press("End", 35)
    spoken = tab.evaluate("document.querySelector('#accuracy [aria-live]').textContent")
    assert "drop 5 % passed" in spoken


def test_a_bar_has_a_tooltip(site: Path, tab: Tab) -> None:
    tab.go((site / MODEL).as_uri())
    tab.evaluate(ALL_DRAWN)
    place = tab.evaluate("""new Promise((done) => {
      const bar = document.querySelector("#drift svg .mark-rect path");
      bar.scrollIntoView({ block: "center", behavior: "instant" });
      const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
      setTimeout(() => done(middle(bar.getBoundingClientRect())), 100);
    })""")
    for shift in (0, 2):
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] + shift, y=place[1])
    text = tab.evaluate("document.querySelector('#vg-tooltip-element.visible')?.textContent ?? ''")
    assert "region=eu" in text
    assert "1,200 rows" in text


def test_the_keyboard_reaches_everything_that_can_be_used(site: Path, tab: Tab) -> None:
    for page in (MODEL, FLEET):
        tab.go((site / page).as_uri())
        tab.evaluate(ALL_DRAWN)
        usable = """[...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
          .filter((one) => one.checkVisibility() && !one.closest("svg"))"""
        count = tab.evaluate(f"{usable}.length")
        tab.evaluate(
            "window.reached = new Set(); document.addEventListener('focusin', (event) => reached.add(event.target))"
        )
        for _ in range(count + 5):
            tab.press("Tab", 9)
        left = tab.evaluate(f"{usable}.filter((one) => !reached.has(one)).map((one) => one.outerHTML.slice(0, 120))")
        assert left == []


def test_the_data_of_a_chart_is_a_table(site: Path, tab: Tab) -> None:
    tab.go((site / MODEL).as_uri())
    tab.evaluate("""(() => { for (const one of document.querySelectorAll("details")) one.open = true; })()""")
    rows = """new Promise((done) => setTimeout(() => {
      const cells = (row) => [...row.cells].map((cell) => cell.textContent);
      const rows = (panel) => [...(panel.querySelector("details.data table")?.rows ?? [])].map(cells);
      done(Object.fromEntries([...document.querySelectorAll(".panel")].map((panel) => [panel.id, rows(panel)])));
    }, 200))"""
    tables: dict[str, list[list[str]]] = tab.evaluate(rows)
    assert tables["accuracy"][0] == [
        "Time (UTC)",
        "accuracy",
        "baseline",
        "warning: drop 2 %",
        "error: drop 5 %",
        "From",
        "To",
    ]
    assert tables["accuracy"][1][0] == "2026-11-24 00:00 UTC"
    assert len(tables["accuracy"]) == 201
    assert tables["device"][1] == ["reference", "mobile", "40 %"]
    assert tables["regions"][1][:3] == ["region=eu", "1,200 rows", "0.9"]
    assert len(tables["calibration"]) == 12


def test_the_fleet_filters_sorts_and_keeps_that_in_its_address(site: Path, tab: Tab) -> None:
    tab.go((site / FLEET).as_uri())
    rows = "[...document.querySelectorAll('#fleet tbody tr:not([hidden])')]"
    names = f"{rows}.map((one) => one.cells[1].querySelector('a').textContent)"
    everything = tab.evaluate(names)
    assert len(everything) == 40
    tab.evaluate("document.querySelector('input[value=green]').click()")
    assert set(tab.evaluate(f"{rows}.map((one) => one.dataset.health)")) == {"red", "yellow", "grey"}
    tab.evaluate("""(() => { const search = document.getElementById("search"); search.value = "model-008";
      search.dispatchEvent(new Event("input", { bubbles: true })); })()""")
    assert tab.evaluate(names) == ["model-008"]
    assert tab.evaluate("document.getElementById('count').textContent") == "1 model"
    address = tab.evaluate("location.href")
    tab.go((site / MODEL).as_uri())
    tab.go(address)
    assert tab.evaluate(names) == ["model-008"]
    tab.go((site / MODEL).as_uri())
    tab.go((site / FLEET).as_uri())
    tab.evaluate("document.querySelector('th[data-sort=name] button').click()")
    assert tab.evaluate(names)[1:] == sorted(everything)[1:]
    assert tab.evaluate("document.querySelector('th[data-sort=name]').getAttribute('aria-sort')") == "ascending"


def test_colours_follow_the_system_and_the_switch(site: Path, browser: Chromium) -> None:
    opened = browser.open_tab(dark=True)
    opened.go((site / MODEL).as_uri())
    background = "getComputedStyle(document.body).backgroundColor"
    dark = opened.evaluate(background)
    opened.evaluate(ALL_DRAWN)
    assert opened.evaluate("document.querySelector('figure').dataset.drawn") == "dark"
    opened.evaluate("document.getElementById('theme').click()")
    assert opened.evaluate(background) != dark
    opened.evaluate("new Promise((done) => setTimeout(done, 500))")
    assert opened.evaluate("document.querySelector('figure').dataset.drawn") == "light"
    opened.go((site / FLEET).as_uri())
    assert opened.evaluate(background) != dark
    opened.evaluate("localStorage.clear()")
    opened.close()


def test_an_old_page_says_so(site: Path, browser: Chromium) -> None:
    opened = browser.open_tab()
    opened.call("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {(NOW + 4 * 3600) * 1000:.0f};")
    opened.go((site / FLEET).as_uri())
    text = opened.evaluate(
        "document.getElementById('stale').hidden ? '' : document.getElementById('stale').textContent"
    )
    assert text.startswith("This page is from 2026-11-24 00:00 UTC, 4 h ago")
    opened.close()


@pytest.mark.parametrize("page", [MODEL, FLEET, "models/churn/business.html"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(site: Path, browser: Chromium, page: str, dark: bool) -> None:
    opened = browser.open_tab(dark=dark)
    opened.go((site / page).as_uri())
    opened.evaluate(ALL_DRAWN)
    opened.evaluate(AXE.read_text("utf-8") + "; undefined")
    found: dict[str, Any] = opened.evaluate("axe.run({ resultTypes: ['violations'] })")
    serious = [
        (one["id"], [node["html"][:160] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    opened.close()


def test_on_paper_everything_is_open_and_drawn(site: Path, tab: Tab) -> None:
    tab.go((site / MODEL).as_uri())
    assert tab.evaluate("modelwatchPrint().then(() => document.querySelectorAll('figure.drawn').length)") == 8
    assert tab.evaluate("[...document.querySelectorAll('details.folded')].every((one) => one.open)")
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000


def test_without_the_library_the_numbers_are_still_there(site: Path, browser: Chromium) -> None:
    opened = browser.open_tab()
    opened.call("Network.setBlockedURLs", urls=["*vega-*"])
    opened.go((site / MODEL).as_uri())
    text = "document.querySelector('#accuracy .drawing').textContent"
    said = opened.evaluate(f"new Promise((done) => setTimeout(() => done({text}), 500))")
    assert said == "The chart library was not loaded; the numbers are in the table below."
    opened.evaluate("document.querySelector('#accuracy details.data').open = true")
    rows = (
        "new Promise((done) => setTimeout(() => done(document.querySelectorAll('#accuracy details tr').length), 200))"
    )
    assert opened.evaluate(rows) == 201
    opened.close()


def test_without_scripts_the_main_content_is_there(site: Path, browser: Chromium) -> None:
    opened = browser.open_tab()
    opened.call("Emulation.setScriptExecutionDisabled", value=True)
    opened.go((site / FLEET).as_uri())
    text = opened.call("DOM.getOuterHTML", nodeId=opened.call("DOM.getDocument", depth=-1)["root"]["nodeId"])[
        "outerHTML"
    ]
    assert text.count('class="spark"') > 30
    assert "8.1 % below its baseline" in text
    opened.close()
