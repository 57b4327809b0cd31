"""Which points belong to the same time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.stats.time_join import MAX_REACH, nearest_rows


@pytest.mark.parametrize(
    ("times", "own", "rows"),
    [
        ([0, 60, 120], [0, 60, 120], [0, 1, 2]),
        ([0, 60, 120], [29, 89], [0, 1, -1]),
        ([0, 60, 120], [31, 91], [-1, 0, 1]),
        ([0, 3600, 7200], [700, 3600], [-1, 1, -1]),
        ([0, 3600], [500], [0, -1]),
        ([100], [100.5], [0]),
        ([100], [102], [-1]),
        ([], [1], []),
        ([1], [], [-1]),
    ],
)
def test_examples(times: list[float], own: list[float], rows: list[int]) -> None:
    assert nearest_rows(np.array(times, dtype=float), np.array(own, dtype=float)).tolist() == rows


TIMES = st.lists(st.integers(0, 100_000), unique=True, max_size=30).map(lambda times: np.array(sorted(times), float))


@given(TIMES, TIMES)
def test_no_point_is_used_twice_and_none_from_afar(times: np.ndarray, own: np.ndarray) -> None:
    rows = nearest_rows(times, own)
    used = rows[rows >= 0]
    assert len(set(used.tolist())) == len(used)
    assert (np.diff(used) > 0).all()
    assert all(abs(own[row] - time) <= MAX_REACH for time, row in zip(times, rows, strict=True) if row >= 0)
    assert nearest_rows(times, times).tolist() == list(range(len(times)))
