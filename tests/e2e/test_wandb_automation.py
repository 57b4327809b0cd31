"""A metric falls in W&B, an automation sees it, and the scheduled workflow really starts: all the way under act."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from modelwatch.model.wandb_setup import EVENT_TYPE
from modelwatch.testing.standins.github import RunControl
from modelwatch.testing.standins.github.act_executor import ActExecutor
from tests.conftest import wandb_env
from tests.e2e.test_monitor import WANDB_KEY, Scene, adopt, scene
from tests.e2e.workplace import ACT, KEPT, REPOSITORY

__all__ = ["scene"]
CONFIG = f"""\
version: 1
models:
  - name: churn
    owner: "@alice"
    wandb: {{entity: acme, project: churn-prod, version: model_version, time: event_time}}
    github: {{repository: {REPOSITORY}}}
    pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}", service: churn}}
    workflows: {{retrain: retrain.yml}}
    wandb_setup: {{report: off}}
    rules:
      - name: latency
        kind: latency
        metric: serving/latency
        better: lower
        window: 1h
        every: 1m
        tiers: {{critical: {{above: 100, do: [issue, page, retrain]}}}}
"""
LOG = """\
import sys, time, wandb
run = wandb.init(entity="acme", project="churn-prod", id="serving", resume="allow")
for number in range(6):
    run.log({"serving/latency": float(sys.argv[1]), "event_time": time.time() - 400 + 40 * number})
run.finish()
"""


class Counting(ActExecutor):
    """Tells how many workflow runs have ended."""

    def __init__(self, *arguments: object, **settings: object) -> None:
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]
        self.ended = threading.Semaphore(0)

    def __call__(self, control: RunControl) -> None:
        super().__call__(control)
        self.ended.release()


@pytest.fixture
def executor(scene: Scene) -> Iterator[Counting]:
    workplace = scene.workplace
    adopt(scene, CONFIG)
    arguments = [*workplace.arguments(workplace.folder / "act"), "--var", "MODELWATCH_CONFIG=modelwatch.yml"]
    env = {name: value for name, value in os.environ.items() if KEPT.match(name) and name != "PATH"} | workplace.env
    found = Counting(workplace.repository, ACT, env, workplace.secrets, arguments=arguments, timeout=280)
    state = scene.github.standin.state
    for path in (workplace.repository / ".github/workflows").glob("*.yml"):
        state.add_file(state.repo(REPOSITORY), f".github/workflows/{path.name}", path.read_text("utf-8"))
    state.executor = found
    yield found
    found.close()


def run(scene: Scene, *words: str, **more: str) -> str:
    """A program of its own, with the variables that lead W&B's client to the stand-in."""
    home = scene.workplace.folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        **{name: value for name, value in os.environ.items() if KEPT.match(name)},
        **wandb_env(scene.wandb.url, home),
        "WANDB_API_KEY": WANDB_KEY,
        "GITHUB_API_URL": scene.github.url,
        "HOME": str(home),
        **more,
    }
    done = subprocess.run(
        [sys.executable, *words], cwd=scene.workplace.repository, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_metric_beyond_its_limit_starts_the_evaluation(scene: Scene, executor: Counting) -> None:
    state, github = scene.wandb.standin.state, scene.github.standin.state
    now = time.time()
    history = [{"_step": step, "serving/latency": 20.0, "event_time": now - 90_000 + 600 * step} for step in range(140)]
    state.add_run("acme", "churn-prod", "serving", {"model_version": "v7"}, history=history, state="running")
    token = github.add_token("wandb", {"contents": "write", "metadata": "read"})
    state.add_webhook("acme", "start modelwatch", f"{scene.github.url}/repos/{REPOSITORY}/dispatches", token)
    told = run(scene, "-m", "modelwatch", "wandb", "apply", "--yes")
    assert "automation   modelwatch churn: latency" in told

    run(scene, "-c", LOG, "20")
    state.automations.wait()
    assert state.automations.deliveries == []

    run(scene, "-c", LOG, "400")
    state.automations.wait()
    (delivery,) = state.automations.deliveries
    assert (delivery.status, delivery.body) == (204, f'{{"event_type":"{EVENT_TYPE}"}}')
    assert all(executor.ended.acquire(timeout=290) for _ in range(2)), "the evaluation, and the retraining it starts"
    runs = {found.event: found for found in github.repo(REPOSITORY).runs.items.values()}
    evaluation = runs["repository_dispatch"]
    assert evaluation.path == ".github/workflows/monitoring.yml"
    assert evaluation.conclusion == "success", evaluation.log
    assert [condition for _, condition in scene.issues()] == ["open"]
    assert scene.incidents() == ["triggered"]
    # Once in 24 hours for this W&B run: the schedule has the rest.
    run(scene, "-c", LOG, "500")
    state.automations.wait()
    assert len(state.automations.deliveries) == 1


def test_a_forged_event_is_an_evaluation_and_nothing_more(scene: Scene) -> None:
    scene.log_latency("churn-prod", 20.0)
    adopt(scene, CONFIG.replace(", time: event_time", ""))
    payload = {"model": "$(touch pwned)", "dry-run": "false", "config": "/etc/passwd", "key": "`touch pwned`"}
    done = scene.workplace.start(
        "monitoring.yml", "repository_dispatch", action=EVENT_TYPE, client_payload=payload, inputs={"dry-run": "true"}
    )
    assert done.code == 0, done.told
    assert scene.issues() == []
    assert "pwned" not in done.log
    assert not list(scene.workplace.folder.rglob("pwned"))
