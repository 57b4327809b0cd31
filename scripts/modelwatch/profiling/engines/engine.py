"""The engines by name, and how one opens what a model measures."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Protocol

from ...errors import SourceError, UserError
from ...model.prediction_log import MeasureSpec
from ..query_log import QueryLog
from ..readers import PredictionLog, open_log
from .dask import DaskEngine
from .ray import RayEngine
from .spark import SparkEngine

ENGINES = ("local", "spark", "dask", "ray")


class Engine(Protocol):
    """Where a log is read and counted."""

    name: str

    def open_files(
        self,
        location: str,
        spec: MeasureSpec,
        skipped: MutableMapping[str, SourceError] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> PredictionLog:
        """The log of ``measure: {files}``; ``skipped`` and ``kinds`` as in ``FilesLog``. Raises SourceError."""

    def open_query(self, spec: MeasureSpec) -> PredictionLog:
        """The log of ``measure: {query}``. Raises SourceError, or UserError where the engine has no SQL."""

    def open_outcomes(self, location: str, spec: MeasureSpec) -> PredictionLog:
        """The table of the outcomes, to be read in this process. Raises SourceError."""


class LocalEngine:
    """This process, with two threads."""

    name = "local"

    def open_files(
        self,
        location: str,
        spec: MeasureSpec,
        skipped: MutableMapping[str, SourceError] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> PredictionLog:
        return open_log(location, spec.extensions, skipped, kinds)

    def open_query(self, spec: MeasureSpec) -> PredictionLog:
        return QueryLog(spec.query, spec.extensions)

    def open_outcomes(self, location: str, spec: MeasureSpec) -> PredictionLog:
        return open_log(location, spec.extensions)


def open_engine(name: str, env: MutableMapping[str, str]) -> Engine:
    """The engine of this name; ``env``: the environment, in which a local Spark gets the Python of this process. Raises
    MissingExtraError where its library is not installed."""
    if name == "spark":
        return SparkEngine(env)
    if name == "dask":
        return DaskEngine()
    if name == "ray":
        return RayEngine()
    if name == "local":
        return LocalEngine()
    raise UserError(f"there is no engine {name!r}.", hint=f"Engines: {', '.join(ENGINES)}.")
