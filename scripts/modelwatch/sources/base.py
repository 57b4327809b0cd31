"""The port of a source, a place that series are read from. A new source is one function, and one line in ``SOURCES``
(``pull.py``)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ..clients.wandb import WandbSessions
from ..model.monitored_model import Model
from .requirements import ReadRequest
from .series_builder import SeriesBuilder


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What every source can use, made once a run."""

    sessions: WandbSessions
    executor: Executor
    """Runs calls side by side."""


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
