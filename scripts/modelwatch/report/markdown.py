"""Text from outside is hostile until it went through here: Markdown, Mermaid, plain lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

MAX_LENGTH = 200
"""Characters of an outside text that are shown; the rest is cut with an ellipsis."""


def plain_line(text: str, max_length: int = MAX_LENGTH) -> str:
    """``text`` as one harmless line: control and invisible format characters (bidi tricks, zero width) replaced."""
    flat = "".join("�" if unicodedata.category(char) in _INVISIBLE else char for char in _SPACES.sub(" ", text)).strip()
    return flat if len(flat) <= max_length else flat[: max_length - 1] + "…"


_SPACES = re.compile(r"[\s\x00]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def code(text: str, max_length: int = MAX_LENGTH) -> str:
    """``text`` as a Markdown code span: no mention, reference, link, image or HTML inside it comes alive.

    The fence is longer than any run of backticks inside; ``|`` is escaped, so that it fits a table cell (GitHub
    removes that backslash in table cells only, so a pipe is shown as a broken bar instead).
    """
    flat = plain_line(text, max_length).replace("|", "¦")
    if not flat:
        return "` `"
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def known_word(text: str) -> str:
    """A word of a list that we know, such as GitHub's conclusions, unchanged; whatever else stands there as code."""
    return text if re.fullmatch(r"[a-z][a-z _-]{0,39}", text) else code(text, 40)


def known_phrase(text: str) -> str:
    """A short phrase of letters, digits and plain punctuation, unchanged; anything else as code."""
    return text if re.fullmatch(r"[A-Za-z0-9 ,;-]{0,80}", text) else code(text)


def link(text: str, url: str) -> str:
    """A Markdown link with our own ``text``; a URL that is not plain http(s) is shown as text instead."""
    safe = safe_url(url)
    return f"[{text}]({safe})" if safe else f"{text}: {code(url)}"


def safe_url(url: str) -> str:
    """``url`` where it is http(s) without characters that end a Markdown link or an attribute; else empty."""
    return url if re.fullmatch(r"https?://[^\s<>()\[\]\"'`|\\\x00-\x1f\x7f]+", url) else ""


def mermaid_text(text: str) -> str:
    """``text`` as the inside of a quoted Mermaid string: letters, digits and a few harmless signs survive."""
    return re.sub(r"[^\w ./=:+%-]", "_", plain_line(text, 60), flags=re.ASCII)


def mention(owner: str) -> str:
    """An owner from the configuration as ``@user`` or ``@org/team``; anything else as code."""
    return owner if re.fullmatch(r"@[A-Za-z0-9][A-Za-z0-9-]{0,38}(/[A-Za-z0-9._-]{1,100})?", owner) else code(owner)


def bullet_list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {code(text, 400)}" for text in texts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines)


def two_column_table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns; the first row stands as the head, since a Markdown table must have one."""
    return table(rows[0], rows[1:]) if rows else ""
