"""Moments are those of NumPy, in whatever parts they were added up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from modelwatch.stats.experiments.moments import Moments, stack

from .comparison import assert_same_moments

VALUES = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3)).map(list), min_size=1, max_size=40).map(
    np.array
)


@given(VALUES)
def test_they_are_those_of_numpy(values: np.ndarray) -> None:
    found = Moments.of(values)
    assert found.n == len(values)
    assert_allclose(found.mean, values.mean(axis=0), rtol=1e-12, atol=1e-9)
    if len(values) > 1:
        assert_allclose(found.covariance(), np.cov(values.T), rtol=1e-9, atol=1e-3)
    assert_allclose(found.low, values.min(axis=0))
    assert_allclose(found.high, values.max(axis=0))


@given(VALUES, st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_any_split_adds_up_to_the_same(values: np.ndarray, groups: list[int]) -> None:
    places = np.array(groups[: len(values)])
    parts = Moments.by_group(values, places, 4)
    forward, backward = Moments.empty(2), Moments.empty(2)
    for place in range(4):
        forward, backward = forward.merge(parts[place]), parts[3 - place].merge(backward)
    assert_same_moments(forward, Moments.of(values))
    assert_same_moments(backward, Moments.of(values))
    assert_same_moments(parts.accumulate()[3], Moments.of(values))


def test_groups_are_those_of_separate_calls() -> None:
    rng = np.random.default_rng(1)
    values, groups = rng.normal(5, 2, (100, 3)), rng.integers(-1, 4, 100)
    groups[groups == 2] = 1
    parts = Moments.by_group(values, groups, 4)
    assert parts.n[2] == 0
    assert parts.n.sum() == np.count_nonzero(groups >= 0)
    for place in (0, 1, 3):
        assert_same_moments(parts[place], Moments.of(values[groups == place]))


def test_large_values_that_differ_little_lose_no_digits() -> None:
    values = 1e9 + np.arange(100.0)[:, None] / 100
    halves = Moments.of(values[:37]).merge(Moments.of(values[37:]))
    assert_allclose(halves.covariance()[0, 0], np.var(np.arange(100.0) / 100, ddof=1), rtol=1e-6)


def test_leading_axes_are_computed_apart() -> None:
    values = np.random.default_rng(2).normal(size=(5, 30, 2))
    together = Moments.of(values)
    assert_same_moments(together, stack([Moments.of(part) for part in values]))
