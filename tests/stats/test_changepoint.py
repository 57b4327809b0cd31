"""Change points: the same optimum as ruptures finds, and where a fall began."""

from __future__ import annotations

import numpy as np
import pytest
import ruptures
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.changepoint import (
    MAX_POINTS,
    OnsetInterval,
    degradation_onset,
    find_change_points,
    noise_variance,
)

LEVELS = st.lists(st.tuples(st.integers(3, 30), st.floats(-5, 5)), min_size=1, max_size=4)


@settings(deadline=None, max_examples=25)
@given(LEVELS, st.integers(0, 2**32 - 1), st.floats(0.5, 30), st.integers(1, 4))
def test_the_optimum_is_that_of_ruptures(
    levels: list[tuple[int, float]], seed: int, penalty: float, shortest: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([level + rng.normal(0, 1, size) for size, level in levels])
    if len(values) < 2 * shortest:
        return
    found = find_change_points(values, penalty=penalty, min_stretch=shortest)
    peer = ruptures.Dynp(model="l2", min_size=shortest, jump=1).fit(values)
    ours = cost(values, found)
    theirs = cost(values, np.array(peer.predict(len(found))[:-1] if len(found) else [], dtype=np.int64))
    assert ours == pytest.approx(theirs, rel=1e-9)
    pelt = ruptures.Pelt(model="l2", min_size=shortest, jump=1).fit(values).predict(pen=penalty)[:-1]
    total = cost(values, np.array(pelt, dtype=np.int64)) + penalty * len(pelt)
    # PELT prunes, and with stretches of more than one point may miss the optimum that we find.
    assert ours + penalty * len(found) <= total + 1e-9 * max(1.0, total)
    if shortest == 1:
        assert list(found) == pelt


def cost(values: np.ndarray, inner: np.ndarray) -> float:
    return float(sum(((part - part.mean()) ** 2).sum() for part in np.split(values, inner)))


def test_a_weight_counts_as_so_many_points() -> None:
    rng = np.random.default_rng(3)
    values = np.append(rng.normal(0, 1, 30), rng.normal(2, 1, 20))
    weights = rng.integers(1, 5, 50)
    found = find_change_points(values, weights, penalty=8.0, min_stretch=1)
    repeated = find_change_points(np.repeat(values, weights), penalty=8.0, min_stretch=1)
    starts = np.append(0, np.cumsum(weights))
    assert list(starts[found]) == list(repeated)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [5.0] * 50, [1e308] * 10])
def test_no_change_where_there_is_nothing_to_see(values: list[float]) -> None:
    assert len(find_change_points(values)) == 0
    assert degradation_onset(values, 0.0, worse_sign=1) is None


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        find_change_points([1.0, np.nan])
    with pytest.raises(ValueError, match="greater than 0"):
        find_change_points([1.0, 2.0], [1.0, 0.0])


def test_noise_is_that_of_a_point_of_weight_one() -> None:
    rng = np.random.default_rng(5)
    weights = rng.uniform(100, 2000, 20_000)
    values = rng.normal(0, np.sqrt(4 / weights)) + np.repeat([0.0, 9.0], 10_000)
    assert noise_variance(values, weights) == pytest.approx(4, rel=0.05)
    assert noise_variance([1.0, 1.0, 1.0, 5.0]) > 0


def test_white_noise_hardly_ever_changes() -> None:
    rng = np.random.default_rng(11)
    alarms = sum(len(find_change_points(rng.normal(0, 1, 300))) > 0 for _ in range(200))
    assert alarms <= 6


def test_a_step_begins_where_it_is() -> None:
    rng = np.random.default_rng(1)
    values = np.append(rng.normal(0.92, 0.004, 200), rng.normal(0.88, 0.004, 30))
    assert degradation_onset(values, 0.92, worse_sign=-1) == OnsetInterval(200, 200, 200)
    assert degradation_onset(values, 0.92, worse_sign=1) is None


def test_a_slow_fall_begins_near_its_first_points() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(20):
        fall = np.append(np.zeros(300), -0.006 * np.arange(1, 31))
        found.append(degradation_onset(0.91 + fall + rng.normal(0, 0.008, 330), 0.91, worse_sign=-1))
    assert all(at is not None and 298 <= at.best <= 304 for at in found)


def test_it_begins_after_the_last_recovery() -> None:
    rng = np.random.default_rng(4)
    levels = np.repeat([0.9, 0.8, 0.9, 0.82, 0.7], 40)
    assert degradation_onset(levels + rng.normal(0, 0.004, 200), 0.9, worse_sign=-1) == OnsetInterval(120, 120, 120)


def test_what_was_always_so_has_no_beginning() -> None:
    rng = np.random.default_rng(6)
    assert degradation_onset(rng.normal(0.8, 0.01, 100), 0.9, worse_sign=-1) is None


def test_only_the_newest_points_are_looked_at() -> None:
    values = np.repeat([0.0, 1.0], MAX_POINTS)
    assert degradation_onset(values[:-500], 0.0, worse_sign=1) == OnsetInterval(MAX_POINTS, MAX_POINTS, MAX_POINTS)


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_the_true_start_is_among_the_plausible_ones(size: float) -> None:
    """In 95 of 100 cases, for a step of half, once and twice the noise."""
    rng = np.random.default_rng(round(10 * size))
    held, judged = 0, 0
    for _ in range(200):
        found = degradation_onset(rng.normal(np.repeat([0.0, -size], [200, 60]), 1.0), 0.0, worse_sign=-1)
        judged += found is not None
        held += found is not None and found.earliest <= 200 <= found.latest
        assert found is None or found.earliest <= found.best <= found.latest
    assert judged >= 40
    assert held >= 0.93 * judged
