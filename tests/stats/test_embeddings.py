"""Domain classifier and maximum mean discrepancy: against direct computation, on what moved and what did not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from modelwatch.stats.embeddings import domain_classifier, mmd

MEASURES: list[Callable[..., float]] = [domain_classifier, mmd]


def test_mmd_is_the_double_sum_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 3)), rng.normal(0.5, 1, size=(9, 3))
    z = np.concatenate([x, y])
    squares = ((z[:, None] - z[None]) ** 2).sum(axis=2)
    width = np.median(squares[np.triu_indices(21, 1)])
    k = np.exp(-squares / (2 * width))
    xx, yy, xy = k[:12, :12], k[12:, 12:], k[:12, 12:]
    direct = (xx.sum() - 12) / (12 * 11) + (yy.sum() - 9) / (9 * 8) - 2 * xy.mean()
    assert mmd(x, y) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_shift_is_found_and_no_shift_is_not(measure: Callable[..., float]) -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=(200, 8))
    moved, still = measure(reference, rng.normal(0.6, 1, size=(200, 8))), measure(reference, rng.normal(size=(200, 8)))
    unchanged = 0.5 if measure is domain_classifier else 0.0
    assert abs(still - unchanged) < 0.1
    assert moved > unchanged + 0.03 > still - 0.05


@pytest.mark.parametrize("measure", MEASURES)
def test_degenerate_rows_have_an_answer(measure: Callable[..., float]) -> None:
    rows = np.zeros((150, 2))
    unchanged = 0.5 if measure is domain_classifier else 0.0
    assert measure(rows, rows) == pytest.approx(unchanged, abs=1e-9)
    assert math.isnan(measure(np.empty((0, 2)), rows))
    assert math.isnan(measure(rows[:1], rows))
    broken = np.vstack([rows, [[math.nan, 0], [0, math.inf]]])
    assert measure(rows, broken) == measure(rows, rows)
    with pytest.raises(ValueError, match="same columns"):
        measure(rows, np.zeros((150, 3)))
