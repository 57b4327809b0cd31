"""Domain classifier and maximum mean discrepancy: against direct computation, on what moved and what did not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwatch.stats.embeddings import domain_classifier, mmd

MEASURES = [domain_classifier, mmd]


def test_mmd_is_the_double_sum_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 3)), rng.normal(0.5, 1, size=(9, 3))
    z = np.concatenate([x, y])
    squares = ((z[:, None] - z[None]) ** 2).sum(axis=2)
    width = np.median(squares[np.triu_indices(21, 1)])
    k = np.exp(-squares / (2 * width))
    xx, yy, xy = k[:12, :12], k[12:, 12:], k[:12, 12:]
    direct = (xx.sum() - 12) / (12 * 11) + (yy.sum() - 9) / (9 * 8) - 2 * xy.mean()
    assert mmd(x, y, permutations=10).value == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_shift_is_found_and_no_shift_is_not(measure: object) -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=(200, 8))
    moved = measure(reference, rng.normal(0.6, 1, size=(200, 8)))  # type: ignore[operator]
    still = measure(reference, rng.normal(size=(200, 8)))  # type: ignore[operator]
    assert moved.p_value < 0.01 < still.p_value
    assert moved.effect > still.effect
    assert (moved.n_reference, moved.n_current) == (200, 200)


@pytest.mark.parametrize("measure", MEASURES)
def test_p_values_without_change_are_even(measure: object) -> None:
    rng = np.random.default_rng(3)
    more = {"permutations": 99} if measure is mmd else {}
    p = [measure(rng.normal(size=(100, 2)), rng.normal(size=(100, 2)), **more).p_value for _ in range(60)]  # type: ignore[operator]
    assert np.mean(np.array(p) < 0.05) < 0.05 + 3 * math.sqrt(0.05 / 60)
    assert np.median(p) > 0.3


@pytest.mark.parametrize("measure", MEASURES)
def test_degenerate_rows_have_an_answer(measure: object) -> None:
    rows = np.zeros((150, 2))
    assert measure(rows, rows).effect == pytest.approx(0.0, abs=1e-9)  # type: ignore[operator]
    assert math.isnan(measure(np.empty((0, 2)), rows).value)  # type: ignore[operator]
    assert math.isnan(measure(rows[:1], rows).value)  # type: ignore[operator]
    broken = np.vstack([rows, [[math.nan, 0], [0, math.inf]]])
    assert "2 rows" in measure(rows, broken).notes[0]  # type: ignore[operator]
    with pytest.raises(ValueError, match="same columns"):
        measure(rows, np.zeros((150, 3)))  # type: ignore[operator]
