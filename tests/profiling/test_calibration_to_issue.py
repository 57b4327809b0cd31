"""The whole path of scores: measure, W&B, pull, an alert, and what its issue and ``diagnose`` say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState, Group
from modelwatch.model.calibration import CalibrationVerdict
from modelwatch.report.calibration import calibration_section
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .logs import DAY, START, write

DAYS, ROWS = 14, 1500
NOW = START + DAYS * DAY + 3600.0
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    github: {repository: acme/churn}
    measure: {files: log.parquet, id: id, time: time, score: score, label: label, calibration: on,
              operations: {latency: ms, error: failed}}
    rules:
      - {name: confidence, kind: prediction-drift, metric: predictions/confidence, interval: normal,
         window: 1d, every: 1d, for: 1, better: higher, baseline: {rolling: 7d}, tiers: {warning: {drop: 5%}}}
      - {name: calibration, kind: calibration, metric: calibration/ece, weight: calibration/n, interval: none,
         window: 1d, every: 1d, for: 1, tiers: {error: {above: 0.05}}}
      - {name: latency, kind: latency, metric: latency/p95, interval: none, window: 1d, every: 1d, for: 1,
         tiers: {error: {above: 500}}}
      - {name: errors, kind: error-rate, metric: errors/rate, weight: errors/n, window: 1d, every: 1d, for: 1,
         tiers: {error: {above: 5%}}}
"""


def judged(place: Path, *, doubt: bool = False, broken: bool = False, slow: bool = False) -> dict[str, Group]:
    """Two weeks of a calibrated model, of which the last two days are less sure, no longer calibrated, or slow."""
    rng = np.random.default_rng(7)
    rows = DAYS * ROWS
    late = np.arange(rows) >= rows - 2 * ROWS
    score = rng.beta(0.5, 0.5, rows)
    if doubt:
        score = np.where(late, 0.5 + (score - 0.5) * 0.5, score)
    truth = np.where(late & broken, 0.5 + (score - 0.5) * 0.3, score)
    table = pa.table(
        {
            "id": np.arange(rows),
            "time": START + np.linspace(0, DAYS * DAY - 1, rows),
            "score": score,
            "label": rng.random(rows) < truth,
            "ms": rng.lognormal(4, 0.5, rows) * np.where(late & slow, 6, 1),
            "failed": rng.random(rows) < np.where(late & slow, 0.1, 0.01),
        }
    )
    write(table, place / "log.parquet")
    (place / "modelwatch.yml").write_text(CONFIG)
    options = ["--config", str(place / "modelwatch.yml"), "--now", str(NOW)]
    found = CliRunner().invoke(group, ["measure", *options])
    assert found.exit_code == 0, found.output
    judgement = pipeline.evaluate(make_context(load_config(place / "modelwatch.yml", {}), NOW)).judgement
    assert judgement.failures == ()
    return {one.rule: one for one in judgement.groups if one.state is AlertState.FIRING}


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")


def test_a_healthy_model_raises_nothing(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    assert judged(tmp_path) == {}


def test_harder_inputs_are_less_confident_and_not_worse(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    firing = judged(tmp_path, doubt=True)
    assert set(firing) == {"confidence"}
    change = firing["confidence"].evidence.calibration
    assert change is not None
    assert change.verdict is CalibrationVerdict.LESS_CONFIDENT
    text = calibration_section(change)
    assert "The model is less confident (0.8" in text
    assert "The inputs are harder; the scores are not wrong." in text
    assert "**" not in text, "no row of the table is off"


def test_broken_calibration_at_the_same_confidence_is_worse(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    firing = judged(tmp_path, broken=True)
    assert set(firing) == {"calibration"}
    change = firing["calibration"].evidence.calibration
    assert change is not None
    assert change.verdict is CalibrationVerdict.WORSE
    text = calibration_section(change)
    assert "it got worse, and its scores do not show it." in text
    assert text.count("**") >= 4, "the ends of the curve are off"
    options = ["--config", str(tmp_path / "modelwatch.yml"), "--now", str(NOW)]
    shown = CliRunner().invoke(group, ["diagnose", "churn", *options])
    assert "Calibration" in shown.output
    assert "as confident as before" in " ".join(shown.output.split())


def test_operations_are_ordinary_rules(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    firing = judged(tmp_path, slow=True)
    assert set(firing) == {"latency", "errors"}
    assert firing["latency"].evidence.calibration is None
