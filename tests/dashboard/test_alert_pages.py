"""The permalink of an alert: written while it fires, once more at its end, and never changed again."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.alert_pages import merge_links, recorded_page
from modelwatch.dashboard.alert_records import decode_page, encode_page
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
from .pages import dead_links
from .samples import HOSTILE, time_chart


def build(folder: Path) -> list[Path]:
    """Build the site in ``folder``; the pages of alerts."""
    context = make_context(load_config(folder / "modelwatch.yml", {}, require_secrets=False), NOW, {})
    write_site(folder / "site", collect_results(context, read_results(folder / "results")))
    return sorted((folder / "site").glob("models/*/alerts/*.html"))


def evidence(page: str) -> str:
    """Charts, facts and what happened."""
    return page[page.index('<h2 class="hidden">Evidence') :]


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
    assert '<noscript><p class="notice">The charts need JavaScript.' in text
    assert f'<img class="picture" src="{page.stem}.png" alt="accuracy is 0.8' in text
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(b"\x89PNG")
    assert width >= 1200
    assert height >= 400
    model = page.parents[1] / "index.html"
    assert f"alerts/{page.name}" in model.read_text("utf-8")


def test_a_page_outlasts_its_alert(fleet: Path) -> None:
    """The link on an old issue still leads somewhere, and to what was known then."""
    (page,) = build(fleet)
    before, picture = page.read_text("utf-8"), page.with_suffix(".png").read_bytes()
    write_fleet(fleet, 4, rules=2, worsens=False)
    assert build(fleet) == [page]
    after = page.read_text("utf-8")
    assert evidence(after) == evidence(before)
    assert "this alert no longer fired" in after
    assert 'class="health health-green"' in after
    assert page.with_suffix(".png").read_bytes() == picture
    model = page.parents[1] / "index.html"
    assert f"alerts/{page.name}" in model.read_text("utf-8")
    assert build(fleet) == [page]
    assert page.read_text("utf-8") == after


def test_the_end_of_an_alert_is_added_to_the_evidence_of_when_it_fired(fleet: Path) -> None:
    (page,) = build(fleet)
    before = page.read_text("utf-8")
    write_fleet(fleet, 4, rules=2, recovers=True)
    assert build(fleet) == [page]
    after = page.read_text("utf-8")
    assert evidence(after) == evidence(before)
    ended = re.search(r"This alert ended at [^:]+ [0-9:]+ UTC: it recovered\. The newest value was ([0-9.]+)\.", after)
    assert ended
    assert float(ended[1]) > 0.89
    assert "It was error at its worst." in after
    assert "When it fired last: model-003 accuracy is 0.83" in after
    assert 'data-answer="next"' not in after
    home = (page.parents[1] / "index.html").read_text("utf-8")
    assert re.search(r"health-green.*\n?.*accuracy is 0\.83", home), "listed as what it was"
    build(fleet)
    assert page.read_text("utf-8") == after


def test_an_alert_that_the_site_has_not_seen_firing_is_shown_at_its_worst(fleet: Path) -> None:
    write_fleet(fleet, 4, rules=2, recovers=True)
    (page,) = build(fleet)
    text = page.read_text("utf-8")
    assert re.search(r"When it fired last: model-003 accuracy is 0\.8[34]\d*, [0-9.]+ % below its baseline", text)
    happened = text[text.index("What happened") :]
    assert "accuracy below its baseline" in happened
    assert "above its baseline" not in happened


def test_the_pages_of_a_model_that_is_gone_say_so_and_lead_nowhere_dead(fleet: Path) -> None:
    (page,) = build(fleet)
    before = page.read_text("utf-8")
    write_fleet(fleet, 3, rules=2)
    assert build(fleet) == [page]
    after = page.read_text("utf-8")
    assert "model-003 is no longer watched" in after
    assert 'class="health health-red"' not in after
    assert evidence(after) == evidence(before)
    assert dead_links(page) == []
    page.with_suffix(".json").unlink()
    write_fleet(fleet, 4, rules=2)
    build(fleet)
    assert page.read_text("utf-8") == before, "watched again"


def test_a_record_that_cannot_be_read_is_no_record(fleet: Path) -> None:
    (page,) = build(fleet)
    record = page.with_suffix(".json")
    made = decode_page(record.read_bytes())
    assert made is not None
    assert decode_page(encode_page(made)) == made
    assert decode_page(b"{") is None
    assert decode_page(record.read_bytes().replace(b'"format":1', b'"format":2')) is None
    record.write_bytes(b"{")
    before = page.read_text("utf-8")
    write_fleet(fleet, 4, rules=2, worsens=False)
    build(fleet)
    assert page.read_text("utf-8") == before


def test_a_state_cannot_write_what_is_not_the_sites(fleet: Path) -> None:
    (page,) = build(fleet)
    state = fleet / "site/state.json"
    name = page.relative_to(fleet / "site").as_posix()
    (fleet / "precious.html").write_text("kept")
    (fleet / "precious.json").write_bytes(page.with_suffix(".json").read_bytes())
    state.write_text(state.read_text().replace(f'"page":"{name}"', '"page":"models/../../precious.html"'))
    write_fleet(fleet, 3, rules=2)
    build(fleet)
    assert (fleet / "precious.html").read_text() == "kept"


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
