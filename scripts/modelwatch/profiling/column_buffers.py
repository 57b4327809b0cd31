"""Columns that are read batch by batch and held in memory: texts as codes, numbers, and ids as hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..stats.arrays import Bools, Floats, Hashes, Ints
from .arrow_columns import column_or_nulls, factorize, hash_by_row, read_numbers
from .label_join import count_words


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column of texts: by row a place in ``names``, -1 without a text."""

    places: Ints
    names: tuple[str, ...]

    def take(self, rows: Ints) -> Codes:
        """Of these rows; a negative one has no text."""
        return Codes(np.append(self.places, -1)[rows], self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """A column of ids: a hash by row, and whether there is an id."""

    hashes: Hashes
    is_known: Bools

    def take(self, rows: Ints) -> Keys:
        """Of these rows; a negative one has no id."""
        return Keys(np.append(self.hashes, np.uint64(0))[rows], np.append(self.is_known, False)[rows])


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """What is read of tables, beside ids and times."""

    texts: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        return self.texts | self.keys | self.numbers

    def only(self, names: frozenset[str]) -> ColumnNames:
        return ColumnNames(self.texts & names, self.keys & names, self.numbers & names)

    def without(self, names: frozenset[str]) -> ColumnNames:
        return ColumnNames(self.texts - names, self.keys - names, self.numbers - names)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The columns of a table, by name."""

    texts: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    numbers: Mapping[str, Floats]

    def take(self, rows: Ints) -> Columns:
        """Of these rows; a negative one has nothing."""
        return Columns(
            {name: codes.take(rows) for name, codes in self.texts.items()},
            {name: keys.take(rows) for name, keys in self.keys.items()},
            {name: np.append(numbers, np.nan)[rows] for name, numbers in self.numbers.items()},
        )


@dataclass(slots=True)
class _Texts:
    places: list[Ints] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def add(self, codes: Ints, texts: Sequence[str]) -> None:
        own = np.array([*(self.names.setdefault(text, len(self.names)) for text in texts), -1], dtype=np.int64)
        self.places.append(own[codes])


@dataclass(slots=True)
class _Numbers:
    parts: list[Floats] = field(default_factory=list)
    infinite: int = 0
    others: int = 0


class ColumnBuffers:
    """The columns of one table while it is read."""

    def __init__(self, names: ColumnNames) -> None:
        self.names = names
        self._texts = {name: _Texts() for name in sorted(names.texts)}
        self._numbers = {name: _Numbers() for name in sorted(names.numbers)}
        self._keys: dict[str, list[Keys]] = {name: [] for name in sorted(names.keys)}

    def add(self, batch: Any, keep: Bools) -> None:
        """The rows of a record batch that are kept."""
        for name, texts in self._texts.items():
            codes, words = factorize(column_or_nulls(batch, name))
            texts.add(codes[keep], words)
        for name, numbers in self._numbers.items():
            values, is_other = read_numbers(column_or_nulls(batch, name))
            values, is_infinite = values[keep], np.isinf(values[keep])
            numbers.infinite += int(np.count_nonzero(is_infinite))
            numbers.others += int(np.count_nonzero(is_other[keep]))
            numbers.parts.append(np.where(is_infinite, np.nan, values))
        for name, keys in self._keys.items():
            hashes, valid = hash_by_row(column_or_nulls(batch, name))
            keys.append(Keys(hashes[keep], valid[keep]))

    def columns(self) -> Columns:
        return Columns(
            {
                name: Codes(concatenate(texts.places, np.int64), tuple(texts.names))
                for name, texts in self._texts.items()
            },
            {name: concatenate_keys(keys) for name, keys in self._keys.items()},
            {name: concatenate(numbers.parts, np.float64) for name, numbers in self._numbers.items()},
        )

    def notes(self, table: str) -> Iterator[str]:
        """What is no number. ``table``: its name for people."""
        for name, numbers in self._numbers.items():
            if numbers.infinite:
                yield f"{count_words(numbers.infinite, 'cell')} infinite in {name!r} of {table}: taken as missing."
            if numbers.others:
                yield f"{count_words(numbers.others, 'cell')} no number in {name!r} of {table}: taken as missing."


def concatenate(parts: list[Any], kind: Any) -> Any:
    """Arrays in one; an empty one of this type without any."""
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)


def concatenate_keys(parts: list[Keys]) -> Keys:
    return Keys(
        concatenate([part.hashes for part in parts], np.uint64),
        concatenate([part.is_known for part in parts], np.bool_),
    )
