"""Numeric profiles: bins, what is no number, merging, and how near they come to the exact statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelwatch.stats.profile.binning import choose_edges, coarsen_edges
from modelwatch.stats.profile.numeric import NumericProfile, ProfileMismatchError

Floats = NDArray[np.float64]
ANY = st.lists(st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324]), max_size=40)
FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40)


def same(left: NumericProfile, right: NumericProfile) -> bool:
    scalars = ("n", "missing", "infinite_low", "infinite_high", "low", "high", "other_types")
    return (
        np.array_equal(left.edges, right.edges)
        and np.array_equal(left.counts, right.counts)
        and all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in scalars)
    )


def floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def test_bins_are_closed_on_the_right_and_zero_has_no_sign() -> None:
    profile = NumericProfile.of(floats([-1, -0.0, 0.0, 0.5, 1, 1.0000001, 9]), floats([0, 1]))
    assert profile.counts.tolist() == [3, 2, 2]
    assert (profile.n, profile.low, profile.high) == (7, -1.0, 9.0)
    assert np.signbit(NumericProfile.of(floats([-0.0]), floats([0])).low) == np.False_


def test_what_is_no_finite_number_is_counted_apart() -> None:
    profile = NumericProfile.of(floats([np.nan, np.inf, -np.inf, -np.inf, 1e308, -np.nan]), floats([0]), 3, 2)
    assert profile.counts.tolist() == [0, 1]
    assert (profile.missing, profile.infinite_low, profile.infinite_high, profile.other_types) == (5, 2, 1, 2)
    assert profile.rows == 11


def test_nothing_at_all_has_a_profile() -> None:
    profile = NumericProfile.of(floats([]), choose_edges([]))
    assert same(profile, NumericProfile.of(np.zeros(0), choose_edges([])))
    assert np.isnan([profile.low, profile.high, profile.quantile(0.5), profile.mean()]).all()


@settings(max_examples=100)
@given(ANY, ANY, ANY, FINITE)
def test_profiles_of_parts_add_up_to_the_profile_of_the_whole(
    a: list[float], b: list[float], c: list[float], reference: list[float]
) -> None:
    edges = choose_edges(reference)
    first, second, third = (NumericProfile.of(floats(part), edges) for part in (a, b, c))
    whole = NumericProfile.of(floats(a + b + c), edges)
    assert same(first.merge(second).merge(third), whole)
    assert same(third.merge(first.merge(second)), whole)
    assert same(whole.merge(NumericProfile.of(np.zeros(0), edges)), whole)


def test_other_edges_do_not_add_up() -> None:
    with pytest.raises(ProfileMismatchError):
        NumericProfile.of(np.zeros(0), floats([0])).merge(NumericProfile.of(np.zeros(0), floats([1])))


@settings(max_examples=100)
@given(st.lists(st.floats(), max_size=60))
def test_edges_are_finite_and_ascend_strictly_for_any_reference(values: list[float]) -> None:
    edges = choose_edges(values)
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    finite = [value for value in values if np.isfinite(value)]
    assert not finite or edges[0] <= min(finite) <= max(finite) <= edges[-1]


def fixtures() -> dict[str, tuple[Floats, Floats]]:
    rng = np.random.default_rng(7)
    n = 100_000
    normal = rng.normal(size=n)
    zeros = np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n))
    return {
        "same": (normal, rng.normal(size=n)),
        "shifted": (normal, rng.normal(0.3, 1.2, n)),
        "far": (normal, np.where(rng.random(n) < 0.01, 50.0, rng.normal(size=n))),
        "skewed": (rng.lognormal(0, 1, n), rng.lognormal(0.1, 1.1, n)),
        "zeros": (zeros, np.where(rng.random(n) < 0.5, -1e-9, zeros)),
        "two modes": (np.where(rng.random(n) < 0.5, normal, normal + 20), np.where(rng.random(n) < 0.4, 9, normal)),
        "whole numbers": (rng.poisson(3, n).astype(float), rng.poisson(3.2, n) + 0.5),
        "rounded": (np.round(rng.gamma(2, 20, n), 1), np.round(rng.gamma(2.2, 20, n), 2)),
        "huge": (normal * 1e306, rng.normal(0.2, 1, n) * 1e306),
        "tiny": (normal * 1e-300, rng.normal(0.2, 1, n) * 1e-300),
    }


@pytest.mark.parametrize("name", fixtures())
def test_distances_from_profiles_are_near_the_exact_ones(name: str) -> None:
    from scipy.stats import ks_2samp, wasserstein_distance

    reference, current = fixtures()[name]
    edges = choose_edges(reference)
    assert len(edges) < 4000
    left, right = NumericProfile.of(reference, edges), NumericProfile.of(current, edges)
    ours = np.abs(np.cumsum(left.counts) / left.n - np.cumsum(right.counts) / right.n).max()
    assert ours == pytest.approx(ks_2samp(reference, current, method="asymp").statistic, abs=0.002)
    scale = 1e306 if name == "huge" else 1e-300 if name == "tiny" else 1.0
    exact = wasserstein_distance(reference / scale, current / scale)
    iqr = np.subtract(*np.quantile(reference / scale, [0.75, 0.25]))
    assert binned_wasserstein(left, right) / scale == pytest.approx(exact, abs=0.005 * iqr)


def binned_wasserstein(left: NumericProfile, right: NumericProfile) -> float:
    """The integral of the difference of two distribution functions that are straight between the edges."""
    low, high = np.fmin(left.low, right.low), np.fmax(left.high, right.high)
    ends = np.concatenate([[low], np.clip(left.edges, low, high), [high]])
    below = [np.concatenate([[0], np.cumsum(side.counts)]) / side.n for side in (left, right)]
    apart = below[0] - below[1]
    a, b = np.abs(apart[:-1]), np.abs(apart[1:])
    crossing = apart[:-1] * apart[1:] < 0
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.where(crossing, (a * a + b * b) / (2 * (a + b)), (a + b) / 2)
    return float(np.sum(np.diff(ends) * area))


def test_quantiles_and_the_mean_are_within_a_bin() -> None:
    values = np.random.default_rng(3).normal(10, 2, 200_000)
    profile = NumericProfile.of(values, choose_edges(values))
    for q in (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0):
        assert profile.quantile(q) == pytest.approx(np.quantile(values, q), abs=0.01)
    assert profile.mean() == pytest.approx(values.mean(), abs=0.005)


def test_a_coarser_profile_is_exact() -> None:
    values = np.random.default_rng(3).normal(size=5000)
    edges = choose_edges(values)
    few = coarsen_edges(NumericProfile.of(values, edges))
    assert 30 < len(few) < 64
    assert same(NumericProfile.of(values, edges).coarsen(few), NumericProfile.of(values, few))
    with pytest.raises(ProfileMismatchError):
        NumericProfile.of(values, few).coarsen(edges)
