"""Which points count: late ones, bad ones, duplicates, disorder, weights that count nothing, other versions."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.evaluate.deployments import version_timeline
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.points import clean_points
from modelwatch.evaluate.sensitivity import measure_sensitivity
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, LimitKind
from modelwatch.model.series import Deployment, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

from .making import INF, NAN, NOW, hourly, newest, rows, rule, series, tier, track
from .test_anchors import accuracy_rule

HUGE = 1.7e308
NONE = version_timeline([])


def test_points_later_than_five_minutes_ahead_are_left_out_and_counted() -> None:
    """DESIGN: points later than now + 5 min are left out and counted."""
    points = clean_points(series([(NOW, 1.0), (NOW + 300, 2.0), (NOW + 300.1, 3.0), (NOW + 9e9, 4.0)]), NONE, NOW)
    assert list(points.values) == [1.0, 2.0]
    assert points.late == 2
    assert track(rule(), series([(NOW, 1.0), (NOW + 301, 9.0)])).late_points == 1


def test_clock_skew_within_five_minutes_changes_no_window() -> None:
    """DESIGN: late points and clock skew are handled on purpose: a point just ahead waits for its own window."""
    ahead = series([(NOW - HOUR, 0.9), (NOW + 60, 0.1)])
    assert newest(rule(), ahead).value == 0.9
    assert track(rule(), ahead).late_points == 0
    assert newest(rule(), ahead, now=NOW + HOUR).value == 0.5


def test_bad_values_are_left_out_and_counted() -> None:
    """DESIGN: NaN and infinities are handled on purpose."""
    found = track(rule(), hourly([0.5, NAN, INF, -INF, 0.7]))
    last = found.finding(-1)
    assert (last.value, last.points, last.outcome) == (0.7, 1, Outcome.OK)
    assert found.bad_points == 3


def test_a_window_of_bad_values_says_so() -> None:
    found = rows(track(rule(window=HOUR), hourly([0.5, NAN, INF])))[-4:]
    assert [(row.outcome, row.cause) for row in found] == [
        (Outcome.NO_DATA, Cause.NO_POINTS),
        (Outcome.OK, Cause.NONE),
        (Outcome.NO_DATA, Cause.ONLY_BAD_VALUES),
        (Outcome.NO_DATA, Cause.ONLY_BAD_VALUES),
    ]
    assert all(row.value is None for row in found if row.outcome is Outcome.NO_DATA)


def test_a_row_that_counts_nothing_is_not_bad_either() -> None:
    """A weight of 0 counts nothing, so its value (often 0/0) does not matter."""
    found = track(
        rule(), series([(NOW - HOUR, 0.5, 10.0), (NOW, NAN, 0.0), (NOW - 60, 0.0, 0.0), (NOW - 30, 9.0, -4.0)])
    )
    last = found.finding(-1)
    assert (last.value, last.n, last.points, found.bad_points) == (0.5, 10.0, 1, 0)


def test_an_infinite_weight_is_an_unknown_one() -> None:
    last = newest(rule(), series([(NOW - 1, 0.5, INF), (NOW, 0.7, INF)]))
    assert (last.value, last.n) == (0.6, None)


@pytest.mark.parametrize("huge", [HUGE, 1e101, 2.0**54])
def test_a_count_that_cannot_be_one_is_unknown_and_told(huge: float) -> None:
    some = [(NOW - hour * HOUR, 0.9 if hour else 0.5, huge if hour % 9 == 4 else 1000.0) for hour in range(99, -1, -1)]
    limits = replace(accuracy_rule(), baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.9, n=1000.0))
    with np.errstate(invalid="raise", over="raise"):
        judged = evaluate_model(Model("churn", (limits,)), PulledSeries("churn", (series(some),)), NOW)
        seen = measure_sensitivity(judged.tracks[0])
    assert seen is not None
    assert judged.notes == ("churn / accuracy: 11 counts above 9e15 are no counts, and were taken as unknown",)
    assert judged.tracks[0].finding(-1).severity is Severity.CRITICAL


def test_values_whose_squares_are_no_numbers_are_left_out() -> None:
    points = clean_points(series([(NOW - 2, 1e101), (NOW - 1, -HUGE), (NOW, 0.5)]), NONE, NOW)
    assert (list(points.values), list(points.bad_times)) == ([0.5], [NOW - 2, NOW - 1])


def test_of_two_points_for_one_time_the_newest_wins() -> None:
    """DESIGN: of two writes for one window the newest wins; duplicates are handled on purpose."""
    points = clean_points(series([(NOW - 2, 5.0), (NOW - 1, 1.0), (NOW - 1, 2.0), (NOW, 3.0), (NOW, 4.0)]), NONE, NOW)
    assert (list(points.times), list(points.values)) == ([NOW - 2, NOW - 1, NOW], [5.0, 2.0, 4.0])


def test_values_that_are_replaced_are_counted_and_told() -> None:
    twice = series([(NOW - 1, 1.0), (NOW - 1, 2.0), (NOW, 3.0), (NOW, 3.0)])
    assert clean_points(twice, NONE, NOW).replaced == 1, "the same value twice loses nothing"
    (note,) = evaluate_model(Model("churn", (rule(),)), PulledSeries("churn", (twice,)), NOW).notes
    assert note.startswith("churn / accuracy: 1 points were left out for a later one of the same time")


def test_what_does_not_count_replaces_nothing() -> None:
    """Neither a canary that logs at the same times, nor a row without a count."""
    served = version_timeline([Deployment("v1", 0.0)])
    both = series([(NOW, 0.3), (NOW, 0.9)], versions=("v1", "v2"), version_of=[0, 1])
    assert list(clean_points(both, served, NOW).values) == [0.3]
    empty = series([(NOW, 0.3, 10.0), (NOW, NAN, 0.0)])
    assert list(clean_points(empty, NONE, NOW).values) == [0.3]


def test_unknown_times_belong_nowhere() -> None:
    points = clean_points(series([(NAN, 5.0), (-INF, 7.0), (NOW, 3.0)]), NONE, NOW)
    assert list(points.values) == [3.0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 72), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(hours: list[int], dice: random.Random) -> None:
    """Out of order, and with older writes of the same points before them: the same findings."""
    some = [(NOW - hour * HOUR, hour / 64, 1.0 + hour) for hour in sorted(hours, reverse=True)]
    shuffled = list(some)
    dice.shuffle(shuffled)
    shuffled = [(time, 99.0, 5.0) for time, _, _ in some] + shuffled
    limits = rule(tier("warning", LimitKind.BELOW, 0.5))
    assert rows(track(limits, series(some))) == rows(track(limits, series(shuffled)))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.lists(st.floats(0, 1), max_size=10))
def test_later_points_never_change_earlier_rows(values: list[float], later: list[float]) -> None:
    limits = rule(tier("warning", LimitKind.BELOW, 0.5))
    some = [(NOW - i * HOUR, value) for i, value in enumerate(values)][::-1]
    more = [(NOW + (i + 1) * HOUR, value) for i, value in enumerate(later)]
    before = rows(track(limits, series(some)))
    after = rows(track(limits, series(some + more), now=NOW + 20 * HOUR, history=3e5))
    same = {row.time: row for row in after}
    assert [same[row.time] for row in before] == before


def test_points_of_a_version_that_is_not_deployed_are_not_counted() -> None:
    """A shadow's or a straggler's points say nothing about the version in production; unknown ones belong to it."""
    some = series(
        [(NOW - 3, 0.1), (NOW - 2, 0.2), (NOW - 1, 0.3), (NOW, 0.4)], versions=("a", "b", "x"), version_of=[0, 1, 2, -1]
    )
    service = version_timeline([Deployment("a", NOW - 9 * HOUR), Deployment("b", NOW - 2)])
    assert list(clean_points(some, service, NOW).values) == [0.1, 0.2, 0.4]
    assert list(clean_points(some, NONE, NOW).values) == [0.1, 0.2, 0.3, 0.4]
    assert list(clean_points(some, version_timeline([Deployment("b", 0)]), NOW).values) == [0.2, 0.4]
    before_any = version_timeline([Deployment("b", NOW + 9)])
    assert list(clean_points(some, before_any, NOW).values) == [0.1, 0.2, 0.3, 0.4]


def test_a_series_keeps_its_own_columns() -> None:
    some = hourly([0.5, NAN, 0.7], weight=1.0)
    clean_points(some, NONE, NOW)
    assert len(some.times) == len(some.values) == 3
    assert some.weights is not None
    assert some.weights[2] == 1.0
