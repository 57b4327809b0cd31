"""Intervals against SciPy and published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from modelwatch.stats.intervals import difference_interval, normal_interval, wilson_bounds, wilson_interval, z_value


def test_z_is_the_normal_quantile() -> None:
    for level in (0.5, 0.9, 0.95, 0.99):
        assert z_value(level) == pytest.approx(norm.ppf(0.5 + level / 2), rel=1e-12)


@settings(deadline=None)
@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_wilson_is_scipys(counts: tuple[int, int], level: float) -> None:
    k, n = counts
    low, high = wilson_interval(np.array([k / n]), np.array([float(n)]), level)
    peer = binomtest(k, n).proportion_ci(level, "wilson")
    assert low[0] == pytest.approx(peer.low, abs=1e-12)
    assert high[0] == pytest.approx(peer.high, abs=1e-12)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0.1, 1e12))
def test_wilson_holds_its_value_and_stays_a_proportion(p: float, n: float) -> None:
    low, high = wilson_interval(np.array([p]), np.array([n]))
    assert 0 <= low[0] <= p <= high[0] <= 1


def test_wilson_is_exact_at_the_ends() -> None:
    low, high = wilson_interval(np.array([0.0, 1.0]), np.array([37.0, 37.0]))
    assert low[0] == 0.0
    assert high[1] == 1.0
    assert low[1] == pytest.approx(1 - high[0], abs=1e-15)


def test_wilson_of_an_unknown_or_empty_count_is_nan() -> None:
    low, high = wilson_interval(np.array([0.5, 0.5]), np.array([math.nan, 0.0]))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_normal_is_z_standard_errors_wide() -> None:
    low, high = normal_interval(np.array([10.0]), np.array([2.0]))
    assert low[0] == pytest.approx(10 - 2 * 1.959963984540054, rel=1e-15)
    assert high[0] == pytest.approx(10 + 2 * 1.959963984540054, rel=1e-15)


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_difference_is_newcombes(k1: int, n1: int, k2: int, n2: int, low: float, high: float) -> None:
    p = np.array([k1 / n1]), np.array([k2 / n2])
    first, second = wilson_interval(p[0], np.array([float(n1)])), wilson_interval(p[1], np.array([float(n2)]))
    got = difference_interval(p[0], *first, p[1], *second)
    assert got[0][0] == pytest.approx(low, abs=5e-5)
    assert got[1][0] == pytest.approx(high, abs=5e-5)


def test_difference_to_an_exact_side_moves_the_other_interval() -> None:
    one = np.array([0.8]), np.array([0.7]), np.array([0.95])
    exact = np.array([0.5])
    low, high = difference_interval(*one, exact, exact, exact)
    assert (low[0], high[0]) == (pytest.approx(0.2), pytest.approx(0.45))


def test_the_bounds_of_one_proportion_are_those_of_an_array_to_the_bit() -> None:
    rng = np.random.default_rng(5)
    shares = np.concatenate([[0.0, 1.0, 0.5], rng.random(2000)])
    counts = np.concatenate([[1.0, 1.0, 1e12], rng.lognormal(5, 3, 2000)])
    for level in (0.95, 0.999):
        found = [wilson_bounds(share, n, level) for share, n in zip(shares.tolist(), counts.tolist(), strict=True)]
        assert np.array_equal(np.array(found).T, np.array(wilson_interval(shares, counts, level)))
