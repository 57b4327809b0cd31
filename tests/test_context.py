"""What one run shares: what a stage learned, the next one knows; nothing is read twice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch import pipeline
from modelwatch.clients.retry import CircuitBreaker
from modelwatch.context import RunContext, make_context
from modelwatch.errors import UserError
from modelwatch.model.alert import Judgement
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model, ReleaseSpec, TableSpec, WandbSpec
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.secret import Secret
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn

from .targets.world import NOW, World, furnished, group, results

TIER = Tier(Severity.ERROR, (Limit(LimitKind.BELOW, 0.9),), ("issue",))
RULE = Rule("accuracy", "accuracy-drop", KeyPattern("accuracy"), (TIER,))


@pytest.fixture
def world(github_server: Server[GitHubStandIn], pagerduty_server: Server[PagerDutyStandIn]) -> World:
    return furnished(github_server, pagerduty_server)


def test_a_breaker_that_planning_tripped_is_still_open_while_applying(world: World) -> None:
    env = world.env | {"MODELWATCH_WAIT_SCALE": "0.02"}
    context = make_context(Config((world.model,), "digest"), NOW, env)
    world.github.inject(Fault("status", status=503, times=-1))
    plan = pipeline.make_plan(context, Judgement(NOW, "digest", (group(),)))
    assert [str(change.kind) for change in plan.changes] == ["trigger-incident"]
    assert world.github.requests
    world.github.clear()
    receipts = pipeline.apply(context, plan, "digest", frozenset(Target))
    assert results(receipts) == ["done"]
    assert world.requests() == [], "a GitHub that did not answer a moment ago is not waited for again"


def released(folder: Path) -> Model:
    (folder / "churn.csv").write_text(f"time,accuracy\n{NOW - 60},0.8\n")
    return Model(
        "churn", (RULE,), table=TableSpec(str(folder / "churn.csv")), wandb=WandbSpec("acme", "prod"),
        release=ReleaseSpec("acme/train/churn"),
    )  # fmt: skip


def asked(server: Server[WandbStandIn]) -> dict[str, int]:
    """How often W&B was asked for versions, for moves (which are W&B runs) and for what made the versions."""
    bodies = [request.body.decode() for request in server.requests]
    names = ("query ProjectArtifacts", "query Runs", "query ArtifactMakers")
    return {name.split()[1]: sum(name in body for body in bodies) for name in names}


def test_the_registry_is_read_once_a_run(tmp_path: Path, wandb_server: Server[WandbStandIn]) -> None:
    wandb_server.standin.state.add_artifact("acme", "train", "churn", {"model.bin": b"1"}, aliases=["production"])
    context = make_context(Config((released(tmp_path),), "digest"), NOW, os.environ)
    pulls = pipeline.pull(context)
    assert pulls["churn"].notes == ()
    rolling_back = replace(group(Severity.CRITICAL), do=("issue", "rollback"))
    pipeline.make_plan(context, Judgement(NOW, "digest", (rolling_back,)))
    pipeline.pull(context)
    (model,) = context.config.models
    assert (
        context.read_registry(model).versions[0].name
        == context.read_registry(model, producers=False).versions[0].name
        == "v0"
    )
    assert asked(wandb_server) == {"ProjectArtifacts": 1, "Runs": 1, "ArtifactMakers": 1}


def test_a_registry_that_cannot_be_read_is_not_asked_again(tmp_path: Path, wandb_server: Server[WandbStandIn]) -> None:
    context = make_context(Config((released(tmp_path),), "digest"), NOW, os.environ)
    (model,) = context.config.models
    with pytest.raises(UserError) as first:
        context.read_registry(model, producers=False)
    wandb_server.clear()
    with pytest.raises(UserError) as second:
        context.read_registry(model)
    assert str(first.value) == str(second.value)
    assert wandb_server.requests == []


def test_a_wandb_that_is_down_is_not_waited_for_by_each_model(
    tmp_path: Path, wandb_server: Server[WandbStandIn]
) -> None:
    wandb_server.inject(Fault("status", status=503, times=-1))
    models = tuple(replace(released(tmp_path), name=name) for name in ("churn", "fraud"))
    env = {**os.environ, "MODELWATCH_WAIT_SCALE": "0", "MODELWATCH_TIMEOUT_SCALE": "0.1"}
    context = make_context(Config(models, "digest"), NOW, env)
    with pytest.raises(UserError, match="503"):
        context.read_registry(models[0])
    wandb_server.requests.clear()
    with pytest.raises(UserError, match="503"):
        context.read_registry(models[1])
    assert wandb_server.requests == []


def test_a_registry_that_drips_is_left_in_time(tmp_path: Path, wandb_server: Server[WandbStandIn]) -> None:
    """Pages wait for it."""
    wandb_server.inject(Fault("drip", seconds=0.01, times=-1))
    models = tuple(replace(released(tmp_path), name=name) for name in ("churn", "fraud"))
    context = make_context(Config(models, "digest"), NOW, {**os.environ, "MODELWATCH_TIMEOUT_SCALE": "0.01"})
    for model in models:
        with pytest.raises(UserError, match="W&B takes too long to list versions and moves"):
            context.read_registry(model)


def test_many_registries_that_are_slow_are_bounded_together(tmp_path: Path, wandb_server: Server[WandbStandIn]) -> None:
    wandb_server.standin.state.add_artifact("acme", "train", "churn", {"model.bin": b"1"})
    wandb_server.inject(Fault("delay", seconds=0.2, times=-1))
    models = tuple(replace(released(tmp_path), name=name) for name in ("churn", "fraud"))
    context = make_context(Config(models, "digest"), NOW, os.environ)
    context = replace(context, _registry_breaker=CircuitBreaker(0.3))
    assert context.read_registry(models[0]).versions
    wandb_server.requests.clear()
    with pytest.raises(UserError, match="versions and moves are not listed: it is slow"):
        context.read_registry(models[1])
    assert wandb_server.requests == []


def secretive(env: Mapping[str, str]) -> RunContext:
    return make_context(Config((), "digest", secrets=(Secret("KEY", "hunter2-hunter2"),)), NOW, env)


def test_one_redactor_for_everything() -> None:
    context = secretive({})
    assert context.redactor is context.sessions.redactor
    assert context.redactor.redact_text("hunter2-hunter2!") == "***!"
