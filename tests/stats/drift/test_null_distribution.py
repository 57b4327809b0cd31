"""Limits from the reference: analytic ones against scipy, drawn ones against fresh draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from modelwatch.stats.drift import binned_statistics, cdf_statistics
from modelwatch.stats.drift.methods import METHODS
from modelwatch.stats.drift.null_distribution import NullDistribution, null_distribution
from modelwatch.stats.drift.p_values import permutation_p_value, scaled_statistic

FLAT = np.full(10, 1000)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", [0.05, 0.01, 0.001])
def test_the_limit_is_where_the_p_value_is_the_rate(method: str, rate: float) -> None:
    null = null_distribution(method, FLAT, 10_000, 2000)
    limit = null.limit(rate, 10_000, 2000)
    if null.draws is None:
        assert float(null.p_value(limit, 10_000, 2000)) == pytest.approx(rate, rel=1e-6)
    else:
        assert float(null.p_value(limit * 1.000001, 10_000, 2000)) <= rate * 1.1


def test_the_critical_value_of_psi_is_that_of_chi_square() -> None:
    limit = float(null_distribution("psi", FLAT, 1e7, 1e7).limit(0.05, 1e7, 1e7))
    assert limit == pytest.approx((2 / 1e7) * stats.chi2.ppf(0.95, 9), rel=1e-5)


def test_the_critical_value_of_kolmogorov_smirnov_is_smirnovs() -> None:
    limit = float(null_distribution("ks", FLAT, 5000, 1000).limit(0.01, 5000, 1000))
    assert limit == pytest.approx(stats.kstwobign.isf(0.01) * math.sqrt(1 / 5000 + 1 / 1000), rel=1e-9)


@pytest.mark.parametrize(
    "method", ["psi", "jensen_shannon", "hellinger", "chi_square", "total_variation", "wasserstein"]
)
@pytest.mark.parametrize("m", [100, 1000])
def test_a_limit_is_passed_without_change_as_seldom_as_it_says(method: str, m: int) -> None:
    rng = np.random.default_rng(2)
    left, right = (rng.multinomial(size, FLAT / FLAT.sum(), size=4000) for size in (5000, m))
    if method == "wasserstein":
        values = cdf_statistics.wasserstein(cdf_statistics.cdf_differences(left, right), np.arange(10.0))
    else:
        values = getattr(binned_statistics, method)(left, right)
    for rate in (0.05, 0.01):
        alarms = (values > null_distribution(method, FLAT, 5000, m).limit(rate, 5000, m)).mean()
        assert alarms <= rate + 3 * math.sqrt(rate / 4000)
        assert alarms >= rate / 4


def test_a_drawn_null_holds_at_other_sizes_and_beyond_its_draws() -> None:
    small, large = (
        null_distribution("total_variation", FLAT, 1000, 1000),
        null_distribution("total_variation", FLAT, 100_000, 100_000),
    )
    assert float(small.limit(0.01, 1e5, 1e5)) == pytest.approx(float(large.limit(0.01, 1e5, 1e5)), rel=0.05)
    tails = small.p_value(np.array([0.1, 0.2, 0.4, math.nan]), 1000, 1000)
    assert tails[0] > tails[1] > tails[2] > 0
    assert tails[2] < 1e-12  # far fewer than one in two thousand draws
    assert math.isnan(tails[3])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["total_variation", "wasserstein"])
def test_beyond_the_draws_chance_is_not_taken_for_less_than_it_is(method: str) -> None:
    """One rule over 25 features needs 0.04 % from 2,000 draws: 3.6 % false alarms of Wasserstein by a gamma tail."""
    rng = np.random.default_rng(8)
    points = np.arange(64.0)
    shares = np.exp(-points / 16)
    left, right = (rng.multinomial(size, shares / shares.sum(), size=100_000) for size in (7000, 1000))
    values = scaled_statistic(method, left, right, points)
    limits_drawn = [
        float(null_distribution(method, shares, 7000, 1000, bin_ends=points, seed=seed).limit(0.0004, 7000, 1000))
        for seed in range(5)
    ]
    passed = float(np.mean([(values > limit).mean() for limit in limits_drawn]))
    assert 0.00002 < passed <= 0.0005


def test_limits_are_the_same_whenever_they_are_asked_for() -> None:
    one, two = (null_distribution("wasserstein", FLAT, 1000, 500).limit(0.01, 1000, 500) for _ in range(2))
    assert float(one) == float(two)


def test_one_bin_and_an_empty_reference_have_limits() -> None:
    assert float(null_distribution("psi", [5, 0, 0], 5, 5).limit(0.01, 5, 5)) == 0.0
    assert math.isnan(float(null_distribution("total_variation", [0, 0], 0, 5).limit(0.01, 0, 5)))
    assert float(null_distribution("wasserstein", [100], 100, 100).p_value(0.0, 100, 100)) == 1.0
    assert isinstance(null_distribution("jensen_shannon", FLAT, 10, 10), NullDistribution)


@pytest.mark.parametrize("method", ["total_variation", "chi_square"])
def test_the_p_value_by_permutation_is_even_without_change_and_tiny_with_it(method: str) -> None:
    rng = np.random.default_rng(6)
    shares = rng.dirichlet(np.ones(12))
    p = np.array([permutation_p_value(method, *rng.multinomial(200, shares, size=2)) for _ in range(300)])
    assert (p <= 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert 0.4 < np.median(p) < 0.65
    assert permutation_p_value(method, [500, 500, 0], [0, 500, 500]) < 1e-6
    assert permutation_p_value(method, [500, 500], [500, 500]) > 0.9
    assert math.isnan(permutation_p_value(method, [0, 0], [1, 2]))
