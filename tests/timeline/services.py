"""The services of the stories: W&B, GitHub and PagerDuty on loopback, and the environment that leads clients there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.conftest import forget_wandb, wandb_env


@dataclass(slots=True)
class Services:
    """The three stand-ins, which every story gets anew."""

    wandb: Server[WandbStandIn]
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    folder: Path

    def __getitem__(self, name: str) -> Server[Any]:
        servers: dict[str, Server[Any]] = {"wandb": self.wandb, "github": self.github, "pagerduty": self.pagerduty}
        return servers[name]


@contextmanager
def start_services() -> Iterator[Services]:
    """Serve on loopback; the environment of this process leads the clients there until the block ends."""
    before = dict(os.environ)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="modelwatch-timeline-")))
        wandb = stack.enter_context(Server(WandbStandIn()))
        github = stack.enter_context(Server(GitHubStandIn()))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn()))
        try:
            for name in [name for name in os.environ if name.startswith(("GITHUB_", "PAGERDUTY_", "GH_"))]:
                del os.environ[name]
            os.environ.update(wandb_env(wandb.url, folder / "wandb"))
            os.environ |= {"GITHUB_API_URL": github.url, "MODELWATCH_WAIT_SCALE": "0.001", "COLUMNS": "400"}
            os.environ |= {"PAGERDUTY_EVENTS_URL": pagerduty.url, "PAGERDUTY_API_URL": pagerduty.url}
            (folder / "wandb").mkdir()
            forget_wandb()
            yield Services(wandb, github, pagerduty, folder)
        finally:
            forget_wandb()
            os.environ.clear()
            os.environ.update(before)
