"""Cells as plain values, which are safe to keep: numbers, texts, booleans, lists of numbers, or nothing."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

MAX_CHARACTERS = 4000
"""Of a text. A longer one is its beginning and a digest."""
HEAD_CHARACTERS = 1000
MAX_DIGESTED = 32_768
"""Characters of a text that its digest reads; of a longer one those at both ends, and its length."""
SHORT_TEXT = 64
"""Characters that need no look: neither long, nor counted as memory."""
MAX_NUMBERS = 8192
"""Of a list, such as an embedding; a longer one counts as a text."""
MAX_COLUMNS = 4096
"""Of a row or a batch."""
MAX_INTEGER = 2**63
SCALARS = frozenset((int, float, bool, type(None), str))
"""The exact types of plain values that are no list."""
UNREADABLE = "unreadable"
"""Instead of a cell that cannot be read, with the name of its type where that is all that can be said of it."""


class RowError(ValueError):
    """A row cannot be recorded; the text says why, and holds nothing of the row."""


def bounded_columns(columns: Iterable[T]) -> Iterator[T]:
    """At most ``MAX_COLUMNS``, then RowError: a mapping may never end, and its length say otherwise."""
    for number, column in enumerate(columns):
        if number >= MAX_COLUMNS:
            raise RowError(f"a row has more than {MAX_COLUMNS:,} columns; give a list of numbers as one column")
        yield column


def plain_scalar(value: Any) -> Any:
    """A value of one of ``SCALARS``, bounded: a long text is shortened, an integer beyond 64 bits becomes a float."""
    kind = type(value)
    if kind is str:
        return shorten_text(value)
    if kind is int and not -MAX_INTEGER <= value < MAX_INTEGER:
        return float(value)
    return value


def shorten_text(text: str) -> str:
    """The text, or of a long one its beginning and a digest; as UTF-8 can write it."""
    if len(text) > MAX_CHARACTERS:
        half = MAX_DIGESTED // 2
        whole = text if len(text) <= MAX_DIGESTED else f"{text[:half]}{len(text)}{text[-half:]}"
        digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        text = f"{text[:HEAD_CHARACTERS]}~{digest}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def unreadable(value: Any) -> str:
    """What is recorded of a value without a known form: the name of its type, nothing of its content."""
    return f"{UNREADABLE} ({shorten_text(type(value).__name__[:100])})"


def is_unreadable(cell: Any) -> bool:
    return cell.__class__ is str and (cell == UNREADABLE or cell.startswith(f"{UNREADABLE} ("))


def is_missing(cell: Any) -> bool:
    """Whether a plain cell holds nothing: ``None`` or NaN."""
    return cell is None or (cell.__class__ is float and math.isnan(cell))
