"""What every page of a site has to keep, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from ..injection.chromium import Chromium, Tab

ALL_DRAWN = """new Promise((done, fail) => {
  const begun = performance.now();
  const look = () => {
    const left = [...document.querySelectorAll("figure.chart:not(.drawn)")].filter((one) => !one.closest("details"));
    if (!left.length) return done(document.querySelectorAll("figure.drawn").length);
    if (performance.now() - begun > 30000) return fail(new Error(`${left.length} charts are not drawn`));
    setTimeout(look, 50);
  };
  look();
})"""
"""The number of charts, once each that is not folded is drawn."""
UNFOLDED = "for (const one of document.querySelectorAll('details.folded')) one.open = true;"
_LINK = re.compile(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"')


def check_pages(browser: Chromium, folder: Path) -> int:
    """Opens every page below ``folder`` with all that is folded; gives how many charts were drawn."""
    drawn = 0
    for page in sorted(folder.rglob("*.html")):
        tab = browser.open_tab()
        tab.go(page.as_uri())
        tab.evaluate(UNFOLDED)
        drawn += check_drawn(tab, page.relative_to(folder).as_posix())
        assert all(address.startswith((folder.as_uri(), "data:,")) for address in tab.requests()), page
        assert tab.events("Page.javascriptDialogOpening") == []
        assert dead_links(page) == [], page
        tab.close()
    return drawn


def check_drawn(tab: Tab, name: str) -> int:
    """Every chart of the open page is drawn, folded ones too, and nobody complains."""
    ready = ALL_DRAWN.replace('!one.closest("details")', "one.checkVisibility()")
    count: int = tab.evaluate(ready)
    assert tab.evaluate("document.querySelectorAll('figure.chart').length") == count, name
    assert tab.complaints() == [], name
    empty = """[...document.querySelectorAll("figure.drawn")].filter((one) =>
      !one.querySelector("svg .mark-line path, svg .mark-rect path, svg .mark-symbol path, svg .mark-rule line"))
      .map((one) => one.closest(".panel").id)"""
    assert tab.evaluate(empty) == [], name
    return count


def dead_links(page: Path) -> list[str]:
    """Relative addresses of a page that lead to no file."""
    found = _LINK.findall(page.read_text("utf-8"))
    targets = {address: page.parent / unquote(address.partition("?")[0]) for address in found}
    return [
        address for address, path in targets.items() if not (path / "index.html" if path.is_dir() else path).exists()
    ]
