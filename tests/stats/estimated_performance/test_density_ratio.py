"""Weights that move labelled rows to others."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.estimated_performance.density_ratio import MIN_ROWS, density_ratio


def rows(mean: float, count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.column_stack([random.normal(mean, 1, count), random.normal(0, 1, count)])


def test_where_nothing_moved_every_row_counts_alike() -> None:
    found = density_ratio(rows(0, 4000, 1), rows(0, 2000, 2))
    assert not found.is_shifted
    assert found.weights.tolist() == [[1.0] * 4000]
    assert (found.effective_share, found.unsupported_share) == (1.0, 0.0)


def test_weighed_rows_look_like_the_others() -> None:
    labelled, others = rows(0, 8000, 1), rows(0.7, 4000, 2)
    found = density_ratio(labelled, others)
    assert found.is_shifted
    assert 0.6 < found.auc < 0.8
    assert found.weights.mean(axis=1) == pytest.approx(np.ones(len(found.weights)))
    for weights in found.weights:
        assert np.average(labelled[:, 0], weights=weights) == pytest.approx(0.7, abs=0.12)
        assert np.average(labelled[:, 1], weights=weights) == pytest.approx(0, abs=0.08)
    # Of two normal distributions 0.7 apart: exp(-0.49), and the classifier is more careful than that.
    assert 0.5 < found.effective_share < 0.85


def test_rows_beyond_all_labelled_ones_are_counted() -> None:
    found = density_ratio(rows(0, 4000, 1), np.concatenate([rows(0, 1500, 2), rows(9, 500, 3)]))
    assert found.is_shifted
    assert found.unsupported_share == pytest.approx(0.25, abs=0.02)


def test_codes_and_missing_cells_are_told_apart() -> None:
    random = np.random.default_rng(5)
    codes = np.column_stack([random.integers(0, 4, 3000).astype(float), np.full(3000, np.nan)])
    others = np.column_stack([np.where(random.random(2000) < 0.7, 2.0, 3.0), np.full(2000, np.nan)])
    found = density_ratio(codes, others, np.array([True, False]))
    by_code = [found.weights[0][codes[:, 0] == code].mean() for code in range(4)]
    assert by_code[2] == pytest.approx(0.7 * 4, rel=0.15)
    assert by_code[3] == pytest.approx(0.3 * 4, rel=0.25)
    assert max(by_code[:2]) < 0.2


@pytest.mark.parametrize(
    ("labelled", "others"),
    [
        (rows(0, MIN_ROWS - 1, 1), rows(5, 4000, 2)),
        (rows(0, 4000, 1), rows(5, MIN_ROWS - 1, 2)),
        (np.empty((4000, 0)), np.empty((4000, 0))),
        (np.zeros((500, 2)), np.zeros((500, 2))),
        (np.empty((0, 2)), np.empty((0, 2))),
    ],
)
def test_too_little_to_learn_from(labelled: np.ndarray, others: np.ndarray) -> None:
    found = density_ratio(labelled, others)
    assert not found.is_shifted
    assert found.weights.shape == (1, len(labelled))


def test_of_many_labelled_rows_each_has_a_weight() -> None:
    found = density_ratio(rows(0, 25_000, 1), rows(0.5, 2000, 2))
    assert found.weights.shape[1] == 25_000
    assert np.isfinite(found.weights).all()
