"""One version's prediction table as Arrow columns, and its texts as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError
from ..measure.cells import coded
from ..measure.reading import Log, demand

Codes = NDArray[np.int64]


class Wanted:
    """Columns that must be there, and those that may be."""

    def __init__(self, must: Sequence[str], may: Sequence[str]) -> None:
        self.must, self.may = tuple(filter(None, must)), tuple(filter(None, may))


class Source:
    """The table of one version: a log, and the names that the version goes by where the log holds several."""

    def __init__(self, log: Log, column: str = "", names: Sequence[str] = ()) -> None:
        self.log, self.column, self.names = log, column, tuple(names)

    def read(self, wanted: Wanted) -> dict[str, Any]:
        """The columns by name, each one Arrow array. Raises SourceError for one that must be there."""
        demand(self.log, wanted.must)
        there = set(self.log.names())
        names = [name for name in dict.fromkeys((*wanted.must, *wanted.may)) if name in there]
        import pyarrow as pa

        filtering = [self.column] if self.names and self.column else []
        batches = list(self.log.batches([*names, *(one for one in filtering if one not in names)]))
        try:
            table = pa.concat_tables(
                [pa.Table.from_batches([batch]) for batch in batches], promote_options="permissive"
            )
        except pa.ArrowException as error:
            if not batches:
                return {name: pa.array([], pa.string()) for name in names}
            raise SourceError(f"its files do not fit together: {error}", where=self.log.where) from error
        found = {name: _whole(table.column(name)) for name in (*names, *filtering)}
        return self._of_version(found) if filtering else found

    def _of_version(self, found: dict[str, Any]) -> dict[str, Any]:
        import pyarrow as pa

        codes, names = coded(found[self.column])
        rows = np.flatnonzero(np.isin(codes, [place for place, name in enumerate(names) if name in self.names]))
        return {name: column.take(pa.array(rows)) for name, column in found.items()}


def _whole(column: Any) -> Any:
    """One array of a chunked column, with one dictionary."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


class Texts:
    """Texts of several columns under one numbering."""

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

    def sorted(self) -> tuple[tuple[str, ...], Codes]:
        """All texts by name, and the place of each number among them; -1 stays."""
        places = sorted(range(len(self.names)), key=self.names.__getitem__)
        order = np.full(len(places) + 1, -1, dtype=np.int64)
        order[places] = np.arange(len(places))
        return tuple(self.names[place] for place in places), order
