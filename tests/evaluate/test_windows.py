"""Rows of windows, and their sums, squares and quantiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate import windows
from modelwatch.evaluate.windows import (
    RowRanges,
    evaluation_grid,
    grid_times,
    row_ranges,
    window_quantiles,
    window_squares,
    window_sums,
)
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, hourly, rule, track

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20)
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=30, max_size=30)


def spans_from(pairs: list[tuple[int, int]]) -> RowRanges:
    lo = np.array([min(pair) for pair in pairs])
    hi = np.array([max(pair) for pair in pairs])
    return RowRanges(lo, hi)


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    times = np.array([1.0, 2.0, 3.0, 4.0])
    found = row_ranges(times, np.array([1.0, 4.0]), np.array([3.0, 9.0]))
    assert (list(found.lo), list(found.hi)) == ([1, 4], [3, 4])
    assert list(found.is_empty) == [False, True]


def test_a_floor_is_included() -> None:
    found = row_ranges(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0]), np.array([3.0, 1.0]), np.array([2.0, 2.0]))
    assert list(found.counts) == [2, 0]


@settings(deadline=None)
@given(VALUES, PAIRS)
def test_sums_are_those_of_the_rows(values: list[float], pairs: list[tuple[int, int]]) -> None:
    found = window_sums(np.array(values), spans_from(pairs))
    for total, pair in zip(found, pairs, strict=True):
        assert total == pytest.approx(math.fsum(values[min(pair) : max(pair)]), rel=1e-12, abs=1e-8)


def test_far_points_do_not_disturb_a_window() -> None:
    """A difference of running totals would give 0 here."""
    found = window_sums(np.array([1e300, 1.0, 2.0, -1e300]), RowRanges(np.array([1]), np.array([3])))
    assert found[0] == 3.0


def test_no_windows_and_no_points() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert len(window_sums(np.zeros(0), RowRanges(none, none))) == 0
    assert list(window_sums(np.zeros(0), RowRanges(np.array([0]), np.array([0])))) == [0.0]
    assert np.isnan(window_quantiles(np.zeros(0), RowRanges(np.array([0]), np.array([0])), 0.5)[0]).all()


@settings(deadline=None)
@given(VALUES, PAIRS, st.sampled_from([1, 7, 1 << 20]))
def test_squares_in_batches_of_any_size(values: list[float], pairs: list[tuple[int, int]], cells: int) -> None:
    spans = spans_from(pairs)
    centre = np.arange(len(pairs), dtype=np.float64)
    weights = np.arange(30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "MAX_PAIRS", cells)
        found = window_squares(np.array(values), spans, centre, weights)
    for i, pair in enumerate(pairs):
        wanted = math.fsum((weights[j] * (values[j] - centre[i])) ** 2 for j in range(min(pair), max(pair)))
        assert found[i] == pytest.approx(wanted, rel=1e-9)


@settings(deadline=None)
@given(VALUES, PAIRS, st.sampled_from([0.5, 0.95, 0.99]), st.sampled_from([1, 50, 1 << 20]))
def test_quantiles_are_numpys(values: list[float], pairs: list[tuple[int, int]], q: float, cells: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "MAX_PAIRS", cells)
        value, low, high = window_quantiles(np.array(values), spans_from(pairs), q)
    for i, pair in enumerate(pairs):
        mine = values[min(pair) : max(pair)]
        if not mine:
            assert np.isnan([value[i], low[i], high[i]]).all()
            continue
        assert value[i] == pytest.approx(float(np.quantile(mine, q)), rel=1e-9, abs=1e-9)
        assert min(mine) <= low[i] <= value[i] + 1e-9
        assert value[i] - 1e-9 <= high[i] <= max(mine)


def test_the_interval_of_a_median_is_between_the_order_statistics_of_conover() -> None:
    """100 points: ranks 50 -+ 1.96 * 5, so the 40th and the 61st (to the outside)."""
    _, low, high = window_quantiles(np.arange(1.0, 101.0), RowRanges(np.array([0]), np.array([100])), 0.5)
    assert (low[0], high[0]) == (40.0, 61.0)


EVERY = st.sampled_from([60.0, 900.0, HOUR, 5 * HOUR, DAY])


@settings(deadline=None)
@given(st.floats(1e9, 3e9), EVERY, st.floats(0, 10 * DAY), st.floats(DAY, 40 * DAY))
def test_times_are_utc_multiples(now: float, every: float, lag: float, history: float) -> None:
    """DESIGN: evaluation times are UTC multiples of `every`, up to `now - lag`."""
    grid = evaluation_grid(rule(every=every, lag=lag), now, history)
    times = grid_times(grid)
    assert len(times) == grid.count >= 1
    assert all(time % every == 0 for time in times)
    assert times[-1] <= now - lag < times[-1] + every
    assert grid.last == times[-1]
    if lag <= history - every:
        assert times[0] - every < now - history <= times[0]


@settings(deadline=None)
@given(st.floats(1e9, 3e9), EVERY, st.floats(0, 5 * HOUR))
def test_a_later_evaluation_looks_at_the_same_moments(now: float, every: float, later: float) -> None:
    first = set(grid_times(evaluation_grid(rule(every=every), now, 3 * DAY)))
    second = set(grid_times(evaluation_grid(rule(every=every), now + later, 3 * DAY + later)))
    assert first <= second


def test_both_ends_belong_to_the_grid() -> None:
    grid = evaluation_grid(rule(every=HOUR), NOW, 2 * HOUR)
    assert list(grid_times(grid)) == [NOW - 2 * HOUR, NOW - HOUR, NOW]


def test_lag_holds_the_newest_time_back() -> None:
    """DESIGN: up to `now - lag`. What came within the lag is in no window."""
    found = track(rule(lag=3 * HOUR, window=HOUR), hourly([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert found.grid.last == NOW - 3 * HOUR
    assert found.finding(-1).value == 0.2


def test_a_lag_beyond_the_history_leaves_the_newest_time() -> None:
    grid = evaluation_grid(rule(lag=3 * DAY), NOW, DAY)
    assert (grid.count, grid.start) == (1, NOW - 3 * DAY)
