"""The threats on the page about security: each names the test that holds what it says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = "| # | who can write | what | what it can cause | what it cannot | test |"


def test_every_threat_names_a_test_that_exists() -> None:
    page = (ROOT / ".github/SECURITY.md").read_text("utf-8")
    rows = page.split(HEAD)[1].split("\n\n")[0].splitlines()[2:]
    assert len(rows) >= 15
    for row in rows:
        *cells, tests = row.strip("| ").split(" | ")
        assert len(cells) == 5, row
        named = re.findall(r"`(tests/[\w/]+\.py)`", tests)
        assert named, row
        assert all("def test_" in (ROOT / name).read_text("utf-8") for name in named), row
