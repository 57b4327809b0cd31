"""Draw `.github/images/issue.png`, the picture in README: the demo's issue at its worst, as GitHub shows it.

    .venv/bin/modelwatch demo --model churn
    npm install --prefix .tools/picture mermaid@11
    .venv/bin/python .ci/picture.py

Needs a Chromium: of the machine, else the one that `make test` unpacks. Mermaid draws the chart, as it does at GitHub.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
ISSUE = ROOT / "modelwatch-out/demo/churn/issue-1-at-its-worst.md"
MERMAID = ROOT / ".tools/picture/node_modules/mermaid/dist/mermaid.min.js"
UNPACKED = ROOT / ".tools/browser"
PICTURE = ROOT / ".github/images/issue.png"
WIDTH, HEIGHT = 920, 1262
STYLE = """
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
.mermaid svg { max-height: 330px }
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>{style}</style><main>{body}</main>
<script src="{mermaid}"></script><script>mermaid.initialize({{startOnLoad: true}})</script>"""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking"),
    *("--allow-file-access-from-files", "--virtual-time-budget=6000", f"--window-size={WIDTH},{HEIGHT}"),
)


def page(text: str) -> str:
    """The issue as HTML; charts are left to Mermaid."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    body = re.sub(
        r'<pre><code class="language-mermaid">(.*?)</code></pre>', r'<pre class="mermaid">\1</pre>', body, flags=re.S
    )
    return PAGE.format(style=STYLE, body=body, mermaid=MERMAID.as_uri())


def find_browser() -> tuple[str, dict[str, str]]:
    """The program, empty if there is none, and its environment."""
    if installed := shutil.which("chromium") or shutil.which("google-chrome"):
        return installed, dict(os.environ)
    own = str(UNPACKED / "chromium") if (UNPACKED / "chromium").exists() else ""
    return own, os.environ | {"LD_LIBRARY_PATH": str(UNPACKED / "al2023/lib")}


def main() -> int:
    browser, env = find_browser()
    if not browser or not ISSUE.exists() or not MERMAID.exists():
        print(__doc__, file=sys.stderr)
        return 2
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "issue.html")
        source.write_text(page(ISSUE.read_text("utf-8")), "utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}", source.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=env)
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
