"""One version's prediction table as arrays: ids as hashes, texts as codes, numbers unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..profiling.arrow_columns import (
    CLASS_MISSING_WORDS,
    MISSING_WORDS,
    column_or_nulls,
    factorize,
    floats_by_row,
    hash_by_row,
)
from ..profiling.readers import PredictionLog, require_columns
from ..stats.arrays import Bools, Floats, Hashes, Ints


class TextEncoder:
    """Numbers the texts of any number of columns in one sequence."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def codes(self, array: Any, missing_words: frozenset[str] = MISSING_WORDS) -> Ints:
        """One number a row, -1 for an empty cell, or a word that stands for one."""
        codes, names = factorize(array, missing_words=missing_words)
        numbers = np.array([*map(self.number_of, names), -1], dtype=np.int64)
        return numbers[codes]

    def number_of(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """The columns to read: those that must exist, and those read as codes or as numbers if they exist."""

    id: str
    required: tuple[str, ...]
    codes: tuple[str, ...]
    numbers: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Of those read as codes the ones that hold classes."""


@dataclass(frozen=True, slots=True, eq=False)
class TableColumns:
    """The rows of one version. A column that the table lacks is in neither mapping."""

    ids: Hashes
    has_id: Bools
    codes: Mapping[str, Ints]
    numbers: Mapping[str, Floats]


def read_table(log: PredictionLog, request: ColumnRequest, encoder: TextEncoder) -> TableColumns:
    """Read the table once, batch by batch. Raises SourceError if a required column is missing."""
    require_columns(log, [request.id, *request.required])
    existing = set(log.names())
    code_names = [name for name in request.codes if name in existing]
    number_names = [name for name in request.numbers if name in existing]
    ids: list[tuple[Hashes, Bools]] = [(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.bool_))]
    codes = {name: [np.zeros(0, dtype=np.int64)] for name in code_names}
    numbers = {name: [np.zeros(0)] for name in number_names}
    for batch in log.batches(list(dict.fromkeys((request.id, *code_names, *number_names)))):
        ids.append(hash_by_row(column_or_nulls(batch, request.id)))
        for name in code_names:
            words = CLASS_MISSING_WORDS if name in request.classes else MISSING_WORDS
            codes[name].append(encoder.codes(column_or_nulls(batch, name), words))
        for name in number_names:
            numbers[name].append(floats_by_row(column_or_nulls(batch, name)))
    hashes, has_id = (np.concatenate(parts) for parts in zip(*ids, strict=True))
    return TableColumns(
        hashes,
        has_id,
        {name: np.concatenate(parts) for name, parts in codes.items()},
        {name: np.concatenate(parts) for name, parts in numbers.items()},
    )
