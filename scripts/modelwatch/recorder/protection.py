"""Masks and hashes: which names are protected, and what replaces the cells under them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .values import is_missing

MASKED = "masked"


@dataclass(frozen=True, slots=True)
class Protection:
    """Of one recorder."""

    masked: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    key: bytes = b""
    """Of the digests."""
    names: frozenset[str] = field(init=False)
    """All that are protected."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", self.masked | self.hashed)

    def replacement(self, names: Sequence[str]) -> Callable[[Any], str | None] | None:
        """What becomes of a plain cell that has these names; ``None`` if none of them is protected."""
        if not self.masked.isdisjoint(names):
            return mask_cell
        return None if self.hashed.isdisjoint(names) else lambda cell: hash_cell(cell, self.key)


UNPROTECTED = Protection()


def hash_cell(value: Any, key: bytes) -> str | None:
    """A keyed digest of the cell's text, 16 hexadecimal digits: equal cells stay equal. ``None`` stays."""
    if is_missing(value):
        return None
    return hashlib.blake2b(str(value).encode("utf-8", "replace"), digest_size=8, key=key[:64]).hexdigest()


def mask_cell(cell: Any) -> str | None:
    """The same text for each cell; ``None`` stays."""
    return None if is_missing(cell) else MASKED


def protect_cells(cells: dict[str, Any], masked: Iterable[str], hashed: Iterable[str], key: bytes) -> None:
    """Masks and hashes the named cells in place; a column (a list of cells) cell by cell."""
    for names, change in ((masked, mask_cell), (hashed, lambda cell: hash_cell(cell, key))):
        for name in names:
            if name in cells:
                content = cells[name]
                is_column = content.__class__ is list
                cells[name] = [change(cell) for cell in content] if is_column else change(content)
