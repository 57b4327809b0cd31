"""A W&B with a team's webhook in it, a configuration, and the real clients between them."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelwatch.cli import main
from modelwatch.clients.wandb import WandbSessions
from modelwatch.config.loader import load_config
from modelwatch.model.setup_plan import SetupPlan
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import RunRecord, WandbStandIn, WandbState
from modelwatch.testing.standins.wandb.records import ViewRecord
from modelwatch.wandb_setup.apply import ApplyResult, apply
from modelwatch.wandb_setup.desired_state import DesiredState, desired_state
from modelwatch.wandb_setup.lookup import Observer, observe
from modelwatch.wandb_setup.plan import make_plan
from tests.conftest import WANDB_KEY

REPOSITORY = "acme/churn-model"
DISPATCHES = f"https://api.github.com/repos/{REPOSITORY}/dispatches"
TOKEN = "github-token-in-the-team-secrets"

MODEL = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    wandb: {entity: acme, project: churn-prod, runs: {tags: production, job_type: serve}}
    github: {repository: acme/churn-model}
    links: {Traffic: "https://grafana.acme.example/churn"}
    release: {artifact: acme/churn-train/churn, deploy: ./deploy.sh}
SETUP
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        baseline: {value: 0.9, n: 1000}
        segments: "eval/region=*/accuracy"
        runbook: https://runbooks.acme.example/accuracy
        tiers: {warning: {drop: 5%, do: [issue]}, error: {drop: 10%, do: [issue]}}
      - {name: latency, kind: latency, metric: serving/p95_ms, tiers: {error: {above: 250, do: [issue]}}}
      - name: revenue
        kind: business-metric
        metric: business/revenue
        baseline: {rolling: 28d}
        tiers: {error: {drop: 8%, do: [issue]}}
      - name: delay
        kind: label-delay
        metric: labels/delay_h
        better: lower
        baseline: {rolling: 28d}
        tiers: {error: {sigma: 4, do: [issue]}}
"""


def config_text(setup: str = "") -> str:
    return MODEL.replace("SETUP\n", f"    wandb_setup: {setup}\n" if setup else "")


@dataclass
class World:
    server: Server[WandbStandIn]
    folder: Path

    def __post_init__(self) -> None:
        self.run = self.state.add_run(
            "acme", "churn-prod", "serving-v7", tags=["production"], history=[{"eval/accuracy": 0.9}], state="running"
        )
        self.state.add_artifact("acme", "churn-train", "churn", {"model": b"v0"}, aliases=["production"])
        self.state.add_webhook("acme", "start modelwatch", DISPATCHES, TOKEN)
        self.write(config_text())

    run: RunRecord = None  # type: ignore[assignment]

    @property
    def state(self) -> WandbState:
        return self.server.standin.state

    @property
    def path(self) -> Path:
        return self.folder / "modelwatch.yml"

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")

    def replace(self, old: str, new: str) -> None:
        text = self.path.read_text("utf-8")
        assert old in text
        self.write(text.replace(old, new))

    def desired(self) -> DesiredState:
        config = load_config(self.path, {}, require_secrets=False)
        return desired_state(config, {"WANDB_BASE_URL": self.server.url})

    def observer(self) -> Observer:
        env = {"WANDB_BASE_URL": self.server.url, "WANDB_API_KEY": WANDB_KEY, "MODELWATCH_WAIT_SCALE": "0.001"}
        return Observer(self.server.url, WandbSessions(env))

    def plan(self, *, force: bool = False) -> SetupPlan:
        desired = self.desired()
        return make_plan(desired, observe(desired, self.observer()), force=force)

    def apply(self, *, force: bool = False) -> ApplyResult:
        desired, observer = self.desired(), self.observer()
        plan = make_plan(desired, observe(desired, observer), force=force)
        return apply(desired, plan, observer, WANDB_KEY, force=force)

    def views(self, kind: str = "project-view") -> list[ViewRecord]:
        return [
            view for project in self.state.projects.values() for view in project.views.values() if view.type == kind
        ]

    def view(self) -> ViewRecord:
        (view,) = self.views()
        return view

    def report(self) -> ViewRecord:
        (report,) = self.views("runs")
        return report

    def automation(self, item: str) -> Any:
        records = self.state.automations.records.values()
        return next(record for record in records if record.name == f"modelwatch churn: {item}")

    def automation_names(self) -> list[str]:
        return sorted(record.name for record in self.state.automations.records.values())

    def mutations(self) -> list[str]:
        """The first field of every mutation that was sent."""
        found = []
        for request in self.server.requests:
            body = json.loads(request.body or b"{}") if request.path == "/graphql" else {}
            query = str(body.get("query", "")).strip()
            if query.startswith("mutation"):
                found.append(query.partition("{")[2].strip().split("(")[0].split()[-1])
        return found


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run(*arguments: str) -> Ran:
    """Invoke `modelwatch wandb` in this process, as the console script does."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(["wandb", *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())
