"""Scores: agreement with scikit-learn, DeLong's interval, and what is not defined."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as peer

from modelwatch.stats.performance.estimate import Estimate
from modelwatch.stats.performance.probabilistic import (
    loss_metrics,
    pr_auc,
    precision_binning_error,
    roc_auc,
    row_losses,
)
from modelwatch.stats.profile.exact_sum import ExactSums
from modelwatch.stats.profile.numeric import NumericProfile

Counts = tuple[NDArray[np.int64], NDArray[np.int64]]

ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)),
    min_size=2,
    max_size=60,
)


def auc_error_bound(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> float:
    """How far the area from these bins may lie from the exact one: half of the pairs that share a bin."""
    return float(positive @ negative) / 2 / float(positive.sum() * negative.sum())


def counts(labels: ArrayLike, scores: ArrayLike, bins: int = 0) -> Counts:
    """By every different score, or by so many bins of equal width."""
    y, s = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    codes = np.unique(s, return_inverse=True)[1] if not bins else np.minimum((s * bins).astype(int), bins - 1)
    size = int(codes.max(initial=-1)) + 1
    return np.bincount(codes[y], minlength=size), np.bincount(codes[~y], minlength=size)


def lost(labels: ArrayLike, scores: ArrayLike, squares: bool = True) -> dict[str, Estimate]:
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    return {one.name: one for one in loss_metrics(ExactSums.of(row_losses(truth, values, squares=squares)))}


@settings(deadline=None, max_examples=200)
@given(ROWS, st.lists(st.floats(0, 1), max_size=6, unique=True))
def test_what_binning_can_cost_bounds_the_area_under_precision_and_recall(
    rows: list[tuple[bool, float]], edges: list[float]
) -> None:
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    sides = [NumericProfile.of(s[side], np.sort(np.array(edges, dtype=float))) for side in (y, ~y)]
    if y.any() and not y.all():
        off = abs(pr_auc(sides[0].counts, sides[1].counts).value - peer.average_precision_score(y, s))
        assert off <= precision_binning_error(*sides) + 1e-9


def test_rare_rows_of_the_positive_class_in_one_bin_with_others_are_noticed() -> None:
    edges = np.array([0.5, 0.9])
    sides = [NumericProfile.of(np.array(scores), edges) for scores in ([0.99, 0.98], [0.91] * 40 + [0.1] * 4000)]
    assert pr_auc(sides[0].counts, sides[1].counts).value < 0.05
    assert precision_binning_error(*sides) > 0.9


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_scikit_learn_agrees(rows: list[tuple[bool, float]]) -> None:
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    found = counts(y, s)
    if y.any() and not y.all():
        # scikit-learn adds up trapezoids in another order.
        assert roc_auc(*found).value == pytest.approx(peer.roc_auc_score(y, s), abs=1e-9)
    if y.any():
        assert pr_auc(*found).value == pytest.approx(peer.average_precision_score(y, s), abs=1e-9)
    loss = lost(y, s)
    assert loss["log_loss"].value == pytest.approx(peer.log_loss(y, s, labels=[False, True]), abs=1e-9)
    assert loss["brier"].value == pytest.approx(peer.brier_score_loss(y, s, pos_label=True))
    for one in (roc_auc(*found), pr_auc(*found, intervals=True), *loss.values()):
        assert math.isnan(one.value) or math.isnan(one.low) or one.low <= one.value <= one.high


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), *[st.floats(0.01, 1)] * 3), min_size=1, max_size=40))
def test_scikit_learn_agrees_on_several_classes(rows: list[tuple[int, float, float, float]]) -> None:
    y = np.array([row[0] for row in rows])
    p = np.array([row[1:] for row in rows])
    p /= p.sum(axis=1, keepdims=True)
    found = loss_metrics(ExactSums.of(row_losses(y[:, None] == np.arange(3), p)))
    assert found[0].value == pytest.approx(peer.log_loss(y, p, labels=[0, 1, 2]), abs=1e-9)
    assert found[1].value == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(ROWS, st.integers(1, 20))
def test_bins_cost_no_more_than_they_say(rows: list[tuple[bool, float]], bins: int) -> None:
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    binned = counts(y, s, bins)
    if y.any() and not y.all():
        assert abs(roc_auc(*binned).value - roc_auc(*counts(y, s)).value) <= auc_error_bound(*binned) + 1e-12


def test_delong_as_it_is_written() -> None:
    """The structural components of DeLong, DeLong and Clarke-Pearson (1988), pair by pair."""
    rng = np.random.default_rng(3)
    y = rng.random(300) < 0.4
    s = np.round(rng.normal(y, 1.0), 1)
    pairs = (s[y][:, None] > s[~y]) + 0.5 * (s[y][:, None] == s[~y])
    se = math.sqrt(pairs.mean(axis=1).var(ddof=1) / y.sum() + pairs.mean(axis=0).var(ddof=1) / (~y).sum())
    found = roc_auc(*counts(y, s))
    assert found.value == pytest.approx(pairs.mean(), abs=1e-12)
    assert found.value - found.low == pytest.approx(1.959963984540054 * se, abs=1e-9)
    assert found.high - found.value == pytest.approx(1.959963984540054 * se, abs=1e-9)


@pytest.mark.parametrize(("metric", "least"), [(roc_auc, 181), (partial(pr_auc, intervals=True), 176)])
def test_intervals_cover(metric: Callable[..., Estimate], least: int) -> None:
    rng = np.random.default_rng(5)

    def draw(n: int) -> Estimate:
        y = rng.random(n) < 0.3
        return metric(*counts(y, 1 / (1 + np.exp(-rng.normal(1.2 * y - 0.8, 1.0)))))

    truth = draw(1_000_000).value
    held = sum(one.low <= truth <= one.high for one in (draw(600) for _ in range(200)))
    assert least <= held <= 199


@pytest.mark.parametrize(("labels", "scores"), [([], []), ([1, 1], [0.1, 0.9]), ([0, 0], [0.1, 0.9])])
def test_auc_needs_both_classes(labels: list[float], scores: list[float]) -> None:
    assert math.isnan(roc_auc(*counts(labels, scores)).value)


def test_one_row_of_a_class_has_no_interval() -> None:
    found = roc_auc(*counts([0, 0, 1], [0.1, 0.2, 0.3]))
    assert found.value == 1
    assert math.isnan(found.low)


@pytest.mark.parametrize("strange", [-1.0, 1.5, math.inf, math.nan])
def test_scores_beyond_probabilities_have_no_log_loss(strange: float) -> None:
    assert all(math.isnan(one.value) for one in lost([0, 1, 1], [0.2, 0.5, strange]).values())


def test_a_certain_mistake_is_finite() -> None:
    assert lost([1, 0], [0.0, 0.0])["log_loss"].value == pytest.approx(peer.log_loss([1, 0], [0.0, 0.0]), abs=1e-9)


def test_without_squares_there_are_no_bounds() -> None:
    assert all(math.isnan(one.low) for one in lost([1, 0], [0.4, 0.3], squares=False).values())
