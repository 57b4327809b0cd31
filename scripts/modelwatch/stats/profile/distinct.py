"""How many ids occur more than once: exact for few of them, from a fixed sample of the ids for many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .numeric import ProfileMismatchError

Hashes = NDArray[np.uint64]

MAX_IDS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class DistinctProfile:
    """The ``bound`` least hashes of the ids with their exact counts; merges in any order to the same.

    The sample is of ids, not of rows, so that both rows of a pair are in it or neither is.
    """

    hashes: Hashes
    """Ascending, at most ``bound``."""
    counts: NDArray[np.int64]
    rows: int = 0
    """Rows that have an id."""
    missing: int = 0
    bound: int = MAX_IDS

    @classmethod
    def of(cls, hashes: Hashes, missing: int = 0, bound: int = MAX_IDS) -> DistinctProfile:
        """From one hash a row."""
        ordered = np.sort(hashes)
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else _NO_ROWS
        counts = np.diff(np.append(first, len(ordered)))
        return cls(ordered[first][:bound], counts[:bound].astype(np.int64), len(ordered), missing, bound)

    @property
    def is_exact(self) -> bool:
        return len(self.hashes) < self.bound

    @property
    def duplicates(self) -> float:
        """Rows beyond the first of their id."""
        sampled = int(self.counts.sum())
        if not sampled:
            return 0.0
        repeated = sampled - len(self.hashes)
        return float(repeated) if self.is_exact else repeated / sampled * self.rows

    def merge(self, other: DistinctProfile) -> DistinctProfile:
        if self.bound != other.bound:
            raise ProfileMismatchError("samples of ids with another bound cannot be added.")
        both, places = np.unique(np.concatenate([self.hashes, other.hashes]), return_inverse=True)
        counts = np.zeros(len(both), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        kept = slice(0, self.bound)
        rows, missing = self.rows + other.rows, self.missing + other.missing
        return DistinctProfile(both[kept], counts[kept], rows, missing, self.bound)


_NO_ROWS = np.zeros(0, dtype=np.int64)
