"""What is realized is what scikit-learn says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as peer

from modelwatch.stats.estimated_performance.classification import BinaryRows, ClassRows
from modelwatch.stats.estimated_performance.realized_metrics import (
    half_widths_off,
    realized_binary,
    realized_classes,
    realized_regression,
)
from modelwatch.stats.performance.estimate import Estimate


def test_two_classes() -> None:
    random = np.random.default_rng(1)
    scores = np.round(random.random(500), 2)
    labels, rows = random.random(500) < scores, BinaryRows(scores, scores > 0.4)
    found = realized_binary(rows, labels)
    for name in ("accuracy", "precision", "recall", "f1"):
        assert found[name] == pytest.approx(getattr(peer, f"{name}_score")(labels, rows.predicted))
    assert found["auc"] == pytest.approx(peer.roc_auc_score(labels, scores))
    assert found["log_loss"] == pytest.approx(peer.log_loss(labels, np.clip(scores, 1e-15, 1 - 1e-15)))
    assert found["brier"] == pytest.approx(peer.brier_score_loss(labels, scores))


def test_several_classes() -> None:
    random = np.random.default_rng(2)
    scores = random.dirichlet([1, 1, 1], 500)
    labels, rows = random.integers(0, 3, 500), ClassRows(scores, scores.argmax(axis=1))
    found = realized_classes(rows, labels)
    assert found["accuracy"] == pytest.approx(peer.accuracy_score(labels, rows.predicted))
    assert found["f1_macro"] == pytest.approx(peer.f1_score(labels, rows.predicted, average="macro"))
    assert found["auc_macro"] == pytest.approx(peer.roc_auc_score(labels, scores, multi_class="ovr"))


def test_numbers() -> None:
    assert realized_regression(np.array([1.0, -3.0])) == {"mae": 2.0, "rmse": math.sqrt(5)}
    assert realized_regression(np.zeros(0)) == {}


def test_what_is_not_defined_is_left_out() -> None:
    rows = BinaryRows(np.array([0.2, 0.3]), np.zeros(2, np.bool_))
    assert set(realized_binary(rows, np.zeros(2, np.bool_))) == {"accuracy", "log_loss", "brier"}


@pytest.mark.parametrize(("value", "off"), [(0.8, 0.0), (0.86, 2.0), (0.7, 1.0), (0.6, 2.0)])
def test_distance_in_half_widths_of_its_side(value: float, off: float) -> None:
    estimate = Estimate("accuracy", 0.8, 0.7, 0.83, 1000)
    assert half_widths_off([estimate], {"accuracy": value})["accuracy"] == pytest.approx(off)


def test_an_interval_is_at_least_as_wide_as_one_row() -> None:
    exact = Estimate("accuracy", 1.0, 1.0, 1.0, 50)
    assert half_widths_off([exact], {"accuracy": 0.98})["accuracy"] == pytest.approx(1.0)
    assert half_widths_off([Estimate("auc", math.nan, math.nan, math.nan, 50)], {"auc": 0.7}) == {}
    assert half_widths_off([exact], {}) == {}
