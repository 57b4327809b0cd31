"""Where the stories take place: stand-ins on loopback with a clock of their own, and a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..standins.github import GitHubStandIn
from ..standins.http import Server
from ..standins.pagerduty import PagerDutyStandIn
from ..standins.wandb import WandbStandIn
from ..standins.wandb.state import WandbState

ENTITY = "acme"
WANDB_KEY = "demo" * 10

WORKFLOW_TEMPLATE = """\
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


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model: its part of the configuration, its repository, and the workflows there."""

    name: str
    config: str
    """The model's item under ``models:``."""
    verbs: tuple[str, ...]
    downstream: DemoModel | None = None
    """A model that depends on it, and is part of its story."""

    @property
    def family(self) -> tuple[DemoModel, ...]:
        """Itself, and the model downstream."""
        return (self, self.downstream) if self.downstream else (self,)

    @property
    def repository(self) -> str:
        return f"{ENTITY}/{self.name}-model"

    @property
    def project(self) -> str:
        return f"{self.name}-prod"


@dataclass(slots=True)
class SimulatedClock:
    """Simulated time in seconds, UTC; the stand-ins stamp everything with it."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class DemoEnvironment:
    """The running stand-ins, the folder with the configuration, and the variables that lead the clients there."""

    clock: SimulatedClock
    wandb: Server[WandbStandIn]
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    folder: Path
    variables: dict[str, str]

    @property
    def config_path(self) -> Path:
        return self.folder / "modelwatch.yml"


@contextmanager
def start_environment(folder: Path, start: float, demo_models: Sequence[DemoModel]) -> Iterator[DemoEnvironment]:
    """A world that begins at ``start``; its files are written into ``folder``."""
    clock = SimulatedClock(start)
    demo_models = [one for home in demo_models for one in home.family]
    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn(WandbState(clock=clock))))
        github = stack.enter_context(Server(GitHubStandIn(clock=clock)))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn(clock=clock)))
        services = {home.name: pagerduty.standin.state.add_service(f"{home.name}-model") for home in demo_models}
        for home in demo_models:
            files = {f".github/workflows/{verb}.yml": WORKFLOW_TEMPLATE.format(verb=verb) for verb in home.verbs}
            github.standin.state.add_repo(home.repository, files=files)
            for name, text in files.items():
                _write(folder / home.name / name, text)
        config = "".join(home.config for home in demo_models)
        _write(folder / "modelwatch.yml", f"version: 1\nmodels:\n{config}")
        for name in ("baselines", "logs", "training"):
            (folder / name).mkdir(exist_ok=True)
        yield DemoEnvironment(
            clock,
            wandb,
            github,
            pagerduty,
            folder,
            {
                "MODELWATCH_WAIT_SCALE": "0.02",  # stand-ins have no patience to spare
                "WANDB_BASE_URL": wandb.url,
                "WANDB_API_KEY": WANDB_KEY,
                "WANDB_MODE": "online",
                "WANDB_SILENT": "true",
                "WANDB_CONSOLE": "off",
                "WANDB_ERROR_REPORTING": "false",
                "WANDB_DISABLE_GIT": "true",
                "WANDB_X_DISABLE_META": "true",
                "WANDB_X_DISABLE_STATS": "true",
                "WANDB_X_SAVE_REQUIREMENTS": "false",
                "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.05",
                **{f"WANDB_{name}_DIR": str(folder / "wandb" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
                "WANDB_DIR": str(folder / "wandb"),
                "GITHUB_API_URL": github.url,
                "GITHUB_TOKEN": github.standin.state.add_token(),
                "PAGERDUTY_EVENTS_URL": pagerduty.url,
                "PAGERDUTY_API_URL": pagerduty.url,
                **{f"PAGERDUTY_{model.upper()}_KEY": service.routing_key for model, service in services.items()},
                "PAGERDUTY_TOKEN": pagerduty.standin.state.add_token(read_only=True),
            },
        )


def replace_environment(variables: Mapping[str, str]) -> None:
    """Let every client of this process find the stand-ins, and nothing else."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "GITHUB_", "PAGERDUTY_", "GH_", "MODELWATCH_")):
            del os.environ[name]
    os.environ.update(variables)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
