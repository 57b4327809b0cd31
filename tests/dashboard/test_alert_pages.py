"""The permalink of an alert: written while it fires, once more at its end, and never changed again."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.alert_pages import merge_links, recorded_page
from modelwatch.dashboard.collect import collect_results, read_results
from modelwatch.dashboard.html import render_alert
from modelwatch.dashboard.images import chart_png
from modelwatch.dashboard.page import AlertLink
from modelwatch.dashboard.site import write_site
from modelwatch.model.ledger import EntryKind, Ledger, LedgerEntry
from modelwatch.model.register import Impact
from modelwatch.report.model_health import Health

from ..targets.making import issue, register
from .fleet import NOW, write_fleet
from .making import snapshot
from .samples import HOSTILE, time_chart


def build(folder: Path) -> list[Path]:
    """Build the site in ``folder``; the pages of alerts."""
    context = make_context(load_config(folder / "modelwatch.yml", {}, require_secrets=False), NOW, {})
    write_site(folder / "site", collect_results(context, read_results(folder / "results")))
    return sorted((folder / "site").glob("models/*/alerts/*.html"))


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write_fleet(tmp_path, 4, rules=2)
    return tmp_path


def test_what_fires_has_a_page_and_a_picture(fleet: Path) -> None:
    (page,) = build(fleet)
    text = page.read_text("utf-8")
    assert "below its baseline" in text
    assert 'data-answer="next"' in text
    assert '<th scope="row">How sure</th>' in text
    picture = page.with_suffix(".png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(b"\x89PNG")
    assert width >= 1200
    assert height >= 400
    model = page.parents[1] / "index.html"
    assert f"alerts/{page.name}" in model.read_text("utf-8")


def test_a_page_outlasts_its_alert(fleet: Path) -> None:
    """The link on an old issue still leads somewhere, and to what was known then."""
    (page,) = build(fleet)
    before = page.read_text("utf-8")
    write_fleet(fleet, 4, rules=2, worsens=False)
    assert build(fleet) == [page]
    assert page.read_text("utf-8") == before
    model = page.parents[1] / "index.html"
    assert f"alerts/{page.name}" in model.read_text("utf-8")


def test_links_of_alerts_that_are_gone_are_kept_as_ended() -> None:
    old = AlertLink("a", 1, "a", Health.RED, None, 1.0, None, "models/m/alerts/a-1.html")
    new = AlertLink("b", 1, "b", Health.YELLOW, None, 2.0, None, "models/m/alerts/b-1.html")
    pending = AlertLink("c", 1, "c", Health.YELLOW, None, 3.0, None, "")
    first, second = merge_links([new, pending], [old])
    assert (first, second.group, second.health) == (new, "a", Health.GREEN)


def test_outside_text_is_no_more_than_text_in_a_picture() -> None:
    assert chart_png(time_chart(name=HOSTILE), HOSTILE).startswith(b"\x89PNG")


def test_an_episode_that_the_site_does_not_know_has_the_page_that_its_issue_records() -> None:
    """The site was built anew: the permalink on a closed issue leads somewhere all the same."""
    happened = LedgerEntry("a", 5.0, EntryKind.ISSUE, "modelwatch", "issue opened", HOSTILE, "javascript:alert(1)")
    impact = Impact("region=eu", 0.8, 0.9, -0.11)
    record = register(episode=3, closed=9.0, impact=impact, ledger=Ledger((happened,)), title=HOSTILE)
    closed = issue(record, state="closed")
    made = recorded_page(snapshot(), closed)
    assert made is not None
    assert made.link.page == f"models/churn/alerts/{record.group}-3.html"
    assert ("At its worst", "0.8 instead of 0.9 in region=eu") in made.facts
    html = render_alert(made, dict.fromkeys(("style", "script", "themes", "vega"), "x"))
    assert "issue opened" in html
    assert "<img src=x" not in html
    assert "javascript:" not in html
    assert recorded_page(snapshot(), replace(closed, trusted=False)) is None
    assert recorded_page(snapshot(), issue(None)) is None
