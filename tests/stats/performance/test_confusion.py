"""Classes: agreement with scikit-learn, merging, intervals, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as peer

from modelwatch.stats.performance.confusion import Confusion, class_metrics, confusion, confusions, empty
from modelwatch.stats.performance.estimate import Estimate

CLASSES = ("a", "b", "c")
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.1, 10)), min_size=1, max_size=60)


def by_name(found: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {f"{one.name} {one.label}".strip(): one for one in found}


@settings(deadline=None, max_examples=60)
@given(ROWS, st.booleans())
def test_scikit_learn_agrees(rows: list[tuple[int, int, float]], weighted: bool) -> None:
    y, p, w = (np.array(column) for column in zip(*rows, strict=True))
    given_weights = w if weighted else None
    found = by_name(class_metrics(confusion(y, p, CLASSES, given_weights)))
    more = {"labels": [0, 1, 2], "sample_weight": given_weights, "zero_division": np.nan}
    close(found["accuracy"].value, peer.accuracy_score(y, p, sample_weight=given_weights))
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


@settings(deadline=None, max_examples=60)
@given(ROWS, ROWS, st.booleans())
def test_parts_merge_to_the_whole(
    one: list[tuple[int, int, float]], other: list[tuple[int, int, float]], weighted: bool
) -> None:
    def table(rows: list[tuple[int, int, float]]) -> Confusion:
        y, p, w = (np.array(column) for column in zip(*rows, strict=True))
        return confusion(y, p, CLASSES, w if weighted else None)

    both, back, whole = table(one).merge(table(other)), table(other).merge(table(one)), table(one + other)
    np.testing.assert_allclose(both.table, whole.table, rtol=1e-12)
    np.testing.assert_array_equal(both.table, back.table)
    assert both.squares == pytest.approx(whole.squares)


def test_sides_with_different_classes_merge_by_name() -> None:
    left = Confusion(("b", "a"), np.array([[1.0, 2.0], [3.0, 4.0]]), 10)
    right = Confusion(("c",), np.array([[5.0]]), 5)
    both = left.merge(right)
    assert both.classes == ("a", "b", "c")
    np.testing.assert_array_equal(both.table, [[4, 3, 0], [2, 1, 0], [0, 0, 5]])
    np.testing.assert_array_equal(empty().merge(left).merge(right).table, both.table)


def test_a_share_has_wilsons_interval() -> None:
    y, p = np.array([0] * 90 + [1] * 10), np.array([0] * 80 + [1] * 20)
    found = by_name(class_metrics(confusion(y, p, ("no", "yes"))))
    exact = binomtest(80 + 10, 100).proportion_ci(0.95, "wilson")
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    recall = binomtest(80, 90).proportion_ci(0.95, "wilson")
    assert (found["recall no"].low, found["recall no"].high) == pytest.approx((recall.low, recall.high), abs=1e-12)
    assert found["recall no"].n == 90


def test_equal_weights_are_no_weights() -> None:
    y, p = np.arange(50) % 2, np.arange(50) % 3 % 2
    plain, weighted = (class_metrics(confusion(y, p, ("no", "yes"), w)) for w in (None, np.full(50, 7.0)))
    for one, other in zip(plain, weighted, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_intervals_cover() -> None:
    """F1 of 500 samples of 400 rows each: 95 % should hold the truth."""
    rng = np.random.default_rng(1)
    truth, held = 2 * 0.3 * 0.8 / (0.3 + 0.3 * 0.8 + 0.7 * 0.1), 0
    for _ in range(500):
        y = rng.random(400) < 0.3
        p = rng.random(400) < np.where(y, 0.8, 0.1)
        f1 = by_name(class_metrics(confusion(y, p, ("no", "yes")), averages=False))["f1 yes"]
        held += f1.low <= truth <= f1.high
    assert 460 <= held <= 490


def test_what_is_missing_is_left_out() -> None:
    found = confusion([0, -1, 1, 1], [0, 0, -1, 1], ("no", "yes"), [1.0, 1.0, 1.0, math.nan])
    assert found.n == 1


def test_segments_in_one_pass() -> None:
    rng = np.random.default_rng(2)
    y, p, group = rng.integers(0, 3, 500), rng.integers(0, 3, 500), rng.integers(-1, 4, 500)
    tables, squares = confusions(y, p, group, 4, 3)
    for place in range(4):
        np.testing.assert_array_equal(tables[place], confusion(y[group == place], p[group == place], CLASSES).table)
    np.testing.assert_array_equal(squares, tables.sum(axis=(1, 2)))


@pytest.mark.parametrize("rows", [([], []), ([-1], [-1]), ([0], [-1])])
def test_nothing_known_is_nan(rows: tuple[list[int], list[int]]) -> None:
    found = class_metrics(confusion(*rows, ("no", "yes")))
    assert all(math.isnan(one.value) for one in found)
    assert all(math.isnan(one.value) for one in class_metrics(empty()))


def test_a_class_that_nobody_predicts_has_no_precision() -> None:
    found = by_name(class_metrics(confusion([0, 1], [0, 0], ("no", "yes"))))
    assert math.isnan(found["precision yes"].value)
    assert (found["recall yes"].value, found["f1 yes"].value) == (0, 0)
    assert found["precision_macro"].value == 0.5
