"""Predictions, calibration and operations of a log: the keys, against figures computed from its rows."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import SourceError, UserError
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import CalibrationSpec, MeasureSpec, OperationsSpec
from modelwatch.profiling.measure import measure
from modelwatch.profiling.output_columns import read_errors
from modelwatch.profiling.plan_inference import infer_plan
from modelwatch.profiling.profile_plan import ProfilePlan
from modelwatch.profiling.profiler import profile_partition
from modelwatch.profiling.readers import open_log
from modelwatch.stats.performance.calibration import calibration_metrics
from modelwatch.stats.profile.codec import from_bytes, to_bytes
from modelwatch.stats.profile.table import merge_profiles

from ..stats.performance.score_rows import counts_of_rows
from .logs import DAY, SPEC, START, log, write

NOW = START + 2 * DAY
ONCE = RetryPolicy(max_attempts=1, timeout=20.0)
FULL = replace(SPEC, calibration=CalibrationSpec(("age",)), operations=OperationsSpec("ms", "failed", "cents"))
ROWS = 6000
RNG = np.random.default_rng(11)
SERVED = log(
    ROWS,
    days=1,
    version=["v1"] * ROWS,
    ms=RNG.lognormal(3, 0.5, ROWS),
    failed=RNG.random(ROWS) < 0.02,
    cents=RNG.random(ROWS),
)
CLASSES = ("cat", "dog", "owl")
MANY = replace(
    SPEC,
    score="",
    scores=tuple((name, f"p_{name}") for name in CLASSES),
    calibration=CalibrationSpec(),
    segments=("region",),
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ProfilePlan:
    path = write(SERVED, tmp_path_factory.mktemp("plan") / "log.parquet")
    return infer_plan(open_log(str(path)), FULL)


def scalars(table: pa.Table, spec: MeasureSpec, place: Path) -> dict[str, float]:
    """What the first window of the log gets."""
    path = write(table, place / "log.parquet")
    model = Model("churn", (), measure=replace(spec, files=str(path)))
    result = measure(model, NOW, os.environ, ONCE, place)
    return dict(result.rows[0].scalars)


def several_classes(rows: int = 4000, **changed: object) -> pa.Table:
    """A calibrated model of three classes."""
    rng = np.random.default_rng(12)
    p = rng.dirichlet([2.0, 1.0, 0.5], rows)
    label = (p.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    table = {
        "id": np.arange(rows),
        "time": START + np.linspace(0, DAY - 1, rows),
        "version": ["v1"] * rows,
        "region": rng.choice(["eu", "na"], rows),
        **{f"p_{name}": p[:, place] for place, name in enumerate(CLASSES)},
        "prediction": np.array(CLASSES)[p.argmax(axis=1)],
        "label": np.array(CLASSES)[label],
    }
    return pa.table({**table, **changed})


def test_by_default_a_few_overall_keys(tmp_path: Path) -> None:
    keys = scalars(SERVED.drop_columns(["ms", "failed", "cents"]), SPEC, tmp_path)
    found = {key for key in keys if key.startswith(("calibration/", "predictions/"))}
    assert found == {
        *("calibration/ece", "calibration/n", "predictions/confidence", "predictions/entropy", "predictions/n"),
        *("predictions/positive_rate", "predictions/positive_rate_n"),
        *(f"predictions/score/{name}" for name in ("p05", "p50", "p95")),
    }
    score, prediction = SERVED["score"].to_numpy(), SERVED["prediction"].to_numpy(zero_copy_only=False)
    assert keys["predictions/positive_rate"] == pytest.approx((prediction == "yes").mean())
    assert keys["predictions/confidence"] == pytest.approx(np.maximum(score, 1 - score).mean(), abs=1e-3)
    entropy = -(score * np.log2(score) + (1 - score) * np.log2(1 - score)).mean()
    assert keys["predictions/entropy"] == pytest.approx(entropy, abs=1e-3)
    assert abs(keys["calibration/ece"]) < 0.02
    assert keys["calibration/n"] == keys["predictions/n"] == ROWS


def test_calibration_in_full_by_segment_and_by_tenths_of_an_input(tmp_path: Path) -> None:
    keys = scalars(SERVED, FULL, tmp_path)
    truth, score = SERVED["label"].to_numpy(zero_copy_only=False) == "yes", SERVED["score"].to_numpy()
    counts = counts_of_rows(truth, score)
    assert counts is not None
    for estimate in calibration_metrics(counts):
        assert keys[f"calibration/{estimate.name}"] == pytest.approx(estimate.value, abs=5e-3)
    assert keys["calibration/brier"] == pytest.approx(brier_score_loss(truth, score), abs=1e-3)
    parts = (keys[f"calibration/{name}"] for name in ("reliability", "resolution", "uncertainty"))
    reliability, resolution, uncertainty = parts
    assert keys["calibration/brier"] == pytest.approx(reliability - resolution + uncertainty)
    bins = [
        (keys[f"calibration/bin={n}/predicted"], keys[f"calibration/bin={n}/observed"], keys[f"calibration/bin={n}/n"])
        for n in range(1, 11)
    ]
    assert sum(n for _, _, n in bins) == ROWS
    assert all(abs(predicted - observed) < 0.1 for predicted, observed, _ in bins)
    assert bins == sorted(bins)
    regions = SERVED["region"].to_numpy(zero_copy_only=False)
    for region in ("eu", "na"):
        rows = regions == region
        assert keys[f"calibration/region={region}/n"] == rows.sum()
        assert keys[f"calibration/region={region}/slope"] == pytest.approx(1, abs=0.15)
        confidence = np.maximum(score, 1 - score)[rows].mean()
        assert keys[f"predictions/region={region}/confidence"] == pytest.approx(confidence)
        positive = (SERVED["prediction"].to_numpy(zero_copy_only=False) == "yes")[rows].mean()
        assert keys[f"predictions/region={region}/positive_rate"] == pytest.approx(positive)
    tenths = [keys[f"calibration/age=tenth {number}/n"] for number in range(1, 11)]
    assert sum(tenths) == ROWS
    assert min(tenths) == pytest.approx(max(tenths), rel=0.05)
    deciles = [keys[f"predictions/score/p{10 * place}"] for place in range(1, 10)]
    assert deciles == pytest.approx(np.quantile(score, np.arange(1, 10) / 10), abs=2e-3)


def test_a_part_of_the_input_where_the_model_is_off_shows_in_its_tenth_alone(tmp_path: Path) -> None:
    old = SERVED["age"].to_numpy() > np.quantile(SERVED["age"].to_numpy(), 0.9)
    label = np.where(old, "yes", SERVED["label"].to_numpy(zero_copy_only=False))
    table = SERVED.set_column(SERVED.column_names.index("label"), "label", pa.array(label))
    keys = scalars(table, FULL, tmp_path)
    errors = [keys[f"calibration/age=tenth {number}/ece"] for number in range(1, 11)]
    assert errors[9] > 0.4
    assert max(errors[:9]) < 0.1


def test_several_classes_by_the_most_likely_and_by_class(tmp_path: Path) -> None:
    table = several_classes()
    keys = scalars(table, MANY, tmp_path)
    p = np.stack([table[f"p_{name}"].to_numpy() for name in CLASSES], axis=1)
    label = table["label"].to_numpy(zero_copy_only=False)
    assert keys["predictions/confidence"] == pytest.approx(p.max(axis=1).mean())
    assert keys["predictions/entropy"] == pytest.approx(-(p * np.log2(p)).sum(axis=1).mean())
    assert abs(keys["calibration/ece"]) < 0.03
    assert keys["calibration/slope"] == pytest.approx(1, abs=0.15)
    truth = label[:, None] == np.array(CLASSES)
    assert keys["calibration/brier"] == pytest.approx(((p - truth) ** 2).sum(axis=1).mean(), abs=2e-3)
    for name in CLASSES:
        assert abs(keys[f"calibration/class={name}/ece"]) < 0.03
        assert keys[f"calibration/class={name}/n"] == 4000
    assert "predictions/positive_rate" not in keys
    assert {"calibration/region=eu/ece", "predictions/region=na/entropy"} <= keys.keys()


def test_of_several_classes_one_without_a_column_leaves_the_rest(tmp_path: Path) -> None:
    keys = scalars(several_classes().drop_columns(["p_owl"]), replace(MANY, scores=MANY.scores[:2]), tmp_path)
    assert "calibration/class=cat/ece" not in keys, "without the top label there is no overall calibration either"
    assert not any(key.startswith(("calibration/", "predictions/confidence")) for key in keys)
    assert keys["eval/accuracy"] > 0.5


def test_operations_are_those_of_the_rows(tmp_path: Path) -> None:
    keys = scalars(SERVED, FULL, tmp_path)
    ms = SERVED["ms"].to_numpy()
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert keys[f"latency/{name}"] == pytest.approx(np.quantile(ms, share), rel=0.023)
    assert keys["throughput"] == ROWS / 24
    assert keys["errors/rate"] == pytest.approx(SERVED["failed"].to_numpy(zero_copy_only=False).mean())
    assert keys["cost/sum"] == pytest.approx(SERVED["cents"].to_numpy().sum())
    assert keys["cost/mean"] * ROWS == pytest.approx(keys["cost/sum"])
    assert keys["latency/n"] == keys["errors/n"] == keys["cost/n"] == ROWS
    regions = SERVED["region"].to_numpy(zero_copy_only=False)
    assert keys["latency/region=eu/p95"] == pytest.approx(np.quantile(ms[regions == "eu"], 0.95), rel=0.023)
    assert keys["region=eu/throughput"] == (regions == "eu").sum() / 24
    assert not any("ms" in key or "failed" in key for key in keys if key.startswith(("features/", "quality/feature")))


@pytest.mark.parametrize(
    ("cells", "errors"),
    [
        ([True, False, None], [1, 0, 0]),
        ([200, 404, 500, 0, None], [0, 1, 1, 0, 0]),
        ([0, 1], [0, 1]),
        ([-1.0, float("nan")], [1, 0]),
        (["", "timeout after 3 s", "OK", None, "none", "503", "200"], [0, 1, 0, 0, 0, 1, 0]),
    ],
)
def test_what_counts_as_an_error(cells: list[object], errors: list[int]) -> None:
    assert read_errors(pa.array(cells)).tolist() == errors


@pytest.mark.parametrize(
    "changed",
    [
        {"score": np.linspace(-4, 4, 300)},
        {"score": np.full(300, np.nan)},
        {"score": np.full(300, 0.5)},
        {"label": ["no"] * 300},
        {"label": pa.nulls(300, pa.string())},
        {"ms": np.full(300, np.nan), "cents": np.full(300, np.inf)},
        {"age": np.full(300, 7.0)},
    ],
    ids=lambda changed: "-".join(changed),
)
def test_degenerate_columns_give_no_wrong_number(changed: dict[str, object], tmp_path: Path) -> None:
    table = SERVED.slice(0, 300)
    times = START + np.linspace(0, DAY - 1, 300)
    for name, cells in {"time": times, **changed}.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(cells))
    keys = scalars(table, replace(FULL, positive="yes") if "label" not in changed else FULL, tmp_path)
    assert all(np.isfinite(value) for value in keys.values())
    if "score" in changed and not (0 <= table["score"][0].as_py() <= 1):
        assert not any(key.startswith("calibration/") for key in keys), "a logit or NaN is no probability"
        assert "predictions/confidence" not in keys
    if "score" in changed and table["score"][0].as_py() == 0.5:
        assert "calibration/slope" not in keys
        assert keys["calibration/bin=1/n"] == 300
        assert keys["predictions/entropy"] == pytest.approx(1.0)
    if "label" in changed:
        assert "calibration/slope" not in keys
        assert keys["predictions/n"] == 300
    if "ms" in changed:
        assert not any(key.startswith(("latency/", "cost/")) for key in keys)
    if "age" in changed:
        assert next(key for key in keys if key.startswith("calibration/age=")).startswith("calibration/age=tenth 1/")


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"score": np.linspace(-4, 4, ROWS)}, "there is no calibration: 'score' goes from -4 to 4, and a probability"),
        ({"label": ["no"] * ROWS}, "there is no calibration: every label is 'no'."),
        ({"ms": ["12 ms"] * ROWS}, "'ms' holds no numbers, and is not published. Where it is known"),
    ],
)
def test_what_cannot_be_published_is_a_note(changed: dict[str, object], note: str, tmp_path: Path) -> None:
    table = SERVED
    for name, cells in changed.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(cells))
    model = Model("churn", (), measure=replace(FULL, files=str(write(table, tmp_path / "log.parquet"))))
    notes = measure(model, NOW, os.environ, ONCE, tmp_path).notes
    assert any(text.startswith(note) for text in notes), notes


@pytest.mark.parametrize("count", [3, 30])
def test_one_score_of_several_classes_is_not_taken_for_that_of_two(count: int, tmp_path: Path) -> None:
    names = [f"c{row % count}" for row in range(ROWS)]
    table = SERVED
    for name in ("label", "prediction"):
        table = table.set_column(table.column_names.index(name), name, pa.array(names))
    for spec in (SPEC, FULL):
        keys = scalars(table, spec, tmp_path)
        assert keys["eval/accuracy"] == 1.0
        assert not any(key.startswith(("calibration/", "predictions/confidence")) for key in keys)


def test_three_rows(tmp_path: Path) -> None:
    keys = scalars(SERVED.slice(0, 3), replace(FULL, positive="yes", calibration=CalibrationSpec()), tmp_path)
    assert keys["predictions/n"] == keys["latency/n"] == 3
    assert -2 <= keys.get("calibration/ece", 0.0) <= 1


def test_a_tenth_of_what_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'plan' holds no numbers"):
        scalars(SERVED, replace(FULL, calibration=CalibrationSpec(("plan",))), tmp_path)
    with pytest.raises(SourceError, match="wages"):
        scalars(SERVED, replace(FULL, calibration=CalibrationSpec(("wages",))), tmp_path)
    with pytest.raises(SourceError, match="millis"):
        scalars(SERVED, replace(FULL, operations=OperationsSpec("millis")), tmp_path)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 600), max_size=4))
def test_partitions_add_up_to_the_bytes_of_the_whole(plan: ProfilePlan, cuts: list[int]) -> None:
    batch = SERVED.slice(0, 600).combine_chunks().to_batches()[0]
    ends = [0, *sorted(cuts), 600]
    whole = profile_partition(batch, plan)
    parts = merge_profiles(profile_partition(batch.slice(a, b - a), plan) for a, b in pairwise(ends))
    assert to_bytes(parts) == to_bytes(whole)
    read, _ = from_bytes(to_bytes(whole))
    assert to_bytes(read) == to_bytes(whole)


def test_a_profile_without_outputs_has_the_bytes_it_had(plan: ProfilePlan) -> None:
    batch = SERVED.slice(0, 600).combine_chunks().to_batches()[0]
    profile = profile_partition(batch, replace(plan, spec=SPEC))
    assert b'"outputs"' not in to_bytes(profile)
    assert from_bytes(to_bytes(profile))[0].rows == 600
