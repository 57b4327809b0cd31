"""What is fitted to a healthy series: patterns, what neighbouring hours have in common, and nothing that is chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.stats.arrays import Floats
from modelwatch.stats.noise import PRIOR_DISPERSION, Noise, exclude, fit_noise
from modelwatch.timeutil import DAY, HOUR

FIRST_DAY = 19_000
DAYS = 28


def times() -> Floats:
    return np.asarray(FIRST_DAY * DAY + HOUR * np.arange(24 * DAYS) + 60.0, dtype=np.float64)


def fit(values: Floats, exposure: Floats, *, is_proportion: bool = True, day: int = FIRST_DAY + DAYS) -> Noise:
    return fit_noise(times(), values, exposure, np.array([day]), 8, is_proportion=is_proportion)


def accuracies(rng: np.random.Generator, p: Floats | float, n: int = 400) -> tuple[Floats, Floats]:
    count = np.full(24 * DAYS, float(n))
    return rng.binomial(n, p, 24 * DAYS) / n, count


def test_chance_alone_has_no_pattern_and_no_dispersion() -> None:
    noise = fit(*accuracies(np.random.default_rng(1), 0.9))
    assert np.abs(noise.hours).max() < 0.002
    assert np.abs(noise.weekdays).max() < 0.002
    assert 1.0 <= noise.dispersion[0] < 1.6
    assert noise.variance[0] == pytest.approx(0.09, rel=0.05)


def test_a_daily_and_a_weekly_pattern_are_learned_and_do_not_count_as_dispersion() -> None:
    hour, weekday = times() % DAY // HOUR, times() // DAY % 7
    pattern = 0.03 * np.sin(2 * np.pi * hour / 24) - np.where(weekday >= 5, 0.04, 0.0)
    noise = fit(*accuracies(np.random.default_rng(2), 0.85 + pattern))
    effect, dispersion, _ = noise.at(times()[: 7 * 24] + DAYS * DAY)
    assert np.abs(effect - (pattern[: 7 * 24] - pattern[: 7 * 24].mean())).max() < 0.015
    assert dispersion[0] < 1.6


def test_what_neighbouring_hours_have_in_common_is_dispersion() -> None:
    rng = np.random.default_rng(3)
    mood = np.repeat(0.02 * rng.standard_normal(DAYS * 2), 12)
    noise = fit(*accuracies(rng, 0.85 + mood))
    hourly = 400 * 0.02**2 / (0.85 * 0.15)
    assert noise.dispersion[0] > 4 * hourly, "twelve hours together vary twelve times as much"


def test_the_variance_of_means_follows_from_steps_in_which_levels_cancel() -> None:
    rng = np.random.default_rng(4)
    exposure = rng.integers(50, 200, 24 * DAYS).astype(float)
    values = 250 + np.where(times() < times()[300], 0.0, 40.0) + 30 * rng.standard_normal(24 * DAYS) / np.sqrt(exposure)
    assert fit(values, exposure, is_proportion=False).variance[0] == pytest.approx(900, rel=0.2)


@pytest.mark.parametrize(
    ("draw", "variance"),
    [
        (lambda rng, size: rng.poisson(0.3, size) * 1.0, 0.3),
        (lambda rng, size: 0.01 * (rng.random(size) < 0.1), 0.01**2 * 0.09),
        (lambda rng, size: 10 + 4.0 * (rng.random(size) < 0.15), 16 * 0.15 * 0.85),
    ],
)
def test_most_neighbours_may_be_equal(draw: Callable[[np.random.Generator, int], Floats], variance: float) -> None:
    values = draw(np.random.default_rng(9), 24 * DAYS)
    assert fit(values, np.ones(24 * DAYS), is_proportion=False).variance[0] == pytest.approx(variance, rel=0.35)


def test_what_is_computed_every_three_hours_and_logged_every_hour_is_as_unsure_as_it_is() -> None:
    values = np.repeat(100 + 10 * np.random.default_rng(10).standard_normal(8 * DAYS), 3)
    noise = fit(values, np.ones(24 * DAYS), is_proportion=False)
    assert noise.variance[0] * noise.dispersion[0] > 0.7 * 3 * 100


def test_a_constant_with_one_glitch_does_not_vary() -> None:
    values = np.full(24 * DAYS, 10.3)
    values[24 * 20] = 1e6
    three = np.full(24 * DAYS, 3.0)
    assert fit(values, three, is_proportion=False).variance[0] == 0


def test_before_the_first_fit_only_the_prior_is_known() -> None:
    values, count = accuracies(np.random.default_rng(5), 0.9)
    effect, dispersion, variance = fit(values, count).at(times()[:5])
    assert (effect == 0).all()
    assert (dispersion == PRIOR_DISPERSION).all()
    assert np.isnan(variance).all()


def test_a_fit_knows_the_days_before_it_alone() -> None:
    values, count = accuracies(np.random.default_rng(6), 0.9)
    later = values.copy()
    later[24 * 22 :] = 0.1
    one, other = (fit(some, count, day=FIRST_DAY + 22) for some in (values, later))
    assert one.dispersion == other.dispersion
    assert (one.hours == other.hours).all()


def test_an_empty_stretch_leaves_the_prior() -> None:
    noise = fit(np.full(24 * DAYS, 0.9), np.zeros(24 * DAYS))
    assert noise.dispersion[0] == pytest.approx(PRIOR_DISPERSION)
    assert not noise.hours.any()
    assert np.isnan(fit(np.full(24 * DAYS, 0.9), np.zeros(24 * DAYS), is_proportion=False).variance[0])


@pytest.mark.parametrize("is_proportion", [True, False])
def test_one_outlier_is_no_pattern_and_no_dispersion(is_proportion: bool) -> None:
    rng = np.random.default_rng(7)
    values, exposure = accuracies(rng, 0.9)
    if not is_proportion:
        values, exposure = 250 + 12 * rng.standard_normal(24 * DAYS), np.ones(24 * DAYS)
    clean = fit(values, exposure, is_proportion=is_proportion)
    values[24 * 20 + 7] *= 10 if not is_proportion else 0.1
    noise = fit(values, exposure, is_proportion=is_proportion)
    spread = np.sqrt(noise.variance[0] / exposure[0])
    assert np.abs(noise.hours - clean.hours).max() < 0.5 * spread
    assert noise.dispersion[0] < clean.dispersion[0] + 0.5


def test_an_outlier_of_any_size_moves_neither_level_nor_effects() -> None:
    values = 250 + 12 * np.random.default_rng(11).standard_normal(24 * DAYS)
    clean = fit(values, np.ones(24 * DAYS), is_proportion=False)
    values[24 * 20 + 7 : 24 * 20 + 9] *= 1e6
    noise = fit(values, np.ones(24 * DAYS), is_proportion=False)
    at = times()[: 7 * 24] + DAYS * DAY
    assert noise.level[0] == pytest.approx(clean.level[0], abs=2)
    assert np.abs(noise.at(at)[0] - clean.at(at)[0]).max() < 6
    assert noise.dispersion[0] < clean.dispersion[0] + 0.5


def test_a_pattern_of_two_hours_a_day_is_no_outlier() -> None:
    rng = np.random.default_rng(8)
    nightly = np.where((times() % DAY // HOUR >= 3) & (times() % DAY // HOUR < 5), 0.5, 0.0)
    values, exposure = accuracies(rng, 0.9 - nightly, 1000)
    effect, dispersion, _ = fit(values, exposure).at(times()[:24] + DAYS * DAY)
    assert effect[3] - effect[12] == pytest.approx(-0.5, abs=0.02)
    assert dispersion[0] < 2


def test_stretches_are_excluded_with_both_their_ends() -> None:
    assert exclude(np.arange(6.0), [(1.0, 2.0), (4.0, 4.0)]).tolist() == [True, False, False, True, False, True]
