"""One absurd value is left out of baselines; bursts, jobs and changes of the level are not."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from modelwatch.evaluate.outliers import find_outliers
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, Limit, LimitKind, Tier
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NOW, rule, track

COUNT = 24 * 60
TIMES: Floats = NOW - HOUR * np.arange(COUNT)[::-1].astype(np.float64)
HOURS = np.arange(COUNT)


def orders(seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(100, COUNT).astype(float)


def found(values: Floats) -> list[int]:
    rows = find_outliers(TIMES, values, np.ones(COUNT))
    return [] if rows is None else np.flatnonzero(rows).tolist()


@pytest.mark.parametrize("aggregate", [Aggregate.SUM, Aggregate.MEAN])
@pytest.mark.parametrize("days", [12, 25, 40])
def test_a_glitch_does_not_poison_the_baseline(aggregate: Aggregate, days: int) -> None:
    """The baseline of a sum was a plain mean: one value of 10^6 raised it fifteenfold for four weeks."""
    tier = Tier(Severity.ERROR, (Limit(LimitKind.DROP, 0.2),), ("issue",), false_alarms=90 * DAY)
    interval = Interval.NONE if aggregate is Aggregate.SUM else Interval.NORMAL
    given = rule(
        tier,
        aggregate=aggregate,
        interval=interval,
        window=DAY,
        better=Direction.HIGHER,
        baseline=BaselineSpec(BaselineKind.ROLLING, anchor=False),
    )
    values = orders()
    values[-24 * days] = 1e6
    judged = track(given, Series(NAME, (), array("d", TIMES), array("d", values), None), history=30 * DAY)
    usual = 2400 if aggregate is Aggregate.SUM else 100
    assert np.asarray(judged.baseline) == pytest.approx(usual, rel=0.02)
    assert max(judged.severity) == -1


def test_a_glitch_of_some_hours_is_one_and_a_new_level_is_none() -> None:
    values = orders()
    values[900:905] = 1e5
    assert found(values) == list(range(900, 905))
    values[900:] = 1e5
    assert found(values) == []


def test_what_comes_every_week_is_left_out_twice() -> None:
    """A job on Sundays: from the third time on it is known."""
    values = orders()
    weekly = [500 + 168 * week for week in range(5)]
    values[weekly] = 1e5
    assert found(values) == weekly[:2]


@pytest.mark.parametrize(
    "values",
    [
        orders() * np.where(HOURS % 24 == 3, 100.0, 1.0),
        np.random.default_rng(2).standard_t(3, COUNT),
        np.exp(np.random.default_rng(3).standard_normal(COUNT)),
        np.random.default_rng(4).poisson(0.01, COUNT).astype(float),
        np.where(HOURS % 168 < 100, 1.0, 1000.0) * orders(),
        np.full(COUNT, 10.0),
    ],
    ids=["a nightly job", "heavy tails", "skewed", "rare failures", "weekends", "constant"],
)
def test_nothing_that_is_usual_is_an_outlier(values: Floats) -> None:
    assert found(values) == []


def test_later_points_change_nothing_but_the_end() -> None:
    values = orders()
    values[[400, 700, 1200]] = 1e6
    rows = find_outliers(TIMES, values, np.ones(COUNT))
    part = find_outliers(TIMES[:1000], values[:1000], np.ones(1000))
    assert rows is not None
    assert part is not None
    assert rows[:1000].tolist() == part.tolist()
