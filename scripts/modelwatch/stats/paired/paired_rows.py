"""The rows that two models are compared on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class PairedColumn:
    """One column of either model, in the order of the rows."""

    champion: Floats
    candidate: Floats

    def take(self, rows: Ints) -> PairedColumn:
        return PairedColumn(self.champion[rows], self.candidate[rows])


@dataclass(frozen=True, slots=True, eq=False)
class PairedRows:
    """Rows with a label that both models scored; what a column is for is missing where it is ``None``."""

    n: int
    classes: tuple[str, ...] = ()
    """Sorted; labels and predictions are numbers of them."""
    label: Ints | None = None
    champion: Ints | None = None
    candidate: Ints | None = None
    positive: Bools | None = None
    scores: PairedColumn | None = None
    truth: Floats | None = None
    """The label as a number."""
    numbers: PairedColumn | None = None
    """Predictions as numbers."""
    query: Ints | None = None
    """Of a ranking the query that each row belongs to; ``truth`` is its relevance, ``scores`` rank it."""
    depth: int = 10
    """How deep a list is looked at."""
    worth: Floats | None = None
    """What each row is worth."""

    @property
    def units(self) -> int:
        """The independent units: rows, or the queries of a ranking."""
        return self.n if self.query is None else len(np.unique(self.query))

    def take(self, rows: Ints) -> PairedRows:
        names = ("label", "champion", "candidate", "positive", "scores", "truth", "numbers", "query", "worth")
        columns = ((name, getattr(self, name)) for name in names)
        return replace(self, n=len(rows), **{name: column.take(rows) for name, column in columns if column is not None})

    def codes(self) -> tuple[Ints, Ints, Ints]:
        """Label, champion's and candidate's prediction. Raises ``ValueError`` where there are no classes."""
        if self.label is None or self.champion is None or self.candidate is None:
            raise ValueError("these rows have no classes")
        return self.label, self.champion, self.candidate
