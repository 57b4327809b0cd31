"""The dashboard of 100 models with 12 metrics over 30 days by the hour: made whole, made again, and how large it is."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modelwatch.dashboard.fleet import fleet_page
from modelwatch.dashboard.html import render_fleet
from modelwatch.dashboard.site import write_assets

from ..dashboard.fleet import write_fleet
from ..dashboard.samples import NOW
from ..dashboard.site import fleet_rows
from ..injection.chromium import FOLDER, Chromium
from .measure import Row, process

MODELS = 100
ROUNDS = 5
SLOWDOWN = 4
"""As Chromium's developer tools slow a page down to look like a phone."""
INTERACTIVE = """(() => {
  const page = performance.getEntriesByType("navigation")[0], begun = performance.now();
  const search = document.getElementById("search");
  search.value = "model-4";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
  return [page.domContentLoadedEventEnd, performance.now() - begun];
})()"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _build_rows(folder)
        yield from _page_rows(folder / "fleet")


def _build_rows(folder: Path) -> Iterator[Row]:
    config = write_fleet(folder, MODELS, silent=False)
    words = [sys.executable, "-m", "modelwatch"]
    judge = [*words, "evaluate", "--series", "results/series.jsonl", "--out", "judged.json", "--now", str(NOW)]
    judged = process(judge, cwd=folder)
    build = [*words, "dashboard", "--config", str(config), "--from", "results"]
    whole = process(build, cwd=folder)
    write_fleet(folder, MODELS, silent=False, changed=(50,))
    again = process(build, cwd=folder)
    yield Row(f"site of {MODELS} models, all pages", f"{whole.seconds:.1f} s", "30 s", whole.seconds / 30, 1.0)
    yield Row(
        "  processor time",
        f"{whole.processor:.1f} s",
        f"judging the same series, {judged.processor:.1f} s",
        whole.processor / judged.processor,
        12.0,
    )
    yield Row("  peak memory", f"{whole.mebibytes:.0f} MiB", "1 GB", whole.mebibytes * 1.048576 / 1000, 1.0)
    yield Row("site again, one model changed", f"{again.seconds:.1f} s", "3 s", again.seconds / 3, 1.0)
    yield Row(
        "  processor time",
        f"{again.processor:.1f} s",
        f"all pages, {whole.processor:.1f} s",
        again.processor / whole.processor,
        0.25,
    )
    largest = max((folder / "site/models").rglob("*.html"), key=lambda path: path.stat().st_size)
    size = largest.stat().st_size / 1000
    yield Row("  largest page of a model", f"{size:.0f} KB", "1 MB", size / 1000, 1.0)


def _page_rows(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    assets = write_assets(folder)
    text = render_fleet(fleet_page(fleet_rows(500), NOW), assets).encode()
    own = sum((folder / "assets" / name).stat().st_size for name in ("dashboard.css", "dashboard.js"))
    size = (len(text) + own) / 1000
    yield Row("fleet page of 500 models, style and script", f"{size:.0f} KB", "500 KB", size / 500, 1.0)
    if not (FOLDER / "chromium").exists():
        return
    (folder / "index.html").write_bytes(text)
    (folder / "assets/built.js").write_text(f"window.modelwatchBuilt = {NOW:.0f};\n")
    with Chromium(folder / "profile") as browser:
        tab = browser.open_tab()
        tab.call("Emulation.setCPUThrottlingRate", rate=SLOWDOWN)
        taken = []
        for _ in range(ROUNDS):
            tab.go((folder / "index.html").as_uri())
            taken.append(tab.evaluate(INTERACTIVE))
    loaded, searched = (statistics.median(times) / 1000 for times in zip(*taken, strict=True))
    yield Row(f"  interactive, {SLOWDOWN}x slower", f"{loaded:.2f} s", "1 s", loaded, 1.0)
    yield Row(f"  a search in it, {SLOWDOWN}x slower", f"{searched * 1000:.0f} ms", "100 ms", searched / 0.1, 1.0)
