"""Degenerate input, and the defined answer of every statistic: one table, and hypothesis looking for more.

Nothing crashes, nothing warns, and what has no answer says so with NaN.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.stats.changepoint import OnsetInterval, degradation_onset, find_change_points, noise_variance
from modelwatch.stats.decomposition import decompose
from modelwatch.stats.intervals import difference_interval, normal_interval, wilson_interval
from modelwatch.stats.performance.confusion import ConfusionMatrix, class_metrics
from modelwatch.stats.performance.estimate import Estimate
from modelwatch.stats.performance.probabilistic import loss_metrics, pr_auc, roc_auc, row_losses
from modelwatch.stats.performance.ranking import ranking_metrics
from modelwatch.stats.performance.regression import error_sums, regression_metrics
from modelwatch.stats.profile.binning import choose_edges
from modelwatch.stats.profile.categorical import MAX_CHARACTERS, CategoricalProfile
from modelwatch.stats.profile.exact_sum import ExactSums
from modelwatch.stats.profile.numeric import NumericProfile
from modelwatch.stats.segment_search import search_segments
from modelwatch.stats.segmentation import encode_columns

NAN, INF = math.nan, math.inf
LONG = "x" * 1_000_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Cells = Sequence[object]

pytestmark = pytest.mark.filterwarnings("error")

# Labels, predictions, and the metrics that are known; all others are NaN.
CLASSES: dict[str, tuple[list[list[float]], dict[str, float]]] = {
    "no rows": ([[0, 0], [0, 0]], {}),
    "one row, right": ([[0, 0], [0, 1]], {"accuracy": 1, "precision b": 1, "recall b": 1, "f1 b": 1}),
    "one row, wrong": ([[0, 0], [1, 0]], {"accuracy": 0, "precision a": 0, "recall b": 0, "f1 a": 0, "f1 b": 0}),
    "one class": ([[9, 0], [0, 0]], {"accuracy": 1, "precision a": 1, "recall a": 1, "f1 a": 1}),
    "never predicted": (
        [[6, 0], [2, 0]],
        {"accuracy": 0.75, "precision a": 0.75, "recall a": 1, "recall b": 0, "f1 b": 0},
    ),
    "1e15 rows": ([[5e14, 0], [0, 5e14]], {"accuracy": 1, "precision a": 1, "f1 b": 1}),
}


@pytest.mark.parametrize("case", CLASSES)
def test_metrics_of_classes(case: str) -> None:
    table, expected = CLASSES[case]
    for intervals in (False, True):
        metrics = class_metrics(ConfusionMatrix(("a", "b"), np.array(table, dtype=np.float64)), intervals=intervals)
        found = {f"{one.name} {one.label}".strip(): one for one in metrics}
        for name, value in expected.items():
            assert found[name].value == pytest.approx(value, abs=1e-12), name
        if not expected:
            assert all(math.isnan(one.value) for one in found.values())
        assert ranges(metrics, 0, 1)
    assert [math.isnan(one.value) for one in class_metrics(ConfusionMatrix((), np.zeros((0, 0))))] == [True]


SCORES: dict[str, tuple[list[float], list[float], float, float]] = {
    "no rows": ([], [], NAN, NAN),
    "one class": ([1, 2], [0, 0], NAN, 1.0),
    "the other class": ([0, 0], [1, 2], NAN, NAN),
    "one row a class": ([0, 1], [1, 0], 1.0, 1.0),
    "all scores alike": ([5], [15], 0.5, 0.25),
    "upside down": ([1, 0], [0, 1], 0.0, 0.5),
}
"""Positive and negative rows by ascending score; AUC-ROC and PR-AUC."""


@pytest.mark.parametrize("case", SCORES)
def test_metrics_of_scores(case: str) -> None:
    positive, negative, area, precision = SCORES[case]
    found = roc_auc(positive, negative), pr_auc(positive, negative, intervals=True)
    assert [one.value for one in found] == pytest.approx([area, precision], nan_ok=True)
    assert ranges(found, 0, 1)


def test_losses() -> None:
    for truth, scores, known in (
        ([], [], False),
        ([True], [NAN], False),
        ([True], [INF], False),
        ([True, False], [1.5, 0.5], False),
        ([True, False], [0.0, 1.0], True),
    ):
        sums = ExactSums.of(
            row_losses(np.array(truth, dtype=np.bool_), np.array(scores, dtype=np.float64), squares=True)
        )
        for one in loss_metrics(sums):
            assert math.isfinite(one.value) == known
            assert math.isnan(one.low) or one.low <= one.value <= one.high


# Labels, predictions and the known metrics; those that are not named are NaN.
REGRESSION: dict[str, tuple[list[float], list[float], dict[str, float]]] = {
    "no rows": ([], [], {}),
    "nothing known": ([NAN, 1.0, INF], [1.0, NAN, 1.0], {}),
    "one row": ([2.0], [3.0], {"mae": 1, "rmse": 1, "mape": 0.5, "bias": 1}),
    "constant labels": ([3.0] * 3, [1.0, 2.0, 3.0], {"mae": 1, "rmse": math.sqrt(5 / 3), "mape": 1 / 3, "bias": -1}),
    "no error": ([1.0, 2.0], [1.0, 2.0], {"mae": 0, "rmse": 0, "mape": 0, "r2": 1, "bias": 0}),
    "1e308 apart": ([1e308, -1e308], [-1e308, 1e308], {}),
    "1e200": ([1e200, 2e200], [1e200, 2e200], {"mae": 0, "rmse": 0, "mape": 0, "bias": 0}),
}


@pytest.mark.parametrize("case", REGRESSION)
def test_metrics_of_numbers(case: str) -> None:
    labels, predictions, expected = REGRESSION[case]
    for squares in (False, True):
        found = regression_metrics(error_sums(labels, predictions, squares=squares))
        known = {one.name: one.value for one in found if math.isfinite(one.value)}
        assert known == pytest.approx(expected), squares
        assert all(math.isnan(one.low) or one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (([], [], []), (NAN, NAN)),
        (([1], [NAN], [0.5]), (NAN, NAN)),
        (([1], [0.0], [0.5]), (NAN, 0.0)),
        (([1], [1.0], [0.5]), (1.0, 1.0)),
        (([1, 1], [1.0, 0.0], [0.5, 0.5]), (0.5 + 0.5 / math.log2(3), 1.0)),
    ],
)
def test_metrics_of_rankings(rows: tuple[Cells, Cells, Cells], expected: tuple[float, float]) -> None:
    queries, relevance, scores = (np.array(column, dtype=np.float64) for column in rows)
    found = ranking_metrics(queries, relevance, scores)
    assert [one.value for one in found] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("p", "n", "low", "high"),
    [
        (NAN, 10, NAN, NAN),
        (0.5, NAN, NAN, NAN),
        (0.5, 0, NAN, NAN),
        (0.0, 1, 0.0, 0.7934506856227626),
        (1.0, 1, 0.2065493143772375, 1.0),
        (0.5, 1e300, 0.5, 0.5),
    ],
)
def test_intervals(p: float, n: float, low: float, high: float) -> None:
    found = wilson_interval(np.array([p]), np.array([n]))
    assert [float(side[0]) for side in found] == pytest.approx([low, high], nan_ok=True)
    sides = (np.array([p]), *found)
    apart = difference_interval(*sides, *sides)
    assert math.isnan(low) == bool(np.isnan(apart[0][0]))
    assert np.isnan(normal_interval(np.array([NAN]), np.array([1.0]))[0][0])


# Counts and values before, counts and values after; the whole change.
SPLITS: dict[str, tuple[list[float], list[float], list[float], list[float], float]] = {
    "no segment": ([], [], [], [], NAN),
    "an empty side": ([0.0], [NAN], [5.0], [0.5], NAN),
    "one row": ([1.0], [1.0], [1.0], [0.0], -1.0),
    "nothing known": ([5.0], [NAN], [5.0], [0.5], NAN),
    "infinite counts": ([INF, 5.0], [0.9, 0.9], [5.0, 5.0], [0.9, 0.9], 0.0),
    "infinite values": ([5.0, 5.0], [INF, 0.9], [5.0, 5.0], [0.8, 0.8], -0.1),
    "1e308": ([1e308, 1e308], [0.9, 0.9], [1e308, 1e308], [0.8, 0.8], -0.1),
    "no change": ([5.0, 5.0], [0.9, 0.7], [5.0, 5.0], [0.9, 0.7], 0.0),
}


@pytest.mark.parametrize("case", SPLITS)
def test_mix_and_rate(case: str) -> None:
    *columns, total = SPLITS[case]
    found = decompose(*columns)
    if columns[0]:
        assert found.total == pytest.approx(total, nan_ok=True, abs=1e-12)
    assert math.isnan(total) == math.isnan(found.after - found.before)


SERIES: dict[str, tuple[list[float], list[int]]] = {
    "empty": ([], []),
    "one point": ([1.0], []),
    "constant": ([5.0] * 50, []),
    "zeros": ([0.0] * 50, []),
    "1e308": ([1e308] * 40, []),
    "a step of 1e308": ([1e308] * 20 + [-1e308] * 20, [20]),
    "a step of 1e-300": ([1e-300] * 20 + [2e-300] * 20, [20]),
    "a step": ([0.0] * 20 + [1.0] * 20, [20]),
}


@pytest.mark.parametrize("case", SERIES)
def test_change_points(case: str) -> None:
    values, expected = SERIES[case]
    assert find_change_points(values).tolist() == expected
    assert noise_variance(values) >= 0
    found = degradation_onset(values, values[0] if values else 0.0, worse_sign=1)
    assert found in (None, *(OnsetInterval(at, at, at) for at in expected))


SEARCHED: dict[str, dict[str, list[object]]] = {
    "texts of a megabyte": {"c": [LONG, LONG + "y"]},
    "mixed types": {"c": [1, "1"], "d": [None, True]},
    "missing": {"c": [None, NAN]},
    "infinities": {"c": [INF, -INF]},
    "dates": {"c": [date(2026, 1, 1), NOON]},
    "constant": {"c": ["a", "a"]},
}


@pytest.mark.parametrize("case", SEARCHED)
def test_search(case: str) -> None:
    table = {}
    for name, pair in SEARCHED[case].items():
        column = np.empty(800, dtype=object)
        column[::2], column[1::2] = pair
        table[name] = column
    after, columns = np.repeat([False, True], 400), encode_columns(table)
    assert all(len(value) <= MAX_CHARACTERS for one in columns for value in one.values)
    for values in (np.ones(800), np.zeros(800), np.full(800, NAN), np.full(800, 1e308), np.tile([0.0, 1.0], 400)):
        found = search_segments(columns, values, after)
        assert found.significant_suspect() is None
        assert math.isnan(found.total) or found.total == 0
    assert search_segments(encode_columns({"c": []}), [], np.zeros(0, dtype=np.bool_)).suspects == ()


def test_numeric_profiles() -> None:
    for values, n, mean in (
        ([], 0, NAN),
        ([NAN, INF, -INF], 0, NAN),
        ([3.0], 1, 3.0),
        ([7.0] * 9, 9, 7.0),
        ([1.7e308, -1.7e308], 2, 0.0),
        ([5e-324], 1, 5e-324),
        ([0.0, -0.0], 2, 0.0),
    ):
        column = np.array(values, dtype=np.float64)
        edges = choose_edges(column)
        profile = NumericProfile.of(column, edges)
        assert profile.n == n == profile.counts.sum()
        assert profile.rows == len(values)
        assert profile.mean() == pytest.approx(
            mean, rel=1e-9, abs=1e300 if n == 2 and mean == 0 else 1e-300, nan_ok=True
        )
        assert math.isnan(profile.quantile(0.5)) == (n == 0)
        assert profile.merge(NumericProfile.of(np.zeros(0), edges)).n == n


def test_categorical_profiles() -> None:
    assert CategoricalProfile.of({}).cardinality == 0
    assert CategoricalProfile.of({"": 3}).named_counts == {"": 3}
    assert CategoricalProfile.of({LONG: 1, LONG + "y": 2}).cardinality == 2
    profile = CategoricalProfile.of({"a": 1, "\ud800": 2}, frozenset("ab"), missing=4)
    assert (profile.n, profile.rows) == (3, 7)


def ranges(metrics: Sequence[Estimate], low: float, high: float) -> bool:
    """Values and their intervals lie where they can."""
    for one in metrics:
        known = [value for value in (one.low, one.value, one.high) if not math.isnan(value)]
        if known != sorted(known) or any(not low <= value <= high for value in known):
            return False
    return True


FLOATS = st.lists(st.floats() | st.sampled_from([0.0, 1.0, 1e308, NAN]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(FLOATS)
def test_any_numbers_have_metrics_and_changes(values: list[float]) -> None:
    other = values[::-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in regression_metrics(error_sums(values, other, squares=True)):
            assert math.isnan(one.value) or math.isnan(one.low) or one.low <= one.value <= one.high
        finite = [value for value in values if math.isfinite(value)]
        found = find_change_points(finite)
        assert all(0 < at < len(finite) for at in found)
        weights = [abs(value) for value in values]
        split = decompose(weights, values, weights[::-1], other)
        assert math.isnan(split.total) or math.isfinite(split.total)
