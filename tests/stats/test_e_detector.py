"""E-values are at most 1 on average, evidence is the recursion that the paper states, and its promise holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import binom, poisson
from scipy.stats import t as student_t

from modelwatch.stats.arrays import Floats
from modelwatch.stats.e_detector import (
    MAX_COUNT_EVIDENCE,
    MAX_TAIL_EVIDENCE,
    best_start,
    count_log_e,
    evidence_bound,
    location_log_e,
    log_end_starts,
    log_evidence,
    most_location_log_e,
    most_proportion_log_e,
    proportion_log_e,
    tail_log_e,
)
from modelwatch.timeutil import HOUR

ENDS = ((-np.inf, -5.0), (-5.0, 5.0), (5.0, 50.0), (50.0, np.inf))
"""Of stretches that are integrated one by one."""
LOG_E = arrays(np.float64, (3, 12), elements=st.floats(-5, 5))


@pytest.mark.parametrize(("p", "most"), [(0.9, 1.0), (0.95, 1.0), (0.85, None)])
def test_the_mean_e_value_is_at_most_1_for_every_proportion_on_the_right_side(p: float, most: float | None) -> None:
    n, bound, worse = 40, 0.9, np.array([[0.85], [0.7]])
    hits = np.arange(n + 1.0)
    e = np.exp(proportion_log_e(hits, np.full(n + 1, float(n)), np.full(n + 1, bound), worse))
    mean = (e * binom.pmf(hits, n, p)).sum(axis=1)
    if most is None:
        assert (mean > 1).all()
    else:
        assert (mean <= most + 1e-9).all()


def test_counts_divided_by_a_dispersion_weigh_less() -> None:
    whole = proportion_log_e(np.array([80.0]), np.array([100.0]), np.array([0.9]), np.array([[0.8]]))
    half = proportion_log_e(np.array([40.0]), np.array([50.0]), np.array([0.9]), np.array([[0.8]]))
    assert half == pytest.approx(whole / 2)


def test_an_outlier_of_a_mean_counts_little() -> None:
    shifts = np.array([[1.0], [3.0], [10.0]])
    ten, hundred = location_log_e(np.array([10.0]), shifts), location_log_e(np.array([100.0]), shifts)
    assert 5 < ten.max() < 10
    assert hundred.max() < 2
    assert (location_log_e(np.array([-1.0]), shifts) < 0).all()


def test_how_unlikely_a_point_is_counts_whatever_its_size_and_is_at_most_1_on_average() -> None:
    excess = np.array([-2.0, 0.0, 1.0, 4.0, 8.0, 1e3, 1e30])
    expected = np.minimum(-np.log(2 * np.sqrt(student_t.sf(excess, 5))), MAX_TAIL_EVIDENCE)
    assert tail_log_e(excess) == pytest.approx(expected, abs=1e-6)
    for mean, most in ((0.0, 1.0), (-0.5, 0.9)):
        parts = (quad(lambda x, m: np.exp(tail_log_e(x)) * student_t.pdf(x, 5, m), *ends, (mean,)) for ends in ENDS)
        assert sum(part for part, _ in parts) <= most


@pytest.mark.parametrize(("rate", "most"), [(3.0, 1.0), (2.0, 1.0), (4.0, None)])
def test_the_mean_e_value_of_counts_is_at_most_1_for_rates_on_the_right_side(rate: float, most: float | None) -> None:
    exposure, counts = 5.0, np.arange(200.0)
    e = np.exp(count_log_e(counts / exposure, np.full(200, exposure), np.full(200, 3.0), np.array([[3.5], [6.0]])))
    mean = (e * poisson.pmf(counts, rate * exposure)).sum(axis=1)
    if most is None:
        assert (mean > 1).all()
    else:
        assert (mean <= most + 1e-9).all()
    assert np.log(e).max() == pytest.approx(MAX_COUNT_EVIDENCE)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
def test_an_area_is_as_sure_as_a_proportion_of_the_rarer_class(spread: float) -> None:
    """Hoeffding (1963, 5a): whatever the scores are like, the mean e-value of the binomial ratio is at most 1."""
    rng, n = np.random.default_rng(1), 4000
    positive, negative = rng.normal(1.0, spread, (n, 5)), rng.normal(0.0, 1.0, (n, 20))
    area = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    bound = np.full(n, area.mean())
    e = np.exp(proportion_log_e(5 * area, np.full(n, 5.0), bound, np.array([[0.9], [0.6]]) * area.mean()))
    assert (e.mean(axis=1) <= 1.01).all()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_no_alternative_says_more_of_a_point_than_the_point_itself(sign: float) -> None:
    p, trials, bound = np.linspace(0, 1, 41), np.full(41, 30.0), np.full(41, 0.6)
    worse = 0.6 + sign * np.linspace(0.01, 0.39, 39)[:, None]
    log_e, beyond = proportion_log_e(p * trials, trials, bound, worse).max(axis=0), sign * (p - bound) > 0
    assert (log_e[~beyond] <= 1e-9).all()
    assert (log_e <= most_proportion_log_e(p, trials, bound) + 1e-9)[beyond].all()
    excess = np.linspace(-3, 9, 41)
    log_e = location_log_e(excess, np.linspace(0.1, 20, 50)[:, None]).max(axis=0)
    assert (log_e[excess <= 0] <= 0).all()
    assert (np.maximum(log_e, tail_log_e(excess)) <= most_location_log_e(excess) + 1e-9)[excess > 0].all()


def naive(log_e: Floats, start: Floats) -> Floats:
    evidence = np.zeros(log_e.shape)
    for row, own in enumerate(log_e):
        m = 0.0
        for column, (log, w) in enumerate(zip(own, start, strict=True)):
            m = (m + w) * np.exp(log)
            evidence[row, column] = m
    mean: Floats = evidence.mean(axis=0)
    return mean


@given(LOG_E, arrays(np.float64, 12, elements=st.floats(0.01, 10)))
def test_evidence_is_the_recursion_and_its_bound_is_above_it(log_e: Floats, start: Floats) -> None:
    evidence = log_evidence(log_e, np.log(start))
    assert evidence == pytest.approx(np.log(naive(log_e, start)), abs=1e-6)
    assert evidence_bound(log_e, np.log(start)) >= evidence.max() - 1e-9


def test_evidence_survives_long_healthy_and_long_broken_times() -> None:
    for step in (-50.0, 50.0):
        evidence = log_evidence(np.full((2, 5000), step), np.zeros(5000))
        assert np.isfinite(evidence).all()


@given(arrays(np.float64, 10, elements=st.floats(-3, 3)))
def test_the_best_start_begins_the_stretch_with_the_largest_sum(log_e: Floats) -> None:
    starts = best_start(log_e)
    for end, start in enumerate(starts):
        sums = [log_e[begin : end + 1].sum() for begin in range(end + 1)]
        assert log_e[start : end + 1].sum() == pytest.approx(max(sums), abs=1e-9)


@pytest.mark.parametrize("spacing", [1.0, 5.0])
def test_the_mean_time_to_a_false_alarm_is_at_least_the_budget_whatever_the_spacing(spacing: float) -> None:
    """Exactly on the bound, where alarms are most frequent: 300 runs to a budget of 100 units of time."""
    budget, rng = 100.0, np.random.default_rng(11)
    points = int(3000 / spacing)
    hits = rng.binomial(30, 0.9, (300, points)).astype(float)
    alternatives = np.array([[0.85], [0.75]])
    times = []
    for run in hits:
        log_e = proportion_log_e(run, np.full(points, 30.0), np.full(points, 0.9), alternatives)
        over = np.flatnonzero(log_evidence(log_e, np.full(points, np.log(spacing / budget))) >= 0)
        times.append(spacing * (over[0] + 1) if len(over) else spacing * points)
    error = np.std(times) / np.sqrt(len(times))
    assert np.mean(times) + 3 * error >= budget
    assert np.mean(times) < 20 * budget, "a detector that never alarms keeps any promise"


def test_what_lasts_is_wrongly_called_over_after_19_days_on_average_at_the_soonest() -> None:
    """90 days of hours exactly on the bound, 400 times; points that say nothing prove nothing for 19 days."""
    log_start = log_end_starts(HOUR * np.arange(90 * 24 + 1.0))
    nothing = np.exp(log_evidence(np.zeros((3, len(log_start))), log_start))
    assert np.argmax(nothing >= 20) == pytest.approx(19 * 24, abs=1)
    hits = np.random.default_rng(12).binomial(30, 0.9, (400, len(log_start))).astype(float)
    trials, bound, sought = np.full(len(log_start), 30.0), np.full(len(log_start), 0.9), np.array([[0.95], [0.93]])
    over = [log_evidence(proportion_log_e(run, trials, bound, sought), log_start) >= np.log(20) for run in hits]
    days = [row.argmax() / 24 if row.any() else 90.0 for row in over]
    assert np.mean(days) > 19
