"""Metrics from profiles: those of the rows, for every kind of model, whole and in segments."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from modelwatch.model.prediction_log import METRICS, MeasureSpec
from modelwatch.profiling.performance import performance_metrics
from modelwatch.profiling.plan_inference import infer_plan_from_sample
from modelwatch.profiling.profile_plan import ProfilePlan, plan_from_reference
from modelwatch.profiling.profiler import profile_partition
from modelwatch.stats.performance.estimate import value_sums, value_weighted_mean
from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.stats.profile.table import Profile, ProfileKey, TableProfile, merge_profiles

ROWS = 6000
RANDOM = np.random.default_rng(3)
REGION = RANDOM.choice(["eu", "na", "latam"], ROWS, p=[0.6, 0.3, 0.1])
DEVICE = RANDOM.choice(["ios", "web"], ROWS)
EVERYTHING = MeasureSpec(
    files="log", score="score", prediction="prediction", label="label", segments=("region", "device"),
    crossings=(("device", "region"),), metrics=METRICS, intervals=True,
)  # fmt: skip


def measured(spec: MeasureSpec, **columns: Any) -> tuple[dict[str, float], Profile, ProfilePlan]:
    batch = pa.record_batch({"region": REGION, "device": DEVICE, **columns})
    plan = infer_plan_from_sample(batch, batch.schema.names, spec)
    profile = profile_partition(batch, plan)
    return told(profile, spec), profile, plan


def told(profile: Profile, spec: MeasureSpec) -> dict[str, float]:
    return {
        key: value
        for cell, table in profile.cells.items()
        for key, value in performance_metrics(table, cell.segment, spec)
    }


def binary(score_of: Any = lambda score: score) -> dict[str, Any]:
    y = RANDOM.random(ROWS) < 0.4
    score = score_of(np.clip(0.4 + 0.2 * y + RANDOM.normal(0, 0.2, ROWS), 0, 1))
    return {"label": np.where(y, "yes", "no"), "prediction": np.where(score > 0.5, "yes", "no"), "score": score}


def test_two_classes() -> None:
    columns = binary()
    found, profile, _ = measured(EVERYTHING, **columns)
    y, p, s = columns["label"] == "yes", columns["prediction"] == "yes", columns["score"]
    assert found["eval/accuracy"] == np.mean(y == p)
    assert found["eval/precision"] == pytest.approx(peer.precision_score(y, p), abs=1e-12)
    assert found["eval/recall"] == pytest.approx(peer.recall_score(y, p), abs=1e-12)
    assert found["eval/f1"] == pytest.approx(peer.f1_score(y, p), abs=1e-12)
    assert (found["eval/precision_n"], found["eval/recall_n"]) == (p.sum(), y.sum())
    assert found["eval/class=no/recall"] == pytest.approx(peer.recall_score(~y, ~p), abs=1e-12)
    assert found["eval/log_loss"] == pytest.approx(peer.log_loss(y, s), abs=1e-12)
    assert found["eval/brier"] == pytest.approx(peer.brier_score_loss(y, s), abs=1e-12)
    assert found["eval/label=yes/prediction=no/confusion"] == (y & ~p).sum()
    assert found["eval/n"] == found["eval/score_n"] == ROWS
    assert found["eval/rarer_n"] == min(y.sum(), (~y).sum())
    table = profile.cells[ProfileKey()]
    hits, misses = (table.scores[name].counts for name in ("yes", "no"))
    bound = hits @ misses / 2 / (hits.sum() * misses.sum())  # pairs that share a bin count half
    assert bound < 1 / 1600
    assert abs(found["eval/auc"] - peer.roc_auc_score(y, s)) <= bound
    assert found["eval/pr_auc"] == pytest.approx(peer.average_precision_score(y, s), abs=2e-3)
    for name in ("accuracy", "precision", "recall", "f1", "auc", "pr_auc", "log_loss", "brier"):
        assert found[f"eval/{name}/low"] < found[f"eval/{name}"] < found[f"eval/{name}/high"]
    assert not [key for key in found if "macro" in key or key.startswith(("eval/mae", "eval/ndcg"))]


def test_segments_and_crossings() -> None:
    columns = binary()
    found, profile, _ = measured(EVERYTHING, **columns)
    y, p, s = columns["label"] == "yes", columns["prediction"] == "yes", columns["score"]
    for key, rows in (
        ("eval/region=latam", REGION == "latam"),
        ("eval/device=ios/region=latam", (REGION == "latam") & (DEVICE == "ios")),
    ):
        assert found[f"{key}/n"] == rows.sum()
        assert found[f"{key}/accuracy"] == np.mean((y == p)[rows])
        assert found[f"{key}/log_loss"] == pytest.approx(peer.log_loss(y[rows], s[rows]), abs=1e-12)
        assert found[f"{key}/auc"] == pytest.approx(peer.roc_auc_score(y[rows], s[rows]), abs=0.004)
    assert not [key for key in found if "class=" in key and "region=" in key]
    assert not [key for key in found if key.endswith("/low") and "=" in key.replace("class=", "")]
    crossings = [cell.segment for cell in profile.cells if len(cell.segment) == 2]
    assert len(crossings) == 6
    assert not profile.cells[ProfileKey(segment=crossings[0])].columns
    small = replace(EVERYTHING, min_rows=400)
    assert "eval/device=ios/region=latam/accuracy" not in told(profile, small)
    assert "eval/region=latam/accuracy" in told(profile, small)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 600), max_size=4), st.randoms(use_true_random=False))
def test_parts_add_up_whatever_is_measured(cuts: list[int], random: Any) -> None:
    for batch, plan in CASES:
        ends = [0, *sorted(cuts), batch.num_rows]
        parts = [profile_partition(batch.slice(a, b - a), plan) for a, b in pairwise(ends)]
        random.shuffle(parts)
        whole = to_bytes(profile_partition(batch, plan))
        assert to_bytes(merge_profiles(parts)) == whole
        assert to_bytes(from_bytes(whole)[0]) == whole


def several() -> tuple[dict[str, Any], MeasureSpec]:
    y = RANDOM.integers(0, 3, ROWS)
    raw = RANDOM.random((ROWS, 3)) + np.eye(3)[y]
    p = raw / raw.sum(axis=1, keepdims=True)
    names = np.array(["cat", "dog", "eel"])
    columns = {f"p_{name}": p[:, place] for place, name in enumerate(names)}
    columns |= {"label": names[y], "prediction": names[p.argmax(axis=1)]}
    return columns, replace(EVERYTHING, score="", scores=tuple((str(name), f"p_{name}") for name in names))


def test_several_classes() -> None:
    columns, spec = several()
    found, _, _ = measured(spec, **columns)
    y, p = columns["label"], columns["prediction"]
    scores = np.stack([columns[name] for _, name in spec.scores], axis=1)
    each = peer.precision_recall_fscore_support(y, p)
    assert found["eval/class=dog/precision"] == pytest.approx(each[0][1], abs=1e-12)
    assert found["eval/class=eel/f1"] == pytest.approx(each[2][2], abs=1e-12)
    for how in ("macro", "weighted"):
        assert found[f"eval/f1_{how}"] == pytest.approx(peer.f1_score(y, p, average=how), abs=1e-12)
    assert found["eval/log_loss"] == pytest.approx(peer.log_loss(y, scores), abs=1e-12)
    assert found["eval/auc_macro"] == pytest.approx(peer.roc_auc_score(y, scores, multi_class="ovr"), abs=1e-3)
    one = peer.average_precision_score(y == "cat", scores[:, 0])
    assert found["eval/class=cat/pr_auc"] == pytest.approx(one, abs=3e-3)
    assert "eval/precision" not in found
    assert "eval/auc" not in found
    # The macro interval is at least as wide as that of rows drawn anew, and not thrice as wide.
    rows = np.random.default_rng(2).integers(0, ROWS, (60, ROWS))
    for name, of in (("auc", peer.roc_auc_score), ("pr_auc", peer.average_precision_score)):
        drawn = [np.mean([of(y[i] == one, scores[i, k]) for k, one in enumerate(np.unique(y))]) for i in rows]
        half = (found[f"eval/{name}_macro/high"] - found[f"eval/{name}_macro/low"]) / 2
        assert 1.0 < half / (1.96 * np.std(drawn)) < 2.5
        assert abs((found[f"eval/{name}_macro/high"] - half) - found[f"eval/{name}_macro"]) < half / 3


def numeric() -> dict[str, Any]:
    y = RANDOM.normal(1e5, 3, ROWS)
    return {"label": y, "prediction": y + RANDOM.normal(0.5, 1, ROWS)}


def test_numbers() -> None:
    columns = numeric()
    found, _, _ = measured(replace(EVERYTHING, score=""), **columns)
    y, p = columns["label"], columns["prediction"]
    assert found["eval/mae"] == pytest.approx(peer.mean_absolute_error(y, p), rel=1e-12)
    assert found["eval/rmse"] == pytest.approx(peer.root_mean_squared_error(y, p), rel=1e-12)
    assert found["eval/mape"] == pytest.approx(peer.mean_absolute_percentage_error(y, p), rel=1e-9)
    assert found["eval/r2"] == pytest.approx(peer.r2_score(y, p), abs=1e-9)
    assert found["eval/bias"] == pytest.approx(np.mean(p - y), abs=1e-12)
    assert found["eval/n"] == ROWS
    eu = REGION == "eu"
    assert found["eval/region=eu/rmse"] == pytest.approx(peer.root_mean_squared_error(y[eu], p[eu]), rel=1e-12)
    for name in ("mae", "rmse", "mape", "r2", "bias"):
        assert found[f"eval/{name}/low"] < found[f"eval/{name}"] < found[f"eval/{name}/high"]


def test_rows_may_count_for_what_they_are_worth() -> None:
    worth = RANDOM.lognormal(0, 1, ROWS)
    worth[:3] = [np.nan, -5.0, np.inf]
    told_apart = replace(EVERYTHING, value="worth", metrics=())
    columns = binary() | {"worth": worth}
    found, profile, _ = measured(told_apart, **columns)
    right = (columns["label"] == columns["prediction"]).astype(float)
    known = np.isfinite(worth) & (worth >= 0)
    for key, rows in (("eval", known), ("eval/region=latam", known & (REGION == "latam"))):
        x, v = right[rows], worth[rows]
        assert found[f"{key}/accuracy_by_value"] == pytest.approx(np.average(x, weights=v), rel=1e-12)
        assert found[f"{key}/accuracy_by_value_n"] == pytest.approx(v.sum() ** 2 / (v**2).sum(), rel=1e-12)
    x, v = right[known], worth[known]
    drawn = [np.average(x[i], weights=v[i]) for i in np.random.default_rng(5).integers(0, len(x), (400, len(x)))]
    half = (found["eval/accuracy_by_value/high"] - found["eval/accuracy_by_value/low"]) / 2
    assert half == pytest.approx(1.96 * np.std(drawn), rel=0.12)
    assert 0.2 < profile.cells[ProfileKey()].sums["valued"].n / ROWS < 1

    numbers = numeric() | {"worth": worth}
    found, _, _ = measured(replace(told_apart, score=""), **numbers)
    off = np.abs(numbers["prediction"] - numbers["label"])
    assert found["eval/mae_by_value"] == pytest.approx(np.average(off[known], weights=worth[known]), rel=1e-12)
    assert "eval/accuracy_by_value" not in found


@pytest.mark.parametrize(
    ("worth", "value", "n"),
    [
        ([0.0, 0.0], np.nan, 0.0),
        ([2.0], 1.0, 1.0),
        ([1.0, 1.0], 0.5, 2.0),
        ([1e200, 1.0], np.nan, 0.0),
        ([], np.nan, 0.0),
    ],
    ids=["worth nothing", "one row", "alike", "beyond all floats", "no rows"],
)
def test_worth_always_has_an_answer(worth: list[float], value: float, n: float) -> None:
    right = np.arange(1, len(worth) + 1) % 2
    found = value_weighted_mean(value_sums(right, worth), "accuracy_by_value", share=True)
    assert (found.value, found.n) == pytest.approx((value, n), nan_ok=True)
    if np.isfinite(found.low):
        assert 0 <= found.low <= found.value <= found.high <= 1


def _case(spec: MeasureSpec, columns: dict[str, Any]) -> tuple[Any, ProfilePlan]:
    batch = pa.record_batch({"region": REGION, "device": DEVICE, **columns}).slice(0, 600)
    return batch, infer_plan_from_sample(batch, batch.schema.names, spec)


WORTH = replace(EVERYTHING, value="worth")
CASES = [
    _case(WORTH, binary() | {"worth": RANDOM.lognormal(0, 3, ROWS)}),
    _case(*several()[::-1]),
    _case(replace(WORTH, score=""), numeric() | {"worth": RANDOM.random(ROWS)}),
]


def test_by_default_little_is_published() -> None:
    found, _, _ = measured(replace(EVERYTHING, metrics=(), intervals=False), **binary())
    whole = {key.removeprefix("eval/") for key in found if "=" not in key}
    assert whole == {"accuracy", "n", "f1", "auc", "score_n", "rarer_n", "log_loss"}
    assert {key.rpartition("/")[2] for key in found if "=" in key} == whole


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([0.0, 1.0]), np.array([False, True])])
def test_labels_that_are_numbers_are_classes_in_the_reference_too(labels: Any) -> None:
    columns = binary()
    for name in ("label", "prediction"):
        columns[name] = labels[(columns[name] == "yes").astype(int)]
    found, profile, _ = measured(EVERYTHING, **columns)
    again = profile_partition(
        pa.record_batch({"region": REGION, "device": DEVICE, **columns}),
        plan_from_reference(profile.whole(), EVERYTHING),
    )
    assert told(again, EVERYTHING) == found
    assert found["eval/auc"] > 0.7


def test_a_window_with_one_class_alone_keeps_the_meaning_of_positive() -> None:
    columns = binary()
    _, profile, _ = measured(EVERYTHING, **columns)
    columns["label"] = np.full(ROWS, "no")
    plan = plan_from_reference(profile.whole(), EVERYTHING)
    batch = pa.record_batch({"region": REGION, "device": DEVICE, **columns})
    found = told(profile_partition(batch, plan), EVERYTHING)
    assert found["eval/precision"] == 0
    assert "eval/recall" not in found
    assert "eval/auc" not in found


def test_more_classes_than_are_told_apart_have_an_exact_accuracy() -> None:
    y, p = (RANDOM.integers(0, 40, ROWS) for _ in range(2))
    p[: ROWS // 2] = y[: ROWS // 2]
    names = np.array([f"c{place}" for place in range(40)])
    found, _, _ = measured(replace(EVERYTHING, score=""), label=names[y], prediction=names[p])
    assert found["eval/accuracy"] == np.mean(y == p)
    assert "eval/f1_macro" not in found


def test_crossings_beyond_the_likeliest_are_left_out() -> None:
    many = {"region": RANDOM.choice([f"r{place}" for place in range(20)], ROWS), "device": DEVICE}
    many["device"] = RANDOM.choice([f"d{place}" for place in range(10)], ROWS)
    _, profile, plan = measured(EVERYTHING, **{**binary(), **many})
    assert len([cell for cell in profile.cells if len(cell.segment) == 2]) == 50
    assert plan.crossings[0].omitted == 150
    assert plan_from_reference(profile.whole(), EVERYTHING).crossings[0].values == plan.crossings[0].values


def test_nothing_is_told_of_nothing() -> None:
    assert list(performance_metrics(TableProfile(), (), EVERYTHING)) == []
