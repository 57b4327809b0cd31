"""From the recorder through the real W&B client to ``modelwatch measure`` and ``check``, without anything between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from modelwatch.cli import group
from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.wandb_runs import RunAddress, open_run
from modelwatch.errors import SourceError
from modelwatch.model.prediction_log import RECORDED_ARTIFACT_TYPE, recorded_run_id
from modelwatch.recorder import Recorder
from modelwatch.step_files import read_series
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .recorders import DAY, START, recorder, write_config

NOW = START + 2.5 * DAY


def call(folder: Path, *arguments: str, now: float = NOW) -> str:
    found = CliRunner().invoke(group, [*arguments, "--config", str(folder / "modelwatch.yml"), "--now", str(now)])
    assert found.exit_code == 0, found.output
    return found.output


def record_two_days(made: Recorder, rows: int = 400, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    for day in range(2):
        for number in range(rows):
            made.record(
                {"age": float(rng.normal(40, 10)), "plan": str(rng.choice(["free", "pro"]))},
                "yes" if rng.random() > 0.5 else "no",
                float(rng.random()),
                id=f"{seed}-{day}-{number}",
                time=START + day * DAY + number,
                latency=0.02,
                error="Timeout" if number % 40 == 0 else None,
                extra={"region": "eu" if number % 2 else "na"},
            )


def logged_rows(server: Server[WandbStandIn], run: str) -> list[dict[str, Any]]:
    import wandb

    return [dict(row) for row in wandb.Api().run(f"acme/churn/{run}").scan_history(use_cache=False)]


def test_replicas_add_up_in_measure(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """Two replicas, each with its own spool: what ``measure`` logs is of the rows of both."""
    write_config(tmp_path, "recorder: wandb")
    for replica in (1, 2):
        made = recorder(tmp_path / f"spool-{replica}", wandb="acme/churn")
        record_two_days(made, seed=replica)
        assert made.close(60.0), (tmp_path / f"spool-{replica}" / "sender.log").read_text()
    told = call(tmp_path, "measure")
    assert "churn: 1,600 rows, 2 windows" in told
    (row,) = logged_rows(wandb_server, "measured-churn-20261120-v1")
    assert (row["quality/rows"], row["quality/lost_rows"], row["measured/time"]) == (800, 0, START + DAY)
    assert (row["quality/region=eu/rows"], row["quality/region=na/rows"]) == (400, 400)
    assert 38 < row["features/age/p50"] < 42
    assert (row["latency/n"], row["errors/n"], row["errors/rate"]) == (800, 800, 0.025)
    assert abs(row["latency/p95"] / 0.02 - 1) < 0.03
    # Measuring again, and sending again what has changed nothing, changes nothing.
    call(tmp_path, "measure", "--since", str(START))
    again = logged_rows(wandb_server, "measured-churn-20261120-v1")[-1]
    assert {name: value for name, value in again.items() if name[0] != "_"} == {
        name: value for name, value in row.items() if name[0] != "_"
    }


def test_check_judges_a_recorder_that_sees_everything(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    """``metrics=True``: no ``measure`` in between."""
    write_config(tmp_path, "recorder: wandb")
    made = recorder(tmp_path / "spool", wandb="acme/churn", tags=["production"], metrics=True)
    record_two_days(made)
    assert made.close(60.0), (tmp_path / "spool" / "sender.log").read_text()
    for limit, state, outcome in ((0.5, "quiet", "ok"), (0.001, "firing", "breach")):
        write_config(tmp_path, "recorder: wandb", limit=limit)
        told = json.loads(call(tmp_path, "check", "--format", "json", now=START + 2 * DAY + 3600))
        (group_of_rule,) = (found for found in told["groups"] if found["rule"] == "errors")
        latest = group_of_rule["latest"]
        assert (group_of_rule["state"], latest["outcome"], latest["value"]) == (state, outcome, 0.025)
    (row,) = logged_rows(wandb_server, "measured-churn-20261121-v1")
    assert row["quality/rows"] == 400
    counts = [
        row for run in runs(wandb_server) if run.startswith("recorded-") for row in logged_rows(wandb_server, run)
    ]
    assert sorted(row["recorder/rows"] for row in counts) == [400, 400]
    assert {row["recorder/lost"] for row in counts} == {0}


def runs(server: Server[WandbStandIn]) -> list[str]:
    return list(server.standin.snapshot()["acme/churn"]["runs"])


def test_an_artifact_that_no_recorder_wrote(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    write_config(tmp_path, "recorder: wandb")
    id = recorded_run_id("churn", START, "abc")
    address = RunAddress("acme", "churn", id, wandb_server.url)
    with open_run(address, {}, "k" * 40, RetryPolicy()) as run:
        run.log_artifact(id, RECORDED_ARTIFACT_TYPE, {"other.npz": b"nothing"}, {})
    found = CliRunner().invoke(group, ["measure", "--config", str(tmp_path / "modelwatch.yml"), "--since", str(START)])
    assert isinstance(found.exception, SourceError)
    assert "no recorder wrote it" in str(found.exception)


def test_late_rows_of_a_window_replace_its_values(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    write_config(tmp_path, "recorder: wandb")
    for rows in (100, 300):
        made = recorder(tmp_path / "spool", wandb="acme/churn", metrics=True)
        record_two_days(made, rows, seed=rows)
        assert made.close(60.0), (tmp_path / "spool" / "sender.log").read_text()
    rows_logged = [row["quality/rows"] for row in logged_rows(wandb_server, "measured-churn-20261120-v1")]
    assert rows_logged == [100, 400]


def test_offline_runs_are_read_by_check_and_sent_by_wandb_sync(
    wandb_server: Server[WandbStandIn], tmp_path: Path
) -> None:
    made = recorder(tmp_path / "spool", offline=tmp_path / "runs", wandb="acme/churn")
    record_two_days(made)
    assert made.close(60.0), (tmp_path / "spool" / "sender.log").read_text()
    assert runs_or_none(wandb_server) == []
    write_config(tmp_path, "recorder: wandb", wandb="{offline: runs, version: version}")
    call(tmp_path, "pull", "--out", str(tmp_path / "series.jsonl"), now=START + 2 * DAY + 3600)
    (pulled,) = read_series(tmp_path / "series.jsonl")
    (series,) = pulled.series
    assert (series.name, list(series.values)) == ("errors/rate", [0.025, 0.025])
    assert list(series.times) == [START + DAY, START + 2 * DAY]
    assert [found.version for found in pulled.deployments] == ["v1"]
    folders = sorted(str(path) for path in (tmp_path / "runs").rglob("offline-run-*") if path.is_dir())
    assert len(folders) == 4, "two days: the counted profile, and the metrics"
    subprocess.run([sys.executable, "-m", "wandb", "sync", *folders], check=True, capture_output=True, timeout=120)
    write_config(tmp_path, "recorder: wandb")
    assert "churn: 800 rows, 2 windows" in call(tmp_path, "measure", "--no-publish")


def runs_or_none(server: Server[WandbStandIn]) -> list[str]:
    return list(server.standin.snapshot().get("acme/churn", {}).get("runs", ()))


def test_wandb_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent to a port where nobody listens, then to W&B: every row arrives, once."""
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("MODELWATCH_WAIT_SCALE", "0")
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "0.1")
    for seed in (1, 2):
        made = recorder(tmp_path / "spool", wandb="acme/churn", base_url="http://127.0.0.1:9")
        record_two_days(made, 100, seed=seed)
        assert not made.close(60.0)
        assert made.stats().lost == 0
    with Server(WandbStandIn()) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        made = recorder(tmp_path / "spool", wandb="acme/churn", base_url=server.url)
        record_two_days(made, 100, seed=3)
        assert made.close(60.0), (tmp_path / "spool" / "sender.log").read_text()
        write_config(tmp_path, "recorder: wandb", wandb=f"{{entity: acme, project: churn, base_url: '{server.url}'}}")
        assert "churn: 600 rows, 2 windows" in call(tmp_path, "measure", "--no-publish")
