"""Confident learning on worlds with known noise, and what the noise does to a measured accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from modelwatch.stats.arrays import Floats, Ints
from modelwatch.stats.labels.noise import (
    accuracy_against_true_labels,
    accuracy_bounds,
    find_noise,
    true_accuracy,
    two_columns,
)

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


def confusion(rows: Ints, columns: Ints, classes: int) -> Floats:
    table = np.zeros((classes, classes))
    np.add.at(table, (rows, columns), 1.0)
    return table


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
    assert float(found.joint.sum()) == NEAR(1.0)
    if noise:
        wrong = (true != given)[found.suspicious]
        assert wrong.mean() > 0.6, "a label that is suspicious is most often wrong"
        assert wrong[:20].all(), "the most suspicious ones are"


def test_where_classes_overlap_the_share_is_too_high_and_chance_says_so() -> None:
    true, given, scores = world(3, 0.0, apart=2.0)
    found = find_noise(given, scores)
    assert (true == given).all()
    assert 0.03 < found.share.value < 0.07
    assert found.by_chance == NEAR(found.share.value, abs=0.01)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_accuracy_against_true_labels(classes: int, noise: float) -> None:
    true, given, scores = world(classes, noise)
    predicted = scores.argmax(axis=1)
    found = accuracy_against_true_labels(confusion(given, predicted, classes), find_noise(given, scores))
    actual, measured = float((predicted == true).mean()), float((predicted == given).mean())
    assert actual - measured > noise / 2, "noise hides accuracy"
    assert found.value == NEAR(actual, abs=0.02)
    assert found.low <= actual <= found.high
    assert found.low < measured


def test_two_classes_with_equal_noise_are_the_known_formula() -> None:
    noise, accuracy = 0.1, 0.9
    measured = accuracy * (1 - noise) + (1 - accuracy) * noise
    table = np.array([[measured, 1 - measured], [1 - measured, measured]]) * 500
    joint = np.array([[1 - noise, noise], [noise, 1 - noise]]) / 2
    assert true_accuracy(table, joint) == NEAR((measured - noise) / (1 - 2 * noise)) == NEAR(accuracy)
    assert math.isnan(true_accuracy(table, np.full((2, 2), 0.25))), "noise of a half says nothing"
    assert math.isnan(true_accuracy(np.zeros((2, 2)), joint))
    assert list(accuracy_bounds(0.95, 0.1)) == NEAR([0.85, 1.0])


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
    assert again.joint == NEAR(np.array([[2 / 7, 1 / 7], [4 / 21, 8 / 21]]))


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
