"""Means of daily amounts against statsmodels and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from modelwatch.stats.daily_mean import DailyMean, daily_mean, difference_of_means, t_interval, widen


@pytest.mark.parametrize("days", [2, 5, 8, 30, 365])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_standard_error_is_that_of_statsmodels(days: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = 100 + np.cumsum(random.normal(size=days)) + 10 * np.sin(np.arange(days) * 2 * np.pi / 7)
    found = daily_mean(values)
    fitted = sm.OLS(values, np.ones(days)).fit(cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": True})
    assert found.mean == pytest.approx(fitted.params[0])
    assert found.se == pytest.approx(fitted.bse[0])
    assert found.days == days


def test_without_lags_it_is_the_usual_one() -> None:
    values = np.array([3.0, 5.0, 4.0, 8.0])
    assert daily_mean(values, lags=0).se == pytest.approx(stats.sem(values))


def test_one_day_or_none_has_no_standard_error() -> None:
    assert math.isnan(daily_mean(np.array([3.0])).se)
    none = daily_mean(np.array([]))
    assert math.isnan(none.mean)
    assert none.days == 0


def test_the_interval_is_students() -> None:
    wanted = stats.t.interval(0.95, 9, loc=10, scale=2)
    assert t_interval(10.0, 2.0, 9) == pytest.approx(wanted)
    assert all(map(math.isnan, t_interval(10.0, math.nan, 9)))
    assert all(map(math.isnan, t_interval(10.0, 1.0, 0)))


def test_a_difference_has_welchs_degrees_of_freedom() -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(10, 1, 40), random.normal(9, 3, 12)
    pair = [DailyMean(float(x.mean()), float(stats.sem(x)), len(x)) for x in (one, other)]
    difference, se, df = difference_of_means(*pair)
    low, high = t_interval(difference, se, df)
    wanted = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (low, high) == pytest.approx((wanted.low, wanted.high))


def test_constant_days_are_exact() -> None:
    difference, se, df = difference_of_means(daily_mean(np.full(10, 3.0)), daily_mean(np.full(10, 2.0)))
    assert (difference, se) == (1.0, 0.0)
    assert t_interval(difference, se, df) == (1.0, 1.0)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(rho: float) -> None:
    """200 quarters of days that resemble their neighbours. Such intervals are known to be a little short."""
    random, covered = np.random.default_rng(11), 0
    for _ in range(200):
        noise = random.normal(size=90)
        days = np.zeros(90)
        for day in range(90):
            days[day] = rho * (days[day - 1] if day else 0.0) + noise[day]
        found = daily_mean(days)
        low, high = t_interval(found.mean, found.se, found.days - 1)
        covered += low <= 0 <= high
    assert covered >= 170


@pytest.mark.parametrize("days", [8, 14, 29, 60])
def test_intervals_of_few_days_cover_as_often_as_they_say(days: int) -> None:
    """The error alone covers 75 % at 8 independent days: a variance with seven lags of so few is too small."""
    random, covered = np.random.default_rng(days), 0
    for _ in range(1000):
        mean = widen(daily_mean(random.normal(size=days)))
        low, high = t_interval(mean.mean, mean.se, math.inf)
        covered += low <= 0.0 <= high
    assert 0.93 <= covered / 1000 <= 0.98
