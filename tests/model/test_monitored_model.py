"""Where the history of a model begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.model.monitored_model import Model
from modelwatch.timeutil import DAY, HOUR, WEEK


def start(history: float, now: float) -> float:
    return now - Model("churn", (), history=history).with_whole_history(now).history


@given(st.floats(1e9, 3e9), st.sampled_from([30 * DAY, 5 * DAY, 5 * HOUR]))
def test_a_history_is_as_long_as_it_says_and_begins_at_a_whole_step(now: float, history: float) -> None:
    begin = start(history, now)
    step = {30 * DAY: WEEK, 5 * DAY: DAY, 5 * HOUR: HOUR}[history]
    assert history <= now - begin <= history + step + 1
    whole = round(begin / step) * step
    assert whole - 1 < begin < whole  # just before, so that the whole step belongs to it


@given(st.floats(0, WEEK - 1))
def test_evaluations_of_one_week_begin_with_the_same_data(later: float) -> None:
    monday = 2900 * WEEK + 2 * DAY
    assert start(30 * DAY, monday + later) == pytest.approx(start(30 * DAY, monday), abs=1e-5)


def test_a_history_of_hours_stays() -> None:
    model = Model("churn", (), history=2 * HOUR)
    assert model.with_whole_history(1e9) is model
