"""The permalink of an alert: written while it fires, once more at its end, and never changed again."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.alert_pages import merge_links
from modelwatch.dashboard.collect import collect_results, read_results
from modelwatch.dashboard.images import chart_png
from modelwatch.dashboard.page import AlertLink
from modelwatch.dashboard.site import write_site
from modelwatch.report.model_health import Health

from .fleet import NOW, write_fleet
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
