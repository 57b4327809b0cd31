"""A log in files that workers read, each as a whole: the partitions of Dask and Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from ...errors import SourceError, UserError
from ...model.prediction_log import MeasureSpec
from ..log_files import FilesLog
from ..readers import PredictionLog, open_files, open_log
from .partitioned_log import FAN_IN, PartitionTask


class WorkerPool(Protocol):
    """Processes that execute functions. Handles stand for values that lie there."""

    name: str

    def share(self, value: Any) -> Any:
        """A handle of a value that many calls need."""

    def submit(self, function: Callable[..., bytes], *arguments: Any) -> Any:
        """A handle of the result; arguments can be handles."""

    def collect(self, handles: Sequence[Any]) -> list[bytes]:
        """The values of handles. Raises what a function raised."""


class FilePartitions:
    """Files, one partition each, that every worker can read under the same path."""

    def __init__(
        self, files: FilesLog, pool: WorkerPool, skipped: MutableMapping[str, SourceError] | None = None
    ) -> None:
        self._files, self._pool, self._skipped = files, pool, skipped
        self.where, self.names, self.rows, self.batches = files.where, files.names, files.rows, files.batches

    def run(self, task: PartitionTask, columns: Sequence[str]) -> Iterator[bytes]:
        shared = self._pool.share(task)
        parts = self._files.parts()
        if not parts:
            return
        handles = [self._pool.submit(run_file, shared, part, tuple(columns)) for part in parts]
        while task.combine is not None and len(handles) > 1:
            groups = [handles[place : place + FAN_IN] for place in range(0, len(handles), FAN_IN)]
            handles = [self._pool.submit(join_parts, shared, *group) for group in groups]
        skipped: dict[str, SourceError] = {}
        for result in self._pool.collect(handles):
            envelope, broken = _open_result(result)
            skipped |= broken
            yield envelope
        if skipped and (self._skipped is None or len(skipped) == len(self._files.paths)):
            raise list(skipped.values())[-1]
        if self._skipped is not None:
            self._skipped.update(skipped)


def run_file(task: PartitionTask, part: FilesLog, columns: tuple[str, ...]) -> bytes:
    """On a worker: the envelope of one file, and the file if it is broken, with the reason."""
    try:
        return pickle.dumps((task.run(part.batches(columns)), part.skipped))
    except UserError as error:
        return pickle.dumps((pickle.dumps(error), {}))


def join_parts(task: PartitionTask, *results: bytes) -> bytes:
    """On a worker: one result for several."""
    pairs = [_open_result(result) for result in results]
    skipped = {path: problem for _, broken in pairs for path, problem in broken.items()}
    return pickle.dumps((task.join([envelope for envelope, _ in pairs]), skipped))


def _open_result(result: bytes) -> tuple[bytes, dict[str, SourceError]]:
    envelope, skipped = pickle.loads(result)  # noqa: S301 - from our own workers
    return envelope, skipped


class FilesEngine:
    """An engine whose workers read files themselves."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self.name = pool.name

    def open_files(
        self,
        location: str,
        spec: MeasureSpec,
        skipped: MutableMapping[str, SourceError] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> PredictionLog:
        if "://" in location:
            hint = "Give a path that every worker has, such as a mounted bucket, or use `--engine spark` or `local`."
            raise UserError(f"{self.name} workers read files under a path, not a URL.", hint=hint, where=location)
        return FilePartitions(open_files(location, "measure: {files}", skipped, kinds), self._pool, skipped)

    def open_query(self, spec: MeasureSpec) -> PredictionLog:
        hint = "Name the files (`measure: {files}`), or use `--engine spark` (Spark SQL) or `local` (DuckDB)."
        raise UserError(f"{self.name} has no SQL.", hint=hint, where="measure: {query}")

    def open_outcomes(self, location: str, spec: MeasureSpec) -> PredictionLog:
        return open_log(location, spec.extensions)
