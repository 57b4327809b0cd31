"""The prediction log in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.prediction_log import CalibrationSpec, HoldoutSpec, MeasureSpec, OperationsSpec

RULE = "{name: r, kind: k, runbook: 'https://x.example', metric: a, tiers: {warning: {above: 1}}}"


def load(folder: Path, measure: str) -> MeasureSpec:
    (folder / "modelwatch.yml").write_text(
        f"version: 1\nmodels: [{{name: m, table: {{path: x}}, measure: {measure}, rules: [{RULE}]}}]\n"
    )
    spec = load_config(folder / "modelwatch.yml", {}).models[0].measure
    assert spec is not None
    return spec


def test_paths_start_at_the_file_and_urls_stay(tmp_path: Path) -> None:
    spec = load(tmp_path, "{files: logs, reference: ref.npz, label: y, features: a}")
    assert (spec.files, spec.reference) == (f"{tmp_path}/logs", f"{tmp_path}/ref.npz")
    assert spec.features == ("a",)
    assert load(tmp_path, "{files: 'https://x.example/a.parquet'}").files == "https://x.example/a.parquet"


def test_crossings_are_pairs_of_segments(tmp_path: Path) -> None:
    every = load(tmp_path, "{files: a, segments: [c, a, b], crossings: true}")
    assert every.crossings == (("a", "b"), ("a", "c"), ("b", "c"))
    some = load(tmp_path, "{files: a, segments: [c, a, b], crossings: [[c, a], [a, c]]}")
    assert some.crossings == (("a", "c"),)
    assert load(tmp_path, "{files: a, segments: [c, a], crossings: false}").crossings == ()


def test_what_is_published_may_be_chosen(tmp_path: Path) -> None:
    spec = load(tmp_path, "{files: a, metrics: [f1, f1, mae], custom: {profit: 'm:f'}, scores: {cat: p1, dog: p2}}")
    assert (spec.metrics, spec.custom) == (("f1", "mae"), (("profit", "m:f"),))
    assert spec.scores == (("cat", "p1"), ("dog", "p2"))
    assert {"p1", "p2"} <= spec.role_columns


def test_calibration_operations_and_the_holdout(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        "{files: a, id: i, score: s, calibration: on, operations: {latency: ms}, "
        "holdout: {files: h.csv, predict: 'python p.py $MODELWATCH_INPUT ${X:-1}', timeout: 5m}}",
    )
    assert spec.calibration == CalibrationSpec()
    assert spec.operations == OperationsSpec("ms")
    assert spec.holdout == HoldoutSpec(f"{tmp_path}/h.csv", "python p.py $MODELWATCH_INPUT ${X:-1}", 300.0)
    assert load(tmp_path, "{files: a, score: s, calibration: {by: x}}").calibration == CalibrationSpec(("x",))
    assert load(tmp_path, "{files: a, calibration: off}").calibration is None
    assert spec.feature_columns(["s", "ms", "x"]) == ("x",), "a column about serving is no input"


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("{time: t}", "has no source"),
        ("{files: a, query: b}", "has one source, and `files` is given already"),
        ("{files: a, window: 5h}", "does not divide a day"),
        ("{files: a, window: 2d}", "does not divide a day"),
        ("{files: a, id: i, label: y, outcomes: {files: b, id: i, label: y}}", "in the log or in `outcomes`"),
        ("{files: a, outcomes: {files: b, id: i, label: y}}", "the log's `id` is missing"),
        ("{files: a, outcomes: {files: b, label: y}}", "needs `id`"),
        ("{files: a, feature: b}", "Did you mean `features`"),
        ("{files: a, segments: b, crossings: true}", "a crossing needs two columns in `segments`"),
        ("{files: a, segments: [b, c], crossings: [[b, d]]}", "`d` is not in `segments`"),
        ("{files: a, segments: [b, c], crossings: [[b]]}", "a crossing is a pair of two columns"),
        ("{files: a, metrics: acuracy}", "Did you mean `accuracy`"),
        ("{files: a, ranking: {query: q}}", "`ranking` needs `score`"),
        ("{files: a, custom: {auc: 'x:y'}}", "`auc` is a metric of modelwatch's own"),
        ("{files: a, custom: {mine: 'no path'}}", "is not a function such as"),
        ("{files: a, intervals: maybe}", "is not `true` or `false`"),
        ("{files: a, calibration: on}", "calibration is about scores"),
        ("{files: a, score: s, calibration: {bye: [x]}}", "Did you mean `by`"),
        ("{files: a, operations: {}}", "`operations` names no column"),
        ("{files: a, score: s, operations: {latency: s}}", "the column `s` is used by another key, too"),
        ("{files: a, id: i, prediction: p, holdout: {files: h.csv}}", "needs `predict`"),
        ("{files: a, id: i, prediction: p, holdout: {files: h.csv, predict: ' '}}", "there is only blank space"),
        ("{files: a, prediction: p, holdout: {files: h.csv, predict: x}}", "the log's `id` is missing"),
        ("{files: a, id: i, holdout: {files: h.csv, predict: x}}", "give `prediction`, `score` or `scores`"),
        ("{files: a, id: i, prediction: p, agreement: true}", "the log's `version` is missing"),
    ],
)
def test_problems_are_told(measure: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, measure)
    assert told in "".join(f"{problem}" for problem in caught.value.problems)
