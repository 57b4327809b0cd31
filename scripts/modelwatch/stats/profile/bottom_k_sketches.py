"""Samples by least hashes: how many ids occur more than once, and a few rows of embeddings and texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Hashes, Ints
from .numeric import ProfileMismatchError

MAX_IDS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class DistinctProfile:
    """The ``bound`` least hashes of the ids with their exact counts; merges in any order to the same.

    The sample is of ids, not of rows, so that both rows of a pair are in it or neither is.
    """

    hashes: Hashes
    """Ascending, at most ``bound``."""
    counts: Ints
    rows: int = 0
    """Rows that have an id."""
    missing: int = 0
    bound: int = MAX_IDS

    @classmethod
    def of(cls, hashes: Hashes, missing: int = 0, bound: int = MAX_IDS) -> DistinctProfile:
        """From one hash a row."""
        distinct, counts = np.unique(hashes, return_counts=True)
        return cls(distinct[:bound], counts[:bound].astype(np.int64), len(hashes), missing, bound)

    @property
    def duplicates(self) -> float:
        """Rows beyond the first of their id; estimated where there are many ids."""
        sampled = int(self.counts.sum())
        if not sampled:
            return 0.0
        repeated = sampled - len(self.hashes)
        return float(repeated) if len(self.hashes) < self.bound else repeated / sampled * self.rows

    def merge(self, other: DistinctProfile) -> DistinctProfile:
        if self.bound != other.bound:
            raise ProfileMismatchError("samples of ids with another bound cannot be added.")
        both, places = np.unique(np.concatenate([self.hashes, other.hashes]), return_inverse=True)
        counts = np.zeros(len(both), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        least = slice(0, self.bound)
        rows, missing = self.rows + other.rows, self.missing + other.missing
        return DistinctProfile(both[least], counts[least], rows, missing, self.bound)


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
    """The rows of the least hashes, each row once. A hash is of the row's id and content, so that
    order does not matter: a row of the sample was in the sample of every part that held it."""

    hashes: Hashes
    """Ascending, at most ``max_rows_for(width)``."""
    rows: Floats
    """Embeddings; no columns for texts."""
    texts: tuple[str, ...] = ()
    n: int = 0
    """Rows with a usable cell, sampled or not."""
    missing: int = 0
    other_types: int = 0
    """Cells that are no list of so many finite numbers, or no text."""

    @classmethod
    def of(
        cls, hashes: Hashes, rows: Floats, texts: tuple[str, ...] = (), missing: int = 0, other_types: int = 0
    ) -> SampleProfile:
        """``rows`` (n x d) or ``texts`` (then ``rows`` is n x 0), one for each hash."""
        least, first = np.unique(hashes, return_index=True)
        bounded = slice(0, max_rows_for(rows.shape[1]))
        sampled_texts = tuple(texts[place] for place in first[bounded].tolist()) if texts else ()
        return cls(least[bounded], rows[first[bounded]], sampled_texts, len(hashes), missing, other_types)

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    @property
    def cells_seen(self) -> int:
        """Every cell that was seen."""
        return self.n + self.missing + self.other_types

    def merge(self, other: SampleProfile) -> SampleProfile:
        """Both together. Raises ``ProfileMismatchError`` where the widths differ."""
        if self.width != other.width:
            raise ProfileMismatchError("samples of embeddings of another width cannot be added.")
        both = SampleProfile.of(
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.rows, other.rows]),
            self.texts + other.texts,
        )
        return replace(
            both,
            n=self.n + other.n,
            missing=self.missing + other.missing,
            other_types=self.other_types + other.other_types,
        )
