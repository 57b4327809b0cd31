"""The sequential test of sample ratios, against SciPy's distributions and simulated experiments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import dirichlet_multinomial, multinomial

from modelwatch.stats.experiments.sample_ratio import CONCENTRATION, SRM_ALPHA, log_bayes_factor, sample_ratio_p


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=5), st.integers(0, 100))
def test_the_bayes_factor_is_that_of_the_distributions(counts: list[int], seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(counts)) * 5)
    total = sum(counts)
    expected = dirichlet_multinomial.logpmf(counts, CONCENTRATION * shares, total)
    expected -= multinomial.logpmf(counts, total, shares)
    found = log_bayes_factor(np.array(counts, dtype=float), shares)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.4, 0.2, 0.2, 0.2)])
def test_daily_looks_reject_right_shares_no_more_often_than_stated(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(300, shares, (10_000, 60)).cumsum(axis=1).astype(float)
    p = sample_ratio_p(counts, np.array(shares))
    assert (p[:, -1] < 0.05).mean() <= 0.05
    assert (p[:, -1] < SRM_ALPHA).mean() <= SRM_ALPHA
    assert (np.diff(p, axis=1) <= 0).all()


def test_a_lost_tenth_of_one_arm_is_found_in_days() -> None:
    rng = np.random.default_rng(2)
    counts = rng.multinomial(1000, [0.5 / 0.95, 0.45 / 0.95], (200, 60)).cumsum(axis=1).astype(float)
    p = sample_ratio_p(counts, np.array([0.5, 0.5]))
    assert (p[:, 13] < SRM_ALPHA).mean() > 0.9


def test_no_units_say_nothing() -> None:
    assert sample_ratio_p(np.zeros((3, 2)), np.array([0.5, 0.5])).tolist() == [1, 1, 1]
