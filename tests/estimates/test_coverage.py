"""Intervals hold what is realized, in worlds whose truth is known: some of those of ``python -m tests.estimates``."""

from __future__ import annotations

import numpy as np
import pytest

from .verdict import judge, shares_covered
from .worlds import make_world

SEEDS = range(48)
"""Twelve of each kind."""
LEAST = 0.875
"""Of 48 worlds at least 42: with a coverage of 95 % fewer come in 1 of 100 samples."""


def test_of_two_classes() -> None:
    covered = shares_covered([judge(make_world(seed)) for seed in SEEDS])
    assert min(covered[name] for name in ("accuracy", "f1", "auc", "precision", "recall", "log_loss")) >= LEAST


def test_of_several_classes() -> None:
    covered = shares_covered([judge(make_world(seed, classes=3 + seed % 3)) for seed in range(24)])
    assert min(covered[name] for name in ("accuracy", "f1_macro", "auc_macro")) >= LEAST


def test_of_numbers() -> None:
    covered = shares_covered([judge(make_world(seed, classes=1)) for seed in range(20)])
    assert min(covered[name] for name in ("mae", "rmse")) >= 0.85


def test_intervals_are_no_wider_than_chance_makes_them() -> None:
    """Of rows that resemble the labelled ones, the errors fill the interval: it does not hold because it is wide."""
    distances = [judge(make_world(seed, "none")).distances["accuracy"] for seed in range(40)]
    assert 0.3 < float(np.sqrt(np.mean(np.square(distances)))) < 0.7  # 1 / 1.96 is right


@pytest.mark.parametrize("seed", range(12))
def test_another_concept_is_found_in_the_first_labelled_cohort(seed: int) -> None:
    distances = judge(make_world(seed, "none", concept=1.0)).distances
    assert max(distances[name] for name in ("accuracy", "f1", "auc", "log_loss")) > 1


def test_weights_answer_a_shift_of_inputs() -> None:
    """Without them, what scores mean elsewhere is taken for granted."""
    verdicts = [judge(make_world(seed, "covariate shift")) for seed in range(8)]
    assert all(verdict.ratio.is_shifted for verdict in verdicts)
    assert all(0 < verdict.ratio.effective_share < 1 for verdict in verdicts)


def test_a_shift_of_labels_is_an_honest_limit() -> None:
    """More of one class, though each class looks as before: scores mean something else, and no method of this kind
    knows. The check with labels does."""
    distances = [judge(make_world(seed, "none", labels=2.0)).distances for seed in range(6)]
    off = [max(one[name] for name in ("accuracy", "f1", "auc", "log_loss")) for one in distances]
    assert float(np.median(off)) > 1
