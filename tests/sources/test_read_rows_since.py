"""Reading a long W&B run from a time on, though it can only be asked for steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.sources.wandb_api import MAX_LOOKS, PAGE_ROWS, HistoryExtent, HistoryRow, read_rows_since


class Paged:
    """A history that counts its pages, and reads none before it is asked to."""

    def __init__(self, rows: list[HistoryRow]) -> None:
        self.rows = rows
        self.pages = 0

    def read(self, min_step: int, page_size: int) -> Iterator[HistoryRow]:
        stop = self.rows[-1]["_step"] + 1
        for begin in range(min_step, stop, page_size):
            self.pages += 1
            yield from [row for row in self.rows if begin <= row["_step"] < begin + page_size]


def history(count: int, step: int = 1, pace: float = 60.0, first_step: int = 0) -> list[HistoryRow]:
    return [{"_step": first_step + i * step, "_timestamp": i * pace} for i in range(count)]


def extent(rows: list[HistoryRow]) -> HistoryExtent:
    return HistoryExtent(rows[-1]["_step"], len(rows), rows[0]["_timestamp"], rows[-1]["_timestamp"])


@pytest.mark.parametrize(("step", "first"), [(1, 0), (100, 0), (60, 1_700_000_000), (7, 12345)])
def test_a_steady_run_is_read_from_about_the_right_step(step: int, first: int) -> None:
    rows = history(100_000, step, first_step=first)
    paged = Paged(rows)
    since = 99_000 * 60.0
    read = read_rows_since(paged.read, extent(rows), since)
    assert [row for row in read if row["_timestamp"] >= since] == rows[99_000:]
    assert paged.pages <= 8, "100,000 rows are 100 pages"


def test_a_short_run_is_read_in_one_go() -> None:
    rows = history(PAGE_ROWS)
    paged = Paged(rows)
    assert read_rows_since(paged.read, extent(rows), 50_000.0) == rows
    assert paged.pages == 1


def test_steps_far_apart_do_not_cost_a_call_each() -> None:
    rows = history(1000, step=1_000_000)
    paged = Paged(rows)
    assert read_rows_since(paged.read, extent(rows), -1.0) == rows
    assert paged.pages == 1


def test_a_run_that_slept_for_long_is_still_read_in_few_pages() -> None:
    rows = history(50_000)
    for row in rows[49_500:]:
        row["_timestamp"] += 1e8
    paged = Paged(rows)
    since = rows[49_500]["_timestamp"]
    read = read_rows_since(paged.read, extent(rows), since)
    assert [row for row in read if row["_timestamp"] >= since] == rows[49_500:]
    assert paged.pages <= 2 * MAX_LOOKS


def test_rows_without_a_time_are_all_read() -> None:
    rows: list[HistoryRow] = [{"_step": i} for i in range(5000)]
    assert read_rows_since(Paged(rows).read, HistoryExtent(4999, 5000, 0.0, 1e6), 9e5) == rows


stretch = st.tuples(st.integers(1, 1500), st.integers(1, 50), st.sampled_from([0.0, 1.0, 60.0, 5000.0, 1e6]))


@given(st.lists(stretch, min_size=1, max_size=8), st.floats(0.0, 1.0), st.sampled_from([0, 10**9]))
@settings(max_examples=60, deadline=None)
def test_no_wanted_row_is_lost_or_doubled(
    stretches: list[tuple[int, int, float]], share: float, first_step: int
) -> None:
    rows, step, time = list[HistoryRow](), first_step, 0.0
    for count, gap, pace in [(2001, 1, 1.0), *stretches]:
        for _ in range(count):
            step, time = step + gap, time + pace
            rows.append({"_step": step, "_timestamp": time})
    since = share * time
    read = read_rows_since(Paged(rows).read, extent(rows), since)
    assert [row for row in read if row["_timestamp"] >= since] == [row for row in rows if row["_timestamp"] >= since]
    assert len({row["_step"] for row in read}) == len(read)
