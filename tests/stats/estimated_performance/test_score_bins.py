"""Rows counted by score say the same as the rows."""

from __future__ import annotations

import numpy as np
import pytest

from modelwatch.stats.estimated_performance.score_bins import BINS, choose_edges, count_cells, labelled_cells


def test_cells_keep_counts_and_sums() -> None:
    random = np.random.default_rng(1)
    scores, groups = random.random(30_000), random.random(30_000) < 0.3
    cells = count_cells(scores, groups, choose_edges(scores, scores))
    assert cells.counts.sum() == 30_000
    assert cells.counts[cells.groups == 1].sum() == groups.sum()
    assert cells.counts @ cells.scores == pytest.approx(scores.sum())
    assert cells.counts @ cells.squares == pytest.approx((scores**2).sum())
    assert cells.counts @ cells.log_scores == pytest.approx(np.log(scores).sum())
    assert np.all(np.diff(cells.bins) >= 0)


def test_few_scores_have_a_bin_each() -> None:
    scores = np.repeat([0.1, 0.2, 0.9], 50)
    assert choose_edges(scores, scores).tolist() == pytest.approx([0.15, 0.55])
    assert len(choose_edges(np.zeros(5), np.zeros(9))) == 0


def test_many_scores_have_bins_of_both_sides() -> None:
    edges = choose_edges(np.linspace(0, 0.5, 100_000), np.linspace(0.5, 1, 100_000))
    assert BINS < len(edges) <= 2 * BINS
    assert np.mean(edges < 0.5) == pytest.approx(0.5, abs=0.02)


def test_weights_count_as_many_rows_as_they_say() -> None:
    scores, none = np.full(4, 0.5), np.zeros(4, np.bool_)
    labels = np.array([True, False, False, False])
    even = labelled_cells(scores, none, labels, np.full(4, 7.0), np.zeros(0))
    assert (even.trials[0], even.positives[0]) == (4.0, 1.0)
    uneven = labelled_cells(scores, none, labels, np.array([3.0, 1.0, 1.0, 1.0]), np.zeros(0))
    assert uneven.trials[0] == 36 / 12
    assert uneven.positives[0] == pytest.approx(0.5 * 3)


def test_scores_that_are_no_probabilities_have_no_losses() -> None:
    cells = count_cells(np.array([-1.0, 4.0]), np.array([False, True]), np.zeros(0))
    assert np.isnan(cells.log_scores).all()
