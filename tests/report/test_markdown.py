"""Outside text comes out inert."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.report.markdown import code, link, mention, mermaid_text, plain_line, safe_url

HOSTILE = [
    "@everyone",
    "<script>alert(1)</script>",
    "![x](https://evil.example/p.png)",
    "a | b",
    "`` ` ``",
    "```\n::set-output name=x::y",
    "<!-- modelwatch:end -->",
    "line one\nline two\r\n# heading",
    "#123 and GH-1",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "",
    "`",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_code_is_one_span_on_one_line(text: str) -> None:
    shown = code(text)
    assert "\n" not in shown
    assert "|" not in shown
    fence = re.match("`+", shown)
    assert fence
    inside = shown[len(fence[0]) : -len(fence[0])]
    assert shown.endswith(fence[0])
    assert not re.search(f"(?<!`){fence[0]}(?!`)", inside), "the fence closes early"


@given(st.text())
def test_line_has_no_control_characters_and_is_bounded(text: str) -> None:
    shown = plain_line(text)
    assert len(shown) <= 200
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in shown)


@given(st.text())
def test_the_fence_of_a_code_span_never_occurs_inside(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)
    assert fence
    runs = re.findall("`+", shown)
    assert runs.count(fence[0]) == 2


@given(st.text())
def test_mermaid_keeps_harmless_signs_only(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_ ./=:+%-]*", mermaid_text(text))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://x.example/)[a](b", "https://x y", "data:text/html,x", "http://a\nb", ""]
)
def test_a_link_that_is_not_plain_http_is_shown_as_text(url: str) -> None:
    assert safe_url(url) == ""
    assert link("text", url).startswith("text: `")


def test_a_good_link_is_a_link() -> None:
    assert link("run", "https://wandb.example/a/b/runs/1?x=1#y") == "[run](https://wandb.example/a/b/runs/1?x=1#y)"


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ("@acme/growth-ml", "@acme/growth-ml"),
        ("@ada", "@ada"),
        ("ada", "`ada`"),
        ("@a b", "`@a b`"),
        ("@x\n@y", "`@x @y`"),
    ],
)
def test_only_a_handle_is_mentioned(owner: str, shown: str) -> None:
    assert mention(owner) == shown
