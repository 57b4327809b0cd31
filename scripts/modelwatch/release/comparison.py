"""One comparison of two versions, row by row: on the fixed holdout, or on the most recent window."""

from __future__ import annotations

from dataclasses import dataclass

from ..stats.paired.paired_rows import PairedColumn, PairedRows
from ..stats.segmentation import EncodedColumn

HOLDOUT, RECENT = "holdout", "recent"


@dataclass(frozen=True, slots=True)
class ComparisonProblem:
    """A defect of the tables that makes a comparison untrustworthy."""

    what: str
    words: str
    n: int = 0
    """Affected rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    name: str
    pairs: PairedRows
    segments: tuple[EncodedColumn, ...] = ()
    latency: PairedColumn | None = None
    """Of the rows where both versions' are known."""
    problems: tuple[ComparisonProblem, ...] = ()
    notes: tuple[str, ...] = ()
