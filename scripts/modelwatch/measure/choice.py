"""Which windows are measured: a stretch of time, or what W&B does not have yet and what late labels may change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.measured import MeasureSpec
from ..model.rule import DAY
from .cells import times


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything, where nothing is given. Times in seconds (UTC)."""

    since: float = -math.inf
    """The window in which this lies is the first."""
    until: float = math.inf
    """The window in which this lies is left out, and all after it."""
    known: frozenset[float] = frozenset()
    """Days (their beginning) of which W&B has measurements: left out, unless younger than ``late``."""
    late: float = -math.inf
    partition: str = ""
    """The log is only this part of the rows; what other parts were is added to it."""

    def wants(self, windows: NDArray[np.float64], length: float) -> NDArray[np.bool_]:
        """Of windows by their beginnings; rows without a time are always taken, to be counted."""
        day = np.floor(windows / DAY) * DAY
        fresh = ~np.isin(day, list(self.known)) | (windows + length > self.late)
        return np.isnan(windows) | (fresh & (windows + length > self.since) & (windows + length <= self.until))

    def of(self, batches: Iterable[Any], spec: MeasureSpec) -> Iterator[Any]:
        """Record batches without the rows of other windows."""
        if self == Choice(partition=self.partition):
            yield from batches
            return
        import pyarrow as pa

        for batch in batches:
            if spec.time not in batch.schema.names:
                yield batch
                continue
            starts = np.floor(times(batch.column(spec.time)) / spec.window) * spec.window
            wanted = self.wants(starts, spec.window)
            if wanted.all():
                yield batch
            elif wanted.any():
                yield batch.filter(pa.array(wanted))
