"""Draw the pictures of the dashboard in README, light and dark, from the site that the demo writes.

    .venv/bin/modelwatch demo
    .venv/bin/python -m tests.dashboard.pictures

Needs the browser that `make test` unpacks.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ..injection.chromium import FOLDER, Chromium
from .pages import ALL_DRAWN

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "modelwatch-out/demo/site"
IMAGES = ROOT / ".github/images"
PAGES = {"fleet": ("index.html", 470), "model": ("models/churn/index.html", 800)}
"""By the name of the picture: its page, and its height in pixels."""
WIDTH = 1120


def main() -> int:
    if not (FOLDER / "chromium").exists() or not (SITE / "index.html").exists():
        print(__doc__, file=sys.stderr)
        return 2
    # As if it was looked at right after the evaluation: the demo's days are not today's.
    built = json.loads((SITE / "assets/built.js").read_text("utf-8").partition("=")[2].strip().rstrip(";"))
    clock = f"Date.now = () => {(built + 60) * 1000:.0f};"
    with tempfile.TemporaryDirectory() as folder, Chromium(Path(folder)) as browser:
        for name, (page, height) in PAGES.items():
            for theme in ("light", "dark"):
                tab = browser.open_tab(WIDTH, height, dark=theme == "dark")
                tab.call("Page.addScriptToEvaluateOnNewDocument", source=clock)
                tab.go((SITE / page).as_uri())
                tab.evaluate(ALL_DRAWN)
                path = IMAGES / f"dashboard-{name}-{theme}.png"
                tab.screenshot(path)
                tab.close()
                print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
