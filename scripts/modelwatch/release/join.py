"""Rows of two tables laid side by side by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .part import Trouble
from .source import Columns

Rows = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """``champion[i]`` and ``candidate[i]`` are the rows of one id, each id once, in an order that depends on the ids
    alone."""

    champion: Rows
    candidate: Rows
    troubles: tuple[Trouble, ...]


def join(champion: Columns, candidate: Columns) -> Joined:
    """Ids that stand on one side only, twice on a side, or nowhere are left out and told: what is missing may be what
    is hard, and of two rows for one id nobody knows which one counts."""
    ours, theirs = _unique(champion), _unique(candidate)
    if len(ours.ids) == len(theirs.ids) and bool((ours.ids == theirs.ids).all()):
        kept, found = np.arange(len(ours.ids)), np.arange(len(ours.ids))
    else:
        place = np.searchsorted(theirs.ids, ours.ids)
        place = np.minimum(place, max(len(theirs.ids) - 1, 0))
        both = theirs.ids[place] == ours.ids if len(theirs.ids) else np.zeros(len(ours.ids), dtype=np.bool_)
        kept, found = np.flatnonzero(both), place[both]
    troubles = (
        *_told("champion", ours),
        *_told("candidate", theirs),
        *_missing("candidate", len(ours.ids) - len(kept) - theirs.among(ours)),
        *_missing("champion", len(theirs.ids) - len(kept) - ours.among(theirs)),
    )
    return Joined(ours.rows[kept], theirs.rows[found], troubles)


@dataclass(frozen=True, slots=True, eq=False)
class _Ids:
    ids: Hashes
    """Ascending; those that occur once."""
    rows: Rows
    twice: Hashes
    """Ascending; each once."""
    repeated: int
    """Rows with an id that occurs more than once."""
    without: int
    """Rows without an id."""

    def among(self, other: _Ids) -> int:
        """Ids that occur once there and more than once here: these are not missing."""
        return int(np.isin(self.twice, other.ids).sum()) if len(self.twice) else 0


def _unique(columns: Columns) -> _Ids:
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
    return _Ids(ids[~repeated], rows[order][~repeated], twice, int(repeated.sum()), without)


def _told(who: str, side: _Ids) -> Iterator[Trouble]:
    if side.without:
        yield Trouble("ids", f"{side.without:,} rows of the {who}'s table have no id.", side.without)
    if side.repeated:
        words = f"{len(side.twice):,} ids stand more than once in the {who}'s table, in {side.repeated:,} rows."
        yield Trouble("ids", words, side.repeated)


def _missing(who: str, count: int) -> Iterator[Trouble]:
    if count > 0:
        other = "champion" if who == "candidate" else "candidate"
        words = f"{count:,} rows of the {other}'s table are missing in the {who}'s; both must score the same rows."
        yield Trouble("rows", words, count)
