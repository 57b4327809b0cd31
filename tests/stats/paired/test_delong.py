"""Two areas under the ROC curve: a published comparison, and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from modelwatch.stats.paired.metrics import delong, placements

# 43 patients with ovarian cancer of DeLong, DeLong and Clarke-Pearson (1988): albumin, total protein, K-G score, and
# whether surgery was of benefit; as printed in the SAS/STAT User's Guide.
PRINTED = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
PATIENTS = np.array(PRINTED.split(), dtype=float).reshape(-1, 4)
ALBUMIN, PROTEIN, SCORE, BENEFIT = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2], PATIENTS[:, 3] == 1


@pytest.mark.parametrize(
    ("test", "area", "difference", "error", "chi_square", "p", "low", "high"),
    [
        (ALBUMIN, 0.7366, 0.0108, 0.0953, 0.0127, 0.9102, -0.1761, 0.1976),
        (PROTEIN, 0.6478, -0.0780, 0.1046, 0.5554, 0.4561, -0.2830, 0.1271),
    ],
)
def test_the_published_comparison(
    test: np.ndarray, area: float, difference: float, error: float, chi_square: float, p: float, low: float, high: float
) -> None:
    found = delong(BENEFIT, SCORE, test, 0.95)
    assert found.champion == pytest.approx(0.7258, abs=5e-5)
    assert found.candidate == pytest.approx(area, abs=5e-5)
    assert found.value == pytest.approx(difference, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.p == pytest.approx(p, abs=5e-5)
    half = (found.high - found.low) / 2 / 1.959964
    assert half == pytest.approx(error, abs=5e-5)
    assert (found.value / half) ** 2 == pytest.approx(chi_square, abs=5e-4)


scores = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=60)


@given(scores)
@settings(max_examples=100, deadline=None)
def test_it_is_what_the_definition_says_pair_by_pair(rows: list[tuple[bool, int, int]]) -> None:
    positive, one, other = (np.array(column) for column in zip(*rows, strict=True))
    found = delong(positive, one, other, 0.9)
    if positive.all() or not positive.any():
        assert np.isnan(found.champion)
        return
    beats = []
    for side in (one, other):
        hits, misses = side[positive][:, None], side[~positive]
        beats.append((hits > misses) + 0.5 * (hits == misses))
    assert found.champion == pytest.approx(roc_auc_score(positive, one), abs=1e-12)
    assert found.candidate == pytest.approx(roc_auc_score(positive, other), abs=1e-12)
    n, m = positive.sum(), (~positive).sum()
    if n < 2 or m < 2:
        assert not found.has_interval
        return
    apart = beats[1] - beats[0]
    error = np.sqrt(apart.mean(axis=1).var(ddof=1) / n + apart.mean(axis=0).var(ddof=1) / m)
    if error < 1e-12:
        assert not found.has_interval
        return
    assert (found.low, found.high) == pytest.approx(
        (max(-1, found.value - 1.6448536269514722 * error), min(1, found.value + 1.6448536269514722 * error)), abs=1e-9
    )


def test_placements_keep_the_order_of_the_rows() -> None:
    positive = np.array([True, False, True, False])
    beats, beaten = placements(positive, np.array([0.9, 0.2, 0.2, 0.1]))
    assert beats.tolist() == [1.0, 0.75]
    assert beaten.tolist() == [0.75, 1.0]


def test_equal_scores_claim_nothing() -> None:
    found = delong([True, True, False, False], [3, 2, 2, 1], [30, 20, 20, 10], 0.95)
    assert found.value == 0
    assert not found.has_interval
