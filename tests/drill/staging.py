"""A staging project on loopback: real time, and services that are marked as a drill's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.conftest import wandb_env
from tests.stubs import workflows

REPOSITORY = "acme/churn-drill"
STAGING = """\
version: 1
models:
  - name: churn
    drill: true
    wandb: {entity: acme, project: churn-drill, version: model_version, time: monitor/time}
    pagerduty: {routing_key: "${DRILL_ROUTING_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-drill}
    github: {repository: acme/churn-drill, people: [ada]}
    workflows: {retrain: retrain.yml}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 30m
        every: 15m
        baseline: {value: 0.92, n: 100000}
        tiers:
          error: {drop: 5%, do: [issue, page, retrain]}
"""
PRODUCTION = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod}
    pagerduty: {routing_key: "${PRODUCTION_ROUTING_KEY}", service: churn}
    github: {repository: acme/churn-model}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, better: higher, baseline: {value: 0.92},
         tiers: {error: {drop: 5%, do: [issue, page]}}}
"""


@dataclass(frozen=True)
class Staging:
    """The servers, the folder with both configurations, and the environment in which the command finds them."""

    folder: Path
    env: dict[str, str]
    wandb: Server[WandbStandIn]
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]

    def write(self, staging: str = STAGING, production: str = PRODUCTION) -> None:
        (self.folder / "staging.yml").write_text(staging, "utf-8")
        (self.folder / "modelwatch.yml").write_text(production, "utf-8")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "modelwatch", "drill", "churn", "--staging", "staging.yml", *words]

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def writes(self) -> list[str]:
        """Requests that may have changed something at a service."""
        found = [f"{one.method} {one.path}" for one in self.github.requests if one.method != "GET"]
        found += [f"{one.method} {one.path}" for one in self.pagerduty.requests if one.method != "GET"]
        return found + [one.path for one in self.wandb.requests if one.path.endswith("file_stream")]

    def leftovers(self) -> list[str]:
        projects = self.wandb.standin.state.projects.values()
        found = [f"W&B run {name}" for project in projects for name in project.runs]
        issues = self.github.standin.state.repo(REPOSITORY).issues.items.values()
        found += [f"issue #{one.number}" for one in issues if one.state == "open"]
        return found + [f"incident {one.number}" for one in self.pagerduty.standin.state.incidents if one.is_open]


@contextmanager
def open_staging_servers(folder: Path) -> Iterator[Staging]:
    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn()))
        github = stack.enter_context(Server(GitHubStandIn()))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn()))
        github.standin.state.add_repo(REPOSITORY, files=workflows("retrain"), collaborators={"ada": "write"})
        github.standin.state.auto_finish = "success"
        services = pagerduty.standin.state
        drill, real = services.add_service("churn-drill"), services.add_service("churn")
        env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env |= wandb_env(wandb.url, folder / "wandb") | {
            "MODELWATCH_WAIT_SCALE": "0.02",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": github.standin.state.add_token(),
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "DRILL_ROUTING_KEY": drill.routing_key,
            "PRODUCTION_ROUTING_KEY": real.routing_key,
            "PAGERDUTY_TOKEN": services.add_token(read_only=True),
            "COLUMNS": "160",
        }
        found = Staging(folder, env, wandb, github, pagerduty)
        found.write()
        yield found
