"""Sums that do not depend on the order of adding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.profile.exact_sum import ExactSums

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30)


def of(values: list[float]) -> ExactSums:
    return ExactSums.of({"x": np.array(values, dtype=np.float64)})


@settings(max_examples=100, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_any_order_gives_the_exact_sum(a: list[float], b: list[float], c: list[float]) -> None:
    whole = of(a + b + c)
    assert of(a).merge(of(b)).merge(of(c)) == whole == of(c).merge(of(a).merge(of(b)))
    exact = sum(map(Fraction, a + b + c), Fraction())
    if whole.n:
        assert whole.exact_mean("x") == exact / whole.n
    assert math.isnan(whole.mean("x")) is (not whole.n)


def test_many_rows_lose_no_digit() -> None:
    values = np.random.default_rng(1).normal(1e6, 1, 300_000)
    assert ExactSums.of({"x": values}).mean("x") == pytest.approx(math.fsum(values) / len(values), rel=1e-16)
    tiny = np.array([1e300, 5e-324, -1e300])
    assert ExactSums.of({"x": tiny}).exact_mean("x") == Fraction(5e-324) / 3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_makes_the_sum_unknown(bad: float) -> None:
    both = of([1.0]).merge(of([bad]))
    assert both == of([bad]).merge(of([1.0]))
    assert math.isnan(both.mean("x"))
    assert math.isnan(of([1e308] * 20).mean("y"))
    assert of([1e308] * 20).mean("x") == 1e308


def test_a_column_that_one_side_lacks_is_unknown() -> None:
    both = of([1.0]).merge(ExactSums.of({"y": np.array([1.0])}))
    assert (both.n, both.totals) == (2, {"x": None, "y": None})
    assert ExactSums.from_hits("x", 2, 4).mean("x") == 0.5
