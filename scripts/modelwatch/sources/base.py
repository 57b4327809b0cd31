"""The port of a source: what every place that series are read from can do. A new source is one class, and one line
in ``SOURCES`` (``pull.py``)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol, Self

from ..clients.wandb import WandbSessions
from ..model.monitored_model import Model
from .requirements import ReadRequest
from .series_builder import SeriesBuilder


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What every source can use, made once a run."""

    sessions: WandbSessions
    executor: Executor | None = None
    """Runs calls side by side; ``None``: one after the other."""


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What a source read."""

    builder: SeriesBuilder
    """Holds every row that was read; builds series, histograms, deployments and its own notes."""
    notes: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """``(text, url)`` of where the newest points are shown, newest first."""


class Source(Protocol):
    """A place that the series of a model are read from, as the model's configuration names it."""

    @classmethod
    def of(cls, model: Model) -> Self | None:
        """The source that ``model`` names; ``None`` where it names another kind."""

    def read(self, request: ReadRequest, context: ReadContext) -> SourceResult:
        """Read everything that ``request`` names. Raises SourceError."""
