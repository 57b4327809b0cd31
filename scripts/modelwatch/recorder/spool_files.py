"""The names of files in a spool, and the locks that say who works on which.

::

    settings.json          what the sender needs to know: written by each process that records
    <ms>-<process>-<n>.open            a journal that is being written, locked by its process
    <ms>-<process>-<n>.<rows>-<lost>.rec   a whole journal: its rows, and how many it reports as lost
    batch-<n>/             journals that the sender works on
    days/<day>-<part>.npz  what was counted of a day here
    outbox/<kind>/         sampled rows on their way to the folder
    aside/                 what cannot be counted, for a look
    sender.json, sender.lock, sender.log

Locks are advisory (``flock``): the kernel releases them when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

fcntl: Any = None
with contextlib.suppress(ImportError):  # Windows has none
    fcntl = importlib.import_module("fcntl")

SETTINGS = "settings.json"
SENDER_STATE = "sender.json"
SENDER_LOCK = "sender.lock"
SENDER_LOG = "sender.log"
DAYS, OUTBOX, ASIDE = "days", "outbox", "aside"
OPEN, WHOLE = ".open", ".rec"
BATCH_PREFIX = "batch-"


def has_locks() -> bool:
    """Whether the system has such locks: Linux and macOS do."""
    return fcntl is not None


def try_lock(descriptor: int) -> bool:
    """Whether the file is locked for this process now. Always where the system has no such locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def held_lock(path: Path) -> Iterator[bool]:
    """Holds the lock of a file, which is created, if it is free. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


def whole_journals(spool: Path) -> list[Path]:
    """The oldest first."""
    return sorted(path for path in spool_entries(spool) if path.name.endswith(WHOLE))


@dataclass(frozen=True, slots=True)
class JournalCounts:
    """What a journal holds: rows, and the number of rows that it reports as lost."""

    rows: int = 0
    lost: int = 0

    def __add__(self, other: JournalCounts) -> JournalCounts:
        return JournalCounts(self.rows + other.rows, self.lost + other.lost)

    def __str__(self) -> str:
        return f"{self.rows}-{self.lost}"


NOTHING = JournalCounts()


def counts_of_journal(path: Path) -> JournalCounts:
    """As the name of a whole journal says; nothing if it does not."""
    rows, _, lost = path.name.removesuffix(WHOLE).rpartition(".")[2].partition("-")
    return JournalCounts(int(rows), int(lost)) if rows.isdecimal() and lost.isdecimal() else NOTHING


def spool_bytes(spool: Path) -> int:
    """What the files of a spool take, in its folders, too."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(spool) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                is_folder = entry.is_dir(follow_symlinks=False)
                total += spool_bytes(Path(entry.path)) if is_folder else entry.stat(follow_symlinks=False).st_size
    return total


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old content or the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by `tempfile`, whose lock another thread may hold while this process is forked.
    part = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of our own; empty if there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def model_of_spool(spool: Path) -> str:
    """The model whose recorders write to the spool; empty if none does."""
    return str(read_json(spool / SETTINGS).get("model", ""))


def prepare_spool(spool: Path) -> None:
    """Make the folder, for this user alone. Raises OSError, PermissionError if it belongs to somebody else."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and spool.stat().st_uid != os.getuid():
        raise PermissionError(f"{spool} belongs to another user.")


def spool_entries(spool: Path) -> list[Path]:
    """What lies in the spool; nothing if it cannot be read."""
    try:
        return [Path(entry.path) for entry in os.scandir(spool)]
    except OSError:
        return []
