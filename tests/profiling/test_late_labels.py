"""Labels that come late, from the log to the alerts: young windows are published apart, and rules wait for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.errors import Exit, UserError
from modelwatch.model.alert import AlertState
from modelwatch.model.label_maturity import MATURITY_KEY
from modelwatch.profiling.measure import measure as measure_log
from modelwatch.profiling.window_selection import WindowSelection
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .late_labels import write_late_labels
from .logs import DAY, START, write

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
    write_late_labels(tmp_path, DAYS, 1500, (0.1, 2.0), more="late: 1d,")
    output = measure(tmp_path, DAYS - 2 + 0.1)
    assert "95 % of the labels that come are there after" in output
    runs = wandb_server.standin.state.projects["acme", "churn"].runs
    assert "eval/accuracy" not in runs["measured-churn-20261201"].summary
    measure(tmp_path, DAYS + 0.1)
    assert "eval/accuracy" in runs["measured-churn-20261201"].summary, "measured again until it is mature"
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
    write_late_labels(tmp_path, 14, 400, (0.5, 9.0))
    output = measure(tmp_path, 4.1)
    assert "is not known yet: " in output
    assert "The log reaches back 4" in output
    fired, notes = firing(tmp_path, 4.2)
    assert fired == set()
    assert "churn / accuracy: no window has its labels yet, which take nobody knows how long; the rule waits" in notes
    runs = wandb_server.standin.state.projects["acme", "churn"].runs
    assert all("young/accuracy" in run.summary and MATURITY_KEY not in run.summary for run in runs.values())
    write_late_labels(tmp_path, 40, 400, (0.5, 2.0))
    measure(tmp_path, 20.1)
    assert "eval/accuracy" in runs[min(runs)].summary, "what was young while nothing was known is measured again"
    assert MATURITY_KEY in runs[max(runs)].summary


def test_a_delay_that_grows_alerts_before_the_labels_come(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """Two days become eight: none of the changed labels is there when the rule fires."""
    write_late_labels(tmp_path, DAYS, 400, (0.5, 2.0), changed=(DAYS - 5, (8.0, 12.0)))
    measure(tmp_path, DAYS + 0.1)
    assert firing(tmp_path, DAYS + 0.2)[0] == {"label-delay"}


def test_times_that_cannot_be_read_hold_nothing_back(tmp_path: Path) -> None:
    write_late_labels(tmp_path, 6, 200, (0.5, 1.0))
    labels = pq.read_table(tmp_path / "labels.parquet")
    write(labels.set_column(2, "known", pa.array(["soon"] * len(labels))), tmp_path / "labels.parquet")
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    result = measure_log(model, START + 6.1 * DAY, {}, RetryPolicy(), tmp_path)
    assert "no label has a time that can be read in 'known': no window waits for its labels." in result.notes
    assert all("eval/accuracy" in row.scalars and MATURITY_KEY not in row.scalars for row in result.rows)
    assert any("outcomes in 'known' cannot be read, such as 'soon', 'soon', 'soon': " in note for note in result.notes)
    done = CliRunner().invoke(group, ["labels", "delay", "churn", "--config", str(tmp_path / "modelwatch.yml")])
    assert isinstance(done.exception, UserError)
    assert done.exception.exit_code is Exit.USAGE
    assert "no delay is known: the time of " in str(done.exception)


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_labels_that_are_older_than_their_predictions_have_no_delay(share: float, tmp_path: Path) -> None:
    write_late_labels(tmp_path, DAYS, 200, (0.5, 1.0))
    labels = pq.read_table(tmp_path / "labels.parquet")
    is_early = np.arange(len(labels)) < share * len(labels)
    known = np.where(is_early, START - DAY, labels["known"].to_numpy())
    write(labels.set_column(2, "known", pa.array(known)), tmp_path / "labels.parquet")
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    result = measure_log(model, START + (DAYS + 0.1) * DAY, {}, RetryPolicy(), tmp_path)
    (note,) = (note for note in result.notes if "older than the prediction" in note)
    assert 0.9 * is_early.sum() < int(note.split()[0].replace(",", "")) <= is_early.sum()
    delays = [value for row in result.rows for key, value in row.scalars.items() if key == "labels/delay_days/p50"]
    assert all(0.45 < value < 1.05 for value in delays)
    assert bool(delays) == (share < 1)
    if share == 1.0:
        assert all("eval/accuracy" in row.scalars for row in result.rows), "nothing says how long to wait"


def test_windows_that_are_not_measured_say_how_long_labels_take(tmp_path: Path) -> None:
    """Two days alone would not know; what is published of them is the same as where all are measured."""
    write_late_labels(tmp_path, DAYS, 300, (0.5, 1.5))
    model, now = load_config(tmp_path / "modelwatch.yml", {}).models[0], START + (DAYS + 0.1) * DAY
    everything = measure_log(model, now, {}, RetryPolicy(), tmp_path)
    some = measure_log(model, now, {}, RetryPolicy(), tmp_path, WindowSelection(since=START + (DAYS - 2) * DAY + 1))
    assert len(some.rows) == 2
    keys = [key for key in everything.rows[-1].scalars if key.startswith("labels/")]
    assert len(keys) > 5
    assert {key: some.rows[-1].scalars[key] for key in keys} == {key: everything.rows[-1].scalars[key] for key in keys}
