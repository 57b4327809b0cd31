"""Estimates of the error of a regression at their edges; their coverage is in ``tests/estimates``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.stats.estimated_performance.density_ratio import density_ratio
from modelwatch.stats.estimated_performance.realized_metrics import half_widths_off, realized_regression
from modelwatch.stats.estimated_performance.regression import error_cap, estimate_regression
from modelwatch.stats.performance.estimate import equally_certain_rows


def draw(count: int, seed: int, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of which the first says how large errors are, and the errors."""
    random = np.random.default_rng(seed)
    inputs = random.normal(mean, 1, (count, 2))
    return inputs, random.normal(0, 1 + np.abs(inputs[:, 0]))


def test_errors_grow_with_an_input_that_moves() -> None:
    labelled, errors = draw(8000, 1)
    rows, hidden = draw(4000, 2, mean=1.0)
    ratio = density_ratio(labelled, rows)
    mae, rmse = estimate_regression(labelled, errors, rows, ratio=ratio)
    before, after = float(np.abs(errors).mean()), float(np.abs(hidden).mean())
    assert mae.low <= after <= mae.high
    assert rmse.low <= math.sqrt(float((hidden**2).mean())) <= rmse.high
    assert mae.low > before


def test_of_a_sample_the_population_counts() -> None:
    labelled, errors = draw(3000, 1)
    rows, _ = draw(300, 2)
    alone, of_many = (estimate_regression(labelled, errors, rows, population=size)[0] for size in (0, 1_000_000))
    assert (alone.n, of_many.n) == (300, 1_000_000)
    assert of_many.high - of_many.low < alone.high - alone.low


@pytest.mark.parametrize("level", [0.0, 3.0])
def test_errors_that_are_all_alike(level: float) -> None:
    labelled, rows = draw(500, 1)[0], draw(500, 2)[0]
    mae, rmse = estimate_regression(labelled, np.full(500, level), rows)
    assert [mae.value, rmse.value] == pytest.approx([level, level], abs=0.01)


TAILS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda random, n: random.normal(size=n),
    "t3": lambda random, n: random.standard_t(3, n),
    "log-normal": lambda random, n: random.lognormal(0, 1.5, n) - np.exp(1.125),
}


def off_by(tail: str, seed: int, factor: float) -> float:
    """How far the larger of MAE and RMSE is off, checked as ``measure`` does; later errors are ``factor`` times as
    large."""
    random = np.random.default_rng(seed)
    labelled, rows = random.normal(size=(2000, 2)), random.normal(size=(750, 2))
    errors, later = TAILS[tail](random, 2000), TAILS[tail](random, 750) * factor
    cap = error_cap(errors, np.ones((1, 2000)), 750)
    estimates = estimate_regression(labelled, np.clip(errors, -cap, cap), rows)
    return max(half_widths_off(estimates, realized_regression(np.clip(later, -cap, cap))).values())


@pytest.mark.parametrize("tail", TAILS)
def test_errors_of_any_tail_contradict_an_estimate_only_if_the_concept_changed(tail: str) -> None:
    same = np.array([off_by(tail, seed, 1.0) for seed in range(24)])
    assert (same > 1).mean() <= 0.25  # of two metrics, 5 % each
    assert same.max() < 2
    assert min(off_by(tail, seed, 1.6) for seed in range(4)) > 1.5


def test_no_single_row_is_beyond_the_cap() -> None:
    errors = np.append(np.linspace(0, 1, 999), 1e6)
    assert error_cap(errors, np.ones((1, 1000)), 1000) == pytest.approx(0.98, abs=0.002)
    assert error_cap(errors, np.ones((2, 1000)), 30) == pytest.approx(0.9, abs=0.002)
    heavy = np.where(errors > 0.5, 3.0, 1.0)
    assert error_cap(errors, heavy[None], 1000) > error_cap(errors, np.ones((1, 1000)), 1000)
    assert error_cap(np.zeros(10), np.ones((1, 10)), 10) == 0.0


def test_a_mean_of_errors_weighs_as_many_rows_as_would_be_as_certain() -> None:
    labelled, errors = draw(4000, 1)
    rows, _ = draw(400, 2)
    counts = [equally_certain_rows(one) for one in estimate_regression(labelled, errors, rows)]
    assert all(200 < count <= 400 for count in counts)
    few = [equally_certain_rows(one) for one in estimate_regression(labelled[:300], errors[:300], rows)]
    assert all(one < of_many for one, of_many in zip(few, counts, strict=True))


def test_few_rows() -> None:
    labelled, errors = draw(9, 1)
    assert all(math.isnan(one.value) for one in estimate_regression(labelled, errors, labelled))
    assert all(math.isnan(one.value) for one in estimate_regression(*draw(100, 1), np.empty((0, 2))))
    (mae, _) = estimate_regression(*draw(100, 1), draw(1, 2)[0])
    assert 0 <= mae.low < mae.value < mae.high
