"""A fixed sample of rows that have no histogram: embeddings and texts. Merges in any order to the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .numeric import ProfileMismatchError

Hashes = NDArray[np.uint64]
Rows = NDArray[np.float64]

MAX_ROWS = 2000
MAX_NUMBERS = 500_000
"""Of wide embeddings fewer rows are kept: so many numbers."""
MAX_TEXT_CHARACTERS = 1000
"""Characters of a text that are kept."""


def max_rows_for(width: int) -> int:
    """Rows that are kept; ``width``: numbers a row, 0 for texts."""
    return max(100, min(MAX_ROWS, MAX_NUMBERS // max(width, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class SampleProfile:
    """The rows of the least hashes, each row once. A hash is of the row's id and content, so that it is no matter of
    order: a row of the choice was in the choice of every part that held it."""

    hashes: Hashes
    """Ascending, at most ``bound_of(width)``."""
    rows: Rows
    """Embeddings; no columns for texts."""
    texts: tuple[str, ...] = ()
    n: int = 0
    """Rows with a usable cell, sampled or not."""
    missing: int = 0
    other_types: int = 0
    """Cells that are no list of so many finite numbers, or no text."""

    @classmethod
    def of(
        cls, hashes: Hashes, rows: Rows, texts: tuple[str, ...] = (), missing: int = 0, other_types: int = 0
    ) -> SampleProfile:
        """``rows`` (n x d) or ``texts`` (then ``rows`` is n x 0), one for each hash."""
        least, first = np.unique(hashes, return_index=True)
        kept = slice(0, max_rows_for(rows.shape[1]))
        some = tuple(texts[place] for place in first[kept].tolist()) if texts else ()
        return cls(least[kept], rows[first[kept]], some, len(hashes), missing, other_types)

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    @property
    def cells_seen(self) -> int:
        """Every cell that was seen."""
        return self.n + self.missing + self.other_types

    def merge(self, other: SampleProfile) -> SampleProfile:
        """Both together. Raises ProfileMismatch where the widths differ."""
        if self.width != other.width:
            raise ProfileMismatchError("samples of embeddings of another width cannot be added.")
        both = SampleProfile.of(
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.rows, other.rows]),
            self.texts + other.texts,
        )
        return SampleProfile(
            both.hashes,
            both.rows,
            both.texts,
            self.n + other.n,
            self.missing + other.missing,
            self.other_types + other.other_types,
        )
