"""Which windows of a log are measured, and the log without the rows of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..model.prediction_log import MeasureSpec
from ..stats.labels.delay import HISTORY
from ..stats.profile.table import Profile
from ..timeutil import DAY
from .readers import PredictionLog
from .time_columns import times_by_row


@dataclass(frozen=True, slots=True)
class WindowSelection:
    """The windows to measure: by default all. Times in seconds (UTC)."""

    since: float = -math.inf
    """The first window is the one that contains this."""
    until: float = math.inf
    """The window that contains this, and all later ones, are left out."""
    measured_days: frozenset[float] = frozenset()
    """Days (their beginning) that W&B has already: left out, except windows that end after ``remeasure_after``."""
    remeasure_after: float = -math.inf
    partition: str = ""
    """The log is only this part of the rows; the other parts, measured before, are added to it."""

    @property
    def is_everything(self) -> bool:
        """Whether no window is left out."""
        return self == WindowSelection(partition=self.partition)

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """By window, given its beginning, whether it is measured. Rows without time always are, to be counted."""
        days = np.floor(windows / DAY) * DAY
        ends = windows + length
        due = ~np.isin(days, list(self.measured_days)) | (ends > self.remeasure_after)
        return np.isnan(windows) | (due & (ends > self.since) & (ends <= self.until))

    def includes_day(self, day: float, length: float) -> bool:
        """Whether any window of a UTC day (its beginning) is measured."""
        return bool(self.includes(np.arange(day, day + DAY, length), length).any())

    def filter_profile(self, profile: Profile, length: float) -> Profile:
        """The windows that are measured."""
        keys = list(profile.cells)
        selected = self.includes(np.array([key.window for key in keys], dtype=np.float64), length)
        cells = {key: profile.cells[key] for key, is_selected in zip(keys, selected, strict=True) if is_selected}
        return Profile(cells, profile.undated)


@dataclass(frozen=True, slots=True)
class OlderWindows:
    """The windows that are not measured, and whose labels say how long labels take."""

    selection: WindowSelection
    now: float
    is_everything: ClassVar[bool] = False

    def includes(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """As of a selection."""
        is_recent = (windows > self.now - HISTORY) & (windows + length <= self.now)
        return np.asarray(is_recent & ~self.selection.includes(windows, length))


class FilteredLog:
    """A log without the rows of windows that are not selected; ``rows`` counts those of the whole log."""

    def __init__(self, log: PredictionLog, selection: WindowSelection | OlderWindows, spec: MeasureSpec) -> None:
        self._log, self._selection, self._spec = log, selection, spec
        self.where, self.names, self.rows = log.where, log.names, log.rows

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        if self._selection.is_everything:
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
            selected = self._selection.includes(starts, length)
            if selected.all():
                yield batch
            elif selected.any():
                yield batch.filter(pa.array(selected))
