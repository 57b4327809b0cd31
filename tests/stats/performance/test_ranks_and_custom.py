"""NDCG, hit rate, and metrics of the user's own."""

from __future__ import annotations

import math
import os.path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from modelwatch.stats.performance.custom import custom_metric, load_metric
from modelwatch.stats.performance.ranking import ranking_metrics


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(2, 12), st.integers(1, 12))
def test_scikit_learn_agrees(seed: int, queries: int, size: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    relevance, scores = rng.integers(0, 4, (queries, size)), rng.integers(0, 6, (queries, size)) / 6
    shuffled = rng.permutation(queries * size)
    query = np.repeat(np.arange(queries) * 10, size)
    ndcg, hit = ranking_metrics(query[shuffled], relevance.ravel()[shuffled], scores.ravel()[shuffled], k)
    known = relevance.sum(axis=1) > 0
    if known.any():
        assert ndcg.value == pytest.approx(ndcg_score(relevance[known], scores[known], k=k), abs=1e-9)
        assert ndcg.n == known.sum()
    else:
        assert math.isnan(ndcg.value)
    assert hit.n == queries


def test_a_hit_is_something_relevant_among_the_best() -> None:
    _, hit = ranking_metrics([1, 1, 1, 2, 2, 2], [0, 1, 0, 0, 0, 1], [3, 2, 1, 3, 2, 1], k=2)
    assert (hit.value, hit.n) == (0.5, 2)
    assert hit.low < 0.5 < hit.high


def test_nothing_known_and_nonsense() -> None:
    assert all(math.isnan(one.value) for one in ranking_metrics([], [], []))
    assert all(math.isnan(one.value) for one in ranking_metrics([1], [math.nan], [0.5]))
    with pytest.raises(ValueError, match="negative"):
        ranking_metrics([1], [-1.0], [0.5])


def test_a_metric_by_its_dotted_path() -> None:
    assert load_metric("math.hypot") is math.hypot
    assert load_metric("os.path:getsize") is os.path.getsize


@pytest.mark.parametrize("path", ["", "hypot", "math.", "math.nothing", "no_such_module.f", "math:pi"])
def test_a_wrong_path_is_told(path: str) -> None:
    with pytest.raises(ValueError, match=r"dotted path|cannot be imported|has no function"):
        load_metric(path)


def test_a_custom_metric_has_an_interval() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(0, 1, 40_000)

    def worst_tenth(labels: np.ndarray, predictions: np.ndarray) -> float:
        return float(np.quantile(np.abs(labels - predictions), 0.9))

    small = custom_metric("p90", worst_tenth, y[:1000], np.zeros(1000))
    large = custom_metric("p90", worst_tenth, y, np.zeros(40_000))
    assert small.low <= 1.645 <= small.high
    # The standard error of a quantile: sqrt(q (1 - q) / n) over the density there.
    expected = 2 * 1.96 * (0.9 * 0.1 / 40_000) ** 0.5 / 0.2063
    assert large.high - large.low == pytest.approx(expected, rel=0.2)
    assert custom_metric("p90", worst_tenth, y, np.zeros(40_000)) == large


def test_a_custom_metric_without_rows_or_value() -> None:
    nothing = np.zeros(0)
    assert math.isnan(custom_metric("mine", lambda *_: 1.0, nothing, nothing).value)
    assert math.isnan(custom_metric("mine", lambda *_: math.nan, np.ones(3), np.ones(3)).low)
