"""Input that is empty, constant, broken or strange has an answer in every method of a drift rule, and a stated one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.numeric import NumericProfile

from .comparing import compare_categories, compare_profiles, compare_values

NAN, INF = math.nan, math.inf
pytestmark = pytest.mark.filterwarnings("error")

TOP = dict.fromkeys(("jensen_shannon", "hellinger", "total_variation", "chi_square", "ks"), 1.0)
"""Effects where nothing is shared any more."""
NOTHING = dict.fromkeys(METHODS, NAN)
STILL = dict.fromkeys(METHODS, 0.0)
# What is compared, and the effect that each method has: a number, or NaN where there is none.
NUMBERS: dict[str, tuple[list[float], list[float], dict[str, float]]] = {
    "both empty": ([], [], NOTHING),
    "empty": ([1.0, 2.0], [], NOTHING),
    "no reference": ([], [1.0, 2.0], NOTHING),
    "all missing": ([1.0, 2.0], [NAN, NAN], NOTHING),
    "only infinities": ([1.0, 2.0], [INF, -INF], NOTHING),
    "one row, the same": ([1.0], [1.0], STILL),
    "one row, another": ([1.0], [2.0], TOP),
    "constant": ([3.0] * 200, [3.0] * 150, STILL),
    "constant that moved": ([3.0] * 200, [4.0] * 200, TOP),
    "constant that moved down": ([3.0] * 200, [2.0] * 200, TOP),
    "infinities beside numbers": ([1.0, 2.0] * 100, [1.0, INF, 2.0, -INF, NAN] * 100, STILL),
    "1e308": ([1e308, -1e308] * 100, [1e308] * 200, {"ks": 0.5, "total_variation": 0.5, "wasserstein": 1.0}),
    "tiny": ([1e-320, 2e-320] * 100, [2e-320] * 200, {"ks": 0.5, "total_variation": 0.5, "wasserstein": 1.0}),
}
CATEGORIES: dict[str, tuple[dict[str, int], dict[str, int], dict[str, float]]] = {
    "both empty": ({}, {}, NOTHING),
    "empty": ({"a": 1, "b": 1}, {}, NOTHING),
    "one row, the same": ({"a": 1}, {"a": 1}, STILL),
    "constant": ({"a": 200}, {"a": 150}, STILL),
    "only unseen categories": ({"a": 100, "b": 100}, {"c": 200}, TOP),
    "some unseen categories": ({"a": 200}, {"a": 100, "b": 100}, {"total_variation": 0.5}),
    "texts of a megabyte": ({"x" * 1_000_000: 200}, {"x" * 1_000_000: 100, "y": 100}, {"total_variation": 0.5}),
}


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("method", METHODS)
def test_drift_of_numbers(method: str, case: str) -> None:
    reference, current, expected = NUMBERS[case]
    check(compare_values(method, reference, current), expected.get(method), min(map(len, (reference, current))))


@pytest.mark.parametrize("case", CATEGORIES)
@pytest.mark.parametrize("method", BINNED_STATISTICS)
def test_drift_of_categories(method: str, case: str) -> None:
    reference, current, expected = CATEGORIES[case]
    rows = min(sum(side.values()) for side in (reference, current))
    check(compare_categories(method, reference, current), expected.get(method), rows)


def check(found: object, expected: float | None, rows: int) -> None:
    effect, p_value, small = (float(getattr(found, name)[0]) for name in ("effect", "p_value", "small"))
    if expected is not None:
        assert effect == pytest.approx(expected, abs=1e-6, nan_ok=True)
    if math.isnan(effect) or small:
        assert math.isnan(p_value)
        return
    assert rows >= 100
    assert effect >= 0
    assert 0 <= p_value <= 1
    if effect > 0.3:
        assert p_value < 1e-6
    if effect == 0:
        assert p_value > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_profiles_have_the_same_answers_at_the_edge(method: str) -> None:
    edges = np.array([0.0, 1.0, 2.0])
    full = NumericProfile.of(np.array([0.5, 1.5, 2.5] * 50), edges)
    assert compare_profiles(method, full, full).effect[0] == pytest.approx(0.0, abs=1e-9)
    constant, moved = (NumericProfile.of(np.full(200, value), edges) for value in (0.5, 1.5))
    assert compare_profiles(method, constant, moved).effect[0] > 0.3


def test_missing_values_never_count_as_drift() -> None:
    """60 % missing is data quality: the statistic is that of the rest."""
    values = [float(i % 17) for i in range(400)]
    broken = [*values[:200], *[NAN] * 500, INF, -INF]
    for method in METHODS:
        assert compare_values(method, values, broken).effect == compare_values(method, values, values[:200]).effect


FLOATS = st.lists(st.floats() | st.sampled_from([0.0, 1.0, 1e308, NAN, INF, 5e-324, -0.0]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(FLOATS, FLOATS, st.integers(1, 40))
def test_any_two_columns_have_an_answer(reference: list[float], current: list[float], times: int) -> None:
    edges = choose_edges(np.array(reference))
    for method in METHODS:
        for chosen in (None, edges):
            found = compare_values(method, reference, current * times, chosen)
            assert math.isnan(found.effect[0]) or found.effect[0] >= -1e-9
            assert math.isnan(found.p_value[0]) or 0 <= found.p_value[0] <= 1
