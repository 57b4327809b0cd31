"""Every page that our texts can become, without GitHub's filter behind it, in a real HTML engine: nothing runs, nothing
is fetched. A browser judges wherever one is installed; Python's parser of HTML judges everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from modelwatch.report import canary, comment, gate, issue, summary

from ..report import making
from . import world
from .corpus import CORPUS, EVIL
from .inert import renderer

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""GitHub's own runners have one of them."""
HARMLESS = {
    *("html", "head", "meta", "title", "script", "body", "main", "p", "br", "h1", "h2", "h3", "h4", "ul", "ol", "li"),
    *("strong", "em", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "a", "sub", "details", "summary"),
}
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>page</title><script>
const fired = what => document.documentElement.setAttribute("data-fired", what);
for (const name of ["alert", "confirm", "prompt", "open", "fetch"]) window[name] = () => fired(name);
window.addEventListener("error", event => event.target !== window && fired("load"), true);
</script></head><body><main>BODY</main></body></html>"""


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
        yield issue.body(group, world.register(sample), making.NOW, model=making.model())
        for note in world.notes(sample):
            yield comment.text(note, group, world.register(sample), making.NOW, making.model())
    yield summary.summary(world.judgement(sample), world.plan(sample), world.receipts(sample))
    yield gate.gate_markdown(world.gate(sample))
    yield gate.gate_remark(world.gate(sample))
    yield canary.markdown(world.canary(sample), "churn")


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
    assert "data-fired" not in text.partition("<body>")[0].partition(">")[2].partition(">")[0]


def browse(browser: str, path: Path, profile: Path) -> str:
    """The page as the browser sees it once every script in it has run."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=4000"]
    flags += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom"]
    ended = subprocess.run(
        [browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=120, check=True, errors="replace"
    )
    assert "<main>" in ended.stdout, ended.stderr[-2000:]
    return ended.stdout


def fired(dom: str) -> bool:
    return re.search(r"<html[^>]*\bdata-fired", dom) is not None


def test_no_element_of_the_page_can_act(page: Path) -> None:
    check(page.read_text("utf-8"))


def test_nothing_runs_in_a_browser(page: Path, tmp_path: Path) -> None:
    installed = [found for name in BROWSERS if (found := shutil.which(name))]
    for browser in installed[:1]:
        # What is not escaped does run here, or this test would prove nothing.
        hostile = tmp_path / "hostile.html"
        hostile.write_text(PAGE.replace("BODY", "<img src=x onerror=alert(1)>"), "utf-8")
        assert fired(browse(browser, hostile, tmp_path / "first"))
        dom = browse(browser, page, tmp_path / "second")
        assert not fired(dom)
        check(dom)


def test_the_parser_sees_what_acts() -> None:
    for text in ("<img src=x>", "<p onclick=x>", f"<a href=https://{EVIL}/>", '<a href=" javascript:x">'):
        with pytest.raises(AssertionError):
            check(text)
