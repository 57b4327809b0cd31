"""Seasonal baselines: the spread of neighbouring hours, the same period of earlier years, patterns within a window."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.finding import Cause, Outcome, Track
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import BaselineKind, BaselineSpec, LimitKind
from modelwatch.model.series import PulledSeries, Series
from modelwatch.sources.requirements import history_reach
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR, WEEK
from tests.false_alarms.model_years import BUDGETS, readme_rule

from .making import NOW, newest, rule, series, tier

YEARLY = BaselineSpec(BaselineKind.SEASONAL, length=364 * DAY)
MONTH = BaselineSpec(BaselineKind.SEASONAL, length=28 * DAY)
NO_BUDGET = (None, None, None)


def judge(baseline: BaselineSpec, factor: Any, budgets: Any = BUDGETS, days: int = 470, seed: int = 5) -> Track:
    """An accuracy of 0.87 that rises by 3 % a year, times ``factor(day before NOW, hour of the day)``."""
    rng = np.random.default_rng(seed)
    times: Floats = np.arange(NOW - days * DAY + HOUR, NOW + 1, HOUR)
    day = np.ceil((times - NOW) / DAY).astype(int)
    accuracy = 0.87 * (1 + 0.03 * (times - times[0]) / (365 * DAY)) * factor(day, times % DAY / HOUR)
    count = rng.poisson(1000, len(times)).astype(float)
    values = rng.binomial(count.astype(int), accuracy) / count
    some = Series("eval/accuracy", (), array("d", times), array("d", values), array("d", count))
    model = Model(name="m", rules=(readme_rule(budgets, segments=(), baseline=baseline),), history=30 * DAY)
    return evaluate_model(model, PulledSeries("m", (some,)), NOW + 1).tracks[0]


def breaches(track: Track) -> int:
    return list(track.outcome).count(Outcome.BREACH.code)


def dip(begin: int, length: int, extra: float = 0.0, extra_from: int = 0) -> Any:
    """A dip of 5 % for ``length`` days from the day ``begin`` on and 364 days earlier; ``extra`` on top this year."""

    def factor(day: Any, hour: Any) -> Any:
        inside = ((day >= begin) & (day < begin + length)) | ((day >= begin - 364) & (day < begin - 364 + length))
        return np.where(inside, 0.95, 1.0) * np.where(day >= extra_from, 1 - extra, 1.0)

    return factor


@pytest.mark.parametrize("budgets", [BUDGETS, NO_BUDGET])
@pytest.mark.parametrize(("begin", "length"), [(-10, 21), (-3, 1)])
class TestYearly:
    def test_a_dip_that_comes_every_year_does_not_fire(self, budgets: Any, begin: int, length: int) -> None:
        assert breaches(judge(MONTH, dip(begin, length), budgets)) > 0
        assert breaches(judge(YEARLY, dip(begin, length), budgets)) == 0

    def test_a_drop_on_top_fires(self, budgets: Any, begin: int, length: int) -> None:
        assert breaches(judge(YEARLY, dip(begin, length, 0.06, begin + 2), budgets)) > 0


def test_the_level_may_have_changed_since() -> None:
    track = judge(YEARLY, dip(-10, 21), NO_BUDGET)
    assert track.baseline[-200] == pytest.approx(track.value[-200], rel=0.01)


def test_a_history_of_less_than_a_year_is_no_baseline() -> None:
    track = judge(YEARLY, dip(-10, 21), days=300)
    assert set(track.cause) == {Cause.NO_BASELINE.code}


def test_what_a_yearly_baseline_needs_is_read() -> None:
    more = history_reach(rule(baseline=YEARLY)) - history_reach(rule(baseline=MONTH))
    assert more == (364 - 28) * DAY + WEEK + WEEK + 28 * DAY


@pytest.mark.parametrize("baseline", [MONTH, YEARLY])
def test_a_pattern_of_the_day_or_the_week_within_the_window_does_not_fire(baseline: BaselineSpec) -> None:
    daily = judge(baseline, lambda _, hour: 1 + 0.03 * np.sin(2 * np.pi * hour / 24))
    weekly = judge(baseline, lambda day, _: np.where(day % 7 >= 5, 0.97, 1.0))
    assert (breaches(daily), breaches(weekly)) == (0, 0)


def test_neighbouring_hours_say_how_much_windows_vary() -> None:
    """The four windows of this hour are nearly equal by chance; those of the neighbouring hours are not."""
    rng = np.random.default_rng(1)
    hours = 5 * 7 * 24
    values = 10 + np.sin(2 * np.pi * np.arange(hours) / 24) + rng.normal(0, 1, hours)
    values[-1 - 168 * np.arange(1, 5)] = 10.0
    values[-1] = 9.0
    points = [(NOW - (hours - 1 - place) * HOUR, value) for place, value in enumerate(values.tolist())]
    last = newest(rule(tier("warning", LimitKind.SIGMA, 3.0), baseline=MONTH, window=HOUR), series(points))
    assert last.outcome is Outcome.OK
