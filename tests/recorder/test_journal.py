"""The files of a spool: whole frames only, within a budget, and adopted when their process has died."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from modelwatch.recorder.journal import Journal, adopt_orphans, read_frames
from modelwatch.recorder.spool_files import NOTHING, JournalCounts, counts_of_journal, spool_bytes, whole_journals

MB = 1 << 20


def frame(rows: int, size: int = 10) -> bytes:
    return msgspec.msgpack.encode({"n": rows, "lost": {}, "fill": b"x" * size})


def append(journal: Journal, rows: int, size: int = 10, now: float = 1000.0, lost: int = 0) -> JournalCounts:
    return journal.append(frame(rows, size), JournalCounts(rows, lost), now)


def rows_in(spool: Path) -> list[int]:
    return [counts_of_journal(path).rows for path in whole_journals(spool)]


def test_frames_are_read_as_they_were_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "p", MB)
    assert [append(journal, rows) for rows in (1, 2, 3)] == [NOTHING] * 3
    assert whole_journals(tmp_path) == []
    assert journal.close() == NOTHING
    (path,) = whole_journals(tmp_path)
    assert [found["n"] for found in read_frames(path)] == [1, 2, 3]
    assert counts_of_journal(path) == JournalCounts(6, 0)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "zeroed"])
def test_a_damaged_end_is_left_out(tmp_path: Path, damage: str) -> None:
    journal = Journal(tmp_path, "p", MB)
    for rows in (1, 2):
        append(journal, rows, 100)
    journal.close()
    (path,) = whole_journals(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[:-3]
    else:
        content[-50:] = bytes(50) if damage == "zeroed" else bytes(byte ^ 1 for byte in content[-50:])
    path.write_bytes(content)
    assert [found["n"] for found in read_frames(path)] == [1]


def test_the_oldest_go_first_and_are_counted(tmp_path: Path) -> None:
    """Of two processes that share a spool."""
    first, second = Journal(tmp_path, "a", MB), Journal(tmp_path, "b", MB)
    lost = NOTHING
    for number in range(40):
        for journal in (first, second):
            lost += append(journal, 100, 50_000, 1000.0 + number, lost=1)
            lost += journal.close()
        assert spool_bytes(tmp_path) <= 1.1 * MB
    kept = sum(map(counts_of_journal, whole_journals(tmp_path)), NOTHING)
    assert kept + lost == JournalCounts(8000, 80), "also what the deleted ones reported"
    assert kept.rows > 1500
    oldest = whole_journals(tmp_path)[0].name
    assert int(oldest[:14]) > 1_020_000, "milliseconds"


def test_a_journal_that_alone_is_too_large_gives_way(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "p", MB)
    lost = sum((append(journal, 10, 400_000) for _ in range(10)), NOTHING)
    journal.close()
    assert lost.rows + sum(rows_in(tmp_path)) == 100
    assert spool_bytes(tmp_path) <= 1.1 * MB


def test_a_deleted_spool_is_a_loss_that_is_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spool", "p", MB)
    (tmp_path / "spool").mkdir()
    append(journal, 5, lost=2)
    shutil.rmtree(tmp_path / "spool")
    assert journal.close() == JournalCounts(5, 2)


def test_only_journals_of_dead_processes_are_adopted(tmp_path: Path) -> None:
    alive = Journal(tmp_path, "alive", MB)
    append(alive, 1)
    script = f"""
import os, signal, msgspec
from pathlib import Path
from modelwatch.recorder.journal import Journal
from modelwatch.recorder.spool_files import JournalCounts
journal = Journal(Path({str(tmp_path)!r}), "dead", {MB})
journal.append(msgspec.msgpack.encode({{"n": 7, "lost": {{"disk": 3}}}}), JournalCounts(7, 3), 2000.0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    adopt_orphans(tmp_path)
    assert [counts_of_journal(path) for path in whole_journals(tmp_path)] == [JournalCounts(7, 3)]
    alive.close()
    assert sum(rows_in(tmp_path)) == 8


def test_a_child_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "p", MB)
    append(journal, 1)
    child = os.fork()
    if not child:
        journal.abandon()
        os._exit(0)
    os.waitpid(child, 0)
    adopt_orphans(tmp_path)
    assert whole_journals(tmp_path) == []
    append(journal, 2)
    journal.close()
    assert rows_in(tmp_path) == [3]
