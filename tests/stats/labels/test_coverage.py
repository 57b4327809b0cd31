"""Weighted performance against worlds in which it is known who was labelled, and what the truth is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from modelwatch.stats.arrays import Bools, Floats
from modelwatch.stats.labels.coverage import (
    DECILES,
    Metric,
    WeightedEstimate,
    Weighting,
    auc_metric,
    deciles,
    mean_metric,
    ratio_metric,
    root_mean_metric,
    selective_metrics,
    weighted_estimate,
)

SHARE = (0.0, 1.0)


def world(rows: int, seed: int, *, selective: bool) -> tuple[Floats, Bools, Bools]:
    """Scores, truth, and who is labelled: nearly all low scores and few high ones, or half of all."""
    rng = np.random.default_rng(seed)
    scores = rng.random(rows)
    positive = rng.random(rows) < 0.15 + 0.5 * scores
    chance = 0.9 - 0.75 * scores if selective else np.full(rows, 0.5)
    return scores, positive, rng.random(rows) < chance


def metrics(scores: Floats, positive: Bools) -> dict[str, Metric]:
    predicted = scores > 0.5
    hits = (positive & predicted).astype(np.float64)
    return {
        "accuracy": mean_metric((positive == predicted).astype(np.float64)),
        "precision": ratio_metric(hits, predicted.astype(np.float64)),
        "recall": ratio_metric(hits, positive.astype(np.float64)),
        "f1": ratio_metric(2 * hits, positive.astype(np.float64) + predicted),
        "auc": auc_metric(scores, positive),
        "rmse": root_mean_metric((positive - scores) ** 2),
    }


def truths() -> dict[str, float]:
    scores, positive, _ = world(4_000_000, 99, selective=False)
    return {name: metric(np.ones(len(scores)))[0] for name, metric in metrics(scores, positive).items()}


def estimates(rows: int, seed: int, *, selective: bool) -> dict[str, WeightedEstimate]:
    scores, positive, labelled = world(rows, seed, selective=selective)
    cells = deciles(scores)
    weighting = Weighting(cells[labelled], np.bincount(cells, minlength=DECILES).astype(np.float64))
    bounds = {"rmse": (0.0, math.inf)}
    return {
        name: weighted_estimate(name, metric, weighting, bounds.get(name, SHARE))
        for name, metric in metrics(scores[labelled], positive[labelled]).items()
    }


def test_without_weights_they_are_scikit_learns() -> None:
    scores, positive, _ = world(3000, 1, selective=True)
    predicted = scores > 0.5
    theirs = {
        "accuracy": accuracy_score(positive, predicted),
        "precision": precision_score(positive, predicted),
        "recall": recall_score(positive, predicted),
        "f1": f1_score(positive, predicted),
        "auc": roc_auc_score(positive, scores),
        "rmse": math.sqrt(np.mean((positive - scores) ** 2)),
    }
    weights = np.random.default_rng(2).random(3000)
    for name, metric in metrics(scores, positive).items():
        assert metric(np.ones(3000))[0] == pytest.approx(theirs[name], abs=1e-12)
    weighted = {name: metric(weights)[0] for name, metric in metrics(scores, positive).items()}
    assert weighted["auc"] == pytest.approx(roc_auc_score(positive, scores, sample_weight=weights), abs=1e-9)
    assert weighted["f1"] == pytest.approx(f1_score(positive, predicted, sample_weight=weights), abs=1e-9)
    assert weighted["accuracy"] == pytest.approx(accuracy_score(positive, predicted, sample_weight=weights), abs=1e-9)


def test_weights_undo_the_choice_of_who_is_labelled_and_intervals_cover() -> None:
    """Scores near 0.5 are the hard ones: labelled rows look better than all rows. In 300 worlds the interval has the
    truth as often as it says, and the plain value is outside of it nearly always."""
    truth, worlds = truths(), 300
    inside, plain_inside = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for seed in range(worlds):
        for name, estimate in estimates(6000, seed, selective=True).items():
            inside[name] += estimate.low <= truth[name] <= estimate.high
            plain_inside[name] += estimate.low <= estimate.plain <= estimate.high
    for name, count in inside.items():
        assert count / worlds >= 0.92, name
    assert plain_inside["accuracy"] < 0.2 * worlds
    assert plain_inside["precision"] > 0.2 * worlds, "of predicted positives nothing was chosen but their scores"


def test_it_says_when_labels_are_selective_and_is_quiet_when_they_are_not() -> None:
    selective = {seed: [*estimates(4000, seed, selective=True).values()] for seed in range(20)}
    fair = {seed: [*estimates(4000, seed, selective=False).values()] for seed in range(200)}
    found = selective_metrics(selective)
    assert {"accuracy", "recall"} <= found.keys()
    weighted, plain = found["accuracy"]
    assert weighted == pytest.approx(truths()["accuracy"], abs=0.01)
    assert abs(plain - weighted) > 0.02
    assert selective_metrics(fair) == {}
    alarms = sum(len(selective_metrics({seed: some})) for seed, some in fair.items())
    assert alarms <= 6, "of 1,200 about one by chance"


def test_cells_without_a_label_are_counted_and_left_out() -> None:
    cells = np.array([0, 0, 1, 1, 1])
    weighting = Weighting(cells, np.array([10.0, 30.0, 60.0, 0.0]))
    assert weighting.uncovered.tolist() == [False, False, True, False]
    assert weighting.uncovered_share == 0.6
    estimate = weighted_estimate("accuracy", mean_metric(np.array([1.0, 1.0, 0.0, 0.0, 0.0])), weighting, SHARE)
    assert estimate.value == pytest.approx(10 / 40)
    assert estimate.plain == pytest.approx(2 / 5)


def test_what_is_not_defined_is_no_number() -> None:
    scores, weighting = np.array([0.2, 0.4]), Weighting(np.array([0, 0]), np.array([5.0]))
    assert math.isnan(weighted_estimate("auc", auc_metric(scores, np.array([True, True])), weighting, SHARE).value)
    nothing = ratio_metric(np.zeros(2), np.zeros(2))
    assert math.isnan(weighted_estimate("precision", nothing, weighting, SHARE).value)


def test_tenths_keep_equal_scores_together() -> None:
    assert deciles(np.array([0.1, 0.1, np.nan, 0.9])).tolist() == [3, 3, -1, 8]
    assert deciles(np.zeros(0)).tolist() == []
    many = deciles(np.random.default_rng(0).random(10_000))
    assert np.bincount(many).tolist() == [1000] * DECILES
