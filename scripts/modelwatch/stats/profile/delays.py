"""The profile of label delays: how long after its prediction each label was known, and how old the rows without a
label are, in bins that are the same for every log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools, Floats, Ints

FIRST_EDGE = 900.0
"""Seconds; labels that are known earlier share one bin."""
BINS_PER_OCTAVE = 8
"""So that a bin is 9 % wide: a delay is known to within that."""
EDGE_COUNT = 141
"""The last edge is at five years."""
DELAY_EDGES: Floats = FIRST_EDGE * 2.0 ** (np.arange(EDGE_COUNT) / BINS_PER_OCTAVE)
"""Ends of right-closed bins, seconds; behind the last one is another bin."""
BINS = EDGE_COUNT + 1

BinCounts = NDArray[np.int64]


def delay_bins(seconds: Floats) -> Ints:
    """The bin of each delay; what is not positive is in the first one."""
    return np.searchsorted(DELAY_EDGES, seconds, side="left")


@dataclass(frozen=True, slots=True, eq=False)
class DelayProfile:
    """Counts of rows by bin of ``DELAY_EDGES``. Never written to after it is made."""

    known: Mapping[str, BinCounts] = field(default_factory=dict)
    """By class the labels that are known, by their delay; of numbers ``low`` and ``high``."""
    waiting: BinCounts = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))
    """Rows without a label, by their age."""
    untimed: int = 0
    """Rows whose label has no time; they count in neither."""
    early: int = 0
    """Rows whose label is older than they are, by more than ``FIRST_EDGE``: of another prediction, or in another time
    zone. They count in neither, too."""

    @classmethod
    def of(
        cls, delays: Floats, ages: Floats, classes: Ints, names: tuple[str, ...], is_labelled: Bools
    ) -> DelayProfile:
        """The profile of rows. ``delays``: seconds, NaN without a label or its time; ``ages``: seconds;
        ``classes``: by row a place in ``names``, negative for another class, which is named ``""``."""
        is_early = is_labelled & (delays < -FIRST_EDGE)
        is_timed = is_labelled & ~np.isnan(delays) & ~is_early
        places = np.where(classes < 0, len(names), classes)[is_timed]
        codes = places * BINS + delay_bins(delays[is_timed])
        table = np.bincount(codes, minlength=(len(names) + 1) * BINS).reshape(len(names) + 1, BINS)
        known = {name: counts for name, counts in zip((*names, ""), table, strict=True) if counts.any()}
        waiting = np.bincount(delay_bins(ages[~is_labelled]), minlength=BINS)
        early = int(np.count_nonzero(is_early))
        return cls(known, waiting, int(np.count_nonzero(is_labelled & ~is_timed)) - early, early)

    @property
    def labels(self) -> BinCounts:
        """The labels that are known, of all classes."""
        return sum(self.known.values(), np.zeros(BINS, dtype=np.int64))

    @property
    def rows(self) -> int:
        """Rows that count: those with a label whose time is known, and those without a label."""
        return int(self.waiting.sum()) + sum(int(counts.sum()) for counts in self.known.values())

    def merge(self, other: DelayProfile) -> DelayProfile:
        """Both together."""
        known = dict(self.known)
        for name, counts in other.known.items():
            known[name] = known[name] + counts if name in known else counts
        untimed, early = self.untimed + other.untimed, self.early + other.early
        return DelayProfile(known, self.waiting + other.waiting, untimed, early)
