"""Mix and rate: what each is, and that nothing is left over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.decomposition import change_in_moved_bins, decompose

COUNT = st.one_of(st.just(0.0), st.floats(1e-3, 1e9))
VALUE = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan))
SEGMENTS = st.lists(st.tuples(COUNT, VALUE, COUNT, VALUE), min_size=1, max_size=30)


def means(rows: list[tuple[float, float, float, float]]) -> tuple[float, float]:
    """The plain weighted means of both sides."""
    found = []
    for n, value in ((0, 1), (2, 3)):
        there = [row for row in rows if row[n] > 0 and not math.isnan(row[value])]
        mass = math.fsum(row[n] for row in there)
        found.append(math.fsum(row[n] * row[value] for row in there) / mass if mass else math.nan)
    return found[0], found[1]


@settings(deadline=None)
@given(SEGMENTS)
def test_the_parts_are_the_whole_change(rows: list[tuple[float, float, float, float]]) -> None:
    found = decompose(*np.array(rows).T)
    before, after = means(rows)
    if math.isnan(before) or math.isnan(after):
        assert math.isnan(found.total)
        return
    scale = max(abs(value) for row in rows for value in (row[1], row[3]) if not math.isnan(value)) or 1.0
    assert found.total == pytest.approx(after - before, abs=1e-13 * scale)
    assert found.total_mix + found.total_rate == pytest.approx(found.total, abs=1e-13 * scale)
    assert math.fsum(found.contributions) == pytest.approx(found.total, abs=1e-13 * scale)


@settings(deadline=None)
@given(SEGMENTS)
def test_both_directions_mirror_each_other(rows: list[tuple[float, float, float, float]]) -> None:
    n0, v0, n1, v1 = np.array(rows).T
    there, back = decompose(n0, v0, n1, v1), decompose(n1, v1, n0, v0)
    np.testing.assert_allclose(there.mix, -back.mix, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(there.rate, -back.rate, rtol=1e-12, atol=1e-12)


def test_only_sizes_moved() -> None:
    found = decompose([50, 50], [0.9, 0.5], [25, 75], [0.9, 0.5])
    assert found.total_rate == 0
    # The totals are 0.7 and 0.6: growing is bad for the segment below their middle, shrinking for the one above.
    np.testing.assert_allclose(found.mix, [-0.25 * (0.9 - 0.65), 0.25 * (0.5 - 0.65)])
    assert found.total_mix == pytest.approx(-0.1)


def test_only_values_moved() -> None:
    found = decompose([1, 3], [0.9, 0.5], [10, 30], [0.9, 0.3])
    np.testing.assert_allclose(found.rate, [0, -0.15])
    np.testing.assert_allclose(found.mix, [0, 0])


def test_a_new_and_a_vanished_segment_are_mix() -> None:
    new = decompose([100, 0], [0.9, math.nan], [80, 20], [0.9, 0.4])
    assert new.total_rate == 0
    assert new.total == pytest.approx(-0.1)
    vanished = decompose([80, 20], [0.9, 0.4], [100, 0], [0.9, math.nan])
    assert vanished.total_rate == 0
    assert vanished.total == pytest.approx(0.1)


@pytest.mark.parametrize("n", [[], [0.0], [math.nan], [-1.0]])
def test_an_empty_side_has_no_change(n: list[float]) -> None:
    values = [0.5] * len(n)
    found = decompose([1.0] * len(n), values, n, values)
    assert math.isnan(found.after)
    assert not n or math.isnan(found.total)


def test_huge_counts_and_values_do_not_overflow() -> None:
    found = decompose([1e308, 1e308], [1e307, -1e307], [1e308, 1e307], [1e307, 1e307])
    assert found.total == pytest.approx(1e307)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 segments before, 1 after"):
        decompose([1, 1], [1, 1], [1], [1])


def test_a_drop_in_a_bin_that_grew_lies_there() -> None:
    before, after = [0.9, 0.9, 0.9], [0.9, 0.9, 0.6]
    moved = change_in_moved_bins([400, 400, 200], before, [200, 200, 600], after)
    assert moved == pytest.approx(0.72 - 0.9)


def test_a_drop_elsewhere_does_not() -> None:
    # The last two bins swap their shares, the first one drops.
    moved = change_in_moved_bins([5000, 4000, 1000], [0.9, 0.9, 0.9], [5000, 1000, 4000], [0.5, 0.9, 0.9])
    assert moved == pytest.approx(0, abs=1e-12)


def test_noise_in_the_shares_is_no_move() -> None:
    assert change_in_moved_bins([50, 50], [0.9, 0.9], [58, 42], [0.5, 0.5]) == 0


def test_a_tiny_move_of_many_rows_is_none() -> None:
    assert change_in_moved_bins([5e8, 5e8], [0.9, 0.9], [5.1e8, 4.9e8], [0.5, 0.5]) == 0


def test_an_empty_side_is_unknown() -> None:
    assert math.isnan(change_in_moved_bins([10, 10], [1, 1], [0, 0], [math.nan, math.nan]))
