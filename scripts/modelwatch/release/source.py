"""One version's prediction table: ids as hashes, texts as numbers, numbers as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measure.cells import aligned, coded, is_text, plain
from ..measure.hashing import hashes
from ..measure.reading import Log, demand

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]


class Texts:
    """Texts of any number of columns under one numbering."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def codes(self, array: Any) -> Codes:
        """One number a row, -1 where the cell is empty."""
        codes, names = coded(array)
        to = np.array([*(self._number(name) for name in names), -1], dtype=np.int64)
        return to[codes]

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Columns that must be there, and those that may be; by what they are read as."""

    id: str
    must: tuple[str, ...]
    codes: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The rows of one version. A column that the table lacks is in neither mapping."""

    ids: Hashes
    has_id: Bools
    codes: Mapping[str, Codes]
    numbers: Mapping[str, Floats]


class Source:
    """The table of one version."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def read(self, wanted: Wanted, texts: Texts) -> Columns:
        """Read once, batch by batch. Raises SourceError for a column that must be there."""
        demand(self.log, [wanted.id, *wanted.must])
        there = set(self.log.names())
        codes, numbers = ([name for name in names if name in there] for names in (wanted.codes, wanted.numbers))
        every = dict.fromkeys((wanted.id, *codes, *numbers))
        found: dict[tuple[str, str], list[Any]] = {("id", "hash"): [], ("id", "there"): []}
        found |= {("codes", name): [] for name in codes} | {("numbers", name): [] for name in numbers}
        for batch in self.log.batches(list(every)):
            names = set(batch.schema.names)
            ids = _ids(batch.column(wanted.id), found) if wanted.id in names else _no_ids(batch.num_rows, found)
            for name in codes:
                found["codes", name].append(texts.codes(batch.column(name)) if name in names else np.full(ids, -1))
            for name in numbers:
                found["numbers", name].append(aligned(batch.column(name)) if name in names else np.full(ids, np.nan))
        return Columns(
            _joined(found["id", "hash"], np.uint64),
            _joined(found["id", "there"], np.bool_),
            {name: _joined(found["codes", name], np.int64) for name in codes},
            {name: _joined(found["numbers", name], np.float64) for name in numbers},
        )


def _ids(array: Any, found: Mapping[tuple[str, str], list[Any]]) -> int:
    """Ids are compared as texts, so that 7 in one table is ``"7"`` in the other. Gives the number of rows."""
    import pyarrow as pa

    array = plain(array)
    if not is_text(array.type):
        array = array.cast(pa.string())
    there = array.is_valid().to_numpy(zero_copy_only=False)
    hashed = np.zeros(len(array), dtype=np.uint64)
    hashed[there] = hashes(array)[0]
    found["id", "hash"].append(hashed)
    found["id", "there"].append(there)
    return len(array)


def _no_ids(rows: int, found: Mapping[tuple[str, str], list[Any]]) -> int:
    found["id", "hash"].append(np.zeros(rows, dtype=np.uint64))
    found["id", "there"].append(np.zeros(rows, dtype=np.bool_))
    return rows


def _joined(parts: Sequence[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
