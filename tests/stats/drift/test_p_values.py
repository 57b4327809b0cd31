"""Total variation's tail in closed form, against draws, and against the permutation that it stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from modelwatch.stats.drift import binned_statistics, p_values
from modelwatch.stats.drift.p_values import adjust_p_values, binned_p_values, permutation_p_value

Floats = NDArray[np.float64]


def falling(categories: int, power: float) -> Floats:
    shares = np.arange(1.0, categories + 1) ** -power
    return np.asarray(shares / shares.sum())


SHARES = {
    "2, one is rare": np.array([0.98, 0.02]),
    "3 falling": falling(3, 1),
    "4 alike": falling(4, 0),
    "5 alike": falling(5, 0),
    "8 falling": falling(8, 1),
    "12, one has two thirds": falling(12, 2),
    "20, one has nine tenths": np.append(0.9, np.full(19, 0.1 / 19)),
    "100 alike": falling(100, 0),
    "250 falling": falling(250, 0.7),
}


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize(("n", "m"), [(30_000, 30_000), (200_000, 20_000)])
def test_alarms_come_as_often_as_is_said(name: str, n: int, m: int) -> None:
    rng = np.random.default_rng(3)
    r, c = (rng.multinomial(size, SHARES[name], 8_000) for size in (n, m))
    p = p_values.total_variation_p_value(binned_statistics.total_variation(r, c), r, c)
    for level in (0.05, 0.01):
        doubt = 4 * math.sqrt(level * (1 - level) / len(p))
        assert 0.75 * level - doubt < (p <= level).mean() < level + doubt
    assert 0.4 < np.median(p) < (1.01 if len(SHARES[name]) in (3, 4) else 0.6)


@pytest.mark.parametrize("name", SHARES)
def test_it_says_what_dealing_anew_says(name: str) -> None:
    rng = np.random.default_rng(4)
    moved = SHARES[name] * rng.uniform(0.9, 1.1, len(SHARES[name]))
    r, c = rng.multinomial(8000, SHARES[name]), rng.multinomial(4000, moved / moved.sum())
    p = float(p_values.total_variation_p_value(binned_statistics.total_variation(r, c), r, c))
    dealt = permutation_p_value("total_variation", r, c)
    bound = len(SHARES[name]) in (3, 4)  # not the tail itself, but an upper bound
    assert 0.75 * dealt - 0.02 < p < 1.25 * dealt + (0.3 if bound else 0.02)


def test_many_rows_at_once_are_each_their_own() -> None:
    rng = np.random.default_rng(5)
    r, c = rng.multinomial(3000, falling(30, 1), 7), rng.multinomial(2000, falling(30, 1.05), 7)
    value = binned_statistics.total_variation(r, c)
    assert p_values.total_variation_p_value(value, r, c) == pytest.approx(
        [float(p_values.total_variation_p_value(value[i], r[i], c[i])) for i in range(7)], rel=1e-12
    )
    assert binned_p_values("total_variation", r, c) == pytest.approx(
        p_values.total_variation_p_value(value, r, c), rel=1e-12
    )


@pytest.mark.parametrize(
    ("r", "c"),
    [([30, 8, 1], [29, 7, 3]), ([500, 400, 300, 2, 1, 2], [480, 420, 310, 3, 2, 1])],
    ids=["three categories", "six"],
)
def test_rare_categories_are_dealt_anew(r: list[int], c: list[int]) -> None:
    """There the closed form may be wrong."""
    found = float(binned_p_values("total_variation", r, c))
    assert found != pytest.approx(
        float(p_values.total_variation_p_value(binned_statistics.total_variation(r, c), np.array(r), np.array(c))),
        rel=1e-6,
    )


def test_of_two_categories_it_is_chi_square() -> None:
    r, c = np.array([[500, 400], [300, 40]]), np.array([[450, 410], [310, 60]])
    p = p_values.total_variation_p_value(binned_statistics.total_variation(r, c), r, c)
    assert p == pytest.approx(binned_statistics.chi_square_p_value(binned_statistics.chi_square(r, c), 1.0), rel=1e-9)
    spread = p_values.total_variation_p_value(
        binned_statistics.total_variation(r, c), np.insert(r, 1, 0, axis=1), np.insert(c, 1, 0, axis=1)
    )
    assert spread == pytest.approx(p, rel=1e-12)
    assert p_values.total_variation_p_value(0.0, [500], [400]) == 1.0


def test_no_difference_is_no_surprise_and_all_of_it_is_one() -> None:
    r = np.array([100, 200, 300, 400, 500])
    assert float(p_values.total_variation_p_value(0.0, r, r)) == pytest.approx(1.0, abs=0.01)
    assert float(p_values.total_variation_p_value(1.0, r, r)) < 1e-12


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
