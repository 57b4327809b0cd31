"""The page of every key: as the repository shows it, whole, and readable as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt

from modelwatch.config.schema import json_schema, reference_page

PAGE = Path(__file__).parents[2] / ".github" / "CONFIGURATION.md"
TEXT = reference_page()


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_page_of_the_repository_is_this_one() -> None:
    assert PAGE.read_text("utf-8") == TEXT, "modelwatch config reference > .github/CONFIGURATION.md"


def test_every_record_has_a_section_with_its_keys() -> None:
    records = json_schema()["$defs"]
    found = {anchor(heading): text for heading, text in sections().items()}
    assert len(found) == len(records)
    for name, record in records.items():
        text = found[name.replace("w-b-", "wb-")]
        for key, value in record.get("properties", {}).items():
            assert (f"`{key}`" in text) is not value.get("deprecated", False), f"{name}: {key}"
        for key in record.get("required", ()):
            assert f"| `{key}` (required) |" in text or "As in" in text, f"{name}: {key}"


def test_every_link_leads_to_a_section() -> None:
    anchors = {anchor(heading) for heading in sections()}
    linked = set(re.findall(r"\]\(#([^)]*)\)", TEXT))
    assert linked
    assert linked <= anchors


def test_every_row_has_three_cells() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(TEXT)
    rows: list[int] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append(0)
        elif token.type in ("td_open", "th_open"):
            rows[-1] += 1
    assert len(rows) > 200
    assert set(rows) == {3}


def test_a_key_is_told_once_and_pointed_at_elsewhere() -> None:
    assert TEXT.count("| `min_points` |") == 1
    assert "As in [a rule](#rule): `window`" in sections()["Quality section"]


def test_defaults_are_told_as_they_are_written() -> None:
    assert "Default: `24h`." in sections()["Rule"]
    assert "Default: `issue`." in sections()["Tier"]
    assert "Default: `false`." in sections()["Prediction log"]
