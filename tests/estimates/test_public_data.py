"""Data that others collected: a model is fitted, its log is written, labels come late, and the whole road is taken:
``modelwatch measure``, W&B, a rule, an alert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from sklearn import datasets
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.profiling.logs import DAY, START, write

DAYS, ROWS, LATE = 18, 120, 7
CONFIG = """
version: 1
models:
  - name: public
    wandb: {entity: acme, project: public}
    false_alarms: off
    measure:
      files: log.parquet
      id: id
      time: time
      prediction: prediction
      OUTPUT
      outcomes: {files: labels.parquet, id: id, label: label}
      late: 7d
      estimates: {min_labels: 200}
    rules:
      - {name: concept, kind: concept-drift, metric: estimate_check/METRIC, window: 1d, every: 1d, better: lower,
         tiers: {error: {above: 2, do: [issue]}}}
"""


@dataclass(frozen=True)
class Data:
    """Inputs and labels; ``turn``: labels of another concept."""

    inputs: np.ndarray
    labels: np.ndarray
    metric: str
    turn: Callable[[np.ndarray], np.ndarray]


def breast_cancer() -> Data:
    inputs, labels = datasets.load_breast_cancer(return_X_y=True)
    return Data(inputs[:, :6], labels, "accuracy", lambda own: 1 - own)


def fair() -> Data:
    """Whether a marriage had affairs, of 6,366 women (Fair 1978)."""
    from statsmodels.datasets import fair as package

    table = package.load_pandas().data
    inputs = table.drop(columns="affairs").to_numpy(np.float64)
    return Data(inputs, (table["affairs"] > 0).to_numpy(np.int64), "accuracy", lambda own: 1 - own)


def digits() -> Data:
    """Of the ten digits the first four, from a few pixels."""
    inputs, labels = datasets.load_digits(n_class=4, return_X_y=True)
    return Data(inputs[:, 20:44:2], labels, "accuracy", lambda own: (own + 1) % 4)


def diabetes() -> Data:
    inputs, labels = datasets.load_diabetes(return_X_y=True)
    return Data(inputs, labels, "mae", lambda own: 350 - own)


DATA = {"breast_cancer": breast_cancer, "fair": fair, "digits": digits, "diabetes": diabetes}


def prepare(place: Path, data: Data, days: int, *, drift_day: float = 1e9) -> dict[str, np.ndarray]:
    """The log of so many days, and the labels of all but the last week; the true labels are returned."""
    random = np.random.default_rng(4)
    order = random.permutation(len(data.labels))
    half = len(order) // 2
    is_regression = data.metric == "mae"
    model = LinearRegression() if is_regression else LogisticRegression(max_iter=2000, C=0.3)
    fitted = make_pipeline(StandardScaler(), model).fit(data.inputs[order[:half]], data.labels[order[:half]])
    n = DAYS * ROWS
    chosen = random.choice(order[half:], n)
    inputs, labels, day = data.inputs[chosen], data.labels[chosen], np.repeat(np.arange(DAYS), ROWS)
    labels = np.where(day >= drift_day, data.turn(labels), labels)
    columns: dict[str, Any] = {
        "id": [f"row-{row}" for row in range(n)],
        "time": START + day * DAY + np.tile(np.linspace(0, DAY - 1, ROWS), DAYS),
        "prediction": fitted.predict(inputs),
    }
    columns |= {f"x{place}": column for place, column in enumerate(inputs.T)}
    output = ""
    if not is_regression:
        scores = fitted.predict_proba(inputs)
        if scores.shape[1] == 2:
            columns["score"], output = scores[:, 1], "score: score"
        else:
            columns |= {f"p{place}": column for place, column in enumerate(scores.T)}
            output = f"scores: {{{', '.join(f'{place}: p{place}' for place in range(scores.shape[1]))}}}"
    else:
        output = "task: numbers"
    served = day < days
    write(pa.table(columns).filter(pa.array(served)), place / "log.parquet")
    known = day < days - LATE
    outcomes = pa.table({"id": columns["id"], "label": labels}).filter(pa.array(known))
    write(outcomes, place / "labels.parquet")
    (place / "modelwatch.yml").write_text(CONFIG.replace("OUTPUT", output).replace("METRIC", data.metric))
    return {"day": day, "labels": labels, "prediction": np.asarray(columns["prediction"])}


def measured(place: Path, days: int) -> str:
    now = str(START + days * DAY + 3600)
    found = CliRunner().invoke(group, ["measure", "--config", str(place / "modelwatch.yml"), "--now", now])
    assert found.exit_code == 0, found.output
    return found.output


def logged(key: str) -> dict[int, float]:
    """By day what W&B has under a key."""
    import wandb

    values: dict[int, float] = {}
    for run in wandb.Api().runs("acme/public"):
        for row in run.scan_history(use_cache=False):
            if row.get(key) is not None:
                values[round((row["measured/time"] - START) / DAY) - 1] = row[key]
    return values


def is_firing(place: Path, days: int) -> bool:
    config = load_config(place / "modelwatch.yml", {})
    judgement = pipeline.evaluate(make_context(config, START + days * DAY + 3600)).judgement
    assert judgement.failures == ()
    return any(one.rule == "concept" and one.state is AlertState.FIRING for one in judgement.groups)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests takes its time: no request here is meant to fail."""
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")


@pytest.mark.parametrize("name", DATA)
def test_labels_that_come_late_confirm_the_estimate(
    name: str, wandb_server: Server[WandbStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = DATA[name]()
    truth = prepare(tmp_path, data, DAYS)
    said = measured(tmp_path, DAYS)
    assert "estimated " in said
    assert " labels" in said
    key = f"estimated/{data.metric}"
    values, low, high = logged(key), logged(f"{key}/low"), logged(f"{key}/high")
    unlabelled = range(DAYS - LATE, DAYS)
    assert set(unlabelled) <= set(values)
    covered = []
    for day in unlabelled:
        own = truth["day"] == day
        prediction, labels = truth["prediction"][own], truth["labels"][own]
        right = (prediction == labels).mean() if data.metric == "accuracy" else np.abs(prediction - labels).mean()
        covered.append(low[day] <= right <= high[day])
    assert sum(covered) >= LATE - 1
    checks = logged(f"estimate_check/{data.metric}")
    assert checks
    assert set(checks).isdisjoint(unlabelled)
    assert not is_firing(tmp_path, DAYS)


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_another_concept_fires_with_its_first_labelled_day(
    name: str, wandb_server: Server[WandbStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, drift_day = DATA[name](), 10
    prepare(tmp_path, data, drift_day + LATE, drift_day=drift_day)
    measured(tmp_path, drift_day + LATE)
    assert not is_firing(tmp_path, drift_day + LATE)
    prepare(tmp_path, data, drift_day + LATE + 1, drift_day=drift_day)
    said = measured(tmp_path, drift_day + LATE + 1)
    assert "contradict the estimate" in said
    assert logged(f"estimate_check/{data.metric}")[drift_day] > 2
    assert is_firing(tmp_path, drift_day + LATE + 1)
