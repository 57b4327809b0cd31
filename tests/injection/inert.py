"""What makes an output inert: properties, whatever its words are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt

from .corpus import EVIL

INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
TAGS = re.compile(
    r"</?(?:details|summary|sub)>"
    r"|<!-- modelwatch(?::(?:begin|register|title|note|ledger|game-day|end)|-watchdog)\b[^<>]*-->"
)
"""The only HTML that our texts hold."""
MERMAID = re.compile(
    r'%%\{init: \{"xyChart": \{"xAxis": \{"titlePadding": 8\}, "yAxis": \{"titlePadding": 8\}\}, '
    r'"themeVariables": \{"xyChart": \{"plotColorPalette": "#[0-9a-f]{6}(?:, #[0-9a-f]{6})*"\}\}\}\}%%'
    r"|xychart-beta"
    r'|\s*title "[\w ./=:+%-]*"|\s*x-axis "[\w ./=:+%-]*" -?[\d.]+ --> \d+'
    r'|\s*y-axis (?:"[\w ./=:+%-]*" )?-?[\d.]+ --> -?[\d.]+'
    r"|\s*line \[[-\d., ]*\]",
    re.ASCII,
)
_COMMAND = re.compile(r"(?:^|[\r\n])\s*::|##\[")
_LIVE = re.compile(r"(?<![\w`/])@[A-Za-z0-9]|(?<!\w)(?:#|GH-)\d|https?://|www\.|:[a-z]+:", re.IGNORECASE)
"""What GitHub turns into a mention, a reference, a link or an image outside of code."""


def renderer() -> MarkdownIt:
    """GitHub's Markdown without the filter that GitHub puts behind it: HTML passes as it is."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def check_markdown(text: str, allowed: tuple[str, ...] = (), mentions: tuple[str, ...] = ()) -> None:
    """``allowed``: beginnings of addresses that may be linked to; ``mentions``: who may be mentioned."""
    for token in _tokens(renderer().parse(text)):
        match token.type:
            case "html_inline" | "html_block":
                rest = TAGS.sub("", token.content)
                assert "<" not in rest, f"HTML comes alive: {token.content!r}"
                _check_text(rest, mentions)
            case "image":
                raise AssertionError(f"an image is shown: {token.attrs}")
            case "link_open":
                address = str(token.attrs["href"])
                assert address.startswith(allowed), f"a link leads to {address!r}"
            case "fence" if token.info.strip() == "mermaid":
                for row in token.content.splitlines():
                    assert MERMAID.fullmatch(row), f"this is no chart of ours: {row!r}"
            case "text":
                _check_text(token.content, mentions)


def _check_text(text: str, mentions: tuple[str, ...]) -> None:
    for name in mentions:
        text = text.replace(name, "")
    found = _LIVE.search(text)
    assert found is None, f"{found and found[0]!r} comes alive in {text!r}"
    assert EVIL not in text


def _tokens(tokens: list[Any]) -> Iterator[Any]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


def check_line(text: str, longest: int) -> None:
    """One line that shows all that it holds."""
    assert len(text) <= longest
    found = [char for char in text if unicodedata.category(char) in INVISIBLE]
    assert not found, f"control characters: {found}"


def check_log(text: str) -> None:
    """What GitHub's runner and a terminal read: no command, no control sequence."""
    found = _COMMAND.search(text)
    assert found is None, f"a workflow command at {found and found.start()} of {text!r}"
    for row in text.split("\n"):
        check_line(row, 10**9)


def read_outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE as GitHub's runner reads it. AssertionError for what it refuses."""
    found: dict[str, str] = {}
    rows = iter(text.split("\n"))
    for row in rows:
        if not row:
            continue
        name, heredoc, delimiter = row.partition("<<")
        if heredoc and "=" not in name:
            value = []
            for inside in rows:
                if inside == delimiter:
                    break
                value.append(inside)
            else:
                raise AssertionError(f"the delimiter of {name!r} is missing")
            found[name] = "\n".join(value)
        else:
            name, equals, rest = row.partition("=")
            assert equals, f"no output: {row!r}"
            found[name] = rest
    return found
