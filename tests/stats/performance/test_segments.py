"""Segments: the same numbers as on their rows alone, and the order in which they are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwatch.stats.cells import columns_of
from modelwatch.stats.performance.confusion import class_metrics, confusion
from modelwatch.stats.performance.regression import errors, regression_metrics
from modelwatch.stats.performance.scores import score_metrics, scored
from modelwatch.stats.performance.segments import binary_by_segment, numbers_by_segment, worst_first

RNG = np.random.default_rng(1)
N = 3000
REGION = np.array(["eu", "na", "latam"])[RNG.integers(0, 3, N)]
PLAN = np.array(["free", "pro"])[RNG.integers(0, 2, N)]
LABEL = (RNG.random(N) < 0.4).astype(float)
SCORE = np.clip(np.round(0.5 + 0.2 * (LABEL - 0.5) + RNG.normal(0, 0.2, N), 2), 0, 1)
COLUMNS = columns_of({"region": REGION, "plan": PLAN})


def test_a_segment_has_the_metrics_of_its_rows() -> None:
    label = LABEL.copy()
    label[::50] = math.nan
    found = binary_by_segment(COLUMNS, label, SCORE > 0.5, SCORE)
    assert len(found) == 3 + 2 + 6
    one = next(each for each in found if each.segment == (("plan", "pro"), ("region", "eu")))
    rows = (REGION == "eu") & (PLAN == "pro") & ~np.isnan(label)
    y, s = label[rows].astype(int), SCORE[rows]
    alone = class_metrics(confusion(y, (s > 0.5).astype(int), ("0", "1")), averages=False) + score_metrics(scored(y, s))
    assert one.n == rows.sum()
    for ours, theirs in zip(one.metrics, alone, strict=True):
        assert (ours.name, ours.label) == (theirs.name, theirs.label)
        assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-12)


def test_numbers_of_segments() -> None:
    y = RNG.normal(10, 3, N)
    p = y + RNG.normal(0, 1, N) + 2 * (REGION == "eu")
    found = worst_first(numbers_by_segment(COLUMNS, y, p, depth=1), "rmse", lower_is_worse=False)
    assert found[0].segment == (("region", "eu"),)
    alone = regression_metrics(errors(y[REGION == "eu"], p[REGION == "eu"]))
    assert [one.value for one in found[0].metrics] == pytest.approx([one.value for one in alone])


def test_small_segments_are_left_out() -> None:
    region = np.array(["eu"] * 990 + ["na"] * 10)
    found = binary_by_segment(columns_of({"region": region}), LABEL[:1000], LABEL[:1000])
    assert [one.segment for one in found] == [(("region", "eu"),)]


def test_worst_first_is_worst_beyond_doubt() -> None:
    region = np.array(["few"] * 10 + ["many"] * 2000)
    label = np.ones(2010)
    predicted = np.append(np.repeat([1.0, 0.0], [7, 3]), np.repeat([1.0, 0.0], [1500, 500]))
    found = binary_by_segment(columns_of({"region": region}), label, predicted, least=1)
    assert [one.segment[0][1] for one in worst_first(found, "accuracy")] == ["many", "few"]
    assert worst_first(found, "auc") == ()
