"""Confident learning on worlds with known noise, and what the noise does to a measured accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from modelwatch.stats.arrays import Floats, Ints
from modelwatch.stats.labels.noise import find_noise, two_columns
from modelwatch.stats.performance.estimate import equally_certain_rows

NEAR = pytest.approx


def world(
    classes: int, noise: float, *, apart: float = 4.0, towards_next: bool = False, rows: int = 3000, seed: int = 1
) -> tuple[Ints, Ints, Floats]:
    """True classes, given labels, and scores of a model that was fitted to other rows with labels as noisy."""
    random = np.random.default_rng(seed)
    centres = np.eye(classes, max(2, classes)) * apart
    true = random.integers(0, classes, rows)
    inputs = centres[true] + random.normal(size=(rows, centres.shape[1]))
    steps = np.ones(rows, np.int64) if towards_next else random.integers(1, classes, rows)
    given = np.where(random.random(rows) < noise, (true + steps) % classes, true)
    scores = cross_val_predict(LogisticRegression(max_iter=500), inputs, given, cv=5, method="predict_proba")
    return true, given, scores


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize(("classes", "towards_next"), [(2, False), (3, False), (3, True), (10, False), (10, True)])
def test_the_share_of_wrong_labels_where_classes_can_be_told_apart(
    classes: int, towards_next: bool, noise: float
) -> None:
    """Within a tenth of the noise, and one point, up to 20 % of noise; three tenths at 30 % towards one class."""
    true, given, scores = world(classes, noise, towards_next=towards_next)
    found = find_noise(given, scores)
    actual = float((true != given).mean())
    assert abs(found.share.value - actual) < 0.01 + (0.1 if noise < 0.3 else 0.3) * actual
    assert found.share.low <= found.share.value <= found.share.high
    assert found.share.n == 3000
    if noise:
        wrong = (true != given)[found.suspicious]
        assert wrong.mean() > 0.6, "a label that is suspicious is most often wrong"
        assert wrong[:20].all(), "the most suspicious ones are"


def test_where_classes_overlap_the_share_is_too_high() -> None:
    true, given, scores = world(3, 0.0, apart=2.0)
    found = find_noise(given, scores)
    assert (true == given).all()
    assert 0.03 < found.share.value < 0.07


def test_the_interval_is_as_wide_as_the_share_varies_between_windows() -> None:
    """Of overlapping classes, where the thresholds move by chance, too: a plain share of 200 rows varies by less."""
    random = np.random.default_rng(5)
    values, errors = [], []
    for _ in range(150):
        score = 1 / (1 + np.exp(-random.normal(-0.3, 1.8, 200)))
        found = find_noise((random.random(200) < score).astype(np.int64), two_columns(score)).share
        values.append(found.value)
        errors.append((found.high - found.low) / 3.92)
        assert equally_certain_rows(found) < 200
    assert 0.85 < float(np.mean(errors) / np.std(values)) < 1.35
    plain = math.sqrt(np.mean(values) * (1 - np.mean(values)) / 200)
    assert np.std(values) > 1.15 * plain


def test_the_thresholds_are_those_of_the_paper() -> None:
    """By hand. With 0.8 the thresholds are 0.633 and 0.6125: that row and the last one are confident of the other
    class, and the row with 0.5 of none."""
    scores = two_columns(np.array([0.1, 0.2, 0.6, 0.5, 0.9, 0.7, 0.35]))
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    found = find_noise(labels, scores, intervals=False)
    assert scores[:3, 0].mean() == NEAR(0.7)
    assert scores[3:, 1].mean() == NEAR(0.6125)
    assert found.suspicious.tolist() == []
    again = find_noise(labels, two_columns(np.array([0.1, 0.2, 0.8, 0.5, 0.9, 0.7, 0.35])), intervals=False)
    assert again.suspicious.tolist() == [2, 6]
    assert again.share.value == NEAR(1 / 7 + 4 / 21)


@pytest.mark.parametrize("labels", [[], [0], [1, 1, 1]])
def test_nothing_is_said_of_one_class(labels: list[int]) -> None:
    found = find_noise(np.array(labels, dtype=np.int64), np.full((len(labels), 2), 0.5))
    assert math.isnan(found.share.value)
    assert len(found.suspicious) == 0


def test_rows_without_scores_do_not_count_and_no_suspicion_is_not_certainty() -> None:
    scores = two_columns(np.array([0.01, 0.02, np.nan, 0.99, 0.98, np.inf]))
    found = find_noise(np.array([0, 0, 1, 1, 1, 0]), scores)
    assert (found.share.value, found.share.n) == (0.0, 4)
    assert 0.3 < found.share.high < 0.8


def test_equal_scores_make_nothing_suspicious() -> None:
    found = find_noise(np.array([0, 1, 2] * 20), np.full((60, 3), 1 / 3))
    assert (found.share.value, len(found.suspicious)) == (0.0, 0)


def test_a_class_without_a_row_is_no_class() -> None:
    scores = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7], [0.0, 0.9, 0.1], [0.8, 0.1, 0.1]])
    found = find_noise(np.array([0, 0, 1, 0]), scores)
    assert found.suspicious.tolist() == []
    assert found.share.value == 0.0
