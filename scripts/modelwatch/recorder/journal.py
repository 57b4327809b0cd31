"""The files of one process in the spool: frames of rows, appended and never changed.

A frame is its length, the CRC-32 of its content, and the content: a mapping in MessagePack. A process that is killed
while it writes leaves a frame that is cut off, which readers leave out.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .spool_files import (
    NOTHING,
    OPEN,
    WHOLE,
    JournalCounts,
    counts_of_journal,
    has_locks,
    spool_bytes,
    spool_entries,
    try_lock,
    whole_journals,
)

_HEAD = struct.Struct("<II")
MAX_FRAME_BYTES = 1 << 28
MAX_JOURNAL_BYTES = 8 << 20
"""A journal that is larger is closed."""
_BUDGET_SHARE = 32
"""The files of the spool are added up again whenever this share of the budget was written."""


class Journal:
    """Used by one thread at a time. ``process``: a name that no other process has."""

    def __init__(self, spool: Path, process: str, max_bytes: int) -> None:
        self._spool, self._process, self._max_bytes = spool, process, max_bytes
        self._number = self._bytes = 0
        self._counts = NOTHING
        self._descriptor: int | None = None
        self._path = Path()
        self._unchecked_bytes = max_bytes  # the first append looks

    def append(self, frame: bytes, counts: JournalCounts, now: float) -> JournalCounts:
        """Append a frame. Returns what had to go to stay within the budget, of any process: the oldest rows, and the
        reports of losses that went with them.

        ``now``: seconds (UTC). Raises OSError; nothing is appended then.
        """
        head = _HEAD.pack(len(frame), zlib.crc32(frame))
        size = len(head) + len(frame)
        lost = self._make_room(size)
        if self._descriptor is None:
            self._open(now)
        assert self._descriptor is not None  # noqa: S101
        try:
            written = os.writev(self._descriptor, (head, frame))
            while written < size:
                written += os.write(self._descriptor, (head + frame)[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._bytes)
                os.lseek(self._descriptor, self._bytes, os.SEEK_SET)
            raise
        self._counts += counts
        self._bytes += size
        self._unchecked_bytes += size
        if self._bytes > MAX_JOURNAL_BYTES:
            lost += self.close()
        return lost

    def close(self) -> JournalCounts:
        """Leave the current file to the sender; the next frame begins another one. Returns what is lost: the content of
        a file that somebody has deleted meanwhile."""
        if self._descriptor is None:
            return NOTHING
        lost = NOTHING
        whole = self._path.with_name(f"{self._path.name.removesuffix(OPEN)}.{self._counts}{WHOLE}")
        try:
            os.rename(self._path, whole)
        except FileNotFoundError:
            lost = self._counts
        except OSError:
            pass  # the sender adopts it as soon as it is locked no longer
        self.abandon()
        return lost

    def abandon(self) -> None:
        """Close the file without a trace, as a child does with that of its parent."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None
        self._bytes = 0
        self._counts = NOTHING

    def _open(self, now: float) -> None:
        self._number += 1
        self._path = self._spool / f"{int(now * 1000):014d}-{self._process}-{self._number:06d}{OPEN}"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try_lock(self._descriptor)

    def _make_room(self, more: int) -> JournalCounts:
        """Delete the oldest journals until ``more`` bytes fit. Returns what they held."""
        if self._unchecked_bytes < self._max_bytes // _BUDGET_SHARE:
            return NOTHING
        self._unchecked_bytes = 0
        excess = spool_bytes(self._spool) + more - self._max_bytes
        lost = NOTHING
        for path in whole_journals(self._spool) if excess > 0 else []:
            with contextlib.suppress(OSError):  # another process, or the sender, took it
                size = path.stat().st_size
                path.unlink()
                lost += counts_of_journal(path)
                excess -= size
            if excess <= 0:
                break
        if excess > 0 and self._descriptor is not None and self._bytes:
            lost += self._counts
            with contextlib.suppress(OSError):
                self._path.unlink()
            self.abandon()
        return lost


def adopt_orphans(spool: Path) -> None:
    """Journals whose process has ended become whole: they are locked no longer."""
    for path in spool_entries(spool):
        if not path.name.endswith(OPEN):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                if has_locks() and try_lock(descriptor):
                    counts = NOTHING
                    for frame in read_frames(path):
                        counts += JournalCounts(frame["n"], sum(frame["lost"].values()))
                    path.rename(path.with_name(f"{path.name.removesuffix(OPEN)}.{counts}{WHOLE}"))
            finally:
                os.close(descriptor)


def read_frames(path: Path) -> Iterator[dict[str, Any]]:
    """The frames of a journal in order, up to the first that is cut off or damaged. Raises OSError."""
    import msgspec

    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            frame = file.read(length) if length <= MAX_FRAME_BYTES else b""
            if len(frame) != length or zlib.crc32(frame) != checksum:
                return
            content = msgspec.msgpack.decode(frame)
            if isinstance(content, dict):
                yield content
