"""Comparing moments, and making them from arrays."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike

from modelwatch.stats.experiments.effect import Effect, measure_effect
from modelwatch.stats.experiments.moments import Moments

PLANNED = (1000.0, 1000.0)


def columns(*values: ArrayLike) -> Moments:
    """Moments of columns."""
    return Moments.of(np.column_stack([np.asarray(column, dtype=np.float64) for column in values]))


def effect_of(treatment: Moments, control: Moments, *, is_ratio: bool = False) -> Effect:
    return measure_effect(treatment, control, PLANNED, is_ratio=is_ratio)


def assert_same_moments(found: Moments, expected: Moments) -> None:
    assert_allclose(found.n, expected.n)
    size = 1 + np.abs(expected.high).max() + np.abs(expected.low).max()
    assert_allclose(found.mean, expected.mean, rtol=1e-9, atol=1e-9 * size)
    assert_allclose(found.scatter, expected.scatter, rtol=1e-7, atol=1e-9 * size**2)
    assert_allclose(found.low, expected.low)
    assert_allclose(found.high, expected.high)
