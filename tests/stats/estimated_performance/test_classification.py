"""Estimates of classifiers at their edges; their coverage is in ``tests/estimates``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.estimated_performance.classification import (
    BinaryRows,
    ClassRows,
    estimate_binary,
    estimate_classes,
)
from modelwatch.stats.estimated_performance.density_ratio import DensityRatio
from modelwatch.stats.estimated_performance.realized_metrics import realized_binary
from modelwatch.stats.performance.estimate import Estimate


def draw(count: int, seed: int) -> tuple[BinaryRows, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.beta(1, 2, count)
    return BinaryRows(scores, scores > 0.5), random.random(count) < scores


def named(estimates: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {one.name: one for one in estimates if not one.label}


def test_of_many_rows_the_estimate_is_the_expected_metric() -> None:
    labelled, labels = draw(100_000, 1)
    rows, hidden = draw(200_000, 2)
    found = named(estimate_binary(labelled, labels, rows))
    realized = realized_binary(rows, hidden)
    assert set(found) == set(realized)
    for name, value in realized.items():
        assert found[name].value == pytest.approx(value, abs=0.01), name
        assert found[name].low < found[name].value < found[name].high
        assert found[name].n == 200_000


def test_few_labels_make_wide_intervals() -> None:
    rows, _ = draw(100_000, 3)
    widths = []
    for count in (100, 1000, 10_000):
        one = named(estimate_binary(*draw(count, 4), rows))["accuracy"]
        widths.append(one.high - one.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_few_rows_make_wide_intervals() -> None:
    labelled, labels = draw(50_000, 5)
    one = named(estimate_binary(labelled, labels, draw(100, 6)[0]))["accuracy"]
    assert 0.1 < one.high - one.low < 0.25


def test_a_sample_leaves_open_what_was_not_drawn() -> None:
    labelled, labels = draw(50_000, 5)
    rows, _ = draw(400, 6)
    alone = named(estimate_binary(labelled, labels, rows))["auc"]
    of_many = named(estimate_binary(labelled, labels, rows, population=1_000_000))["auc"]
    assert of_many.n == 1_000_000
    assert of_many.high - of_many.low > 0.3 * (alone.high - alone.low)


def test_rows_unlike_all_labelled_ones_widen_the_interval() -> None:
    labelled, labels = draw(20_000, 7)
    rows, _ = draw(20_000, 8)
    widths = []
    for share in (0.0, 0.05):
        ratio = DensityRatio(np.ones((1, 20_000)), 0.6, True, 1.0, share)
        one = named(estimate_binary(labelled, labels, rows, ratio=ratio))["recall"]
        widths.append(one.high - one.low)
    assert widths[1] > 1.2 * widths[0]


def test_predictions_that_do_not_follow_the_score_count_for_themselves() -> None:
    """A second opinion is in the prediction: where it says yes, the class is likelier at the same score."""
    random = np.random.default_rng(9)
    sides = []
    for count in (20_000, 10_000):
        scores, opinion = random.uniform(0.3, 0.7, count), random.random(count) < 0.5
        labels = random.random(count) < np.clip(scores + np.where(opinion, 0.25, -0.25), 0, 1)
        sides.append((BinaryRows(scores, opinion), labels))
    found = named(estimate_binary(*sides[0], sides[1][0]))
    assert found["accuracy"].value == pytest.approx(realized_binary(*sides[1])["accuracy"], abs=0.015)


def test_without_predictions_there_are_metrics_of_scores_only() -> None:
    labelled, labels = draw(1000, 1)
    found = named(estimate_binary(labelled, labels, labelled, predictions=False))
    assert set(found) == {"auc", "log_loss", "brier"}


def test_nothing_to_learn_from_or_to_say() -> None:
    labelled, labels = draw(100, 1)
    none = BinaryRows(np.zeros(0), np.zeros(0, np.bool_))
    for found in (estimate_binary(none, np.zeros(0, np.bool_), labelled), estimate_binary(labelled, labels, none)):
        assert all(math.isnan(one.value) for one in found)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_single_row(rows: int) -> None:
    labelled, labels = draw(500, 1)
    found = named(estimate_binary(labelled, labels, draw(rows, 2)[0]))
    assert 0 <= found["accuracy"].low <= found["accuracy"].high <= 1


def test_the_same_rows_give_the_same_estimate_in_any_order() -> None:
    (labelled, labels), (rows, _) = draw(3000, 1), draw(2000, 2)
    order = np.random.default_rng(3).permutation(2000)
    turned = BinaryRows(rows.scores[order], rows.predicted[order])
    first, second = (named(estimate_binary(labelled, labels, one))["f1"] for one in (rows, turned))
    assert first.value == pytest.approx(second.value)
    assert first.low == pytest.approx(second.low)


@settings(max_examples=40)
@given(st.data())
def test_any_rows_give_bounds_in_order(data: Any) -> None:
    numbers = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5]), st.floats(-1e6, 1e6))
    n, m = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    scores = np.array(data.draw(st.lists(numbers, min_size=n + m, max_size=n + m)))
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=2 * n + m, max_size=2 * n + m)))
    labelled, rows = BinaryRows(scores[:n], flags[:n]), BinaryRows(scores[n:], flags[n : n + m])
    for one in estimate_binary(labelled, flags[n + m :], rows):
        assert math.isnan(one.value) or 0 <= one.low <= one.value <= one.high
        assert one.name == "log_loss" or not one.high > 1


def several(count: int, seed: int) -> tuple[ClassRows, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.dirichlet([2, 1, 1], count)
    labels = (random.random((count, 1)) > np.cumsum(scores, axis=1)[:, :-1]).sum(axis=1)
    return ClassRows(scores, scores.argmax(axis=1)), labels


def test_several_classes() -> None:
    (labelled, labels), (rows, hidden) = several(50_000, 1), several(50_000, 2)
    found = estimate_classes(labelled, labels, rows)
    assert named(found)["accuracy"].value == pytest.approx(np.mean(rows.predicted == hidden), abs=0.01)
    assert sorted(one.label for one in found if one.name == "class_auc") == ["0", "1", "2"]
    assert 0.5 < named(found)["auc_macro"].low < named(found)["auc_macro"].high < 1


def test_a_class_that_is_never_predicted() -> None:
    (labelled, labels), (rows, _) = several(5000, 1), several(500, 2)
    without = [ClassRows(one.scores, np.minimum(one.predicted, 1)) for one in (labelled, rows)]
    found = named(estimate_classes(without[0], labels, without[1]))
    assert math.isfinite(found["f1_macro"].value)
    assert math.isfinite(found["accuracy"].value)


def test_a_class_that_nobody_knows_is_wrong() -> None:
    (labelled, labels), (rows, _) = several(5000, 1), several(500, 2)
    unknown = ClassRows(rows.scores, np.full(500, -1))
    assert named(estimate_classes(labelled, labels, unknown))["accuracy"].high < 0.05
