"""Scores: agreement with scikit-learn, DeLong's interval, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from modelwatch.stats.performance.scores import auc, brier, log_loss, pr_auc, score_metrics, scored

ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1), st.floats(0.1, 9)),
    min_size=2,
    max_size=60,
)


@settings(deadline=None, max_examples=100)
@given(ROWS, st.booleans())
def test_scikit_learn_agrees(rows: list[tuple[bool, float, float]], weighted: bool) -> None:
    y, s, w = (np.array(column) for column in zip(*rows, strict=True))
    weights = w if weighted else None
    found = scored(y, s, weights)
    if y.any() and not y.all():
        # scikit-learn adds up trapezoids in another order.
        assert auc(found).value == pytest.approx(peer.roc_auc_score(y, s, sample_weight=weights), abs=1e-9)
    if y.any():
        theirs = peer.average_precision_score(y, s, sample_weight=weights)
        assert pr_auc(found).value == pytest.approx(theirs, abs=1e-9)
    theirs = peer.log_loss(y, s, sample_weight=weights, labels=[False, True])
    assert log_loss(found).value == pytest.approx(theirs, abs=1e-9)
    assert brier(found).value == pytest.approx(peer.brier_score_loss(y, s, sample_weight=weights, pos_label=True))
    for one in score_metrics(found):
        assert math.isnan(one.value) or math.isnan(one.low) or one.low <= one.value <= one.high


def test_delong_as_it_is_written() -> None:
    """The structural components of DeLong, DeLong and Clarke-Pearson (1988), pair by pair."""
    rng = np.random.default_rng(3)
    y = rng.random(300) < 0.4
    s = np.round(rng.normal(y, 1.0), 1)
    pairs = (s[y][:, None] > s[~y]) + 0.5 * (s[y][:, None] == s[~y])
    se = math.sqrt(pairs.mean(axis=1).var(ddof=1) / y.sum() + pairs.mean(axis=0).var(ddof=1) / (~y).sum())
    found = auc(scored(y, s))
    assert found.value == pytest.approx(pairs.mean(), abs=1e-12)
    assert found.value - found.low == pytest.approx(1.959963984540054 * se, abs=1e-9)
    assert found.high - found.value == pytest.approx(1.959963984540054 * se, abs=1e-9)


def test_equal_weights_are_no_weights() -> None:
    rng = np.random.default_rng(4)
    y, s = rng.random(200) < 0.5, rng.random(200)
    for one, other in zip(score_metrics(scored(y, s)), score_metrics(scored(y, s, np.full(200, 3.0))), strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-12)


@pytest.mark.parametrize(("metric", "least"), [(auc, 181), (pr_auc, 176)])
def test_intervals_cover(metric: object, least: int) -> None:
    assert callable(metric)
    rng = np.random.default_rng(5)

    def draw(n: int) -> object:
        y = rng.random(n) < 0.3
        return metric(scored(y, 1 / (1 + np.exp(-rng.normal(1.2 * y - 0.8, 1.0)))))

    truth = draw(1_000_000).value
    held = sum(one.low <= truth <= one.high for one in (draw(600) for _ in range(200)))
    assert least <= held <= 199


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([], []), ([math.nan], [0.5]), ([1], [math.nan]), ([1, 1], [0.1, 0.9]), ([0, 0], [0.1, 0.9])],
)
def test_auc_needs_both_classes(labels: list[float], scores: list[float]) -> None:
    assert math.isnan(auc(scored(labels, scores)).value)


def test_one_row_of_a_class_has_no_interval() -> None:
    found = auc(scored([0, 0, 1], [0.1, 0.2, 0.3]))
    assert found.value == 1
    assert math.isnan(found.low)


def test_scores_beyond_probabilities_have_no_log_loss() -> None:
    rows = scored([0, 1, 1], [-1.0, 0.5, math.inf])
    assert auc(rows).value == 1
    assert math.isnan(log_loss(rows).value)
    assert math.isnan(brier(rows).value)


def test_a_certain_mistake_is_finite() -> None:
    assert log_loss(scored([1, 0], [0.0, 0.0])).value == pytest.approx(peer.log_loss([1, 0], [0.0, 0.0]), abs=1e-9)
