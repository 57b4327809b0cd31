"""Columns as small numbers, and the segments that they and their crossings form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats, Ints, Segment
from .profile.categorical import shorten_category

Codes = NDArray[np.int16]

MAX_VALUES = 50
"""Distinct values of a column; the rarer ones are one segment, ``OTHER``."""
OTHER = "(other)"
MISSING = "(missing)"
NUMBER_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class EncodedColumn:
    """One value number a row, and what the numbers stand for."""

    name: str
    codes: Codes
    values: tuple[str, ...]


def encode_column(name: str, raw: Any, max_values: int = MAX_VALUES) -> EncodedColumn:
    """A column of any type as numbers: its ``max_values`` commonest values, the rest as one, missing ones as another.

    Floats with more than ``max_values`` different values are cut at their deciles, right-closed: ``(30, 40]``.
    """
    array = np.asarray(raw)
    if array.dtype.kind == "f" or (array.dtype.kind in "iu" and len(array)):
        cut = _bin_numbers(array.astype(np.float64), max_values)
        if cut is not None:
            return EncodedColumn(name, *cut)
    codes, values = _factorize(array)
    return EncodedColumn(
        name, *_keep_most_frequent(codes, [shorten_category(str(value)) for value in values], max_values)
    )


def _factorize(array: NDArray[Any]) -> tuple[Ints, list[Any]]:
    """One code a row into a list of different cells, in the order in which they occur; -1 for ``None`` and NaN."""
    number_of: dict[Any, int] = {}
    cells = array.tolist()
    codes = [number_of.setdefault(cell, len(number_of)) if cell is not None and cell == cell else -1 for cell in cells]
    return np.array(codes, dtype=np.int64), list(number_of)


def _bin_numbers(array: Floats, largest: int) -> tuple[Codes, tuple[str, ...]] | None:
    """Bins of a number that takes too many values; ``None`` where it takes few."""
    known = array[np.isfinite(array)]
    if len(np.unique(known[: 10 * largest])) <= largest and len(np.unique(known)) <= largest:
        return None
    edges = np.unique(np.quantile(known, np.linspace(0, 1, NUMBER_BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, array, side="left").astype(np.int16)
    names = [f"<= {edges[0]:.4g}", *(f"({low:.4g}, {high:.4g}]" for low, high in pairwise(edges))]
    names += [f"> {edges[-1]:.4g}", MISSING]
    codes[np.isnan(array)] = len(names) - 1
    return codes, tuple(names)


def _keep_most_frequent(codes: Ints, values: list[str], largest: int) -> tuple[Codes, tuple[str, ...]]:
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    frequent = np.sort(np.argsort(-counts, kind="stable")[:largest])
    names = [values[place] for place in frequent]
    to = np.full(len(values) + 1, len(names), dtype=np.int16)
    to[frequent] = np.arange(len(frequent))
    if len(frequent) < len(values):
        names.append(OTHER)
    # Number -1, missing, is the last place of the table.
    to[-1] = len(names)
    return to[codes], (*names, MISSING)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """The segments of one column, or of the crossing of two, and the pairs behind the number of each."""

    columns: tuple[EncodedColumn, ...]

    @property
    def count(self) -> int:
        return math.prod(len(column.values) for column in self.columns)

    def codes(self) -> NDArray[np.int32]:
        """The segment of every row; made anew, since all crossings at once would not fit into memory."""
        first, *others = self.columns
        codes = first.codes.astype(np.int32)
        for other in others:
            codes = codes * np.int32(len(other.values)) + other.codes
        return codes

    def segment(self, code: int) -> Segment:
        """``(("region", "eu"),)``, or two pairs for a crossing; sorted by column."""
        pairs = []
        for column in reversed(self.columns):
            code, place = divmod(code, len(column.values))
            pairs.append((column.name, column.values[place]))
        return tuple(sorted(pairs))


def groupings(columns: Sequence[EncodedColumn]) -> Iterator[Grouping]:
    """Every column, and every crossing of two."""
    yield from (Grouping((column,)) for column in columns)
    yield from map(Grouping, combinations(columns, 2))


def encode_columns(table: Mapping[str, Any]) -> list[EncodedColumn]:
    return [encode_column(name, raw) for name, raw in table.items()]
