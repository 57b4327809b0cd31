"""Every page that our texts can become, without GitHub's filter behind it, in a real browser: nothing runs, nothing is
fetched. `make test` brings the browser along."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from modelwatch.inbound import handle
from modelwatch.model.pagerduty_event import PagerDutyPerson
from modelwatch.model.plan import ModelObservation
from modelwatch.report import comments, release_verdicts, summary
from modelwatch.runbooks import render as runbooks_render
from modelwatch.targets.issues import render as issues_render

from ..report import making
from . import world
from .chromium import Chromium
from .corpus import CORPUS, EVIL
from .inert import renderer

HARMLESS = {
    *("html", "head", "meta", "title", "body", "main", "p", "br", "h1", "h2", "h3", "h4", "ul", "ol", "li"),
    *(
        "strong",
        "em",
        "code",
        "pre",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "a",
        "sub",
        "details",
        "summary",
        "blockquote",
    ),
}
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>page</title></head>
<body><main>BODY</main></body></html>"""


class Elements(HTMLParser):
    """The elements of a page, and whatever in them could act."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            bad = name.startswith("on") or name in ("src", "srcdoc", "style", "srcset", "action", "formaction")
            if bad or EVIL in (value or "") or (value or "").strip().lower().startswith(("javascript:", "data:")):
                self.active.append(f"{tag} {name}={value}")


def texts(sample: str) -> Iterator[str]:
    for group in (world.group(sample), world.plain_group(sample)):
        yield issues_render.issue_body(group, world.register(sample), making.NOW, model=making.model())
        for note in world.notes(sample):
            yield comments.comment_text(note, group, world.register(sample), making.NOW, making.model())
    yield summary.job_summary(world.judgement(sample), world.plan(sample), world.receipts(sample))
    yield release_verdicts.gate_markdown(world.gate(sample))
    yield release_verdicts.gate_comment(world.gate(sample))
    yield release_verdicts.canary_markdown(world.canary(sample), "churn")
    for person in (PagerDutyPerson(sample), PagerDutyPerson(unknown_reason=sample)):
        yield handle.acknowledgement_note(person, sample)
        yield handle.resolution_question(person, sample)
    known = runbooks_render.alert_context(
        world.group(sample), None, ModelObservation("churn"), making.NOW, (), (sample,)
    )
    yield "\n".join(runbooks_render.render_page("# Page", known, "https://example.org/").splitlines()[1:])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything in one page."""
    make = renderer()
    found = dict.fromkeys(text for sample in CORPUS if len(sample.text) < 1000 for text in texts(sample.text))
    body = "".join(make.render(text) for text in found).encode("utf-8", "replace").decode()
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(PAGE.replace("BODY", body), "utf-8")
    return path


def look(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    found.close()
    return found


def check(text: str) -> None:
    found = look(text)
    assert found.names <= HARMLESS
    assert found.active == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_no_element_of_the_page_can_act(page: Path) -> None:
    check(page.read_text("utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<details open ontoggle=alert(1)>",
        "<input autofocus onfocus=alert(1)>",
        '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    ],
)
def test_what_is_not_escaped_does_run_in_the_browser(browser: Chromium, tmp_path: Path, text: str) -> None:
    """Or the test of the page would prove nothing."""
    path = tmp_path / "hostile.html"
    path.write_text(PAGE.replace("BODY", text), "utf-8")
    assert browser.visit(path).dialogs == ("1",)


@pytest.mark.parametrize("text", [f'<img src="https://{EVIL}/pixel.png">', f"<iframe src=https://{EVIL}/></iframe>"])
def test_what_is_not_escaped_is_fetched_by_the_browser(browser: Chromium, tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(PAGE.replace("BODY", text), "utf-8")
    assert any(EVIL in asked for asked in browser.visit(path).requests)


def test_nothing_runs_and_nothing_is_fetched_in_a_browser(browser: Chromium, page: Path) -> None:
    visit = browser.visit(page)
    assert visit.dialogs == ()
    assert visit.requests == (page.as_uri(),)
    check(visit.dom)
    assert len(visit.dom) > 0.9 * len(page.read_text("utf-8")), "the page was cut short"


def test_the_parser_sees_what_acts() -> None:
    for text in ("<img src=x>", "<p onclick=x>", f"<a href=https://{EVIL}/>", '<a href=" javascript:x">'):
        with pytest.raises(AssertionError):
            check(text)
