"""Where the story takes place: stand-ins on loopback with a clock of their own, and a repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..standins.github import GitHubStandIn
from ..standins.http import Server
from ..standins.pagerduty import PagerDutyStandIn
from ..standins.wandb import WandbStandIn
from ..standins.wandb.state import WandbState

ENTITY, PROJECT, REPOSITORY = "acme", "churn-prod", "acme/churn-model"
WANDB_KEY = "demo" * 10

CONFIG = """\
version: 1
models:
  - name: churn
    owner: "@acme/growth-ml"
    wandb:
      entity: acme
      project: churn-prod
      runs: {tags: production}
      version: model_version
      time: monitor/time
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}", token: "${PAGERDUTY_TOKEN}", service: churn-model}
    github: {repository: acme/churn-model, labels: ["model:churn"]}
    runbooks: {base: "https://github.com/acme/churn-model/blob/main/runbooks"}
    workflows:
      retrain: retrain.yml
      rollback: {file: rollback.yml, mode: act}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 6h
        every: 1h
        for: 2
        hold: 3
        recover: {drop: 1.5%}
        baseline: {file: baselines/churn.json}
        segments: "eval/region=*/accuracy"
        tiers:
          warning:  {drop: 2%,  do: [issue, retrain]}
          error:    {drop: 5%,  do: [issue, page]}
          critical: {drop: 10%, do: [issue, page, rollback]}
"""

WORKFLOW = """\
name: {verb}
run-name: modelwatch {verb} ${{{{ inputs.model }}}} ${{{{ inputs.key }}}}
on:
  workflow_dispatch:
    inputs:
      key: {{type: string, required: true}}
      model: {{type: string, required: true}}
      version: {{type: string}}
      target_version: {{type: string}}
      reason: {{type: string}}
      issue: {{type: string}}
permissions: {{}}
jobs:
  {verb}:
    runs-on: ubuntu-latest
    steps:
      - run: echo "here stands your own {verb} command"
"""


@dataclass(slots=True)
class Clock:
    """Simulated time in seconds, UTC; the stand-ins stamp everything with it."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class World:
    """The running stand-ins, the folder with the configuration, and the variables that lead the clients there."""

    clock: Clock
    wandb: Server[WandbStandIn]
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    folder: Path
    variables: dict[str, str]

    @property
    def config_path(self) -> Path:
        return self.folder / "modelwatch.yml"


@contextmanager
def build(folder: Path, start: float) -> Iterator[World]:
    """A world that begins at ``start``; its files are written into ``folder``."""
    clock = Clock(start)
    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn(WandbState(clock=clock))))
        github = stack.enter_context(Server(GitHubStandIn(clock=clock)))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn(clock=clock)))
        files = {f".github/workflows/{verb}.yml": WORKFLOW.format(verb=verb) for verb in ("retrain", "rollback")}
        github.standin.state.add_repo(REPOSITORY, files=files)
        service = pagerduty.standin.state.add_service("churn-model")
        for name, text in files.items() | {("modelwatch.yml", CONFIG)}:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        (folder / "baselines").mkdir(exist_ok=True)
        yield World(
            clock,
            wandb,
            github,
            pagerduty,
            folder,
            {
                "WANDB_BASE_URL": wandb.url,
                "WANDB_API_KEY": WANDB_KEY,
                "WANDB_MODE": "online",
                "WANDB_SILENT": "true",
                "WANDB_CONSOLE": "off",
                "WANDB_ERROR_REPORTING": "false",
                "WANDB_X_DISABLE_STATS": "true",
                "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.05",
                **{f"WANDB_{name}_DIR": str(folder / "wandb" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
                "WANDB_DIR": str(folder / "wandb"),
                "GITHUB_API_URL": github.url,
                "GITHUB_TOKEN": github.standin.state.add_token(),
                "PAGERDUTY_EVENTS_URL": pagerduty.url,
                "PAGERDUTY_API_URL": pagerduty.url,
                "PAGERDUTY_ROUTING_KEY": service.routing_key,
                "PAGERDUTY_TOKEN": pagerduty.standin.state.add_token(read_only=True),
            },
        )
