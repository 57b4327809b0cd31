"""Numbers: agreement with scikit-learn, merging, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from modelwatch.stats.performance.estimate import Estimate
from modelwatch.stats.performance.regression import error_sums, regression_metrics

ROWS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=50)


def by_name(found: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {one.name: one for one in found}


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_scikit_learn_agrees(rows: list[tuple[float, float]]) -> None:
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    found = by_name(regression_metrics(error_sums(y, p, squares=True)))
    close(found["mae"], peer.mean_absolute_error(y, p))
    close(found["rmse"], peer.root_mean_squared_error(y, p))
    close(found["mape"], peer.mean_absolute_percentage_error(y, p))
    close(found["bias"], float(np.mean(p - y)))
    if np.std(y) > 1e-3 * np.abs(y).max():
        close(found["r2"], peer.r2_score(y, p))


def close(ours: Estimate, theirs: float) -> None:
    assert ours.value == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    if not math.isnan(ours.low):
        assert ours.low <= ours.value <= ours.high


@settings(deadline=None, max_examples=40)
@given(ROWS, ROWS)
def test_parts_merge_to_the_whole_exactly(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> None:
    left, right, whole = (
        error_sums([y for y, _ in rows], [p for _, p in rows], squares=True) for rows in (one, other, one + other)
    )
    assert left.merge(right) == right.merge(left) == whole


def test_a_far_origin_costs_no_digits() -> None:
    rng = np.random.default_rng(1)
    y = 1e9 + rng.normal(0, 1, 10_000)
    p = y + rng.normal(0, 0.5, 10_000)
    found = by_name(regression_metrics(error_sums(y, p, 1e9)))
    assert found["r2"].value == pytest.approx(peer.r2_score(y, p), abs=1e-9)


@pytest.mark.parametrize("name", ["mae", "rmse", "bias", "r2"])
def test_intervals_cover(name: str) -> None:
    rng = np.random.default_rng(2)
    truth = {"mae": 0.5 * math.sqrt(2 / math.pi), "rmse": 0.5, "bias": 0.0, "r2": 0.75}[name]
    held = 0
    for _ in range(300):
        y = rng.normal(0, 1, 2000)
        found = by_name(regression_metrics(error_sums(y, y + rng.normal(0, 0.5, 2000), squares=True)))[name]
        held += found.low <= truth <= found.high
    assert 272 <= held <= 297


@pytest.mark.parametrize("rows", [([], []), ([math.nan], [1.0]), ([1.0], [math.inf])])
def test_nothing_known_is_nan(rows: tuple[list[float], list[float]]) -> None:
    assert all(math.isnan(one.value) for one in regression_metrics(error_sums(*rows)))


@pytest.mark.parametrize("origin", [0.0, 3.0])
def test_constant_labels_have_no_r2(origin: float) -> None:
    found = by_name(regression_metrics(error_sums([3.0, 3.0, 3.0], [1.0, 2.0, 3.0], origin)))
    assert math.isnan(found["r2"].value)
    assert found["mae"].value == 1


def test_one_row_has_values_and_no_interval() -> None:
    found = by_name(regression_metrics(error_sums([2.0], [3.0])))
    assert (found["mae"].value, found["bias"].value, found["mape"].value) == (1, 1, 0.5)
    assert math.isnan(found["mae"].low)
    assert math.isnan(found["r2"].value)


def test_what_overflows_is_nan_or_has_no_interval() -> None:
    found = by_name(regression_metrics(error_sums([1e308, -1e308], [-1e308, 1e308], squares=True)))
    assert all(math.isnan(one.value) or math.isinf(one.value) or math.isnan(one.low) for one in found.values())


def test_a_label_of_zero_is_as_in_scikit_learn() -> None:
    found = by_name(regression_metrics(error_sums([0.0, 1.0], [1.0, 1.0])))
    assert found["mape"].value == pytest.approx(peer.mean_absolute_percentage_error([0.0, 1.0], [1.0, 1.0]))
