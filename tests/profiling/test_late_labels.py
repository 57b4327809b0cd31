"""Labels that come late, from the log to the alerts: young windows are published apart, and rules wait for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .late_labels import write_late_labels
from .logs import DAY, START

DAYS = 16


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")


def measure(place: Path, day: float) -> str:
    arguments = ["measure", "--config", str(place / "modelwatch.yml"), "--now", str(START + day * DAY)]
    called = CliRunner().invoke(group, arguments)
    assert called.exit_code == 0, called.output
    return called.output


def firing(place: Path, day: float) -> tuple[set[str], str]:
    """The rules that fire, and all notes of the evaluation."""
    config = load_config(place / "modelwatch.yml", {})
    judgement = pipeline.evaluate(make_context(config, START + day * DAY)).judgement
    assert judgement.failures == ()
    fired = {group.rule for group in judgement.groups if group.state is AlertState.FIRING}
    return fired, " ".join(judgement.notes)


def test_fast_negatives_are_no_drop_and_no_drift(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """Negatives are known after hours and positives after two days. The same log without maturity has both alerts."""
    write_late_labels(tmp_path, DAYS, 1500, (0.1, 2.0))
    output = measure(tmp_path, DAYS - 2 + 0.1)
    assert "95 % of the labels that come are there after" in output
    measure(tmp_path, DAYS + 0.1)
    for later in (0.2, 0.9):
        assert firing(tmp_path, DAYS + later)[0] == set()
    newest = wandb_server.standin.state.projects["acme", "churn"].runs["measured-churn-20261205"].summary
    assert "eval/accuracy" not in newest
    assert newest["young/accuracy"] > 0.85
    assert "young/class=yes/class_share" in newest


def test_without_maturity_they_are(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    write_late_labels(tmp_path, DAYS, 1500, (0.1, 2.0), more="maturity: off,")
    measure(tmp_path, DAYS + 0.1)
    assert "label-drift" in firing(tmp_path, DAYS + 0.2)[0]


def test_a_log_without_a_mature_window_is_no_silence(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    write_late_labels(tmp_path, 4, 400, (0.5, 9.0))
    assert "is not known yet" in measure(tmp_path, 4.1)
    fired, notes = firing(tmp_path, 4.2)
    assert fired == set()
    assert "churn / accuracy: no window has its labels yet" in notes


def test_a_delay_that_grows_alerts_before_the_labels_come(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """Two days become eight: none of the changed labels is there when the rule fires."""
    write_late_labels(tmp_path, DAYS, 400, (0.5, 2.0), changed=(DAYS - 5, (8.0, 12.0)))
    measure(tmp_path, DAYS + 0.1)
    assert firing(tmp_path, DAYS + 0.2)[0] == {"label-delay"}
