"""Rows of two tables laid side by side by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .part import ComparisonProblem
from .source import TableColumns

RowNumbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRows:
    """``champion[i]`` and ``candidate[i]`` are the rows of one id, each id once, in an order that depends on the ids
    alone."""

    champion: RowNumbers
    candidate: RowNumbers
    problems: tuple[ComparisonProblem, ...]


def match_rows(champion: TableColumns, candidate: TableColumns) -> MatchedRows:
    """Ids that stand on one side only, twice on a side, or nowhere are left out and told: what is missing may be what
    is hard, and of two rows for one id nobody knows which one counts."""
    ours, theirs = _index_ids(champion), _index_ids(candidate)
    if len(ours.ids) == len(theirs.ids) and bool((ours.ids == theirs.ids).all()):
        kept, found = np.arange(len(ours.ids)), np.arange(len(ours.ids))
    else:
        place = np.searchsorted(theirs.ids, ours.ids)
        place = np.minimum(place, max(len(theirs.ids) - 1, 0))
        both = theirs.ids[place] == ours.ids if len(theirs.ids) else np.zeros(len(ours.ids), dtype=np.bool_)
        kept, found = np.flatnonzero(both), place[both]
    troubles = (
        *_id_problems("champion", ours),
        *_id_problems("candidate", theirs),
        *_missing_row_problems("candidate", len(ours.ids) - len(kept) - theirs.count_repeated_in(ours)),
        *_missing_row_problems("champion", len(theirs.ids) - len(kept) - ours.count_repeated_in(theirs)),
    )
    return MatchedRows(ours.rows[kept], theirs.rows[found], troubles)


@dataclass(frozen=True, slots=True, eq=False)
class _UniqueIds:
    ids: Hashes
    """Ascending; those that occur once."""
    rows: RowNumbers
    repeated_ids: Hashes
    """Ascending; each once."""
    repeated_rows: int
    """Rows with an id that occurs more than once."""
    rows_without_id: int
    """Rows without an id."""

    def count_repeated_in(self, other: _UniqueIds) -> int:
        """Ids that occur once there and more than once here: these are not missing."""
        return int(np.isin(self.repeated_ids, other.ids).sum()) if len(self.repeated_ids) else 0


def _index_ids(columns: TableColumns) -> _UniqueIds:
    rows = np.flatnonzero(columns.has_id)
    found = columns.ids[rows]
    without = len(columns.ids) - len(rows)
    order = np.argsort(found)
    ids = found[order]
    same = ids[1:] == ids[:-1]
    repeated = np.zeros(len(ids), dtype=np.bool_)
    repeated[1:] |= same
    repeated[:-1] |= same
    twice = np.unique(ids[repeated])
    return _UniqueIds(ids[~repeated], rows[order][~repeated], twice, int(repeated.sum()), without)


def _id_problems(who: str, side: _UniqueIds) -> Iterator[ComparisonProblem]:
    if side.rows_without_id:
        yield ComparisonProblem(
            "ids", f"{side.rows_without_id:,} rows of the {who}'s table have no id.", side.rows_without_id
        )
    if side.repeated_rows:
        words = (
            f"{len(side.repeated_ids):,} ids stand more than once in the {who}'s table, in {side.repeated_rows:,} rows."
        )
        yield ComparisonProblem("ids", words, side.repeated_rows)


def _missing_row_problems(who: str, count: int) -> Iterator[ComparisonProblem]:
    if count > 0:
        other = "champion" if who == "candidate" else "candidate"
        words = f"{count:,} rows of the {other}'s table are missing in the {who}'s; both must score the same rows."
        yield ComparisonProblem("rows", words, count)
