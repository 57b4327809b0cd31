"""Drawing anew: the bounds of SciPy from the same draws, and the same distribution from other ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap, permutation_test, ttest_rel

from modelwatch.stats.paired.bootstrap import (
    MAX_BCA_ROWS,
    acceleration,
    bca_interval,
    counts_interval,
    mean_interval,
    means_interval,
    rows_interval,
    sign_flip_p_value,
)
from modelwatch.stats.paired.contingency_tables import mcnemar_test

Floats = NDArray[np.float64]

SKEWED = np.random.default_rng(3).lognormal(0, 1, 120) - 1.2


def test_the_bounds_are_those_of_scipy_from_the_same_draws() -> None:
    told = bootstrap((SKEWED,), np.mean, method="BCa", confidence_level=0.9, rng=np.random.default_rng(1))
    n = len(SKEWED)
    left_out = (SKEWED.sum() - SKEWED) / (n - 1)
    low, high = bca_interval(told.bootstrap_distribution, float(SKEWED.mean()), left_out, np.ones(n), 0.9)
    assert (low, high) == pytest.approx(tuple(told.confidence_interval), abs=1e-9)


def test_the_paired_bounds_of_a_confusion_metric_are_those_of_scipy_from_the_same_draws() -> None:
    """F1 of the candidate minus F1 of the champion: SciPy draws and leaves out rows, we count cells."""
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, 150)
    ours, theirs = (np.where(rng.random(150) < share, label, 1 - label) for share in (0.75, 0.85))

    def f1(y: Floats, p: Floats, axis: int) -> Floats:
        return np.asarray(2 * (y * p).sum(axis) / (y.sum(axis) + p.sum(axis)))

    def apart(y: Floats, p: Floats, q: Floats, axis: int = -1) -> Floats:
        return f1(y, q, axis) - f1(y, p, axis)

    told = bootstrap((label, ours, theirs), apart, paired=True, method="BCa", rng=np.random.default_rng(1))
    cells = np.bincount(label * 4 + ours * 2 + theirs, minlength=8).astype(float)
    y, p, q = (np.array([cell >> shift & 1 for cell in range(8)]) for shift in (2, 1, 0))

    def of_cells(counts: Floats) -> Floats:
        return np.asarray(2 * counts @ (y * q) / (counts @ (y + q)) - 2 * counts @ (y * p) / (counts @ (y + p)))

    left_out = of_cells(cells - np.eye(8)[cells > 0])
    found = bca_interval(told.bootstrap_distribution, float(of_cells(cells[None])[0]), left_out, cells[cells > 0], 0.95)
    assert found == pytest.approx(tuple(told.confidence_interval), abs=1e-9)
    # Our own draws are others of the same distribution.
    own = counts_interval(cells, of_cells, 0.95)
    assert own == pytest.approx(tuple(told.confidence_interval), abs=0.01)


def test_the_acceleration_counts_equal_rows_by_their_number() -> None:
    left_out = np.array([0.1, 0.3, 0.2])
    assert acceleration(left_out, np.array([2.0, 1.0, 4.0])) == pytest.approx(
        acceleration(np.repeat(left_out, [2, 1, 4]), np.ones(7)), abs=1e-15
    )
    assert acceleration(np.ones(5), np.ones(5)) == 0


def test_many_rows_have_students_interval() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(0, 1, MAX_BCA_ROWS + 1), rng.normal(0.1, 1, MAX_BCA_ROWS + 1)
    told = ttest_rel(other, one).confidence_interval(0.95)
    assert mean_interval(other - one, 0.95) == pytest.approx((told.low, told.high), abs=1e-9)


def test_few_and_many_rows_agree_where_they_meet() -> None:
    values = np.random.default_rng(4).normal(0.2, 1, MAX_BCA_ROWS)
    few, many = mean_interval(values, 0.95), mean_interval(np.append(values, values.mean()), 0.95)
    assert few == pytest.approx(many, abs=0.002)


def test_a_function_of_means_in_bounded_memory_has_the_interval_of_rows() -> None:
    """The root of a mean square: by rows up to the limit, by the normal distribution of its sums beyond it."""
    columns = np.random.default_rng(6).normal(0, 2, (MAX_BCA_ROWS, 1)) ** 2
    few = means_interval(columns, lambda means: np.sqrt(means[:, 0]), 0.95)
    many = means_interval(np.vstack([columns, columns.mean(keepdims=True)]), lambda means: np.sqrt(means[:, 0]), 0.95)
    assert few == pytest.approx(many, abs=0.006)


def test_rows_drawn_by_a_function_have_the_interval_of_a_mean() -> None:
    values = np.random.default_rng(7).normal(1, 1, 50_000)
    low, high = rows_interval(len(values), lambda rows: float(values[rows].mean()), 0.95)
    half = 1.96 / np.sqrt(50_000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


@pytest.mark.parametrize("values", [np.zeros(200), np.zeros(20_000), np.array([1.0]), np.array([])])
def test_what_has_no_spread_has_no_interval(values: Floats) -> None:
    assert np.isnan(mean_interval(values, 0.95)).all()
    assert np.isnan(rows_interval(len(values), lambda rows: float(values[rows].sum()), 0.95)).all()


def test_a_statistic_that_is_often_undefined_has_no_interval() -> None:
    counts = np.array([2.0, 98.0])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = counts_interval(counts, lambda tables: np.where(tables[:, 0] > 1, tables[:, 0] / 100, np.nan), 0.95)
    assert np.isnan(found).all()


def test_added_rows_open_the_interval_of_rows_that_never_differ() -> None:
    counts, extra = np.array([0.0, 0.0, 300.0]), np.array([1.0, 1.0, 0.0])
    low, high = counts_interval(
        counts, lambda tables: (tables[:, 0] - tables[:, 1]) / tables.sum(axis=1), 0.95, extra=extra
    )
    assert low < 0 < high
    assert high == pytest.approx(3 / 302, abs=0.004)


def test_turned_signs_are_the_test_of_scipy() -> None:
    """Exact for few values, the normal distribution for many, and nothing is proven by what never differs."""
    values = np.array([5.0, 1.0, 0.5, 2.0, 3.0, 0.0, -0.5, 1.5])
    told = permutation_test((values,), np.sum, permutation_type="samples", alternative="two-sided", n_resamples=np.inf)
    assert sign_flip_p_value(values) == pytest.approx(told.pvalue, abs=0.02)
    same = np.concatenate([np.ones(16), -np.ones(4)])
    assert sign_flip_p_value(same) == pytest.approx(binomtest(4, 20, 0.5).pvalue, abs=0.006)
    many = np.concatenate([np.ones(MAX_BCA_ROWS), -np.ones(MAX_BCA_ROWS - 250)])
    assert sign_flip_p_value(many) == pytest.approx(mcnemar_test(MAX_BCA_ROWS, MAX_BCA_ROWS - 250), abs=1e-9)
    assert sign_flip_p_value(np.zeros(50)) == 1.0
