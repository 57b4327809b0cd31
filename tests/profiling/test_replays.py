"""`measure --now`: labels that became known later are not known yet. Through W&B, to what a check reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.pipeline import pull
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .logs import DAY, START, log, write

OWN = "files: log.parquet, label: label, label_time: known"
JOINED = "files: bare.parquet, outcomes: {files: log.parquet, id: id, label: label, label_time: known}"
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn}
    github: {repository: acme/churn}
    measure: {id: id, time: time, prediction: prediction, maturity: off, %s}
    rules: [{name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, tiers: {error: {below: 50%%}}}]
"""


@pytest.mark.parametrize("measure", [OWN, JOINED], ids=["own labels", "outcomes"])
def test_labels_known_later_are_left_out(wandb_server: Server[WandbStandIn], tmp_path: Path, measure: str) -> None:
    """Every label is known after a day and a half."""
    rows = 2000
    table = log(rows, days=2)
    times = table["time"].to_pylist()
    table = table.append_column("known", [[time + 1.5 * DAY for time in times]])
    write(table, tmp_path / "log.parquet")
    write(table.drop_columns(["label", "known"]), tmp_path / "bare.parquet")
    (tmp_path / "modelwatch.yml").write_text(CONFIG % measure)
    for days, labels in ((2.5, [1000.0]), (3.0, [1000.0, 500.0]), (4.0, [1000.0, 1000.0])):
        now = START + days * DAY
        arguments = ["measure", "--config", str(tmp_path / "modelwatch.yml"), "--now", str(now)]
        called = CliRunner().invoke(group, arguments)
        assert called.exit_code == 0, called.output
        context = make_context(load_config(tmp_path / "modelwatch.yml", {}), START + 4 * DAY)
        (series,) = (one for one in pull(context)["churn"].series if one.name == "eval/accuracy")
        assert list(series.weights or ()) == labels
