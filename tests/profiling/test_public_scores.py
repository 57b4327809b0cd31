"""Calibration of real models on public data that scikit-learn ships, against scikit-learn's own figures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import CalibrationSpec, MeasureSpec
from modelwatch.profiling.measure import measure

from .logs import DAY, START, write

ONCE = RetryPolicy(max_attempts=1, timeout=20.0)


def scalars(data: Any, model: Any, place: Path) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """The keys of a log of ``model``'s predictions on held-out folds; its probabilities, and the labels."""
    p = cross_val_predict(model, data.data, data.target, cv=5, method="predict_proba")
    names = [f"class-{number}" for number in range(p.shape[1])]
    rows = len(p)
    table: dict[str, Any] = {
        "id": np.arange(rows),
        "time": START + np.linspace(0, DAY - 1, rows),
        "first": data.data[:, 0],
        "predicted": np.array(names)[p.argmax(axis=1)],
        "label": np.array(names)[data.target],
        **{f"p{number}": p[:, number] for number in range(p.shape[1])},
    }
    path = write(pa.table(table), place / "log.parquet")
    spec = MeasureSpec(
        files=str(path),
        id="id",
        time="time",
        prediction="predicted",
        label="label",
        features=("first",),
        calibration=CalibrationSpec(("first",)),
    )
    several = tuple((name, f"p{number}") for number, name in enumerate(names))
    spec = replace(spec, score="p1", positive="class-1") if len(names) == 2 else replace(spec, scores=several)
    result = measure(Model("public", (), measure=spec), START + 2 * DAY, os.environ, ONCE, place)
    return dict(result.rows[0].scalars), p, data.target


def test_two_classes_a_regression_is_calibrated_and_naive_bayes_too_extreme(tmp_path: Path) -> None:
    data = load_breast_cancer()
    honest, p, label = scalars(data, LogisticRegression(max_iter=5000), tmp_path)
    assert honest["calibration/brier"] == pytest.approx(brier_score_loss(label, p[:, 1]), abs=2e-3)
    assert abs(honest["calibration/ece"]) < 0.03
    assert honest["predictions/confidence"] == pytest.approx(p.max(axis=1).mean(), abs=1e-6)
    extreme, p, label = scalars(data, GaussianNB(), tmp_path)
    assert extreme["calibration/brier"] == pytest.approx(brier_score_loss(label, p[:, 1]), abs=2e-3)
    assert extreme["calibration/slope"] < 0.3 < honest["calibration/slope"]
    assert extreme["calibration/ece"] > honest["calibration/ece"]


@pytest.mark.parametrize("load", [load_digits, load_wine])
def test_several_classes(load: Any, tmp_path: Path) -> None:
    keys, p, label = scalars(load(), GaussianNB(), tmp_path)
    truth = label[:, None] == np.arange(p.shape[1])
    assert keys["calibration/brier"] == pytest.approx(((p - truth) ** 2).sum(axis=1).mean(), abs=5e-3)
    assert keys["predictions/confidence"] == pytest.approx(p.max(axis=1).mean(), abs=1e-6)
    assert keys["calibration/n"] == len(label)
    gap = p.max(axis=1).mean() - (p.argmax(axis=1) == label).mean()
    assert keys["calibration/ece"] == pytest.approx(gap, abs=0.03), "too sure everywhere: the error is the gap"
    parts = [keys[f"calibration/{name}"] for name in ("reliability", "resolution", "uncertainty")]
    assert keys["calibration/brier"] == pytest.approx(parts[0] - parts[1] + parts[2])
    assert sum(f"calibration/class=class-{number}/ece" in keys for number in range(p.shape[1])) == p.shape[1]
