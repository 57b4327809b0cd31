"""The data of a chart as compact columns, which a page's script and the picture renderer expand to rows.

Names, times and numbers stand here and nowhere else: a chart's specification only names the columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

DIGITS = 6
"""Significant digits of a value."""
Cell = float | str | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that share some cells: one line of a chart, one group of bars."""

    constants: Mapping[str, Cell]
    columns: Mapping[str, str]
    """Field -> name of its column."""


@dataclass(slots=True)
class ChartData:
    """Columns by name, each kept once, and the datasets that they make up."""

    columns: dict[str, Any] = field(default_factory=dict)
    datasets: dict[str, list[Block]] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def add_times(self, times: Sequence[float]) -> str:
        """A column of times (seconds since the epoch), which rows have in milliseconds."""
        seconds = [round(time) for time in times]
        steps = [[step, len(list(run))] for step, run in groupby(later - first for first, later in pairwise(seconds))]
        return self._add({"start": seconds[0] if seconds else 0, "steps": steps} if seconds else [])

    def add_moments(self, times: Sequence[float]) -> str:
        """A column of times that neither ascend nor are evenly apart."""
        return self._add({"moments": [round(time) for time in times]})

    def add(self, values: Sequence[Cell] | Sequence[float | None] | Sequence[float] | Sequence[str]) -> str:
        """A column of numbers or texts; equal neighbours are written once where that is shorter."""
        runs = [(round_cell(value), sum(1 for _ in run)) for value, run in groupby(values)]
        if 2 * len(runs) < len(values):
            return self._add({"runs": [list(run) for run in runs]})
        return self._add([value for value, count in runs for _ in range(count)])

    def add_block(self, dataset: str, columns: Mapping[str, str], constants: Mapping[str, Cell] | None = None) -> None:
        self.datasets.setdefault(dataset, []).append(Block(constants or {}, columns))

    def as_json(self) -> dict[str, Any]:
        datasets = {
            name: [{"constants": dict(block.constants), "columns": dict(block.columns)} for block in blocks]
            for name, blocks in self.datasets.items()
        }
        return {"columns": self.columns, "datasets": datasets}

    def rows(self) -> dict[str, list[Row]]:
        """The rows of each dataset, as ``dashboard.js`` expands them."""
        expanded = {name: _expand(column) for name, column in self.columns.items()}
        return {name: list(_block_rows(blocks, expanded)) for name, blocks in self.datasets.items()}

    def _add(self, column: Any) -> str:
        """The name of the column, or of an equal one."""
        text = repr(column)
        if text not in self._names:
            name = self._names[text] = f"c{len(self._names)}"
            self.columns[name] = column
        return self._names[text]


def round_cell(value: Cell) -> Cell:
    """A number that JSON has, to ``DIGITS`` digits; a text unchanged."""
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _expand(column: Any) -> list[Cell]:
    if isinstance(column, list):
        return column
    if "runs" in column:
        return [value for value, count in column["runs"] for _ in range(count)]
    if "moments" in column:
        return [time * 1000 for time in column["moments"]]
    times = [column["start"] * 1000]
    for step, count in column["steps"]:
        last = times[-1]
        times += [last + step * 1000 * number for number in range(1, count + 1)]
    return times


def _block_rows(blocks: Iterable[Block], expanded: Mapping[str, list[Cell]]) -> Iterable[Row]:
    for block in blocks:
        names = list(block.columns)
        for cells in zip(*(expanded[block.columns[name]] for name in names)):
            yield {**block.constants, **dict(zip(names, cells))}
