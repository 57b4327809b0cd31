"""Classes: agreement with scikit-learn, merging, intervals, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from sklearn import metrics as peer

from modelwatch.stats.performance.confusion import ConfusionMatrix, class_metrics
from modelwatch.stats.performance.estimate import Estimate

CLASSES = ("a", "b", "c")
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: tuple[str, ...]) -> ConfusionMatrix:
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, (np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)), 1)
    return ConfusionMatrix(classes, table)


def by_name(found: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {f"{one.name} {one.label}".strip(): one for one in found}


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_scikit_learn_agrees(rows: list[tuple[int, int]]) -> None:
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    found = by_name(class_metrics(confusion(y, p, CLASSES)))
    more = {"labels": [0, 1, 2], "zero_division": np.nan}
    close(found["accuracy"].value, peer.accuracy_score(y, p))
    each = peer.precision_recall_fscore_support(y, p, **more)
    for name, values in zip(("precision", "recall", "f1"), each[:3], strict=True):
        for place, label in enumerate(CLASSES):
            close(found[f"{name} {label}"].value, values[place])
    for how in ("macro", "weighted"):
        averaged = peer.precision_recall_fscore_support(y, p, average=how, **more)
        for name, value in zip(("precision", "recall", "f1"), averaged[:3], strict=True):
            ours = found[f"{name}_{how}"].value
            # Where no class with rows has a value, scikit-learn says 0; we say that there is none.
            assert not (math.isnan(ours) and value)
            close(ours, math.nan if math.isnan(ours) else value)


def close(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_a_share_has_wilsons_interval() -> None:
    y, p = np.array([0] * 90 + [1] * 10), np.array([0] * 80 + [1] * 20)
    found = by_name(class_metrics(confusion(y, p, ("no", "yes"))))
    exact = binomtest(80 + 10, 100).proportion_ci(0.95, "wilson")
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    recall = binomtest(80, 90).proportion_ci(0.95, "wilson")
    assert (found["recall no"].low, found["recall no"].high) == pytest.approx((recall.low, recall.high), abs=1e-12)
    assert found["recall no"].n == 90


@pytest.mark.slow
def test_intervals_cover() -> None:
    """F1 of 500 samples of 400 rows each: 95 % should hold the truth."""
    rng = np.random.default_rng(1)
    truth, held = 2 * 0.3 * 0.8 / (0.3 + 0.3 * 0.8 + 0.7 * 0.1), 0
    for _ in range(500):
        y = rng.random(400) < 0.3
        p = rng.random(400) < np.where(y, 0.8, 0.1)
        f1 = by_name(class_metrics(confusion(y, p, ("no", "yes")), intervals=True))["f1 yes"]
        held += f1.low <= truth <= f1.high
    assert 460 <= held <= 490


def test_bounds_are_drawn_only_where_they_are_asked_for() -> None:
    table = confusion([0, 1, 1, 0], [0, 1, 0, 0], ("no", "yes"))
    for one, other in zip(class_metrics(table), class_metrics(table, intervals=True), strict=True):
        assert one.value == other.value
        assert other.low <= other.value <= other.high
        assert math.isnan(one.low) is not one.name.startswith(("accuracy", "precision", "recall")) or "_" in one.name


def test_nothing_known_is_nan() -> None:
    assert all(math.isnan(one.value) for one in class_metrics(confusion([], [], ("no", "yes")), intervals=True))
    assert all(math.isnan(one.value) for one in class_metrics(confusion([], [], ())))


def test_a_class_that_nobody_predicts_has_no_precision() -> None:
    found = by_name(class_metrics(confusion([0, 1], [0, 0], ("no", "yes"))))
    assert math.isnan(found["precision yes"].value)
    assert (found["recall yes"].value, found["f1 yes"].value) == (0, 0)
    assert found["precision_macro"].value == 0.5
