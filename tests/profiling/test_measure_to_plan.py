"""The whole path from a log to a plan: measure, W&B, pull, alerts. Broken data is not drift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from modelwatch import pipeline
from modelwatch.cli import group
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.alert import AlertState, Group
from modelwatch.model.plan import ChangeKind, ModelObservation, Plan
from modelwatch.targets.plan import make_plan
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .logs import DAY, START, log, write

DAYS, ROWS = 18, 400
NOW = START + DAYS * DAY + 3600.0
CONFIG = """
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn, version: model_version}
    github: {repository: acme/churn}
    workflows: {retrain: retrain.yml}
    measure: {files: log.parquet, id: id, time: time, version: version, score: score, prediction: prediction,
              label: label, reference: reference.npz, features: [age, income, region, plan, signed]}
    quality: on
    rules:
      - name: feature-drift
        drift: "features/*"
        method: psi
        window: 2d
        every: 1d
        baseline: {rolling: 5d}
        tiers: {warning: {above: 0.1}, error: {above: 0.3, do: [issue, retrain]}}
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, weight: eval/n, every: 1d,
         tiers: {error: {below: 0.5, do: [issue, retrain]}}}
"""


def serving() -> pa.Table:
    rows = DAYS * ROWS
    return log(rows, days=DAYS, version=["v1"] * rows)


def with_column(table: pa.Table, name: str, cells: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(cells))


def changed(table: pa.Table, name: str, how: Callable[[int, object], object]) -> pa.Table:
    """Cells of the last two days."""
    cells = table[name].to_pylist()
    begin = len(cells) - 2 * ROWS
    return with_column(table, name, [*cells[:begin], *(how(row, cell) for row, cell in enumerate(cells[begin:]))])


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests takes its time: no request here is meant to fail."""
    monkeypatch.setenv("MODELWATCH_TIMEOUT_SCALE", "10")


def judged(place: Path, table: pa.Table) -> tuple[dict[str, Group], Plan]:
    write(table, place / "log.parquet")
    write(log(4000, seed=9), place / "training.parquet")
    (place / "modelwatch.yml").write_text(CONFIG)
    training = ["--from-table", str(place / "training.parquet"), "--out", str(place / "reference.npz")]
    call(place, "baseline", "capture", "--model", "churn", *training)
    call(place, "measure")
    config = load_config(place / "modelwatch.yml", {})
    judgement = pipeline.evaluate(make_context(config, NOW)).judgement
    assert judgement.failures == (), "W&B could not be read: nothing is known, and nothing fires"
    plan = make_plan(judgement, config, {"churn": ModelObservation("churn")}, NOW)
    return {one.rule: one for one in judgement.groups}, plan


def call(place: Path, *arguments: str) -> str:
    found = CliRunner().invoke(group, [*arguments, "--config", str(place / "modelwatch.yml"), "--now", str(NOW)])
    assert found.exit_code == 0, found.output
    return found.output


def firing(groups: dict[str, Group]) -> set[str]:
    return {name for name, one in groups.items() if one.state is AlertState.FIRING}


def worst(one: Group) -> set[str]:
    return {dict(alert.labels)["feature"] for alert in one.alerts if alert.state is AlertState.FIRING}


def dispatched(plan: Plan) -> list[str]:
    return [change.model for change in plan.changes if change.kind is ChangeKind.DISPATCH_WORKFLOW]


def test_a_healthy_log_raises_nothing(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    groups, plan = judged(tmp_path, serving())
    assert {"quality-missing", "quality-type", "quality-vanished", "quality-volume", "quality-freshness"} <= set(groups)
    assert firing(groups) == set()
    assert plan.changes == ()


def test_moved_inputs_are_drift_and_are_retrained_for(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    moved = changed(serving(), "age", lambda _, cell: float(cell) * 0.5 + 28)  # type: ignore[arg-type]
    groups, plan = judged(tmp_path, moved)
    assert firing(groups) == {"feature-drift"}
    assert {dict(alert.labels)["features"] for alert in groups["feature-drift"].alerts if alert.start} == {"age"}
    assert dispatched(plan) == ["churn"]


def test_nulls_are_no_drift(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    groups, plan = judged(tmp_path, changed(serving(), "income", lambda row, cell: None if row % 2 else cell))
    assert firing(groups) == {"quality-missing"}
    assert worst(groups["quality-missing"]) == {"income"}
    assert dispatched(plan) == []


def test_bad_data_mutes_drift_and_blocks_every_retraining(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    broken = changed(serving(), "income", lambda row, cell: None if row % 2 else cell)
    broken = changed(broken, "age", lambda _, cell: float(cell) * 0.5 + 28)  # type: ignore[arg-type]
    broken = changed(broken, "label", lambda _, cell: "no" if cell == "yes" else "yes")
    groups, plan = judged(tmp_path, broken)
    assert firing(groups) == {"quality-missing", "feature-drift", "accuracy"}
    (mute,) = groups["feature-drift"].mutes
    assert (mute.by, "quality-missing" in mute.reason) == ("inhibition", True)
    assert dispatched(plan) == []
    (refused,) = [skip for skip in plan.skips if skip.guard == "data-quality"]
    assert refused.reason == "data quality is in doubt: quality-missing fires"
    assert refused.group == groups["quality-missing"].key, "it leads: broken data is the cause"


def test_a_change_of_format_is_no_drift(wandb_server: Server[WandbStandIn], tmp_path: Path) -> None:
    broken = changed(serving(), "signed", lambda _, cell: f"{cell}T00:00:00Z")
    broken = with_column(broken, "income", [str(cell) for cell in broken["income"].to_pylist()])
    broken = changed(broken, "income", lambda row, cell: f"EUR {cell}" if row % 4 else cell)
    groups, plan = judged(tmp_path, broken)
    assert {"quality-format", "quality-type"} <= firing(groups)
    assert worst(groups["quality-format"]) == {"signed"}
    assert worst(groups["quality-type"]) == {"income"}
    assert "feature-drift" not in firing(groups)
    assert dispatched(plan) == []
