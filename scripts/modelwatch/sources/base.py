"""The port of a source, a place that series are read from. A new source is one function, and one line in ``SOURCES``
(``pull.py``)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ..clients.wandb import WandbSessions
from ..errors import SourceError
from ..model.monitored_model import Model
from .requirements import ReadRequest
from .series_builder import SeriesBuilder


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What every source can use."""

    sessions: WandbSessions
    executor: Executor
    """Runs calls side by side."""
    until: float = math.inf
    """When reading this model has to end (of ``time.monotonic``), so that no other model waits for it."""

    def check_time(self) -> None:
        """Between two calls. Raises SourceError where the time is over."""
        if time.monotonic() > self.until:
            hint = "Nothing of it was judged; the next evaluation tries again. Read fewer keys, or a shorter history."
            raise SourceError("the source is too slow: the model could not be read in time.", hint=hint)


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source read."""

    builder: SeriesBuilder
    """Holds every row that was read; builds series, histograms, deployments and its own notes."""
    notes: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """``(text, url)`` of where the newest points are shown, newest first."""


Source = Callable[[Model, ReadRequest, ReadContext], SourceResult | None]
"""Reads everything that the request names from the place that the model's configuration names; ``None`` where it names
another kind of source. Raises SourceError."""
