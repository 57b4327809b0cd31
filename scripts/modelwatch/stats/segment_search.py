"""The segment, among columns and their crossings, in which a drop is concentrated; corrected for having searched.

For every segment the change of the mean inside is held against the change of all other rows,

    D = (v1 - v0 inside) - (v1 - v0 outside)         z = D / se(D)

so that a drop that is the same everywhere points nowhere. What did not drop itself is no suspect, however much better
the others became: ``z`` is the smaller one of ``D / se`` and of the own change over its error. It weighs depth against
size: a planted crossing stands out against each of its two columns, which are diluted by healthy rows.

Of thousands of segments some look bad by chance; ``p`` is therefore that of the worst of all segments tested
(Bonferroni, on the normal distribution of ``z``, with a least count on either side that makes it one). The tests
measure its false alarms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Bools, Floats, Segment
from .decomposition import change_in_moved_bins, decompose
from .segmentation import MISSING, OTHER, EncodedColumn, Grouping, groupings

SIGNIFICANCE_LEVEL = 0.05
MIN_ROWS = 100
"""Rows that a segment needs on either side."""
MIN_EXPECTED = 5.0
"""Of a metric that is 0 or 1: hits, and misses, that it needs in a segment (both sides together)."""
MAX_SUSPECTS = 10


@dataclass(frozen=True, slots=True)
class Suspect:
    """A segment and its part in the change from ``before`` to ``after``."""

    segment: Segment
    n_before: float
    before: float
    n_after: float
    after: float
    rate: float
    """What its change of value contributes to the change of the whole."""
    mix: float
    """What its change of size contributes."""
    share: float
    """``rate + mix`` as a share of the whole change; NaN where the whole did not change."""
    p: float
    """Of so concentrated a change in any of the segments tested, by chance."""


@dataclass(frozen=True, slots=True)
class RankedColumn:
    """A column, and how much of the change lies in those of its values whose share of rows moved."""

    column: str
    share: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Suspects, worst first, and columns, those where most of the change lies first."""

    total: float
    """After minus before."""
    segments_tested: int
    suspects: tuple[Suspect, ...]
    columns: tuple[RankedColumn, ...]

    def significant_suspect(self) -> Suspect | None:
        """The worst segment, where it is worse than the rest beyond chance."""
        return self.suspects[0] if self.suspects and self.suspects[0].p < SIGNIFICANCE_LEVEL else None


@np.errstate(over="ignore", invalid="ignore")  # of sums beyond all floats no segment can be tested
def search_segments(
    columns: Sequence[EncodedColumn],
    values: ArrayLike,
    after: ArrayLike,
    *,
    worse_sign: int = -1,
    min_rows: int = MIN_ROWS,
) -> SearchResult:
    """Search both sides together: ``values`` is the metric of every row (1 for right, 0 for wrong; an error),
    ``after`` whether the row belongs to the second side. Rows whose value is not finite are left out.

    ``worse_sign`` is -1 where lower is worse, else 1. A crossing is only reported where it fits clearly better than
    both of its columns alone (by BIC's price for a further condition); rest groups (``OTHER``) never are.
    """
    v, side = np.asarray(values, dtype=np.float64), np.asarray(after, dtype=np.bool_)
    known = np.isfinite(v)
    if not known.all():
        v, side = v[known], side[known]
        columns = [EncodedColumn(column.name, column.codes[known], column.values) for column in columns]
    whole = _sum_segments(np.zeros(len(v), dtype=np.int32), 1, v, side)
    if not (whole.n > 0).all():
        return SearchResult(math.nan, 0, (), ())
    tables = [
        (grouping, _sum_segments(grouping.codes(), grouping.count, v, side, grouping.segment))
        for grouping in groupings(columns)
    ]
    total = float(whole.mean(1)[0] - whole.mean(0)[0])
    tallies = [sums for _, sums in tables]
    tested, suspects = rank_suspects(tallies, whole, worse_sign=worse_sign, min_rows=min_rows)
    ranked = [_rank_column(grouping, sums, total) for grouping, sums in tables if len(grouping.columns) == 1]
    order = sorted(ranked, key=lambda column: (-column.share if math.isfinite(column.share) else 0.0, column.column))
    return SearchResult(total, tested, suspects, tuple(order))


def rank_suspects(
    tables: Sequence[SegmentSums], whole: SegmentSums, *, worse_sign: int, min_rows: int = MIN_ROWS
) -> tuple[int, tuple[Suspect, ...]]:
    """How many segments were tested, and the suspects among them, worst first; ``whole`` is one segment of all rows."""
    scored = [(tallies, _z_scores(tallies, whole, worse_sign, min_rows)) for tallies in tables]
    tested = sum(int(np.isfinite(z).sum()) for _, z in scored)
    chosen = _choose(scored, tested)
    return tested, tuple(_suspect(tallies, place, z, whole, tested) for tallies, place, z in chosen)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentSums:
    """Counts, sums and sums of squares of segments on both sides: ``[2, segments]``."""

    n: Floats
    sums: Floats
    squares: Floats
    is_binary: bool
    """Whether the metric of a row is 0 or 1."""
    segment_at: Callable[[int], Segment]
    """The segment at a place."""

    def mean(self, side: int) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.n[side] > 0, self.sums[side] / self.n[side], np.nan)


def _sum_segments(
    codes: NDArray[np.int32],
    count: int,
    values: Floats,
    side: Bools,
    segment: Callable[[int], Segment] = lambda _: (),
) -> SegmentSums:
    # Both sides in one pass: a segment's number on the second side lies ``count`` higher.
    cells = codes + side * np.int32(count)
    n = np.bincount(cells, minlength=2 * count).astype(np.float64).reshape(2, count)
    is_binary = bool(((values == 0) | (values == 1)).all())
    columns = [values] if is_binary else [values, values * values]
    sums = [np.bincount(cells, column, 2 * count).astype(np.float64).reshape(2, count) for column in columns]
    return SegmentSums(n, sums[0], sums[-1], is_binary, segment)


def _z_scores(sums: SegmentSums, whole: SegmentSums, worse: int, least: int) -> Floats:
    """How much worse every segment changed than all other rows, in standard errors; NaN where it is not tested."""
    inside = sums.n, sums.sums, sums.squares
    outside = whole.n - sums.n, whole.sums - sums.sums, whole.squares - sums.squares
    with np.errstate(divide="ignore", invalid="ignore"):
        own, variance = _change(*inside)
        others, further = _change(*outside)
        z = np.minimum(worse * own / np.sqrt(variance), worse * (own - others) / np.sqrt(variance + further))
        enough = (inside[0] >= least).all(axis=0) & (outside[0] >= least).all(axis=0) & (variance > 0)
        if sums.is_binary:
            hits, n = sums.sums.sum(axis=0), sums.n.sum(axis=0)
            enough &= (hits >= MIN_EXPECTED) & (n - hits >= MIN_EXPECTED)
    return np.where(enough & np.isfinite(z), z, np.nan)


def _change(n: Floats, total: Floats, square: Floats) -> tuple[Floats, Floats]:
    """The change of the mean between the sides, and its variance: pooled, so that a side without a miss does not look
    exact."""
    mean = total / n
    pooled = (square.sum(axis=0) - (total * mean).sum(axis=0)) / (n.sum(axis=0) - 2)
    return mean[1] - mean[0], pooled * (1 / n).sum(axis=0)


_ScoredTable = tuple[SegmentSums, Floats]
_Candidate = tuple[SegmentSums, int, float]


def _choose(scored: Sequence[_ScoredTable], tested: int) -> list[_Candidate]:
    """The worst segments; crossings only where they are clearly worse than the columns that they cross."""
    price = 2 * math.log(max(tested, 2))
    alone: dict[Segment, float] = {}
    candidates: list[_Candidate] = []
    for tallies, z in scored:
        known = np.flatnonzero(z > 0)
        # More than are asked for, since some fall away below.
        worst = known[np.argsort(-z[known], kind="stable")][: 10 * MAX_SUSPECTS]
        candidates += [(tallies, int(place), float(z[place])) for place in worst]
        if len(known) and len(tallies.segment_at(int(known[0]))) == 1:
            alone |= {tallies.segment_at(int(place)): float(z[place]) for place in known}
    reportable = [candidate for candidate in candidates if _is_reportable(candidate, alone, price)]
    return sorted(reportable, key=lambda candidate: (-candidate[2], candidate[0].segment_at(candidate[1])))[
        :MAX_SUSPECTS
    ]


def _is_reportable(candidate: _Candidate, alone: dict[Segment, float], price: float) -> bool:
    tallies, place, z = candidate
    segment = tallies.segment_at(place)
    if any(value == OTHER for _, value in segment):
        return False
    return len(segment) == 1 or all(z * z > alone.get((pair,), 0.0) ** 2 + price for pair in segment)


def _suspect(sums: SegmentSums, place: int, z: float, whole: SegmentSums, tested: int) -> Suspect:
    n0, n1 = float(sums.n[0][place]), float(sums.n[1][place])
    v0, v1 = float(sums.mean(0)[place]), float(sums.mean(1)[place])
    rest = [(float(whole.n[k][0] - sums.n[k][place]), float(whole.sums[k][0] - sums.sums[k][place])) for k in (0, 1)]
    (m0, s0), (m1, s1) = rest
    split = decompose([n0, m0], [v0, s0 / m0], [n1, m1], [v1, s1 / m1])
    rate, mix = float(split.rate[0]), float(split.mix[0])
    share = (rate + mix) / split.total if split.total else math.nan
    p = min(1.0, tested * math.erfc(z / math.sqrt(2)) / 2)
    return Suspect(sums.segment_at(place), n0, v0, n1, v1, rate, mix, share, p)


def _rank_column(grouping: Grouping, sums: SegmentSums, total: float) -> RankedColumn:
    contribution = change_in_moved_bins(sums.n[0], sums.mean(0), sums.n[1], sums.mean(1))
    return RankedColumn(grouping.columns[0].name, contribution / total + 0.0 if total else math.nan)


def format_pairs(segment: Segment) -> Iterator[str]:
    """``region=eu`` for every pair; a missing value is reported as such."""
    return (f"{name} is missing" if value == MISSING else f"{name}={value}" for name, value in segment)
