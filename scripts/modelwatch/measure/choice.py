"""Which windows are measured: a stretch of time, or what W&B does not have yet and what late labels may change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.measured import MeasureSpec
from ..model.rule import DAY
from .cells import times_by_row
from .reading import PredictionLog


@dataclass(frozen=True, slots=True)
class WindowSelection:
    """Everything, where nothing is given. Times in seconds (UTC)."""

    since: float = -math.inf
    """The window in which this lies is the first."""
    until: float = math.inf
    """The window in which this lies is left out, and all after it."""
    measured_days: frozenset[float] = frozenset()
    """Days (their beginning) of which W&B has measurements: left out, unless younger than ``late``."""
    remeasure_after: float = -math.inf
    partition: str = ""
    """The log is only this part of the rows; what other parts were is added to it."""

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """Of windows by their beginnings; rows without a time are always taken, to be counted."""
        day = np.floor(windows / DAY) * DAY
        fresh = ~np.isin(day, list(self.measured_days)) | (windows + length > self.remeasure_after)
        return np.isnan(windows) | (fresh & (windows + length > self.since) & (windows + length <= self.until))


class FilteredLog:
    """A log without the rows of windows that are not measured."""

    def __init__(self, log: PredictionLog, selection: WindowSelection, spec: MeasureSpec) -> None:
        self._log, self._selection, self._spec = log, selection, spec
        self.where = log.where

    def names(self) -> tuple[str, ...]:
        return self._log.names()

    def rows(self) -> int | None:
        """Of the whole log: no fewer than these."""
        return self._log.rows()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._selection == WindowSelection(partition=self._selection.partition):
            return self._log.batches(columns)
        return self._filter(self._log.batches(list(dict.fromkeys([*columns, self._spec.time]))))

    def _filter(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        length = self._spec.window
        for batch in batches:
            if self._spec.time not in batch.schema.names:
                yield batch
                continue
            starts = np.floor(times_by_row(batch.column(self._spec.time)) / length) * length
            wanted = self._selection.includes(starts, length)
            if wanted.all():
                yield batch
            elif wanted.any():
                yield batch.filter(pa.array(wanted))
