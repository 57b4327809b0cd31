"""Confidence sequences: the algebra against numerical integration and brute force, and what they say at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from modelwatch.stats.experiments.confidence_sequence import (
    boundary,
    difference_interval,
    is_ready,
    lift_interval,
    log_evidence_of_harm,
    mixture_scale,
    one_sided_boundary,
    one_sided_bounds,
    one_sided_lift_bounds,
    shift_by_control,
)
from modelwatch.stats.experiments.moments import Moments

from .comparison import columns, effect_of

ALPHAS = st.floats(0.001, 0.3)
INFORMATION = st.floats(0.001, 100)


@given(INFORMATION, ALPHAS)
def test_at_the_boundary_the_mixture_martingale_is_one_over_alpha(information: float, alpha: float) -> None:
    z = float(boundary(np.asarray(information), alpha))
    time, prior = information, mixture_scale(alpha)  # in units of the planned information
    score = z * math.sqrt(time)
    evidence, _ = quad(
        lambda effect: math.exp(effect * score - effect**2 * time / 2) * norm.pdf(effect, 0, math.sqrt(prior)),
        *(score / (time + 1 / prior) + side * 10 / math.sqrt(time + 1 / prior) for side in (-1, 1)),
    )
    assert evidence == pytest.approx(1 / alpha, rel=1e-6)


@given(INFORMATION, ALPHAS)
def test_the_one_sided_bound_is_nearer_and_costs_no_more_than_its_mixture(information: float, alpha: float) -> None:
    z = float(one_sided_boundary(np.asarray(information), alpha))
    time, prior = information, mixture_scale(2 * alpha)
    score = z * math.sqrt(time)
    centre, spread = score / (time + 1 / prior), 1 / math.sqrt(time + 1 / prior)
    evidence, _ = quad(
        lambda effect: 2 * math.exp(effect * score - effect**2 * time / 2) * norm.pdf(effect, 0, math.sqrt(prior)),
        max(0.0, centre - 10 * spread),
        centre + 10 * spread,
    )
    assert evidence >= 1 / alpha * (1 - 1e-9)


def test_the_interval_is_the_narrowest_where_it_was_planned() -> None:
    """As a multiple of what any other scale of the mixture gives at the planned units."""
    alpha, here = 0.05, float(boundary(np.asarray(1.0), 0.05))
    for factor in np.geomspace(0.05, 20, 41):
        scaled = mixture_scale(alpha) * factor
        other = math.sqrt((1 + 1 / scaled) * (math.log1p(scaled) - 2 * math.log(alpha)))
        assert here <= other * 1.002


def test_at_the_plan_it_is_half_as_wide_again_as_a_fixed_interval() -> None:
    assert float(boundary(np.asarray(1.0), 0.05)) == pytest.approx(3.0, abs=0.1)
    assert float(one_sided_boundary(np.asarray(1.0), 0.05)) == pytest.approx(2.7, abs=0.1)


@given(st.integers(0, 500))
def test_swapped_arms_mirror_the_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = [Moments.of(rng.normal(1, 1, (size, 1))) for size in (150, 220)]
    there, back = (difference_interval(effect_of(*pair), 0.05) for pair in (arms, arms[::-1]))
    assert_allclose(there.low, -back.high)
    assert_allclose(there.high, -back.low)


@given(st.integers(0, 500), st.floats(0.3, 5), st.booleans())
def test_the_lift_holds_exactly_what_is_not_rejected(seed: int, level: float, is_ratio: bool) -> None:
    """A lift is in the interval if ``difference - lift * control`` is within the boundary of 0."""
    rng = np.random.default_rng(seed)
    arms = [Moments.of(rng.normal(level, 1, (size, 1)).repeat(1 + is_ratio, axis=1) + rng.random((size, 1 + is_ratio)))
            for size in (150, 120)]  # fmt: skip
    effect = effect_of(*arms, is_ratio=is_ratio)
    interval = lift_interval(effect, 0.05)
    z = boundary(effect.planned_variance / effect.variance, 0.05)
    lifts = np.linspace(-3, 3, 2001)
    gap = effect.difference - lifts * effect.control
    variance = effect.variance - 2 * lifts * effect.covariance + lifts**2 * effect.control_variance
    inside = gap**2 <= z**2 * variance
    assert ((lifts >= interval.low) & (lifts <= interval.high) == inside).mean() > 0.998


def test_a_control_that_may_be_zero_has_no_bounded_lift() -> None:
    rng = np.random.default_rng(1)
    effect = effect_of(columns(rng.normal(0, 1, 200)), columns(rng.normal(0, 1, 200)))
    interval = lift_interval(effect, 0.05)
    assert interval.low == -np.inf
    assert interval.high == np.inf


def test_a_gain_over_a_loss_is_a_positive_lift() -> None:
    rng = np.random.default_rng(1)
    effect = effect_of(columns(rng.normal(-5, 1, 500)), columns(rng.normal(-10, 1, 500)))
    interval = lift_interval(effect, 0.05)
    assert 0.4 < interval.low < 0.5 < interval.high < 0.6


@pytest.mark.parametrize("higher", [True, False])
def test_evidence_of_harm_is_beyond_one_over_alpha_where_the_bound_is_beyond_zero(higher: bool) -> None:
    rng = np.random.default_rng(2)
    for shift in np.linspace(-0.6, 0.6, 25):
        arms = [columns(rng.normal(shift, 1, 300)), columns(rng.normal(0, 1, 300))]
        effect = effect_of(*arms)
        bounds = one_sided_bounds(effect, 0.05)
        harmed = bounds.high < 0 if higher else bounds.low > 0
        evidence = log_evidence_of_harm(effect, higher_is_better=higher, alpha=0.05)
        if harmed:
            assert evidence >= math.log(1 / 0.05) - 1e-9
        if evidence < math.log(1 / 0.05):
            assert not harmed


def test_too_few_units_equal_values_and_whales_are_not_ready() -> None:
    rng = np.random.default_rng(3)
    few = effect_of(columns(rng.normal(size=99)), columns(rng.normal(size=500)))
    assert not is_ready(few)
    equal = effect_of(columns(np.ones(500)), columns(np.ones(500)))
    assert not is_ready(equal)
    whale = effect_of(columns([*np.zeros(499), 1e6]), columns(rng.random(500)))
    assert not is_ready(whale)
    enough = effect_of(columns(rng.normal(size=100)), columns(rng.normal(size=100)))
    assert is_ready(enough)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_left_of_a_margin_by_hand(sign: int) -> None:
    """3 is 0.5 below 3.5, and 10 % of 3.5 may be lost: 0.15 is too much."""
    effect = effect_of(columns([sign * 3 - 1, sign * 3 + 1] * 200), columns([sign * 3.5 - 1, sign * 3.5 + 1] * 200))
    left = shift_by_control(effect, 0.1)
    assert left.difference == pytest.approx(-0.5 * sign + 0.35)
    # treatment - (1 - 0.1) control, or (1 + 0.1) of one below 0
    assert left.variance == pytest.approx((1 + (1 - 0.1 * sign) ** 2) * 400 / 399 / 400)


@given(st.integers(0, 300))
def test_the_margin_is_kept_where_the_bound_of_the_lift_keeps_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = [columns(rng.normal(level, 1, 400)) for level in (rng.uniform(4.5, 5), 5)]
    effect = effect_of(*arms)
    left = shift_by_control(effect, 0.05)
    bound = float(one_sided_lift_bounds(effect, 0.05).low)
    if abs(bound + 0.05) > 0.002:  # the plan of one is that of the other only nearly
        assert (one_sided_bounds(left, 0.05).low > 0) == (bound > -0.05)
