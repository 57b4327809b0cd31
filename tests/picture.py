"""Draw `.github/images/issue.png`, the picture in README: the demo's issue at its worst, as GitHub shows it.

    .venv/bin/modelwatch demo --model churn
    npm install --prefix .tools/picture mermaid@11
    .venv/bin/python -m tests.picture

Needs the browser that `make test` unpacks; Mermaid draws the chart, as it does at GitHub.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from .injection.chromium import FOLDER, Chromium

ROOT = Path(__file__).resolve().parents[1]
ISSUE = ROOT / "modelwatch-out/demo/churn/issue-1-at-its-worst.md"
MERMAID = ROOT / ".tools/picture/node_modules/mermaid/dist/mermaid.min.js"
PICTURE = ROOT / ".github/images/issue.png"
WIDTH = 920
LAST_SECTION = "Worst segments"
"""The picture ends below it."""
STYLE = """
html { overflow: hidden }
body { margin: 0; background: #fff; color: #1f2328; font: 14px/1.5 "Liberation Sans", Arial, sans-serif }
main { padding: 12px 24px; max-width: 872px }
h1 { font-size: 1.6em; font-weight: 400; border-bottom: 1px solid #d1d9e0; padding-bottom: .4em }
h2, h3 { margin: 18px 0 8px; font-weight: 600; font-size: 1.15em }
p { margin: 8px 0 }
table { border-collapse: collapse; margin: 8px 0 }
th, td { border: 1px solid #d1d9e0; padding: 5px 12px; text-align: left }
tr:nth-child(2n) { background: #f6f8fa }
code { background: #eff1f3; border-radius: 6px; padding: .15em .4em; font: 85% "Liberation Mono", monospace }
a { color: #0969da; text-decoration: none }
pre { margin: 8px 0 }
i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; vertical-align: -1px }
.mermaid { margin-top: 18px }
.mermaid svg { max-height: 330px }
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>{style}</style><main>{body}</main>
<script src="{mermaid}"></script><script>mermaid.initialize({{startOnLoad: true}})</script>"""
SQUARES = {"🟥": "#da3633", "⬜": "#afb8c1", "🟨": "#e3b341", "🟧": "#f0883e", "🟪": "#8250df", "🟩": "#2da44e"}
"""GitHub shows emoji everywhere; the fonts of a bare machine have none."""
DRAWN = """new Promise(done => { const look = () => {
  if (!document.querySelector(".mermaid svg")) return setTimeout(look, 100);
  const titles = [...document.querySelectorAll("h3")], last = titles.find(one => one.textContent === TITLE);
  let end = last;
  while (end.nextElementSibling && end.nextElementSibling.tagName !== "H3") end = end.nextElementSibling;
  done(Math.ceil(end.getBoundingClientRect().bottom) + 12);
}; look() })"""
"""The height of the page down to the end of a section, once the chart is drawn."""


def page(text: str) -> str:
    """The issue as HTML; charts are left to Mermaid."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    body = re.sub(
        r'<pre><code class="language-mermaid">(.*?)</code></pre>', r'<pre class="mermaid">\1</pre>', body, flags=re.S
    )
    for square, colour in SQUARES.items():
        body = body.replace(square, f'<i style="background: {colour}"></i>')
    return PAGE.format(style=STYLE, body=body, mermaid=MERMAID.as_uri())


def main() -> int:
    if not (FOLDER / "chromium").exists() or not ISSUE.exists() or not MERMAID.exists():
        print(__doc__, file=sys.stderr)
        return 2
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Chromium(Path(folder, "profile")) as browser:
        source = Path(folder, "issue.html")
        source.write_text(page(ISSUE.read_text("utf-8")), "utf-8")
        PICTURE.write_bytes(browser.picture(source, WIDTH, DRAWN.replace("TITLE", json.dumps(LAST_SECTION))))
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
