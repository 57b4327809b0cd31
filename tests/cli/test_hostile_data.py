"""Data that nobody foresaw at one model: it alone fails, and every other one is judged, has its issue and its page."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from modelwatch.evaluate import evaluator
from modelwatch.model.finding import ModelFindings
from modelwatch.model.monitored_model import Model
from modelwatch.model.series import PulledSeries
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import CONFIG, CRITICAL, HEALTHY, TABLE, World, log_to_wandb

OTHER = CONFIG.split("models:\n")[1].replace("name: churn", "name: fraud")
WANDB = "wandb: {entity: acme, project: churn-prod, runs: {tags: production}, version: model_version}"
DEEP = "[" * 100_000 + "]" * 100_000
HUGE = 1.7e308
"""Two of them have no sum."""
VALUES: dict[str, list[Any]] = {
    "huge": [HUGE, -HUGE, HUGE, HUGE],
    "infinite": [0.92, "Infinity", "-Infinity", "Infinity"],
    "words": [0.92, "NaN", "1e999", {"_type": "histogram", "bins": [-HUGE, HUGE], "values": [HUGE]}],
    "tiny": [5e-324, -5e-324, 5e-324, 5e-324],
    "no fraction": [10**400, 2**70, -(10**400), 10**400],
}


@pytest.fixture
def fleet(world: World, wandb_server: Server[WandbStandIn]) -> World:
    """``churn`` reads a table and is critical; ``fraud`` reads W&B; it is hour 4."""
    world.config(CONFIG.replace("SOURCE", TABLE) + OTHER.replace("SOURCE", WANDB))
    world.metrics(HEALTHY, HEALTHY, CRITICAL, CRITICAL)
    world.at(4)
    return world


def check_churn(world: World) -> None:
    titles = [issue.title for issue in world.issues if "] churn:" in issue.title]
    assert titles == ["[critical] churn: accuracy below its baseline (limit 10 %)"]
    assert ("triggered", "critical") in [(one.status, one.severity) for one in world.incidents]


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("key", ["eval/accuracy", "eval/n"])
def test_values_that_are_no_numbers_hurt_nobody_else(
    fleet: World, wandb_server: Server[WandbStandIn], values: list[Any], key: str
) -> None:
    log_to_wandb(wandb_server, HEALTHY, HEALTHY, HEALTHY, HEALTHY)
    for row, value in zip(wandb_server.standin.state.projects["acme", "churn-prod"].runs["day-1"].history.rows, values):
        row[key] = value
    found = fleet.run("run")
    assert found.code == 0, found.out + found.err
    check_churn(fleet)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_files_between_the_steps_hold_whatever_was_logged(
    fleet: World, wandb_server: Server[WandbStandIn], values: list[Any]
) -> None:
    log_to_wandb(wandb_server, *([HEALTHY] * 4))
    for row, value in zip(wandb_server.standin.state.projects["acme", "churn-prod"].runs["day-1"].history.rows, values):
        row["eval/accuracy"] = row["eval/n"] = value
    for step in (
        ("pull", "--out", "series.jsonl"),
        ("evaluate", "--series", "series.jsonl", "--out", "alerts.json"),
        ("plan", "--alerts", "alerts.json", "--out", "plan.json"),
    ):
        found = fleet.run(*step)
        assert found.code == 0, found.err
    assert any(change["model"] == "churn" for change in fleet.load("plan.json")["changes"])


@pytest.mark.parametrize(
    "text",
    [
        f'{{"deep": {DEEP}}}',
        '{"model_version": {"value": 1e999}}',
        f'{{"model_version": {{"value": {DEEP}}}}}',
        '{"model_version": {"value": "\\ud800"}}',
        "null",
    ],
    ids=["deep", "1e999", "deep version", "half a letter", "null"],
)
def test_a_configuration_of_a_wandb_run_that_no_client_writes_hurts_nobody_else(
    fleet: World, wandb_server: Server[WandbStandIn], text: str
) -> None:
    log_to_wandb(wandb_server, *([HEALTHY] * 4))
    wandb_server.standin.state.projects["acme", "churn-prod"].runs["day-1"].config_text = text
    found = fleet.run("run")
    assert found.code in (0, 3), found.out + found.err
    assert "Traceback" not in found.err
    check_churn(fleet)


def test_a_model_that_cannot_be_judged_is_a_failed_source_and_hurts_nobody_else(
    fleet: World, wandb_server: Server[WandbStandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_to_wandb(wandb_server, *([HEALTHY] * 4))
    real = evaluator.evaluate_model

    def evaluate(model: Model, pull: PulledSeries, now: float) -> ModelFindings:
        if model.name == "fraud":
            raise MemoryError
        return real(model, pull, now)

    monkeypatch.setattr(evaluator, "evaluate_model", evaluate)
    found = fleet.run("run")
    assert found.code == 3
    assert "judging failed in an unforeseen way: MemoryError" in found.out
    check_churn(fleet)


@pytest.mark.parametrize("name", ["series.jsonl", "alerts.json", "plan.json", "baseline.json"])
@pytest.mark.parametrize(
    "text",
    [DEEP, '{"x": ' + DEEP + ', "format": 1}', '{"format": 1e999}', '{"format": 1, "at": 1e999}'],
    ids=["deep", "deep part", "1e999", "at 1e999"],
)
def test_files_that_nobody_wrote_are_refused_in_one_line(world: World, name: str, text: str) -> None:
    world.write(name, text)
    world.metrics(HEALTHY, HEALTHY)
    world.at(2)
    command: tuple[str, ...] = {
        "series.jsonl": ("evaluate", "--series", name),
        "alerts.json": ("plan", "--alerts", name),
        "plan.json": ("apply", "--plan", name, "--digest", hashlib.sha256(text.encode()).hexdigest()),
        "baseline.json": ("check",),
    }[name]
    if name == "baseline.json":
        world.config(CONFIG.replace("{value: 0.92, n: 100000}", "{file: baseline.json}"))
    found = world.run(*command)
    assert found.code == 2, found.out + found.err
    assert name in found.err
    assert "Traceback" not in found.err
    assert len(found.err) < 1_000
