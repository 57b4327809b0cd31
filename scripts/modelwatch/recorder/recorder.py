"""``Recorder``: bounded, never in the way, never silent about a loss."""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time as clock
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from ..errors import UserError
from . import arguments
from .buffer import RowBuffer
from .columns import columns_of, plain_column
from .conversion import Conversion
from .ending import END_SECONDS, attend, attended_recorders, close_recorders
from .observe import CallReader, observe_calls
from .protection import UNPROTECTED, Protection
from .request import RecordedRequest
from .roles import take_roles
from .row_fields import RowFields, id_or_none
from .settings import RecorderSettings, default_spool, wandb_fields
from .spool_files import model_of_spool
from .values import MAX_INTEGER, SHORT_TEXT, RowError, bounded_columns
from .writer import SpoolWriter

ROW_BYTES = 400
"""What an entry takes besides its features, and"""
CELL_BYTES = 72
"""what one of these takes."""
LATENCY, ERROR = 5, 6
"""Their places in the entry of a row: time, id, version, prediction, score, latency, error, features."""
log = logging.getLogger("modelwatch.recorder")


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """Counts of this process since it began, in rows."""

    written: int
    """On the local disk, or sent."""
    lost: int
    """For want of memory or disk, or because a value raised an error."""
    pending_bytes: int
    """In memory, about."""
    columns_dropped: int
    """Of batches, since a column before them had the same name."""


class Recorder:
    """Records the predictions of one model.

    ``record`` and ``record_batch`` can be called from any thread, task or process (also after a fork). They never wait
    and never raise: what cannot be kept is counted, logged and published. A forked process begins with an empty
    buffer. Rows are on the local disk after ``flush_seconds``, and sent every ``send_seconds`` by a process of its own.

    Destinations: ``folder`` (Parquet rows and profiles), ``wandb`` (``entity/project``; the key comes from
    ``WANDB_API_KEY``), ``offline`` (a folder of offline W&B runs); any of them together.

    ``id``, ``time``, ``version``, ``score``, ``prediction``, ``features``, ``segments``, ``value``, ``window`` and
    ``reference`` are those of ``measure:`` in modelwatch.yml; ``latency`` (seconds), ``error`` and ``cost`` those of
    its ``operations``. ``serving_version``: the version of rows that name none. Durations are seconds, or
    texts such as ``1h``.

    ``sample_rate``: the share of rows that are written as rows, drawn by a hash of the id, so that every replica and
    version draws the same ones; profiles always count all rows. ``keep_errors`` and ``keep_confidence_below`` keep more
    rows, in a folder of their own. ``mask`` and ``hash``: columns whose cells are replaced before anything is written;
    ``hash_key`` makes digests useless to those who lack it.

    ``memory_mb`` bounds the buffer in this process, ``disk_mb`` the ``spool``, a folder on the local disk that all
    processes of a machine share; the oldest rows go first. ``metrics``: also log to W&B each window that is over, as
    ``modelwatch measure`` would; right where one spool sees all of the traffic, and the default for offline runs.

    Raises UserError for settings that contradict each other.
    """

    def __init__(
        self,
        model: str,
        *,
        folder: str | Path = "",
        wandb: str = "",
        offline: str | Path = "",
        base_url: str = "",
        tags: Iterable[str] = (),
        metrics: bool | None = None,
        id: str = "id",
        time: str = "time",
        version: str = "version",
        score: str = "score",
        prediction: str = "prediction",
        latency: str = "latency",
        error: str = "error",
        cost: str = "",
        features: Iterable[str] = (),
        segments: Iterable[str] = (),
        scores: Mapping[str, str] | None = None,
        value: str = "",
        window: float | str = 86_400.0,
        reference: str | Path = "",
        measure: Mapping[str, Any] | None = None,
        serving_version: str = "",
        sample_rate: float = 1.0,
        keep_errors: bool = True,
        keep_confidence_below: float = 0.0,
        mask: Iterable[str] = (),
        hash: Iterable[str] = (),
        hash_key: str | bytes = b"",
        flush_seconds: float | str = 2.0,
        flush_rows: int = 1000,
        send_seconds: float | str = 300.0,
        memory_mb: float = 24.0,
        disk_mb: float = 512.0,
        spool: str | Path = "",
    ) -> None:
        measured: dict[str, Any] = {
            "id": arguments.text("id", id),
            "time": arguments.text("time", time),
            "version": arguments.text("version", version),
            "score": arguments.text("score", score),
            "prediction": arguments.text("prediction", prediction),
            "value": arguments.text("value", value),
            "features": arguments.names("features", features),
            "segments": arguments.names("segments", segments),
            "window": arguments.window_seconds(window),
            "reference": arguments.path("reference", reference),
            "scores": arguments.columns_by_class("scores", scores),
        }
        if not isinstance(measure, Mapping | None):
            raise UserError(f"`measure` is {measure!r}, and no mapping.", where=arguments.WHERE)
        measured |= measure or {}
        measured["reference"] = _absolute_reference(str(measured["reference"]))
        columns = {role: measured[role] for role in ("id", "time", "version", "score", "prediction")}
        operations = {"latency": latency, "error": error, "cost": cost}
        self.settings = RecorderSettings(
            model=arguments.text("model", model),
            columns=columns | {name: arguments.text(name, column) for name, column in operations.items()},
            measure=measured,
            wandb=wandb_fields(
                arguments.text("wandb", wandb),
                arguments.path("offline", offline),
                arguments.text("base_url", base_url),
                arguments.names("tags", tags),
            ),
            folder=_absolute(arguments.path("folder", folder)),
            spool=_absolute(arguments.path("spool", spool)) or default_spool(model),
            is_offline=bool(offline),
            metrics=bool(offline) if metrics is None else metrics,
            sample_rate=sample_rate,
            keep_errors=keep_errors,
            keep_confidence_below=keep_confidence_below,
            mask=arguments.names("mask", mask),
            hash=arguments.names("hash", hash),
            flush_seconds=arguments.seconds("flush_seconds", flush_seconds),
            flush_rows=flush_rows,
            send_seconds=arguments.seconds("send_seconds", send_seconds),
            memory_mb=memory_mb,
            disk_mb=disk_mb,
            scores=dict(measured["scores"]),
        )
        self._refuse_spool_of_another_model()
        self.serving_version = str(serving_version)
        if not isinstance(hash_key, str | bytes):
            raise UserError("`hash_key` is neither text nor bytes.", where=arguments.WHERE)
        self._hash_key = hash_key.encode() if isinstance(hash_key, str) else bytes(hash_key)
        self._protection = Protection(frozenset(self.settings.mask), frozenset(self.settings.hash), self._hash_key)
        self._fields = RowFields(self.settings, self._protection)
        self._roles = {name: role for role, name in self.settings.columns.items() if name and role != "cost"}
        self._role_names = frozenset(self._roles)
        self._warned: set[str] = set()
        self._request: ContextVar[RecordedRequest | None] = ContextVar(f"modelwatch-{model}", default=None)
        self._begin()
        attend(self)

    @classmethod
    def from_config(cls, path: str | Path, model: str, **settings: Any) -> Self:
        """A recorder with the words of ``measure:`` and ``wandb:`` of a model in ``modelwatch.yml``, so that the names
        of columns, the window and the reference agree. ``settings``: as in the constructor, they win. Secrets of the
        configuration need not be set. Raises ConfigError and UserError."""
        from .configuration import recorder_arguments

        return cls(model, **{**recorder_arguments(Path(path), model), **settings})

    def record(
        self,
        features: Mapping[str, Any] | None = None,
        prediction: Any = None,
        score: Any = None,
        *,
        latency: float | None = None,
        error: Any = None,
        id: Any = None,
        version: Any = None,
        time: float | datetime | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Record one prediction. Returns its id, a new one if none is given, by which its outcome can be joined later;
        ``None`` if the row was lost.

        ``features``: by column any values. Those with parts, such as mappings, data classes and data frames, become
        JSON; what is of no known type, or beyond the bounds of a row, becomes ``unreadable``. ``score``: the
        probability, or one by class. ``latency``: seconds. ``error``: an exception, or any text; ``None`` for success.
        ``time``: seconds (UTC) or a ``datetime``, by default now. ``extra``: further columns, such as segments. A
        feature that has the name of one of these columns stands for an argument that is not given; else the argument
        counts, and a warning says so once. Within a request of the middleware, latency and error are filled in.
        """
        try:
            cells: dict[str, Any] = {}
            size = ROW_BYTES
            fields, conversion = self._fields, Conversion(self._protection)
            for part in (features, extra):
                if part:
                    for label, cell in bounded_columns(part.items()):
                        kind = cell.__class__
                        if label.__class__ is str and (
                            kind is float
                            or (kind is str and len(cell) < SHORT_TEXT)
                            or (kind is int and -MAX_INTEGER <= cell < MAX_INTEGER)
                            or kind is bool
                            or cell is None
                        ):
                            cells[label] = cell
                        else:
                            name = conversion.label(label)
                            cells[name] = cell = conversion.column_cell(name, label, cell)
                            if cell.__class__ is str:
                                size += len(cell)
                            elif cell.__class__ is list:
                                size += 32 * len(cell)
            if score.__class__ is not float and score is not None:
                if isinstance(score, Mapping):
                    cells |= fields.scores(score, conversion)
                    score = None
                else:
                    score = fields.cell("score", score, conversion)
            if id is not None and (id.__class__ is not str or len(id) > SHORT_TEXT):
                id = id_or_none(fields.cell("id", id, conversion))
            if prediction is not None and (prediction.__class__ is not str or len(prediction) >= SHORT_TEXT):
                prediction = fields.cell("prediction", prediction, conversion)
            if version is not None:
                version = fields.cell("version", version, conversion)
            if error is not None:
                error = fields.error(error, conversion)
            if latency is not None and latency.__class__ is not float:
                latency = fields.seconds("latency", latency, conversion)
            if time is not None and time.__class__ is not float:
                time = fields.seconds("time", time, conversion)
            if not self._role_names.isdisjoint(cells):
                given = {"id": id, "time": time, "version": version, "prediction": prediction, "score": score}
                given |= {"latency": latency, "error": error}
                given = take_roles(cells, self._roles, given, self._warn_of_column)
                id, time, version, prediction = (given[role] for role in ("id", "time", "version", "prediction"))
                score, latency, error = (given[role] for role in ("score", "latency", "error"))
                id = id_or_none(id)
            if id is None or id == "":
                id = f"{self._id_prefix}{next(self._numbers)}"
            entry = [
                clock.time() if time is None else time,
                id,
                self._version_text(version),
                prediction,
                score,
                latency,
                None if error is None else str(error),
                cells,
            ]
            size += CELL_BYTES * len(cells)
            pending = self._request.get()
            if pending is not None and pending.hold(entry, size):
                return str(id)
            return str(id) if self._put(entry, size, 1) else None
        except Exception as problem:  # noqa: BLE001 - a value may raise anything; the caller must not notice
            self.count_invalid(1, problem)
            return None

    def record_batch(
        self,
        columns: Any,
        *,
        latency: float | None = None,
        error: Any = None,
        version: Any = None,
        time: float | datetime | None = None,
    ) -> int:
        """Record many predictions, by column an array or list of the same length; returns how many were taken: all, or
        none.

        ``columns``: a mapping, a list of rows, or a data frame or table of pandas, Polars or Arrow.
        Columns have the names of the log: features, and those of ``id``, ``time``, ``version``, ``score``,
        ``prediction``, ``latency`` and ``error``. Arguments stand for all rows of a batch that lacks the column; within
        a request of the middleware, latency and error are filled in. Arrays of NumPy are the fastest; they are copied,
        and may be changed afterwards.
        """
        rows, fields = 0, self._fields
        try:
            named = columns_of(columns, self._protection, self._drop_twin)
            rows = max((len(column) for _, column in named.values() if _has_length(column)), default=0)
            if not rows:
                return 0
            content: dict[str, Any] = {}
            size = ROW_BYTES
            for name, (label, column) in named.items():
                is_protected = name in self._protection.names
                # One that the writer protects as a whole stays open, so that the digests of equal cells are equal.
                protection = UNPROTECTED if is_protected else self._protection
                content[name] = kept = plain_column(
                    column, rows, as_list=is_protected, label=label, protection=protection
                )
                if kept.__class__ is bytes:
                    size += 80 + len(kept)
                else:
                    size += 64 * len(kept) + sum([len(cell) for cell in kept if cell.__class__ is str])
            entry = {
                "n": rows,
                "columns": content,
                "time": clock.time() if (seconds := fields.seconds("time", time)) is None else seconds,
                "version": self._version_text(None if version is None else fields.cell("version", version)),
                "latency": fields.seconds("latency", latency),
                "error": fields.error_text(error),
                "number": next(self._numbers),
            }
            pending = self._request.get()
            if pending is not None and pending.hold(entry, size):
                return rows
            return rows if self._put(entry, size, rows) else 0
        except Exception as problem:  # noqa: BLE001 - as above
            self.count_invalid(max(rows, 1), problem)
            return 0

    def request(self, *, records_failures: bool = False) -> RecordedRequest:
        """A context manager for one request: see ``RecordedRequest``."""
        return RecordedRequest(self._request, self._finish_row, records_failures)

    def observe(
        self,
        function: Callable[..., Any] | None = None,
        *,
        features: Callable[..., Mapping[str, Any]] | None = None,
        prediction: Callable[[Any], Any] | None = None,
        score: Callable[[Any], Any] | None = None,
        id: Callable[..., Any] | None = None,
    ) -> Any:
        """Decorator of a function that predicts, plain or async: records its arguments, its result, how long it took
        and the exception that left it.

        ``features`` and ``id`` get the arguments; by default the features are the argument that is a mapping, else all
        arguments by name. ``prediction`` and ``score`` get the result; by default the prediction is the result itself,
        and of a mapping its items ``prediction`` and ``score``.
        """
        reader = CallReader(features, prediction, score, id)
        if function is None:
            return lambda decorated: observe_calls(decorated, self, reader)
        return observe_calls(function, self, reader)

    def flush(self, timeout: float = 60.0) -> bool:
        """Send everything recorded so far, and wait. Returns whether it arrived within ``timeout`` seconds; what did
        not is sent later. Blocks, unlike everything else: not for an event loop. Never raises."""
        return self._safely(self._writer.send, timeout)

    def settle(self, timeout: float = END_SECONDS) -> bool:
        """``flush``, if there is anything that no sender has got; what the process does before it ends."""
        return self._safely(self._writer.settle, timeout)

    def close(self, timeout: float = END_SECONDS) -> bool:
        """``flush``, and record nothing more; what is recorded after it counts as lost. Called automatically when the
        process ends. With ``timeout=0`` rows are only written to the spool, from where the next process sends them."""
        done = self._safely(self._writer.close, timeout)
        if (self._buffer.pending_bytes or self._writer.rows_stuck) and (rows := self._writer.count_unwritten()):
            log.error("modelwatch: %s rows are lost, since the spool cannot be written.", f"{rows:,}")
        return done

    def stats(self) -> RecorderStats:
        """Counts of this process since it began, or was forked."""
        lost = self._writer.rows_lost + self._buffer.uncounted_losses
        return RecorderStats(self._writer.rows_written, lost, self._buffer.pending_bytes, self._columns_dropped)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refuse_spool_of_another_model(self) -> None:
        """Raises UserError: its rows would count for one of both."""
        spool = self.settings.spool_folder
        here = (one.settings for one in attended_recorders())
        models = {model_of_spool(spool), *(one.model for one in here if one.spool == str(spool))}
        if others := sorted(models - {"", self.settings.model}):
            hint = "Give each model a spool of its own: `spool=`."
            raise UserError(f"this spool is that of the model {others[0]!r}.", hint=hint, where=str(spool))

    def _begin(self) -> None:
        """Buffer, writer and names of this process."""
        self._pid = os.getpid()
        self._buffer = RowBuffer(self.settings.memory_bytes)
        self._writer = SpoolWriter(self.settings, self._buffer, self._hash_key)
        self._numbers = itertools.count()
        self._columns_dropped = 0
        self._id_prefix = f"{self._writer.process}-"
        self._has_started = False
        self._wake_bytes = min(self.settings.flush_rows * 2048, self.settings.memory_bytes // 4)

    def begin_in_child(self) -> None:
        """After a fork: an empty buffer, files and a thread of this process's own."""
        self._writer.forget_parent()
        self._begin()

    def _put(self, entry: Any, size: int, rows: int) -> bool:
        buffer, writer = self._buffer, self._writer
        if writer.is_closed:
            self._count_loss_after_close(rows)
            return False
        taken = buffer.put(entry, size, rows)
        if not self._has_started:
            self._start()
        elif buffer.pending_bytes >= self._wake_bytes:
            if not writer.is_running:
                writer.start()
            writer.wake()
        return taken

    def _finish_row(self, entry: Any, size: int, seconds: float, error: Any) -> None:
        """Record a row at the end of its request; ``None`` for one that failed before it recorded anything."""
        if entry is None:
            self.record(latency=seconds, error=error)
            return
        is_row = entry.__class__ is list
        latency, failure = (LATENCY, ERROR) if is_row else ("latency", "error")
        if entry[latency] is None:
            entry[latency] = seconds
        if entry[failure] is None and error is not None:
            entry[failure] = self._fields.error_text(error)
        self._put(entry, size, 1 if is_row else entry["n"])

    def _start(self) -> None:
        """With the first row: a process that forks its workers before has no thread."""
        self._has_started = True
        util = sys.modules.get("multiprocessing.util")
        if util is not None:  # its children end without `atexit`
            util.Finalize(None, close_recorders, exitpriority=100)
        self._writer.start()

    def _version_text(self, version: Any) -> str:
        return self.serving_version if version is None else str(version)

    def count_invalid(self, rows: int, problem: Exception) -> None:
        """Count rows that could not be read, and why."""
        reason = str(problem) if isinstance(problem, RowError) else f"{type(problem).__name__} while it was read"
        self._writer.invalid_reason = reason
        log.debug("modelwatch: a row could not be recorded: %r", problem)
        self._buffer.count_loss("invalid", rows)

    def _warn_of_column(self, name: str, problem: str) -> None:
        """Once for each column: a service would say it with every row."""
        if name not in self._warned:
            self._warned.add(name)
            log.warning("modelwatch: the column %r %s.", name, problem)

    def _drop_twin(self, name: str) -> None:
        self._columns_dropped += 1
        self._warn_of_column(name, "is there more than once in a batch; the first one is recorded, and no other")

    def _count_loss_after_close(self, rows: int) -> None:
        self._buffer.count_loss("closed", rows)
        log.warning("modelwatch: %s rows were recorded after the recorder was closed, and are lost.", rows)

    def _safely(self, function: Callable[[float], bool], timeout: float) -> bool:
        try:
            return function(timeout)
        except Exception:
            log.exception("modelwatch: the recorder cannot send")
            return False


def _absolute_reference(reference: str) -> str:
    """Of a path; ``entity/project/name:alias`` stays."""
    is_artifact = ":" in reference and reference.count("/") == 2 and not Path(reference).exists()
    return reference if is_artifact or not reference else str(Path(reference).absolute())


def _has_length(column: Any) -> bool:
    return not isinstance(column, str | bytes) and hasattr(column, "__len__") and getattr(column, "ndim", 1) > 0


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""
