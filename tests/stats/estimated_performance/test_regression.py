"""Estimates of the error of a regression at their edges; their coverage is in ``tests/estimates``."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwatch.stats.estimated_performance.density_ratio import density_ratio
from modelwatch.stats.estimated_performance.regression import estimate_regression


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


def test_few_rows() -> None:
    labelled, errors = draw(9, 1)
    assert all(math.isnan(one.value) for one in estimate_regression(labelled, errors, labelled))
    assert all(math.isnan(one.value) for one in estimate_regression(*draw(100, 1), np.empty((0, 2))))
    (mae, _) = estimate_regression(*draw(100, 1), draw(1, 2)[0])
    assert 0 <= mae.low < mae.value < mae.high
