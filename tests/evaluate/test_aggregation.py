"""How the points of a window become one number, its count and its interval."""

from __future__ import annotations

import pytest

from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Aggregate, Interval
from modelwatch.timeutil import HOUR

from .making import INF, NAN, NOW, hourly, newest, rule, series

SOME = [(NOW - 3 * HOUR, 0.5, 10.0), (NOW - 2 * HOUR, 1.0, 30.0), (NOW - HOUR, 0.25, 40.0)]


@pytest.mark.parametrize(
    ("how", "value", "n"),
    [
        (Aggregate.MEAN, (5 + 30 + 10) / 80, 80.0),
        (Aggregate.SUM, 1.75, 80.0),
        (Aggregate.LAST, 0.25, 40.0),
        (Aggregate.P50, 0.5, 80.0),
        (Aggregate.P95, 0.95, 80.0),
        (Aggregate.P99, 0.99, 80.0),
    ],
)
def test_aggregates(how: Aggregate, value: float, n: float) -> None:
    last = newest(rule(aggregate=how), series(SOME))
    assert last.value == pytest.approx(value, rel=1e-12)
    assert (last.n, last.points, last.outcome) == (n, 3, Outcome.OK)


def test_without_counts_every_point_weighs_the_same_and_n_is_unknown() -> None:
    last = newest(rule(), series([row[:2] for row in SOME]))
    assert (last.value, last.n) == (1.75 / 3, None)


def test_a_point_of_unknown_count_weighs_as_the_average_one_and_adds_nothing() -> None:
    last = newest(rule(), series([(NOW - 2, 0.0, 10.0), (NOW - 1, 0.5, 30.0), (NOW, 1.0, NAN)]))
    assert last.value == pytest.approx((0.5 * 30 + 1.0 * 20) / 60)
    assert (last.n, last.points) == (40.0, 3)


RATIO = rule(aggregate=Aggregate.RATIO, denominator=KeyPattern("eval/requests"), interval=Interval.WILSON)


def test_a_ratio_is_sum_over_sum_and_its_count_the_denominator() -> None:
    errors = hourly([1.0, 2.0, 3.0, 4.0])
    requests = hourly([10.0, 10.0, 10.0, 70.0], name="eval/requests")
    last = newest(RATIO, errors, requests)
    assert (last.value, last.n) == (0.1, 100.0)
    # binomtest(10, 100).proportion_ci(method="wilson")
    assert last.low == pytest.approx(0.0552291, abs=1e-7)
    assert last.high == pytest.approx(0.1743657, abs=1e-7)


def test_a_ratio_over_nothing_has_no_data() -> None:
    last = newest(RATIO, hourly([1.0, 2.0]), hourly([0.0, 0.0], name="eval/requests"))
    assert (last.outcome, last.value) == (Outcome.NO_DATA, None)
    assert newest(RATIO, hourly([1.0, 2.0])).outcome is Outcome.NO_DATA


def test_the_denominator_is_that_of_the_same_labels() -> None:
    other = hourly([5.0], name="eval/requests", labels=(("region", "eu"),))
    assert newest(RATIO, hourly([1.0]), other).outcome is Outcome.NO_DATA


def test_wilson_of_a_weighted_mean_uses_the_summed_count() -> None:
    last = newest(rule(interval=Interval.WILSON), hourly([0.75, 0.85], weight=50.0))
    # binomtest(80, 100).proportion_ci(method="wilson")
    assert last.low == pytest.approx(0.7111708, abs=1e-7)
    assert last.high == pytest.approx(0.8666331, abs=1e-7)


def test_normal_is_the_mean_and_its_standard_error() -> None:
    """Points 1, 2, 3, 4: mean 2.5, sd 1.2910, se 0.6455."""
    last = newest(rule(interval=Interval.NORMAL), hourly([1.0, 2.0, 3.0, 4.0], weight=7.0))
    assert last.low == pytest.approx(2.5 - 1.959963985 * 0.6454972244, rel=1e-9)
    assert last.high == pytest.approx(2.5 + 1.959963985 * 0.6454972244, rel=1e-9)


def test_normal_of_values_far_from_zero_keeps_its_digits() -> None:
    last = newest(rule(interval=Interval.NORMAL), hourly([1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4]))
    assert last.low is not None
    assert last.low - 1e9 == pytest.approx(2.5 - 1.959963985 * 0.6454972244, rel=1e-6)


def test_normal_needs_two_points() -> None:
    last = newest(rule(interval=Interval.NORMAL), hourly([0.5]))
    assert (last.outcome, last.cause, last.low) == (Outcome.UNDECIDED, Cause.TOO_FEW_POINTS, None)


def test_rounding_alone_makes_no_value_improper() -> None:
    some = series([(NOW - i, 1.0, 0.1 * (i + 1)) for i in range(40)][::-1])
    last = newest(rule(interval=Interval.WILSON), some)
    assert last.outcome is Outcome.OK
    assert last.high == 1.0


def test_a_sum_beyond_all_numbers_is_no_value() -> None:
    last = newest(rule(aggregate=Aggregate.SUM), hourly([1.7e308, 1.7e308]))
    assert (last.outcome, last.value) == (Outcome.NO_DATA, None)
    assert INF not in (last.low, last.high)
