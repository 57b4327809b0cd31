"""The bound of memory, and the counts of what did not fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from modelwatch.recorder.buffer import UNIT_BYTES, RowBuffer


def test_entries_come_out_once_and_in_order() -> None:
    buffer = RowBuffer(100 * UNIT_BYTES)
    assert all(buffer.put(number, number * UNIT_BYTES) for number in range(1, 5))
    assert buffer.pending_bytes == (1 + 2 + 3 + 4 + 4) * UNIT_BYTES
    assert buffer.take(3) == [1, 2]
    assert buffer.take(1000) == [3, 4]
    assert (buffer.take(1000), buffer.pending_bytes) == ([], 0)


def test_what_does_not_fit_is_counted_once() -> None:
    buffer = RowBuffer(10 * UNIT_BYTES)
    assert buffer.put("small", 100)
    assert not buffer.put("huge", 10 * UNIT_BYTES, rows=7)
    buffer.count_loss("invalid", 2)
    assert buffer.uncounted_losses == 9
    assert buffer.take_losses() == {"memory": 7, "invalid": 2}
    assert (buffer.take_losses(), buffer.uncounted_losses) == ({}, 0)
    assert buffer.take(100) == ["small"]


def test_threads_lose_no_entry_and_no_count() -> None:
    buffer = RowBuffer(2000 * UNIT_BYTES)
    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(lambda _: sum(buffer.put(0, 1500) for _ in range(1000)), range(8)))
    lost = buffer.take_losses()["memory"]
    assert taken + lost == 8000
    assert len(buffer.take(1 << 30)) == taken
    assert taken < 1010, "of 2,000 units, two an entry"
