"""The page about labels: its configuration for labels that come late is measured and judged, and its keys are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.model.label_maturity import waits_for_labels
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .late_labels import write_late_labels
from .logs import DAY, START

PAGE = (Path(__file__).resolve().parents[2] / ".github/LABELS.md").read_text("utf-8")
CONFIG = next(
    token.content
    for token in MarkdownIt().parse(PAGE)
    if token.type == "fence" and token.info == "yaml" and "late-labels" in token.content
)
SECTIONS = PAGE[PAGE.index("## When labels come") :]
KEYS = {key for key in re.findall(r"^\| `([a-z]+/[^`*]*)`", SECTIONS, re.MULTILINE) if "NAME" not in key}
DAYS = 12


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")


def test_the_example_publishes_what_the_page_says(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    write_late_labels(tmp_path, DAYS, 300, (0.2, 1.5), column="churned")
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    now = str(START + (DAYS + 0.1) * DAY)
    done = CliRunner().invoke(group, ["measure", "--config", str(tmp_path / "modelwatch.yml"), "--now", now])
    assert done.exit_code == 0, done.output
    runs = wandb_server.standin.state.projects["acme", "churn"].runs.values()
    logged = {key for run in runs for row in run.history.rows for key in row}
    wanted = {key for key in KEYS if "region=" not in key}
    assert len(wanted) >= 10
    assert {key for key in wanted if key not in logged and f"{key}/categories" not in logged} == set()
    assert {"young/accuracy", "young/class=yes/class_share"} <= logged
    checked = CliRunner().invoke(group, ["check", "--config", str(tmp_path / "modelwatch.yml"), "--now", now])
    assert checked.exit_code == 0, checked.output
    assert "no points under" not in checked.output
    assert "the rule waits" not in checked.output


def test_only_rules_on_metrics_of_labels_wait(tmp_path: Path) -> None:
    (tmp_path / "modelwatch.yml").write_text(CONFIG)
    (model,) = load_config(tmp_path / "modelwatch.yml", {}).models
    waiting = {rule.name for rule in model.rules if waits_for_labels(rule, model.measure)}
    assert waiting == {"coverage", "accuracy", "label-mix"}
