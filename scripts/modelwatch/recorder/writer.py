"""The thread that brings rows from the buffer to the spool, and starts the process that sends them.

What it does in this process takes the interpreter for a fraction of a millisecond at a time: it masks and encodes
a few rows, and writes them. Everything else is up to ``modelwatch recorder send``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .buffer import RowBuffer
from .conversion import plain_value
from .journal import Journal
from .protection import protect_cells
from .settings import RecorderSettings
from .spool_files import (
    ASIDE,
    BATCH_PREFIX,
    OUTBOX,
    SENDER_LOCK,
    SENDER_LOG,
    SENDER_STATE,
    SETTINGS,
    JournalCounts,
    held_lock,
    model_of_spool,
    prepare_spool,
    read_json,
    whole_journals,
    write_atomically,
)

CHUNK_UNITS = 128
"""Units of memory that are encoded without a break: about 50 rows, or a batch or two."""
WARN_SECONDS = 60.0
"""Between two warnings of one kind."""
RETRY_SECONDS = 0.5
"""After the spool could not be written."""
MAX_LOG_BYTES = 1 << 20
ROLE_PLACES = {"id": 1, "version": 2, "prediction": 3, "score": 4, "error": 6}
"""Where the parts of a row lie in its entry that can be masked."""
log = logging.getLogger("modelwatch.recorder")


class SpoolWriter:
    """Of one process. Its thread starts with the first row."""

    def __init__(self, settings: RecorderSettings, buffer: RowBuffer, hash_key: bytes) -> None:
        self.settings, self.buffer = settings, buffer
        self.process = os.urandom(6).hex()
        self.rows_written = 0
        self.rows_lost = 0
        self.invalid_reason = ""
        """Of the last row that could not be read."""
        self.is_closed = False
        self._has_arrived = True
        self._hash_key = hash_key
        self._journal = Journal(settings.spool_folder, self.process, settings.disk_bytes)
        self._writing = threading.RLock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._sender: subprocess.Popen[bytes] | None = None
        self._is_prepared = False
        self._has_unsent = False
        self._unsaved_losses: dict[str, int] = {}
        self._send_due = time.monotonic() + settings.send_seconds
        # Here, and not in the thread: a child that is forked while a thread imports can never import that again.
        import msgspec

        self._encode = msgspec.msgpack.Encoder().encode
        self._stuck: tuple[bytes, JournalCounts, float] | None = None
        """A frame that could not be written yet, what is in it, and its time."""
        self._warned: dict[str, float] = {}
        self._unfit_rows = 0

    def start(self) -> None:
        """Start the thread unless it runs. Neither waits nor raises."""
        if self.is_closed or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="modelwatch-recorder", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # no thread can be started while the interpreter ends; `close` writes what is left
            pass
        finally:
            self._starting.release()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Let the thread write now. Neither waits nor raises."""
        with contextlib.suppress(RuntimeError):  # it is awake
            self._wake.release()

    def write(self) -> bool:
        """Bring everything from the buffer to the spool. Returns whether that worked; what did not stays counted."""
        with self._writing:
            try:
                self._write_chunks()
                return True
            except OSError as error:
                self._is_prepared = False
                self._warn("spool", f"the spool {self.settings.spool_folder} cannot be written: {error}")
                return False

    def send(self, timeout: float) -> bool:
        """Write everything, send it, and wait for that. Returns whether all was sent within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        with self._writing:
            written = self.write()
            self._count_deleted(self._journal.close())
            sender = self._start_sender(wait=timeout)
        if sender is None:
            return False
        try:
            return sender.wait(max(0.0, end - time.monotonic())) == 0 and written
        except subprocess.TimeoutExpired:
            return False

    def settle(self, timeout: float) -> bool:
        """``send``, unless a sender that got everything before has sent it, or does so within ``timeout`` seconds."""
        end = time.monotonic() + timeout
        with self._writing:
            written = self.write()
            sender = self._sender
            if not self._has_unsent:
                self._count_deleted(self._journal.close())
        if self._has_unsent:
            return self.send(timeout)
        if sender is None:
            return written
        try:
            if sender.wait(timeout) == 0 and not self._has_waiting_files():
                return written
        except subprocess.TimeoutExpired:
            return False
        return self.send(max(0.0, end - time.monotonic()))

    def close(self, timeout: float) -> bool:
        """Write everything, and wait up to ``timeout`` seconds until it is sent; the sender goes on after that. Called
        again: what it returned."""
        if self.is_closed:
            return self._has_arrived
        self.is_closed = True
        self.wake()
        if timeout > 0:
            self._has_arrived = self.settle(timeout)
            return self._has_arrived
        with self._writing:
            written = self.write()
            self._count_deleted(self._journal.close())
        self._has_arrived = written
        return written

    def _has_waiting_files(self) -> bool:
        """Whether rows wait in the spool, such as those that a sender found while another one was at work."""
        spool = self.settings.spool_folder
        rows = next(spool.glob(f"{BATCH_PREFIX}*"), None) or next((spool / OUTBOX).rglob("*.parquet"), None)
        return rows is not None or bool(whole_journals(spool))

    @property
    def rows_stuck(self) -> int:
        return self._stuck[1].rows if self._stuck is not None else 0

    def count_unwritten(self) -> int:
        """Count what is still in memory as lost, once the recorder is closed. Returns the rows."""
        with self._writing:
            rows, self._stuck = self.rows_stuck, None
            while entries := self.buffer.take(self.buffer.max_bytes):
                rows += sum(1 if entry.__class__ is list else entry["n"] for entry in entries)
            self._count_loss("disk", rows)
        return rows

    def forget_parent(self) -> None:
        """In a child: leave the journal and the sender to the parent."""
        self._journal.abandon()
        if self._sender is not None:
            self._sender.returncode = 0  # not ours to wait for
            self._sender = None

    def _run(self) -> None:
        settings = self.settings
        while not self.is_closed:
            self._wake.acquire(timeout=settings.flush_seconds)  # also released by `wake`
            try:
                is_written = self.write()
                if time.monotonic() >= self._send_due:
                    self._send_in_background()
            except Exception as error:  # noqa: BLE001 - the thread has to survive whatever a row or the disk does
                is_written = False
                self._warn("writer", f"rows could not be written: {error!r}")
            if not is_written and not self.is_closed:
                time.sleep(RETRY_SECONDS)

    def _write_chunks(self) -> None:
        if not self._is_prepared:
            self._prepare()
        self._append_stuck()
        while entries := self.buffer.take(self._chunk_units()):
            rows, batches, count = [], [], 0
            for entry in entries:
                if entry.__class__ is list:
                    rows.append(entry)
                    count += 1
                else:
                    batches.append(entry)
                    count += entry["n"]
            self._append(rows, batches, count)
        for reason, lost in self.buffer.take_losses().items():
            self._count_loss(reason, lost)
        if self._unsaved_losses:
            self._append([], [], 0)

    def _chunk_units(self) -> int:
        """Small chunks, that nobody notices, as long as there is room: a full buffer loses rows."""
        return CHUNK_UNITS if self.buffer.pending_bytes < self.buffer.max_bytes // 4 else 16 * CHUNK_UNITS

    def _append(self, rows: list[Any], batches: list[Any], count: int) -> None:
        """Append a frame. Raises OSError; it is kept then, and comes first the next time."""
        now = time.time()
        settings = self.settings
        if settings.mask or settings.hash:
            self._protect(rows, batches)
        losses, self._unsaved_losses = self._unsaved_losses, {}
        frame = {"n": count, "time": now, "process": self.process, "rows": rows, "batches": batches, "lost": losses}
        self._stuck = self._encode_frame(frame), JournalCounts(count, sum(losses.values())), now
        self._append_stuck()

    def _append_stuck(self) -> None:
        if self._stuck is not None:
            deleted = self._journal.append(*self._stuck)
            self.rows_written += self._stuck[1].rows
            self._stuck, self._has_unsent = None, True
            self._count_deleted(deleted)

    def _encode_frame(self, frame: dict[str, Any]) -> bytes:
        try:
            return self._encode(frame)
        except Exception:  # noqa: BLE001 - some cell is not plain, such as an integer of more than 64 bits
            frame["rows"] = [[*map(plain_value, row[:7]), _plain_cells(row[7])] for row in frame["rows"]]
            frame["batches"] = [
                batch | {"columns": {str(k): _plain_column(v) for k, v in batch["columns"].items()}}
                for batch in frame["batches"]
            ]
            return self._encode(frame)

    def _protect(self, rows: list[Any], batches: list[Any]) -> None:
        """Mask and hash before anything is written."""
        settings, names = self.settings, self.settings.columns
        for row in rows:
            protect_cells(row[7], settings.mask, settings.hash, self._hash_key)
            for role, place in ROLE_PLACES.items():
                cell = {names[role]: row[place]}
                protect_cells(cell, settings.mask, settings.hash, self._hash_key)
                row[place] = cell[names[role]]
        for batch in batches:
            protect_cells(batch["columns"], settings.mask, settings.hash, self._hash_key)

    def _count_deleted(self, deleted: JournalCounts) -> None:
        """Rows that went from the spool are lost; losses that they reported are reported again."""
        self._count_loss("disk", deleted.rows)
        if deleted.lost:
            self._unsaved_losses["disk"] = self._unsaved_losses.get("disk", 0) + deleted.lost

    def _count_loss(self, reason: str, rows: int) -> None:
        if rows:
            self.rows_lost += rows
            self._unsaved_losses[reason] = self._unsaved_losses.get(reason, 0) + rows
            self._warn(reason, LOSSES[reason].format(rows=f"{self.rows_lost:,}", why=self.invalid_reason))

    def _prepare(self) -> None:
        prepare_spool(self.settings.spool_folder)
        if (model := model_of_spool(self.settings.spool_folder)) not in ("", self.settings.model):
            raise PermissionError(f"it is the spool of the model {model!r}")
        write_atomically(self.settings.spool_folder / SETTINGS, self.settings.to_json())
        self._is_prepared = True

    def _send_in_background(self) -> None:
        self._send_due = time.monotonic() + self.settings.send_seconds
        with self._writing:
            self._count_deleted(self._journal.close())
        if self._sender is not None and self._sender.poll() is None:
            return  # it may be about to take the lock, and finds these rows, or leaves them to the next one
        if whole_journals(self.settings.spool_folder) or self._has_unsent:
            with held_lock(self.settings.spool_folder / SENDER_LOCK) as is_free:
                pass
            if is_free:
                self._start_sender(wait=0.0)

    def _start_sender(self, wait: float) -> subprocess.Popen[bytes] | None:
        """``wait``: seconds that it may wait for another sender of the same spool."""
        previous = self._sender
        if previous is not None and previous.poll() not in (None, 0):
            self._warn("sender", f"sending failed; see {self.settings.spool_folder / SENDER_LOG}")
        self._warn_of_unfit_rows()
        spool = self.settings.spool_folder
        try:
            path = spool / SENDER_LOG
            flags = os.O_TRUNC if path.exists() and path.stat().st_size > MAX_LOG_BYTES else os.O_APPEND
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
            try:
                self._sender = subprocess.Popen(
                    [python_program(), "-P", "-m", "modelwatch", "recorder", "send", str(spool), "--wait", f"{wait:g}"],
                    stdin=subprocess.DEVNULL,
                    stdout=descriptor,
                    stderr=descriptor,
                    start_new_session=True,
                )
            finally:
                os.close(descriptor)
        except (OSError, ValueError, RuntimeError) as error:
            self._warn("sender", f"the sender cannot be started: {error}")
            return None
        self._has_unsent = False
        return self._sender

    def _warn_of_unfit_rows(self) -> None:
        """Of those that earlier senders have set aside since this process last looked."""
        aside = read_json(self.settings.spool_folder / SENDER_STATE).get("aside", {})
        if (rows := sum(aside.get("problems", {}).values())) > self._unfit_rows:
            self._warn(
                "unfit", f"{rows:,} rows did not fit the others, and are in {self.settings.spool_folder / ASIDE}."
            )
        self._unfit_rows = rows

    def _warn(self, kind: str, message: str) -> None:
        now = time.monotonic()
        if now - self._warned.get(kind, -WARN_SECONDS) >= WARN_SECONDS:
            self._warned[kind] = now
            log.warning("modelwatch: %s", message)


LOSSES = {
    "memory": "{rows} rows lost so far: they came faster than they could be written (`memory_mb`).",
    "disk": "{rows} rows lost so far: the spool is full or cannot be written (`disk_mb`).",
    "invalid": "{rows} rows lost so far: they could not be read ({why}).",
    "closed": "{rows} rows lost so far, some because the recorder was closed before.",
}


def python_program() -> str:
    """Python's path; ``sys.executable`` names the server where Python is embedded."""
    named = Path(sys.executable or "")
    if named.name.startswith(("python", "pypy")):
        return str(named)
    return str(Path(sys.prefix) / "bin" / "python3")


def _plain_cells(cells: dict[str, Any]) -> dict[str, Any]:
    return {str(plain_value(name)): plain_value(cell) for name, cell in cells.items()}


def _plain_column(column: Any) -> Any:
    if column.__class__ is bytes:
        return column
    return [plain_value(cell) for cell in column]
