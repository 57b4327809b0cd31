"""A repository with a configuration, and the services around it: stand-ins on loopback with a clock of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelwatch.cli import main
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.stubs import workflows

REPOSITORY = "acme/churn-model"
BEGIN = 1_795_132_800.0
"""2026-11-20 00:00 UTC: hour 0 of the tables below."""
HOUR = 3600.0
HEALTHY, WARNING, ERROR, CRITICAL = 0.92, 0.89, 0.85, 0.78

CONFIG = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    SOURCE
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-model}
    github: {repository: acme/churn-model, labels: ["model:churn"], people: [alice]}
    workflows: {retrain: retrain.yml, rollback: rollback.yml}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        window: 1h
        every: 1h
        for: 2
        hold: 2
        baseline: {value: 0.92, n: 100000}
        tiers:
          warning: {drop: 2%, do: [issue, retrain]}
          error: {drop: 5%, do: [issue, page]}
          critical: {drop: 10%, do: [issue, page, rollback]}
"""
TABLE = "table: {path: metrics.csv, version: version}"
WANDB = "wandb: {entity: acme, project: churn-prod, runs: {tags: production}, version: model_version}"


@dataclass
class Clock:
    now: float = BEGIN

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class World:
    """The present directory is ``folder``; the environment leads to the stand-ins."""

    folder: Path
    clock: Clock
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    setenv: Callable[[str, str], None]
    delenv: Callable[[str], None]

    def metrics(self, *levels: float, version: str = "v6", n: int = 5000, before: str = "") -> None:
        """Write the table: one accuracy an hour, from hour 1 on. ``before``: the version of the first hour."""
        rows = [
            f"{_iso(BEGIN + hour * HOUR)},{before if before and hour == 1 else version},{level},{n}"
            for hour, level in enumerate(levels, 1)
        ]
        self.write("metrics.csv", "\n".join(["time,version,eval/accuracy,eval/n", *rows]) + "\n")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def config(self, text: str = CONFIG, source: str = TABLE) -> None:
        self.write("modelwatch.yml", text.replace("SOURCE", source))

    def at(self, hour: float) -> None:
        """It is five minutes past this hour now."""
        self.clock.now = BEGIN + hour * HOUR + 300

    def run(self, *arguments: str, now: bool = True) -> Ran:
        """Invoke the command in this process, as the console script does."""
        when = ["--now", str(self.clock.now)] if now else []
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main([*arguments, *when])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, now: bool = True, **variables: str) -> Ran:
        """Invoke the command in a process of its own."""
        when = ["--now", str(self.clock.now)] if now else []
        ended = subprocess.run(
            [sys.executable, "-m", "modelwatch", *arguments, *when],
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
            check=False,
            timeout=120,
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    # --- what exists

    @property
    def issues(self) -> list[Any]:
        repo = self.github.standin.state.repo(REPOSITORY)
        return sorted(repo.issues.items.values(), key=lambda issue: issue.number)

    @property
    def comments(self) -> list[str]:
        return [comment.body for comment in self.github.standin.state.repo(REPOSITORY).comments.items.values()]

    @property
    def incidents(self) -> list[Any]:
        return self.pagerduty.standin.state.incidents

    @property
    def runs(self) -> list[Any]:
        return list(self.github.standin.state.repo(REPOSITORY).runs.items.values())

    def writes(self) -> list[str]:
        """What was sent to GitHub and PagerDuty that may have changed something."""
        recorded = [*self.github.requests, *self.pagerduty.requests]
        sent = [f"{request.method} {request.path}" for request in recorded if request.method != "GET"]
        return [one for one in sent if one != "POST /graphql"]  # a question

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def load(self, name: str) -> Any:
        return json.loads(self.read(name))


def furnish(state: Any, folder: Path) -> None:
    """The repository with its two workflows; they stand in the folder too."""
    files = workflows("retrain", "rollback")
    state.add_repo(REPOSITORY, files=files, collaborators={"alice": "write"})
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def log_to_wandb(server: Server[WandbStandIn], *levels: float, **extra: Any) -> None:
    """One W&B run with one accuracy an hour, from hour 1 on."""
    history = [
        {"_timestamp": BEGIN + hour * HOUR, "_step": hour, "eval/accuracy": level, "eval/n": 5000}
        for hour, level in enumerate(levels, 1)
    ]
    given: dict[str, Any] = {"config": {"model_version": "v6"}, "tags": ["production"]} | extra
    server.standin.state.add_run("acme", "churn-prod", "day-1", history=history, created_at=BEGIN, **given)


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%MZ")
