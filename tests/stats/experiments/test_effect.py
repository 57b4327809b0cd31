"""Effects against hand-computed cases, SciPy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from modelwatch.stats.experiments.moments import Moments

from .comparison import columns, effect_of


def test_a_difference_by_hand() -> None:
    """Means 3 and 2; variances 1 and 4 over 3 and 2 units: 1/3 + 4.5/2."""
    found = effect_of(columns([2, 3, 4]), columns([0.5, 3.5]))
    assert found.difference == pytest.approx(1.0)
    assert found.variance == pytest.approx(1 / 3 + 4.5 / 2)
    assert found.planned_variance == pytest.approx(1 / 1000 + 4.5 / 1000)
    assert found.treatment == pytest.approx(3)
    assert found.control == pytest.approx(2)
    assert found.control_variance == pytest.approx(4.5 / 2)
    assert found.covariance == pytest.approx(-4.5 / 2)
    assert found.reduction == 0


@given(st.integers(0, 10_000), st.sampled_from(["normal", "share", "skewed"]))
def test_the_standard_error_is_that_of_welch(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(20, 100, 2).tolist()
    if kind == "share":
        one, other = (rng.binomial(1, 0.4, size).astype(np.float64) for size in sizes)
    else:
        one, other = (rng.normal(2, 3, size) if kind == "normal" else rng.lognormal(0, 1, size) for size in sizes)
    found = effect_of(columns(one), columns(other))
    expected = stats.ttest_ind(one, other, equal_var=False)
    assert found.difference / np.sqrt(found.variance) == pytest.approx(expected.statistic)


def test_cuped_by_hand() -> None:
    """Value and covariate of four units an arm; theta = (cov + cov) / (var + var), as the arms are of one size."""
    x1, y1 = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.0, 5.0, 6.0])
    x0, y0 = np.array([0.0, 2.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])
    theta = (7 / 3 + 2.0) / (5 / 3 + 8 / 3)  # covariances 7/3 and 2, variances 5/3 and 8/3
    residual = sum(np.var(y - theta * x, ddof=1) * 3 / 2 / 4 for y, x in ((y1, x1), (y0, x0)))
    found = effect_of(columns(y1, x1), columns(y0, x0))
    assert found.difference == pytest.approx(1.5 - theta * 0.5)
    assert found.variance == pytest.approx(residual)
    plain = np.var(y1, ddof=1) / 4 + np.var(y0, ddof=1) / 4
    assert found.reduction == pytest.approx(1 - residual / plain)


def test_cuped_is_the_regression_where_arms_are_of_one_size() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    treated = np.repeat([1.0, 0.0], 200)
    y = 0.3 * treated + x @ [1.0, -0.5] + rng.normal(size=400)
    found = effect_of(columns(y[:200], *x[:200].T), columns(y[200:], *x[200:].T))
    fit = sm.OLS(y, sm.add_constant(np.column_stack([treated, x]))).fit(cov_type="HC1")
    assert found.difference == pytest.approx(fit.params[1])
    assert np.sqrt(found.variance) == pytest.approx(fit.bse[1], rel=0.01)


def test_cuped_takes_off_the_squared_correlation() -> None:
    """Deng and others 2013: the variance falls by rho squared, here 0.8."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=200_000)
    y = x + 0.5 * rng.normal(size=200_000)
    found = effect_of(columns(y[:100_000], x[:100_000]), columns(y[100_000:], x[100_000:]))
    assert found.reduction == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e8])
def test_the_unit_of_a_covariate_does_not_matter(scale: float) -> None:
    rng = np.random.default_rng(5)
    x, other = rng.normal(size=(2, 100)), rng.normal(size=(2, 100))
    y = x + other + rng.normal(size=(2, 100))
    plain = effect_of(columns(y[0], x[0], other[0]), columns(y[1], x[1], other[1]))
    scaled = effect_of(columns(y[0], scale * x[0], other[0]), columns(y[1], scale * x[1], other[1]))
    assert_allclose(scaled.difference, plain.difference)
    assert_allclose(scaled.variance, plain.variance)


def test_a_covariate_that_is_constant_or_twice_there_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 100)), rng.normal(size=(2, 100))
    once = effect_of(columns(y[0], x[0]), columns(y[1], x[1]))
    twice = effect_of(columns(y[0], x[0], x[0]), columns(y[1], x[1], x[1]))
    constant = effect_of(columns(y[0], np.ones(100)), columns(y[1], np.ones(100)))
    assert twice.difference == pytest.approx(once.difference)
    assert constant.difference == pytest.approx(y[0].mean() - y[1].mean())


def test_a_ratio_by_the_delta_method() -> None:
    rng = np.random.default_rng(7)
    views = rng.geometric(0.3, (2, 500)).astype(float)
    clicks = rng.binomial(views.astype(int), 0.2).astype(float)
    found = effect_of(columns(clicks[0], views[0]), columns(clicks[1], views[1]), is_ratio=True)
    ratios = clicks.sum(axis=1) / views.sum(axis=1)
    variances = [np.var(c - r * v, ddof=1) / v.mean() ** 2 / 500 for c, v, r in zip(clicks, views, ratios, strict=True)]
    assert found.difference == pytest.approx(ratios[0] - ratios[1])
    assert found.variance == pytest.approx(sum(variances))


def test_the_variance_of_a_ratio_is_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(8)
    views = rng.geometric(0.3, 400).astype(float)
    clicks = rng.binomial(views.astype(int), rng.beta(1, 4, 400)).astype(float)
    found = effect_of(columns(clicks, views), columns(clicks, views), is_ratio=True)
    picks = rng.integers(0, 400, (4000, 400))
    bootstrap = np.var(clicks[picks].sum(axis=1) / views[picks].sum(axis=1))
    assert found.control_variance == pytest.approx(bootstrap, rel=0.1)


@given(st.integers(0, 1000), st.booleans(), st.integers(0, 2))
def test_arms_that_are_swapped_swap_the_sign(seed: int, is_ratio: bool, covariates: int) -> None:
    rng = np.random.default_rng(seed)
    arms = [Moments.of(rng.gamma(2, 1, (size, 1 + is_ratio + covariates))) for size in (60, 90)]
    there, back = effect_of(*arms, is_ratio=is_ratio), effect_of(*arms[::-1], is_ratio=is_ratio)
    assert_allclose(there.difference, -back.difference, atol=1e-12)
    assert_allclose(there.variance, back.variance)
    assert_allclose(there.reduction, back.reduction)


@pytest.mark.parametrize("units", [0, 1])
def test_an_arm_without_units_or_with_one_has_no_effect_yet(units: int) -> None:
    arm = Moments.of(np.ones((units, 2)))
    found = effect_of(arm, columns([1, 2, 3], [4, 5, 7]))
    assert math.isnan(found.variance)


def test_equal_values_have_no_variance() -> None:
    found = effect_of(columns(np.ones(50)), columns(np.ones(50)))
    assert found.variance == 0


def test_one_unit_that_carries_the_arm_shows_in_its_share() -> None:
    whale = effect_of(columns([0.0] * 99 + [100.0]), columns(np.zeros(100)))
    assert whale.largest_share > 0.9
    even = effect_of(columns(np.tile([0.0, 1.0], 50)), columns(np.tile([0.0, 1.0], 50)))
    assert even.largest_share == pytest.approx((0.5 / 100) ** 2 / (2 * 25 / 99 / 100))


def test_a_small_arm_is_judged_by_what_the_large_one_has_seen() -> None:
    """No event among 100 units proves little where one in a hundred has one."""
    found = effect_of(columns(np.zeros(100)), columns([1.0] * 10 + [0.0] * 990))
    assert found.largest_share > 1
