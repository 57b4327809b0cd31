"""Charts compute what textbooks compute, and rules signal exactly where their definitions say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, norm, poisson

from modelwatch.stats.arrays import Floats
from modelwatch.stats.control_charts import (
    MOVING_RANGE_SIGMA,
    NELSON,
    WESTERN_ELECTRIC,
    autocorrelation,
    cusum,
    cusum_signals,
    dispersion_bound,
    ewma,
    ewma_deviation,
    ewma_signals,
    holding,
    innovations,
    moving_range_deviation,
    rate_scores,
    rule_signals,
    share_scores,
    shewhart_signals,
)

BOTH, UP, DOWN = (1.0, -1.0), (1.0,), (-1.0,)
Z = arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([-3.5, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.5]))

SHIFTED = np.array(
    [
        *(9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08),
        *(9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52),
    ]
)
"""Montgomery, Introduction to Statistical Quality Control, 6th ed., table 9.1: mean 10, then 11 from the 21st on."""


def test_montgomery_example_9_1_the_tabular_cusum() -> None:
    """H = 5, K = 1/2: the upper sum is 5.28 at point 29, the first beyond its limit."""
    z = SHIFTED - 10
    upper = cusum(z, 0.5, np.full(30, 100.0))
    assert upper[[3, 4, 5, 28, 29]] == pytest.approx([1.16, 2.82, 2.50, 5.28, 5.30], abs=0.005)
    assert cusum(-z, 0.5, np.full(30, 100.0))[:2] == pytest.approx([0.05, 1.56], abs=0.005)
    assert np.flatnonzero(cusum_signals(z, 0.5, 5.0, BOTH))[0] == 28
    assert not cusum_signals(z, 0.5, 5.0, DOWN).any()


def test_montgomery_example_9_2_the_ewma() -> None:
    """lambda = 0.10, L = 2.7: limits of 9.73 and 10.27, then 9.64 and 10.36, in the end 9.38 and 10.62."""
    z = SHIFTED - 10
    assert 10 + ewma(z, 0.1)[:5] == pytest.approx([9.945, 9.7495, 9.70355, 9.8992, 10.1253], abs=5e-5)
    assert 10 + 2.7 * ewma_deviation(30, 0.1)[[0, 1, 29]] == pytest.approx([10.27, 10.36, 10.62], abs=0.005)
    assert np.flatnonzero(ewma_signals(z, 0.1, 2.7, BOTH)).tolist() == np.flatnonzero(ewma(z, 0.1) > 0.62).tolist()


def test_montgomery_example_6_5_the_individuals_chart() -> None:
    """Mortgage application costs: mean moving range 7.79, limits of 279.78 and 321.22."""
    costs = np.array(
        [310.0, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304]
    )
    sigma = moving_range_deviation(costs)
    assert costs.mean() == 300.5
    assert sigma * MOVING_RANGE_SIGMA == pytest.approx(7.79, abs=0.005)
    assert costs.mean() + 3 * sigma == pytest.approx(321.22, abs=0.02)
    assert not shewhart_signals((costs - costs.mean()) / sigma, 3.0, BOTH).any()


def test_montgomery_example_7_1_the_p_chart() -> None:
    """Orange juice cans, 30 samples of 50: mean 0.2313, upper limit 0.4102; samples 15 and 23 are beyond."""
    bad = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
    shares = np.array(bad) / 50
    mean = shares.mean()
    deviation = np.sqrt(mean * (1 - mean) / 50)
    assert [mean, mean + 3 * deviation] == pytest.approx([0.2313, 0.4102], abs=5e-5)
    assert (np.flatnonzero(shewhart_signals((shares - mean) / deviation, 3.0, BOTH)) + 1).tolist() == [15, 23]


def naive_pattern(z: Floats, number: int, sides: tuple[float, ...]) -> list[int]:
    """Nelson's rules as a loop over what each point completes."""
    found = []
    for at in range(len(z)):
        for side in (1.0, -1.0):
            own = [side * value for value in z[: at + 1]]
            directed = side in sides
            last = {length: own[-length:] if len(own) >= length else None for length in (1, 2, 3, 5, 6, 8, 9, 14, 15)}

            def steps(values: list[float]) -> list[float]:
                return [b - a for a, b in pairwise(values)]

            fires = {
                1: directed and own[-1] > 3,
                2: directed and last[9] is not None and min(last[9]) > 0,
                3: directed and last[6] is not None and min(steps(last[6])) > 0,
                4: last[14] is not None and all(a * b < 0 for a, b in pairwise(steps(last[14]))),
                5: directed and own[-1] > 2 and sum(value > 2 for value in own[-3:]) >= 2,
                6: directed and own[-1] > 1 and sum(value > 1 for value in own[-5:]) >= 4,
                7: last[15] is not None and all(abs(value) < 1 for value in last[15]),
                8: last[8] is not None and all(abs(value) > 1 for value in last[8]),
            }
            if fires[number] and at not in found:
                found.append(at)
    return found


@pytest.mark.parametrize("number", NELSON)
@given(z=Z, sides=st.sampled_from([BOTH, UP, DOWN]))
@settings(max_examples=50, deadline=None)
def test_rules_signal_where_their_definitions_say(number: int, z: Floats, sides: tuple[float, ...]) -> None:
    assert np.flatnonzero(NELSON[number](z, sides)).tolist() == naive_pattern(z, number, sides)


PATTERNS = {
    1: [0.0, 3.1],
    2: [0.5, 0.1, 0.9, 0.2, 0.7, 0.3, 0.8, 0.4, 0.6],
    3: [-0.5, -0.3, -0.1, 0.1, 0.3, 0.5],
    4: [0.9, -0.1, 0.8, -0.2, 0.7, -0.3, 0.6, -0.4, 0.5, -0.5, 0.4, -0.6, 0.9, -0.1],
    5: [2.1, -0.5, 2.2],
    6: [1.1, 1.2, -0.1, 1.3, 1.4],
    7: [0.1, -0.2, 0.4, 0.3, -0.6, -0.5, 0.9, -0.9, 0.2, 0.1, -0.3, -0.1, 0.5, 0.6, -0.4],
    8: [1.1, -1.2, 1.3, 1.4, -1.5, -1.6, 1.2, -1.1],
}


@pytest.mark.parametrize(("number", "pattern"), PATTERNS.items())
def test_the_shortest_pattern_signals_at_its_last_point(number: int, pattern: list[float]) -> None:
    z = np.array(pattern)
    assert rule_signals(z, NELSON, (number,), BOTH).tolist() == [0] * (len(z) - 1) + [number]
    assert not rule_signals(z[:-1], NELSON, (number,), BOTH).any()


def test_western_electric_needs_eight_on_one_side_and_reports_the_first_rule() -> None:
    z = np.array([0.5] * 8 + [3.2])
    assert rule_signals(z, WESTERN_ELECTRIC, (1, 2, 3, 4), BOTH).tolist() == [0] * 7 + [4, 1]
    assert rule_signals(-z, WESTERN_ELECTRIC, (1, 2, 3, 4), UP).tolist() == [0] * 9


@given(arrays(np.float64, st.integers(0, 200), elements=st.floats(-5, 5)), st.sampled_from([0.05, 0.2, 1.0]))
def test_the_ewma_in_blocks_is_the_recursion(z: Floats, smoothing: float) -> None:
    expected, level = [], 0.0
    for value in z:
        level = smoothing * value + (1 - smoothing) * level
        expected.append(level)
    assert ewma(z, smoothing) == pytest.approx(np.array(expected), abs=1e-9)


@given(Z)
def test_a_sum_held_at_its_limit_signals_first_where_a_free_one_does(z: Floats) -> None:
    free = cusum(z, 0.5, np.full(len(z), 1e9)) >= 4
    held = cusum_signals(z, 0.5, 4.0, UP)
    assert free.any() == held.any()
    assert free.argmax() == held.argmax()


def test_a_sum_falls_at_once_after_a_long_change() -> None:
    signals = cusum_signals(np.array([2.0] * 100 + [0.0] * 2), 0.5, 5.0, UP)
    assert signals[99]
    assert not signals[100:].any()


@given(Z, st.integers(1, 59))
def test_no_chart_looks_ahead(z: Floats, cut: int) -> None:
    for chart in (
        lambda z: shewhart_signals(z, 3.0, BOTH),
        lambda z: ewma_signals(z, 0.2, 2.7, BOTH),
        lambda z: cusum_signals(z, 0.5, 4.0, BOTH),
        lambda z: rule_signals(z, NELSON, tuple(NELSON), BOTH),
    ):
        assert chart(z)[:cut].tolist() == chart(z[:cut]).tolist()


@given(Z)
def test_charts_mirror_their_sides(z: Floats) -> None:
    assert (cusum_signals(z, 0.5, 4.0, UP) == cusum_signals(-z, 0.5, 4.0, DOWN)).all()
    assert (ewma_signals(z, 0.2, 2.7, UP) == ewma_signals(-z, 0.2, 2.7, DOWN)).all()
    for number in NELSON:
        assert (NELSON[number](z, UP) == NELSON[number](-z, DOWN)).all()


def test_autocorrelation_is_measured_between_neighbours_and_removed() -> None:
    rng = np.random.default_rng(5)
    noise, z = rng.normal(size=4000), np.zeros(4000)
    for at in range(1, 4000):
        z[at] = 0.7 * z[at - 1] + np.sqrt(1 - 0.49) * noise[at]
    follows = np.arange(4000) > 0
    assert autocorrelation(z, follows) == pytest.approx(0.7, abs=0.04)
    assert autocorrelation(rng.permutation(z), follows) == 0.0
    assert autocorrelation(z, np.zeros(4000, np.bool_)) == 0.0
    # Of a stationary series the moving range gives sqrt(1 - r) of its deviation.
    assert moving_range_deviation(z) == pytest.approx(np.sqrt(0.3), rel=0.05)
    left = innovations(z, np.full(4000, 0.7), follows)
    ordinary = np.flatnonzero(np.abs(z[:-1]) < 3) + 1
    assert left[ordinary] == pytest.approx(noise[ordinary], abs=1e-9)
    spike = innovations(np.array([0.0, 20.0, 0.0]), np.full(3, 0.7), follows[:3])
    assert spike[1] > 20
    assert spike[2] == pytest.approx(-2.8 / np.sqrt(0.51))


def test_innovations_of_points_after_a_gap_are_the_points() -> None:
    z = np.array([1.0, 2.0, 3.0])
    assert innovations(z, np.full(3, 0.5), np.array([False, False, True]))[:2].tolist() == [1.0, 2.0]
    assert innovations(np.zeros(0), np.zeros(0), np.zeros(0, np.bool_)).size == 0
    assert np.isnan(moving_range_deviation(z[:1]))


def test_scores_of_counts_have_the_tails_of_a_normal_distribution() -> None:
    """Exactly: every tail of a binomial or Poisson count, 1 in 10 to 1 in 100,000, as its score says it."""
    for n, p in ((200, 0.9), (1000, 0.995), (40, 0.5)):
        failures = np.arange(int(n * (1 - p)) + 1, n + 1)
        tails = binom.sf(failures - 1, n, 1 - p)
        scores = share_scores(1 - failures / n, p, np.full(len(failures), float(n)), 0.5)
        usual = (tails < 0.1) & (tails > 1e-5)
        assert scores[usual] == pytest.approx(norm.ppf(tails[usual]), abs=0.06)
    for rate in (2.0, 300.0):
        events = np.arange(int(rate) + 1, int(3 * rate) + 12)
        tails = poisson.sf(events - 1, rate)
        usual = (tails < 0.1) & (tails > 1e-5)
        scores = rate_scores(events.astype(float), rate, np.ones(len(events)), 0.5)
        assert scores[usual] == pytest.approx(norm.isf(tails[usual]), abs=0.06)
    assert np.isfinite(share_scores(np.array([0.0, 1.0]), 0.9, np.array([10.0, 10.0]))).all()
    assert np.isfinite(rate_scores(np.array([0.0]), 0.0, np.ones(1))).all()


def test_an_excursion_lasts_until_the_average_is_back() -> None:
    signals = np.array([0, 1, 0, 0, 1, 0, 0, 0], bool)
    back = np.array([1, 0, 0, 1, 0, 0, 0, 1], bool)
    assert holding(signals, back).astype(int).tolist() == [0, 1, 1, 0, 1, 1, 1, 0]


def test_the_bound_of_a_dispersion_covers_what_neighbours_do_not_show() -> None:
    """Noise of which 15 % wanders slowly: its averages vary 1.8 times as much as those of independent points. Four
    weeks of hours bound that from above in about nine of ten cases."""
    rng = np.random.default_rng(3)
    slow, smoothing = 0.8, 0.1
    keep = 1 - smoothing
    true = 1 + 0.15 * 2 * slow * keep / (1 - slow * keep)
    bounds = []
    for _ in range(200):
        level = np.zeros(672)
        level[0] = rng.normal()
        for at in range(1, 672):
            level[at] = slow * level[at - 1] + np.sqrt(1 - slow**2) * rng.normal()
        bounds.append(dispersion_bound(np.sqrt(0.85) * rng.normal(size=672) + np.sqrt(0.15) * level, smoothing))
    assert 0.8 < np.mean(np.array(bounds) >= true) < 0.98
    assert dispersion_bound(rng.normal(size=30), smoothing) > dispersion_bound(rng.normal(size=3000), smoothing)
    assert dispersion_bound(np.zeros(100), smoothing) == 1
