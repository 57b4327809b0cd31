"""The page "Performance without labels": its example runs, logs every key that it names, and its rules fire."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.profiling.logs import DAY, START, write

PAGE = (Path(__file__).resolve().parents[2] / ".github/ESTIMATES.md").read_text("utf-8")
BLOCKS = [(token.info, token.content) for token in MarkdownIt().parse(PAGE) if token.type == "fence"]
CONFIG = next(text for info, text in BLOCKS if info == "yaml")
DAYS, ROWS, LATE, DRIFT_DAY = 30, 400, 7, 22


def prepare(folder: Path) -> None:
    """From one day on, customers are other ones (scores are closer to a half), and behave otherwise (labels turn)."""
    random = np.random.default_rng(8)
    n = DAYS * ROWS
    day = np.repeat(np.arange(DAYS), ROWS)
    later = day >= DRIFT_DAY
    age = random.normal(0, np.where(later, 0.5, 2.0), n)
    score = 1 / (1 + np.exp(-age))
    churned = random.random(n) < np.where(later, 1 - score, score)
    ids = [f"r{row}" for row in range(n)]
    log = {
        "request_id": ids,
        "time": START + day * DAY + np.tile(np.linspace(0, DAY - 1, ROWS), DAYS),
        "age": age,
        "score": score,
        "predicted": (score > 0.5).astype(int),
    }
    labels = pa.table({"request_id": ids, "churned": churned.astype(int)})
    write(pa.table(log), folder / "logs/all.parquet")
    write(labels.filter(pa.array(day < DAYS - LATE)), folder / "labels/all.parquet")
    (folder / "modelwatch.yml").write_text(CONFIG)


def test_the_example_runs(wandb_server: Server[WandbStandIn], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")
    prepare(tmp_path)
    now = START + DAYS * DAY + 3600
    found = CliRunner().invoke(group, ["measure", "--now", str(now)])
    assert found.exit_code == 0, found.output
    assert "estimated accuracy, f1, auc and log_loss of" in found.output
    keys: set[str] = set()
    for run in wandb.Api().runs("acme/churn-prod"):
        for row in run.scan_history(use_cache=False):
            keys |= set(row)
    named = set(re.findall(r"`(estimate(?:d|_check)/[a-z0-9_/]+)`", PAGE))
    assert "estimate_check/accuracy" in named
    assert named - keys == set()
    config = load_config(tmp_path / "modelwatch.yml", {})
    judgement = pipeline.evaluate(make_context(config, now)).judgement
    assert judgement.failures == ()
    firing = {one.rule: one for one in judgement.groups if one.state is AlertState.FIRING}
    assert set(firing) == {"estimated-accuracy", "concept"}
    first = {name: min(alert.start for alert in one.alerts if alert.start) for name, one in firing.items()}
    assert (firing["estimated-accuracy"].unit, firing["concept"].unit) == ("estimate", "margin")
    assert first["estimated-accuracy"] <= first["concept"]
