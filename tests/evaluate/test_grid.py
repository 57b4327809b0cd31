"""The evaluation times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate.windows import evaluation_grid, grid_times
from modelwatch.timeutil import DAY, HOUR

from .making import NOW, hourly, rule, track

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
