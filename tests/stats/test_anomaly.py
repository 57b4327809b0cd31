"""Scores of points: they follow from the past alone, and not from unit or origin of the values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from modelwatch.stats.anomaly import MIN_POINTS, WARM_UP, fit_tail, score_points, tail_surprise
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR, MINUTE

START = 19_000 * DAY


def times(count: int, step: float = HOUR) -> Floats:
    return START + step * np.arange(count, dtype=np.float64)


def metric(seed: int, count: int) -> Floats:
    rng = np.random.default_rng(seed)
    kinds = (
        rng.standard_normal(count),
        rng.poisson(0.2, count).astype(float),
        10 + 3 * np.sin(2 * np.pi * np.arange(count) / 24) + rng.standard_t(3, count),
        np.zeros(count),
    )
    return kinds[seed % len(kinds)]


@settings(max_examples=15)
@given(seed=st.integers(0, 100), keep=st.integers(1, 600), step=st.sampled_from([5 * MINUTE, HOUR, 5 * HOUR]))
def test_what_comes_later_changes_no_score(seed: int, keep: int, step: float) -> None:
    at, values = times(600, step), metric(seed, 600)
    whole, part = score_points(at, values), score_points(at[:keep], values[:keep])
    assert part.surprise == pytest.approx(whole.surprise[:keep], abs=1e-6)
    assert part.expected == pytest.approx(whole.expected[:keep])
    assert part.wait == pytest.approx(whole.wait[:keep], rel=1e-5, nan_ok=True)


@settings(max_examples=15)
@given(st.integers(0, 100), st.sampled_from([0.125, 2.0, 1024.0]), st.sampled_from([0.0, -64.0, 512.0]))
def test_unit_and_origin_of_the_values_change_no_score(seed: int, factor: float, shift: float) -> None:
    at, values = times(500), np.round(metric(seed, 500), 3)
    one, other = score_points(at, values), score_points(at, factor * (values + shift))
    assert other.surprise == pytest.approx(one.surprise, abs=1e-5)
    assert other.expected == pytest.approx(factor * (one.expected + shift), abs=1e-9 * factor * 512)


def test_nothing_is_said_in_the_beginning() -> None:
    scores = score_points(times(400), metric(0, 400))
    assert np.isnan(scores.wait[: int(WARM_UP / HOUR)]).all()
    assert np.isfinite(scores.wait[int(WARM_UP / HOUR) :]).all()
    daily = score_points(times(60, DAY), metric(0, 60))
    assert np.flatnonzero(np.isfinite(daily.wait))[0] == MIN_POINTS


@pytest.mark.parametrize("count", range(3))
def test_a_series_of_few_points_has_scores_without_a_wait(count: int) -> None:
    scores = score_points(times(count), np.ones(count))
    assert (len(scores.wait), np.isfinite(scores.wait).sum()) == (count, 0)


def test_a_constant_metric_surprises_nobody_until_it_moves() -> None:
    values = np.full(1000, 5.0)
    values[900] = 5.5
    wait = score_points(times(1000), values).wait
    assert np.nanmax(wait[:900]) < 90 * DAY
    assert wait[900] > 365 * DAY


@pytest.mark.parametrize("step", [5 * MINUTE, HOUR])
def test_a_weekend_and_a_job_that_starts_early_are_known_from_before(step: float) -> None:
    rng = np.random.default_rng(5)
    at = times(int(56 * DAY / step), step)
    weekday, hour = at // DAY % 7, at / HOUR % 24
    begins = 3 + rng.integers(-1, 2, 20_000)[(at // DAY).astype(np.int64) - 19_000]
    job = np.where((hour >= begins) & (hour < begins + 1), 6.0, 0.0)
    values = 10 + 4 * (weekday < 5) + job + 0.3 * rng.standard_normal(len(at))
    later = at >= START + 21 * DAY
    assert np.max(score_points(at, values).wait[later]) < 90 * DAY


def test_a_slow_trend_is_no_alert_every_day() -> None:
    at = times(300 * 24)
    slow = 20 * np.sin(2 * np.pi * (at - START) / (365 * DAY))
    values = slow + 5 * np.sin(2 * np.pi * at / DAY) + 0.05 * np.random.default_rng(6).standard_normal(len(at))
    days = np.unique(at[np.nan_to_num(score_points(at, values).wait) >= 90 * DAY] // DAY)
    assert len(days) <= 6


@pytest.mark.parametrize("kind", ["frozen", "smooth"])
def test_a_metric_that_is_too_calm_is_unusual(kind: str) -> None:
    values = 10 + np.random.default_rng(8).standard_normal(1000)
    values[900:] = values[899] if kind == "frozen" else 10 + 0.02 * np.sin(np.arange(100))
    wait = score_points(times(1000), values).wait
    assert np.nanmax(wait[900:940]) > 90 * DAY > np.nanmax(wait[700:900])


@pytest.mark.parametrize("step", [5 * MINUTE, HOUR])
def test_an_ordinary_value_at_the_wrong_time_of_the_day_is_unusual(step: float) -> None:
    count = int(28 * DAY / step)
    at = times(count, step)
    values = 10 + 5 * np.sin(2 * np.pi * at / DAY) + 0.3 * np.random.default_rng(1).standard_normal(count)
    begin = count - int(12 * HOUR / step)
    values[begin : begin + int(3 * HOUR / step)] = 20 - values[begin : begin + int(3 * HOUR / step)]
    wait = score_points(at, values).wait
    assert np.nanmax(wait[begin:]) > 90 * DAY > np.nanmax(wait[begin - int(7 * DAY / step) : begin])


def test_points_at_odd_times_are_judged() -> None:
    rng = np.random.default_rng(3)
    at = START + np.cumsum(rng.exponential(HOUR, 1500))
    values = rng.standard_normal(1500)
    values[1400] = 15.0
    wait = score_points(at, values).wait
    assert int(np.nanargmax(wait)) == 1400


def test_the_tail_that_is_fitted_is_the_one_that_was_drawn() -> None:
    excess = np.sort(genpareto.rvs(0.2, scale=3.0, size=(1, 20_000), random_state=1), axis=1)
    shape, scale = fit_tail(excess)
    assert shape[0] == pytest.approx(0.2, abs=0.06)
    assert scale[0] == pytest.approx(3.0, rel=0.08)


def test_the_surprise_is_the_logarithm_of_how_seldom_such_a_value_is() -> None:
    shown = np.random.default_rng(2).exponential(1.0, (1, 20_000))
    surprise = tail_surprise(shown, np.arange(20_000))[0, 5000:]
    for nats in (4.0, 5.0, 6.0):
        assert (surprise > nats).mean() == pytest.approx(np.exp(-nats), rel=0.4)
