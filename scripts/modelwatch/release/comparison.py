"""One of the two comparisons of the gate: the fixed holdout or the most recent window, both models row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..stats.paired.paired_rows import PairedColumn, PairedRows
from ..stats.segmentation import EncodedColumn

Floats = NDArray[np.float64]

HOLDOUT, RECENT = "holdout", "recent"


@dataclass(frozen=True, slots=True)
class ComparisonProblem:
    """Something that keeps a comparison from being trusted."""

    what: str
    words: str
    n: int = 0
    """Rows that it is about."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    name: str
    pairs: PairedRows
    segments: tuple[EncodedColumn, ...] = ()
    latency: PairedColumn | None = None
    """Of the rows where both are known."""
    problems: tuple[ComparisonProblem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worth(self) -> Floats | None:
        """What each row is worth."""
        return self.pairs.worth
