"""E-values of drift against scipy and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ncx2

from modelwatch.stats.drift import e_values


@pytest.mark.parametrize("df", [1, 2, 5, 9, 30, 249])
def test_the_ratio_is_that_of_scipy_s_densities(df: int) -> None:
    x = np.array([df / 20, df / 5, df, 3.0 * df, 40.0 * df])
    ratio = e_values.noncentral_log_ratio(x, np.full(5, float(df)), np.full(5, 3.0), np.full(5, 17.0))
    assert ratio == pytest.approx(ncx2.logpdf(x, df, 17.0) - ncx2.logpdf(x, df, 3.0), abs=1e-4)


@pytest.mark.parametrize("true", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("df", [1.0, 9.0])
def test_the_mean_is_at_most_1_up_to_the_distance_that_is_tolerated(df: float, true: float) -> None:
    x = np.linspace(1e-9, 300, 400_001)
    ratio = e_values.noncentral_log_ratio(x, np.full(len(x), df), np.full(len(x), 5.0), np.full(len(x), 15.0))
    density = ncx2.pdf(x[1:], df, max(true, 1e-9))
    assert (np.exp(ratio[1:]) * density).sum() * (x[1] - x[0]) <= 1 + 1e-3


def test_the_divergences_are_those_of_a_small_shift() -> None:
    """A normal distribution moved by a twentieth of its standard deviation, in 2,000 bins."""
    from scipy.stats import norm

    from modelwatch.stats.drift.methods import METHODS, statistic

    ends = np.linspace(-6, 6, 2001)
    p, q = (np.diff(norm.cdf(ends, mean)) * 1e6 for mean in (0.0, 0.05))
    exact = float(((p - q) ** 2 / p).sum() / 1e6)
    for method in METHODS:
        value = float(statistic(method, p, q, ends[1:]))
        value = {"chi_square": np.sqrt(value / 2e6), "cramer_von_mises": value * 2e-6}.get(method, value)
        found = e_values.divergence(method, value)
        assert found <= exact * 1.02, method
        if method not in ("total_variation", "ks"):
            assert found == pytest.approx(exact, rel=0.02), method


def test_evidence_is_capped_and_grows_by_time_where_nothing_speaks() -> None:
    log_e = np.array([[0.0, 0.0, 5.0, 5.0, -3.0]])
    found = np.exp(e_values.capped_log_evidence(log_e, np.zeros(5), np.log(1000.0)))
    assert found[0] == pytest.approx([1.0, 2.0, 3 * np.exp(5), 1000.0, 1001 * np.exp(-3)])


def test_the_mean_time_to_a_false_alarm_is_at_least_the_budget() -> None:
    rng = np.random.default_rng(1)
    budget, steps = 100.0, 3000
    x = rng.noncentral_chisquare(9, 4.0, size=(200, steps))
    args = (np.full(x.shape, 9.0), np.full(x.shape, 4.0), np.full(x.shape, 12.0))
    evidence = e_values.capped_log_evidence(e_values.noncentral_log_ratio(x, *args), np.zeros(steps), 99.0)
    alarmed = evidence >= np.log(budget)
    first = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1, steps)
    assert first.mean() > budget


@given(st.lists(st.floats(-5, 20), min_size=1, max_size=12), st.floats(0, 15))
def test_discoveries_are_those_of_e_bh(values: list[float], budget: float) -> None:
    """The largest k for which the k-th largest is at least budget K / k; all as large are discoveries."""
    ordered = sorted(values, reverse=True)
    count = max((k for k in range(1, len(values) + 1) if ordered[k - 1] + np.log(k / len(values)) >= budget), default=0)
    wanted = [value >= ordered[count - 1] if count else False for value in values]
    found = e_values.adjust_evidence(np.array(values)) >= budget
    assert sum(found) >= count
    assert all(one for one, two in zip(found, wanted, strict=True) if two)
    assert sum(found) <= sum(value >= ordered[count - 1] for value in values) if count else not found.any()


def test_no_tests_make_no_discovery() -> None:
    assert e_values.adjust_evidence(np.empty((0, 3))).shape == (0, 3)
