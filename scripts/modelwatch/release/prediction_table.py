"""One version's prediction table: ids as hashes, texts as numbers, numbers as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..profiling.arrow_columns import decode_dictionary, factorize, floats_by_row, hash_ids, is_text_type
from ..profiling.readers import PredictionLog, require_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]


class TextEncoder:
    """Texts of any number of columns under one numbering."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def codes(self, array: Any) -> Codes:
        """One number a row, -1 where the cell is empty."""
        codes, names = factorize(array)
        to = np.array([*(self._number(name) for name in names), -1], dtype=np.int64)
        return to[codes]

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """Columns that must be there, and those that may be; by what they are read as."""

    id: str
    required: tuple[str, ...]
    codes: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TableColumns:
    """The rows of one version. A column that the table lacks is in neither mapping."""

    ids: Hashes
    has_id: Bools
    codes: Mapping[str, Codes]
    numbers: Mapping[str, Floats]


class PredictionTable:
    """The table of one version."""

    def __init__(self, log: PredictionLog) -> None:
        self.log = log

    def read(self, request: ColumnRequest, encoder: TextEncoder) -> TableColumns:
        """Read once, batch by batch. Raises SourceError for a column that must be there."""
        require_columns(self.log, [request.id, *request.required])
        there = set(self.log.names())
        codes, numbers = ([name for name in names if name in there] for names in (request.codes, request.numbers))
        every = dict.fromkeys((request.id, *codes, *numbers))
        found: dict[tuple[str, str], list[Any]] = {("id", "hash"): [], ("id", "there"): []}
        found |= {("codes", name): [] for name in codes} | {("numbers", name): [] for name in numbers}
        for batch in self.log.batches(list(every)):
            names = set(batch.schema.names)
            ids = (
                _collect_ids(batch.column(request.id), found)
                if request.id in names
                else _collect_missing_ids(batch.num_rows, found)
            )
            for name in codes:
                found["codes", name].append(encoder.codes(batch.column(name)) if name in names else np.full(ids, -1))
            for name in numbers:
                found["numbers", name].append(
                    floats_by_row(batch.column(name)) if name in names else np.full(ids, np.nan)
                )
        return TableColumns(
            _concatenate(found["id", "hash"], np.uint64),
            _concatenate(found["id", "there"], np.bool_),
            {name: _concatenate(found["codes", name], np.int64) for name in codes},
            {name: _concatenate(found["numbers", name], np.float64) for name in numbers},
        )


def _collect_ids(array: Any, found: Mapping[tuple[str, str], list[Any]]) -> int:
    """Ids are compared as texts, so that 7 in one table is ``"7"`` in the other. Gives the number of rows."""
    import pyarrow as pa

    array = decode_dictionary(array)
    if not is_text_type(array.type):
        array = array.cast(pa.string())
    there = array.is_valid().to_numpy(zero_copy_only=False)
    hashed = np.zeros(len(array), dtype=np.uint64)
    hashed[there] = hash_ids(array)[0]
    found["id", "hash"].append(hashed)
    found["id", "there"].append(there)
    return len(array)


def _collect_missing_ids(rows: int, found: Mapping[tuple[str, str], list[Any]]) -> int:
    found["id", "hash"].append(np.zeros(rows, dtype=np.uint64))
    found["id", "there"].append(np.zeros(rows, dtype=np.bool_))
    return rows


def _concatenate(parts: Sequence[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
