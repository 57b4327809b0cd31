"""What a replay keeps in memory behaves as GitHub and PagerDuty do: the same plans follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.backtest.replay import replay
from modelwatch.backtest.result import ReplayedEffect, Span
from modelwatch.backtest.world import RUN_LENGTH
from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.model.monitored_model import Config
from modelwatch.model.plan import ChangeResult
from modelwatch.model.target import Target
from modelwatch.pipeline import apply, judge, make_plan
from modelwatch.step_files import plan_digest
from modelwatch.testing.standins.github.standin import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.timeutil import DAY, HOUR
from tests.stubs import workflows

from .live import pull
from .random_histories import START, Row

REPOSITORY = "acme/churn"
FIRST, LAST = 20 * DAY, 29 * DAY
ADDRESS = re.compile(r"https?://\S+|issue:\d+|run:\d+")
CONFIGURATION = """
version: 1
models:
  - name: churn
    wandb: {entity: a, project: churn, version: model_version}
    github: {repository: acme/churn}
    pagerduty: {routing_key: "${KEY}"TOKEN}
    history: 10d
    workflows: {retrain: {file: retrain.yml, mode: act, cooldown: 12h}, rollback: {file: rollback.yml, mode: act}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 6h
        baseline: {rolling: 7d}
        tiers:
          warning: {drop: 2%, do: [issue]}
          error: {drop: 4%, do: [issue, page, retrain]}
          critical: {drop: 9%, do: [issue, page, rollback]}
      - name: latency
        kind: latency
        metric: ops/latency
        better: lower
        window: 6h
        baseline: {rolling: 7d}
        tiers: {warning: {rise: 15%, do: [issue]}, error: {rise: 35%, do: [issue, page]}}
"""


def rows() -> Iterator[Row]:
    """Accuracy falls with a new version, later with latency; latency rises alone, twice within a day; a gap."""
    random = np.random.default_rng(3)
    for hour in range(int(LAST // HOUR)):
        day = hour / 24
        if 27.6 < day < 28.0:
            continue
        drop = 0.1 * (21.0 < day < 22.1) + 0.05 * (25.3 < day < 26.6)
        slow = 0.5 * (25.2 < day < 26.2) + 0.4 * (23.1 < day < 23.5) + 0.4 * (24.1 < day < 24.4)
        yield {
            "_timestamp": START + hour * HOUR,
            "model_version": "v2" if 20.9 < day < 22.0 else "v1",
            "eval/accuracy": random.binomial(400, 0.93 - drop) / 400,
            "eval/n": 400.0,
            "ops/latency": float(100 * np.exp(random.normal(0, 0.05)) * (1 + slow)),
        }


@pytest.mark.parametrize("with_token", [False, True])
def test_plans_are_those_that_github_and_pagerduty_lead_to(tmp_path: Path, *, with_token: bool) -> None:
    clock = [START + FIRST]
    with (
        Server(GitHubStandIn(clock=lambda: clock[0])) as github,
        Server(PagerDutyStandIn(clock=lambda: clock[0])) as pagerduty,
    ):
        state = github.standin.state
        state.add_repo(REPOSITORY, files=workflows("retrain", "rollback"))
        service = pagerduty.standin.state.add_service("churn")
        token = pagerduty.standin.state.add_token() if with_token else ""
        env = {
            "KEY": service.routing_key,
            "TOKEN": token,
            "GITHUB_TOKEN": state.add_token(),
            "GITHUB_API_URL": github.url,
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "MODELWATCH_WAIT_SCALE": "0.001",
        }
        place = tmp_path / "modelwatch.yml"
        place.write_text(CONFIGURATION.replace("TOKEN", ', token: "${TOKEN}"' if with_token else ""), "utf-8")
        config, logged = load_config(place, env), list(rows())
        span = Span(START + FIRST, START + LAST, 2 * HOUR)
        live: list[ReplayedEffect] = []
        for now in span.times:
            _end_runs(github.standin, clock, now)
            clock[0] = now
            live += _evaluate(config, env, logged, now)
        history = history_of_rows(config.models[0], logged)
        replayed = replay(config, {"churn": history}, span, processes=1).effects
        assert [_facts(effect) for effect in replayed] == [_facts(effect) for effect in live]
        kinds = {str(effect.kind) for effect in live}
        assert kinds >= {"open-issue", "close-issue", "trigger-incident", "resolve-incident", "dispatch-workflow"}
    assert github.errors == []
    assert pagerduty.errors == []


def _end_runs(github: GitHubStandIn, clock: list[float], now: float) -> None:
    for run in list(github.state.repo(REPOSITORY).runs.items.values()):
        if run.status != "completed" and run.created + RUN_LENGTH <= now:
            clock[0] = run.created + RUN_LENGTH
            github.state.finish_run(run.id)


def _evaluate(config: Config, env: dict[str, str], logged: list[Row], now: float) -> Iterator[ReplayedEffect]:
    """One evaluation with the real observing, planning and applying."""
    context = make_context(config, now, env)
    judgement = judge(context, {"churn": pull(config.models[0], logged, now)})
    plan = make_plan(context, judgement)
    receipts = apply(context, plan, plan_digest(plan), frozenset(Target), f"{now:.0f}")
    assert {receipt.result for receipt in receipts.receipts} <= {ChangeResult.DONE, ChangeResult.ALREADY}, receipts
    rules = {group.key: group.rule for group in judgement.groups}
    for change in plan.changes:
        verb = change.dispatch.verb if change.dispatch else ""
        yield ReplayedEffect(now, change.kind, change.model, rules[change.group], change.reason, change.severity, verb)


def _facts(effect: ReplayedEffect) -> ReplayedEffect:
    """Without what only the replay knows, and addresses."""
    verb = effect.verb if str(effect.kind) == "dispatch-workflow" else ""
    return replace(effect, verb=verb, notifies=False, reason=ADDRESS.sub("ADDRESS", effect.reason))
