"""Correction for many features."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from modelwatch.stats.drift.p_values import adjust_p_values


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_is_scipys(p: list[float]) -> None:
    assert adjust_p_values(p) == pytest.approx(false_discovery_control(p), abs=1e-12)


def test_what_was_not_tested_does_not_count() -> None:
    got = adjust_p_values([0.01, math.nan, 0.02])
    assert got[[0, 2]] == pytest.approx(adjust_p_values([0.01, 0.02]))
    assert math.isnan(got[1])
    assert np.isnan(adjust_p_values([math.nan])).all()
    table = np.array([[0.01, 0.5], [0.02, math.nan]])
    assert adjust_p_values(table, axis=0)[:, 0] == pytest.approx(adjust_p_values([0.01, 0.02]))


def test_the_share_of_false_discoveries_is_held() -> None:
    """45 features that did not move and 5 that did, 2,000 times over."""
    rng = np.random.default_rng(1)
    p = rng.uniform(size=(2000, 50))
    p[:, :5] = 10.0 ** -rng.uniform(3, 9, size=(2000, 5))
    found = adjust_p_values(p) <= 0.05
    false = found[:, 5:].sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    assert false.mean() <= 0.05
    assert found[:, :5].mean() > 0.8
    assert (p < 0.05)[:, 5:].any(axis=1).mean() > 0.85  # what uncorrected values would have done
