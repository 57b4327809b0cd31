"""Logs in partitions that lie on other machines, and functions that are run where the rows are.

What a log's readers add to its rows (labels of outcomes, local times, selected windows) are logs around a log, each of
which keeps the inner one as ``_log``. ``map_log`` sends these along, around the rows of one partition, so that a worker
sees what one process would see.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

from ...errors import UserError
from ..readers import PredictionLog

FAN_IN = 16
"""Results that one worker combines at once."""
MIN_BATCH_ROWS = 1 << 16
"""Smaller batches are put together before they are counted: each costs as much as thousands of rows."""

RowFunction = Callable[[Iterable[Any]], bytes]
"""From record batches to a result as bytes. It can be pickled."""
Combine = Callable[[Sequence[bytes]], bytes]
"""From results, in any order and grouping, to one. It can be pickled."""
Log = TypeVar("Log", bound=PredictionLog)
Group = TypeVar("Group")
Rows = TypeVar("Rows")


@runtime_checkable
class PartitionedLog(Protocol):
    """A log whose rows other processes read."""

    where: str

    def names(self) -> tuple[str, ...]: ...
    def rows(self) -> int | None: ...
    def batches(self, columns: Sequence[str]) -> Iterator[Any]: ...

    def run(self, task: PartitionTask, columns: Sequence[str]) -> Iterator[bytes]:
        """The envelope of each partition, in order; where the task can combine, of as many together as is fit."""


@runtime_checkable
class Preparable(Protocol):
    """A log that needs something of the whole before a worker can read a part of it."""

    def prepare(self) -> None: ...


@runtime_checkable
class Tallying(Protocol):
    """A log that counts what it reads, for its notes."""

    def begin_tally(self, columns: Sequence[str]) -> None:
        """Begin at zero, if these columns are what is counted."""

    def tally(self) -> Any: ...
    def add_tally(self, tally: Any) -> None: ...


class PartitionRows:
    """The rows of one partition, as a log; on the driver, without any, it keeps which columns were requested."""

    def __init__(self, where: str, names: tuple[str, ...], batches: Iterable[Any] = ()) -> None:
        self.where, self._names, self._batches = where, names, batches
        self.requested: list[str] = []

    def names(self) -> tuple[str, ...]:
        return self._names

    def rows(self) -> int | None:
        return None

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        self.requested += [name for name in columns if name in self._names and name not in self.requested]
        for batch in self._batches:
            yield batch.select([name for name in columns if name in batch.schema.names])


@dataclass(frozen=True, slots=True)
class PartitionTask:
    """What a worker does with the rows of a partition. It can be pickled."""

    log: PredictionLog
    """The logs around ``PartitionRows``."""
    columns: tuple[str, ...]
    function: RowFunction
    combine: Combine | None = None

    def run(self, batches: Iterable[Any]) -> bytes:
        """The envelope of a partition's result: the result and what the logs counted, or the user's error."""
        source = source_of(self.log)
        log = rebase(self.log, PartitionRows(source.where, source.names(), join_small(batches)))
        for part in tallying(log):
            part.begin_tally(self.columns)
        try:
            result = self.function(log.batches(self.columns))
        except UserError as error:
            return pickle.dumps(error)
        return pickle.dumps((result, [part.tally() for part in tallying(log)]))

    def join(self, envelopes: Sequence[bytes]) -> bytes:
        """One envelope for several."""
        assert self.combine is not None  # noqa: S101
        log = rebase(self.log, source_of(self.log))
        for part in tallying(log):
            part.begin_tally(self.columns)
        try:
            results = [open_envelope(envelope, log) for envelope in envelopes]
        except UserError as error:
            return pickle.dumps(error)
        return pickle.dumps((self.combine(results), [part.tally() for part in tallying(log)]))


def open_envelope(envelope: bytes, log: PredictionLog) -> bytes:
    """The result; the logs get what their copies counted. Raises what was raised."""
    content = pickle.loads(envelope)  # noqa: S301 - from our own workers, which execute what this process sends
    if isinstance(content, UserError):
        raise content
    result, tallies = content
    for part, tally in zip(tallying(log), tallies, strict=True):
        part.add_tally(tally)
    return bytes(result)


def map_log(
    log: PredictionLog, columns: Sequence[str], function: RowFunction, combine: Combine | None = None
) -> Iterator[bytes]:
    """The results of ``function`` for the partitions of a log, or for a log in this process as a whole. They are in
    order; with ``combine`` they can be fewer, in any order."""
    source = source_of(log)
    if not isinstance(source, PartitionedLog):
        yield function(log.batches(columns))
        return
    for part in reversed(list(chain(log))):
        if isinstance(part, Preparable):
            part.prepare()
    rows = PartitionRows(source.where, source.names())
    bare = rebase(log, rows)
    for counting in tallying(log):
        counting.begin_tally(columns)
    for _ in bare.batches(columns):
        pass
    task = PartitionTask(bare, tuple(columns), function, combine)
    for envelope in source.run(task, tuple(rows.requested)):
        yield open_envelope(envelope, log)


def read_groups(
    log: PredictionLog,
    columns: Sequence[str],
    read: Callable[[Iterable[Any]], dict[Group, Rows]],
    join: Callable[[Mapping[Group, Sequence[Rows]]], dict[Group, Rows]],
) -> dict[Group, Rows]:
    """What ``read`` makes of the record batches of a log, by group; of each partition where the rows are, and ``join``
    puts the parts of a group together, in the order of partitions. Both ``read`` and its results can be pickled."""
    if not is_partitioned(log):
        return read(log.batches(columns))
    groups: dict[Group, list[Rows]] = {}
    for part in map_log(log, columns, partial(_pickle_groups, read)):
        for group, rows in pickle.loads(part).items():  # noqa: S301 - from our own workers
            groups.setdefault(group, []).append(rows)
    return join(groups)


def _pickle_groups(read: Callable[[Iterable[Any]], dict[Any, Any]], batches: Iterable[Any]) -> bytes:
    return pickle.dumps(read(batches))


def is_partitioned(log: PredictionLog) -> bool:
    """Whether the rows are read by other processes."""
    return isinstance(source_of(log), PartitionedLog)


def chain(log: PredictionLog) -> Iterator[PredictionLog]:
    """The log, the one that it is around, and so on."""
    inner: PredictionLog | None = log
    while inner is not None:
        yield inner
        inner = getattr(inner, "_log", None)


def source_of(log: PredictionLog) -> PredictionLog:
    """The innermost log."""
    *_, source = chain(log)
    return source


def tallying(log: PredictionLog) -> list[Tallying]:
    """The logs of the chain that count what they read, the outermost first."""
    return [part for part in chain(log) if isinstance(part, Tallying)]


def rebase(log: PredictionLog, source: PredictionLog) -> PredictionLog:
    """Copies of the logs around another innermost one."""
    inner = getattr(log, "_log", None)
    if inner is None:
        return source
    inner = rebase(inner, source)
    outer = copy.copy(log)
    own = {"_log": inner} | {name: getattr(inner, name) for name in ("names", "rows") if name in vars(log)}
    vars(outer).update(own)
    return outer


def join_small(batches: Iterable[Any]) -> Iterator[Any]:
    """The same rows in batches of at least ``MIN_BATCH_ROWS``, the last one apart."""
    import pyarrow as pa

    kept: list[Any] = []
    rows = 0
    for batch in batches:
        if kept and batch.schema != kept[0].schema:
            yield from _one_batch(pa, kept)
            kept, rows = [], 0
        kept.append(batch)
        rows += batch.num_rows
        if rows >= MIN_BATCH_ROWS:
            yield from _one_batch(pa, kept)
            kept, rows = [], 0
    yield from _one_batch(pa, kept)


def _one_batch(pa: Any, batches: list[Any]) -> Iterator[Any]:
    if len(batches) == 1:
        yield batches[0]
    elif batches:
        yield from pa.Table.from_batches(batches).combine_chunks().to_batches()


def batches_to_bytes(batches: Iterable[Any]) -> bytes:
    """Record batches of one schema as an Arrow stream; empty without any."""
    import pyarrow as pa

    into = io.BytesIO()
    writer = None
    for batch in batches:
        writer = writer or pa.ipc.new_stream(into, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()
    return into.getvalue()


def bytes_to_batches(content: bytes) -> Iterator[Any]:
    """What ``batches_to_bytes`` wrote."""
    import pyarrow as pa

    if content:
        with pa.ipc.open_stream(content) as reader:
            yield from reader
