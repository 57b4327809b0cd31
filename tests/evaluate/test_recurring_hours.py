"""A daily pattern that moves is learned within three days; what lasts, or comes at any hour, never is."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from modelwatch.model.finding import Track
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, Limit, LimitKind, Tier
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NOW, rule, track

READ = 24 * 67
AGO = np.arange(READ)[::-1]
TIMES = NOW - HOUR * AGO
HOURS = ((TIMES - HOUR) % DAY // HOUR).astype(np.int64)
MOVED = 20
"""Days before now on which the pattern moves."""
LATE = AGO < 24 * MOVED
LIMITS = ((Severity.WARNING, 0.02), (Severity.ERROR, 0.05), (Severity.CRITICAL, 0.1))


def night(begin: int, depth: float = 0.1, length: int = 4) -> Floats:
    """What is left of the level: less in the hours of each night from ``begin`` on."""
    return np.where((HOURS - begin) % 24 < length, 1 - depth, 1.0)


def judge(left: Floats, n: int = 1000, **more: object) -> Track:
    values = np.random.default_rng(1).binomial(n, np.clip(0.92 * left, 0, 1)) / n
    tiers = [Tier(some, (Limit(LimitKind.DROP, size),), ("issue",), false_alarms=90 * DAY) for some, size in LIMITS]
    given = {
        "window": DAY,
        "better": Direction.HIGHER,
        "weight": "eval/n",
        "interval": Interval.WILSON,
        "baseline": BaselineSpec(BaselineKind.ROLLING),
        **more,
    }
    series = Series(NAME, (), array("d", TIMES), array("d", values), array("d", np.full(READ, float(n))))
    return track(rule(*tiers, **given), series, history=30 * DAY)


def fired_days(found: Track) -> set[int]:
    """The days before now on which a tier held."""
    held = np.flatnonzero(np.frombuffer(found.severity, np.int8) >= 0)
    return {int((found.grid.count - 1 - row) // 24) for row in held.tolist()}


@pytest.mark.parametrize("n", [200, 1000, 5000])
@pytest.mark.parametrize(("hours", "depth"), [(1, 0.1), (-1, 0.1), (1, 0.3), (3, 0.3)])
def test_a_night_that_moves_fires_in_three_nights_at_most(n: int, hours: int, depth: float) -> None:
    """Before, the hour that came anew fired every night for good: what fires is left out of the noise."""
    found = judge(np.where(LATE, night(1 + hours, depth), night(1, depth)), n)
    days = fired_days(found)
    assert len(days) <= 3
    assert days <= set(range(MOVED - 5, MOVED))


def test_a_drop_after_the_pattern_was_learned_fires() -> None:
    left = np.where(LATE, night(2), night(1)) * np.where(AGO < 24 * 5, 0.95, 1.0)
    assert fired_days(judge(left)) == {19, 18, 17, *range(5)}


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(np.where(LATE, 0.95, 1.0), id="at all hours"),
        pytest.param(np.where(LATE, 0.95, 1.0) * night(1), id="beside a pattern"),
        pytest.param(np.where(LATE, 0.96 * night(2, 0.1), night(1, 0.1)), id="with a pattern that moves"),
        pytest.param(np.where(LATE, night(6, 0.1, 16), 1.0), id="in most hours"),
        pytest.param(np.where(LATE, night(6, 0.1, 6) * night(18, 0.1, 6), 1.0), id="twice a day for six hours"),
    ],
)
def test_what_lasts_is_never_learned(left: Floats) -> None:
    assert fired_days(judge(left)) >= set(range(MOVED))


@pytest.mark.parametrize("n", [50, 5000])
def test_a_drop_of_a_shop_that_closes_at_night_is_never_learned(n: int) -> None:
    """Every hour that has points is worse on every day."""
    rng = np.random.default_rng(1)
    is_open = (HOURS >= 9) & (HOURS < 17)
    values = rng.binomial(n, 0.92 * np.where(LATE, 0.9, 1.0)) / n
    times, rates, counts = (array("d", column[is_open]) for column in (TIMES, values, np.full(READ, float(n))))
    found = track(judge(np.ones(READ)).rule, Series(NAME, (), times, rates, counts), history=30 * DAY)
    assert fired_days(found) >= set(range(MOVED - 1))


@pytest.mark.parametrize(
    ("busy", "rows", "rest", "drop"), [(4, 5000, 5, 0.03), (8, 1000, 10, 0.05), (11, 1000, 10, 0.05)]
)
def test_a_drop_is_never_learned_where_few_points_say_that_other_hours_are_as_usual(
    busy: int, rows: int, rest: int, drop: float
) -> None:
    """Most rows come in a few hours; of the others nothing can be said."""
    n = np.where(np.isin(HOURS, np.arange(9, 9 + busy)), rows, rest)
    for seed in range(3, 8):
        values = np.random.default_rng(seed).binomial(n, 0.92 * np.where(LATE, 1 - drop, 1.0)) / n
        series = Series(NAME, (), array("d", TIMES), array("d", values), array("d", n.astype(float)))
        found = track(judge(np.ones(READ)).rule, series, history=30 * DAY)
        assert fired_days(found) >= set(range(MOVED - 1))


@pytest.mark.parametrize("depth", [0.1, 0.3, 0.9])
def test_a_failure_of_every_night_that_makes_the_days_worse_is_never_learned(depth: float) -> None:
    """No other hour got better, so nothing has moved. Learned, it was silent for weeks and then fired at all hours,
    since the level of the noise had followed and the baseline had not."""
    assert fired_days(judge(np.where(LATE, night(2, depth, 3), 1.0))) == set(range(MOVED))


def test_a_failure_of_every_night_that_the_days_do_not_show_is_learned() -> None:
    assert fired_days(judge(np.where(LATE, night(2, 0.15, 1), 1.0))) <= {19, 18, 17, 16}


def test_failures_at_any_hour_are_never_learned() -> None:
    fails = np.repeat(np.random.default_rng(5).random(-(-READ // 3)) < 0.35, 3)[:READ]
    assert fired_days(judge(np.where(LATE & fails, 0.85, 1.0))) >= set(range(MOVED))


def test_of_a_sum_and_a_mean_too() -> None:
    """Orders that are half as many at night, and a latency that is twice as long."""
    rng = np.random.default_rng(2)
    shape = np.where(LATE, night(2, 0.5), night(1, 0.5))
    for values, form, more in (
        (rng.poisson(1000 * shape).astype(float), LimitKind.DROP, {"aggregate": Aggregate.SUM}),
        (rng.normal(100 / shape, 5), LimitKind.RISE, {"interval": Interval.NORMAL}),
    ):
        series = Series(NAME, (), array("d", TIMES), array("d", values), None)
        better = Direction.HIGHER if form is LimitKind.DROP else Direction.LOWER
        tiers = Tier(Severity.ERROR, (Limit(form, 0.2),), ("issue",), false_alarms=90 * DAY)
        a_rule = rule(tiers, window=DAY, better=better, baseline=BaselineSpec(BaselineKind.ROLLING), **more)
        assert fired_days(track(a_rule, series, history=30 * DAY)) <= {19, 18, 17}


def test_the_future_changes_nothing_before_it() -> None:
    left = np.where(LATE, night(2), night(1))
    values = np.random.default_rng(1).binomial(1000, 0.92 * left) / 1000
    series = Series(NAME, (), array("d", TIMES), array("d", values), array("d", np.full(READ, 1000.0)))
    a_rule = judge(left).rule
    full = track(a_rule, series, history=30 * DAY)
    for days in (17, 12, 3):
        earlier = track(a_rule, series, history=(30 - days) * DAY, now=NOW - days * DAY)
        assert list(earlier.severity) == list(full.severity)[: -24 * days]
