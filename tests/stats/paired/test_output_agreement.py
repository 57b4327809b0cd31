"""Agreement of two versions: shares with an interval, and Lin's concordance of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.paired.output_agreement import concordance, matching_share


def test_a_share_with_its_interval() -> None:
    left, right = np.array(["a", "b", "b", "c"], dtype=object), np.array(["a", "b", "c", "c"], dtype=object)
    found = matching_share(left, right)
    assert (found.value, found.n) == (0.75, 4)
    assert found.low < 0.75 < found.high
    assert math.isnan(matching_share(left[:0], right[:0]).value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=50))
def test_concordance_by_its_definition(rows: list[tuple[float, float]]) -> None:
    x, y = (np.array(column) for column in zip(*rows, strict=True))
    found = concordance(x, y)
    if np.array_equal(x, y):
        assert found.value == 1.0
        return
    expected = 1 - ((x - y) ** 2).mean() / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert math.isnan(found.low) or found.low <= found.value + 1e-9 <= found.high + 2e-9


def test_a_shift_lowers_it_where_correlation_sees_nothing() -> None:
    x = np.random.default_rng(1).normal(0, 1, 1000)
    assert concordance(x, x + 2).value == pytest.approx(2 / (2 + 4), rel=0.05)
    assert np.corrcoef(x, x + 2)[0, 1] == pytest.approx(1.0)


def test_its_interval_covers() -> None:
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        x = rng.normal(0, 1, 120)
        y = 0.3 + 0.9 * x + rng.normal(0, 0.5, 120)
        found = concordance(x, y)
        truth = 2 * 0.9 / (1 + 0.81 + 0.25 + 0.09)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.92


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.nan]])
def test_nothing_to_compare(values: list[float]) -> None:
    assert math.isnan(concordance(values, values).value)


def test_constants_and_large_numbers() -> None:
    assert concordance([1.0, 1.0], [2.0, 2.0]).value == 0.0
    assert concordance([1e300, -1e300, 5.0], [1e300, -1e300, 5.1]).value == pytest.approx(1.0)
