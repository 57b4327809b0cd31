"""Curves of probabilities: what they find, and that they know what they do not know."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.estimated_performance.calibration import CalibrationCurve, fit_calibration, score_logits
from modelwatch.stats.estimated_performance.score_bins import choose_edges, labelled_cells
from modelwatch.stats.logistic import sigmoid

DRAWS = 300


def curve(scores: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> CalibrationCurve:
    edges = choose_edges(scores, scores)
    in_group = np.zeros(len(scores), np.bool_) if groups is None else groups
    cells = labelled_cells(scores, in_group, labels, np.ones(len(scores)), edges)
    random = np.random.default_rng(5)
    own = None if groups is None else cells.groups
    return fit_calibration(cells.scores, cells.positives, cells.trials, groups=own, draws=DRAWS, random=random)


def test_a_distorted_score_is_set_right() -> None:
    random = np.random.default_rng(1)
    truth = random.beta(2, 3, 20_000)
    scores = truth**2.5
    found = curve(scores, random.random(20_000) < truth)
    at = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    assert found.probabilities(at**2.5).mean(axis=0) == pytest.approx(at, abs=0.03)


def test_draws_hold_the_truth_on_average_over_scores() -> None:
    random = np.random.default_rng(2)
    inside = []
    for _ in range(40):
        truth = random.beta(2, 2, 400)
        found = curve(truth**1.5, random.random(400) < truth)
        at = np.quantile(truth, np.linspace(0.05, 0.95, 19))
        low, high = np.quantile(found.probabilities(at**1.5), [0.025, 0.975], axis=0)
        inside.append(np.mean((low <= at) & (at <= high)))
    assert 0.9 <= float(np.mean(inside)) <= 0.99


def test_where_no_label_is_draws_spread() -> None:
    random = np.random.default_rng(3)
    scores = random.uniform(0.3, 0.5, 500)
    found = curve(scores, random.random(500) < scores)
    spread = found.probabilities(np.array([0.4, 0.9])).std(axis=0)
    assert spread[1] > 3 * spread[0]


def test_few_labels_leave_a_probability_as_it_is() -> None:
    found = curve(np.array([0.2, 0.8]), np.array([False, True]))
    assert found.probabilities(np.array([0.2, 0.8])).mean(axis=0) == pytest.approx([0.2, 0.8], abs=0.2)


@pytest.mark.parametrize("label", [False, True])
def test_labels_of_one_class_do_not_make_it_certain(label: bool) -> None:
    scores = np.linspace(0.05, 0.95, 300)
    found = curve(scores, np.full(300, label)).probabilities(scores)
    assert np.isfinite(found).all()
    assert 0.9 < float(np.mean(found.mean(axis=0) if label else 1 - found.mean(axis=0))) < 1


def test_one_score_alone() -> None:
    found = curve(np.full(200, 0.7), np.arange(200) < 60).probabilities(np.array([0.7]))
    assert float(found.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(found.std()) == pytest.approx(np.sqrt(0.3 * 0.7 / 200), rel=0.25)


def test_scores_that_are_no_probabilities() -> None:
    random = np.random.default_rng(4)
    scores = random.normal(0, 50, 10_000)
    found = curve(scores, random.random(10_000) < sigmoid(scores / 40))
    at = np.array([-60.0, 0.0, 60.0])
    assert found.probabilities(at).mean(axis=0) == pytest.approx(sigmoid(at / 40), abs=0.03)


def test_a_second_group_has_a_step() -> None:
    random = np.random.default_rng(6)
    scores, groups = random.uniform(0.2, 0.8, 20_000), random.random(20_000) < 0.5
    truth = sigmoid(score_logits(scores) * np.where(groups, 1.5, 0.8) + np.where(groups, 0.4, -0.4))
    found = curve(scores, random.random(20_000) < truth, groups)
    at = np.array([0.5, 0.5])
    expected = sigmoid(np.array([-0.4, 0.4]))
    assert found.probabilities(at, np.array([0.0, 1.0])).mean(axis=0) == pytest.approx(expected, abs=0.02)
