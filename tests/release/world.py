"""A model whose versions are at a W&B on loopback, a PagerDuty, a webhook, and a folder where its commands run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.model.monitored_model import Model, PagerDutySpec, ReleaseSpec, WandbSpec
from modelwatch.model.release import Move, MoveVerb, Registry
from modelwatch.model.secret import Secret
from modelwatch.release.move_records import run_id
from modelwatch.release.move_request import MoveRequest
from modelwatch.release.moves import finish_open_moves, make_move
from modelwatch.release.registry import read_registry
from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.conftest import wandb_on_loopback

NOW = 1_790_000_000.0
DEPLOY = 'echo "$MODELWATCH_VERB $MODELWATCH_VERSION $MODELWATCH_PERCENT" >> deployed.txt'
HELD = {"v1": ["1.0.0", "previous"], "v2": ["1.1.0", "production"], "v3": ["1.2.0", "candidate"]}


class Hook:
    """A webhook that keeps what it gets."""

    name = "hook"

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    def handle(self, request: Request) -> Response:
        self.got.append(json.loads(request.body))
        return Response.of({})


@dataclass(slots=True)
class World:
    wandb: Server[WandbStandIn]
    pagerduty: Server[PagerDutyStandIn]
    hook: Server[Hook]
    folder: Path
    model: Model
    now: float = NOW
    scale: float = 0.001
    """Of every wait."""
    told: list[str] = field(default_factory=list)

    def renew(self, folder: Path) -> None:
        """Versions v0 to v3, of which v2 is in production; nothing has been moved yet."""
        for server in (self.wandb, self.pagerduty, self.hook):
            server.clear()
        self.wandb.standin.reset()
        self.hook.standin.got.clear()
        self.pagerduty.standin.state.change_events.clear()
        self.folder, self.now, self.scale = folder, NOW, 0.001
        self.told.clear()
        state = self.wandb.standin.state
        for number in range(4):
            config, summary = {"lr": number / 10, "layers": 2}, {"accuracy": 0.9 + number / 100}
            run = state.add_run("acme", "train", f"trainer-{number}", config, summary=summary)
            run.commit = f"{number}" * 40
            state.add_artifact(
                "acme", "train", "churn", {"model.bin": f"weights {number}".encode()}, created_at=NOW - 9_000 + number,
                aliases=HELD.get(f"v{number}", []), metadata={"data_version": f"2026-0{number}"}, run=run,
            )  # fmt: skip
        key = state_key(self.pagerduty)
        release = ReleaseSpec("acme/train/churn", deploy=DEPLOY, degrade=DEPLOY)
        wandb = WandbSpec("acme", "prod")
        self.model = Model("churn", (), wandb=wandb, pagerduty=PagerDutySpec(routing_key=key), release=release)

    def enter(self, folder: Path, patch: pytest.MonkeyPatch, **variables: str) -> None:
        """Begin again in ``folder``, where commands run, with these servers and ``variables`` in the environment."""
        self.renew(folder)
        patch.chdir(folder)
        key = self.model.pagerduty.routing_key
        assert key is not None
        given = {
            "PAGERDUTY_ROUTING_KEY": key.reveal(),
            "PAGERDUTY_EVENTS_URL": self.pagerduty.url,
            "MODELWATCH_WAIT_SCALE": "0.001",
            "GITHUB_ACTOR": "ana",
            "COLUMNS": "200",
        }
        for name, value in (given | variables).items():
            patch.setenv(name, value)
        for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)

    def change(self, **values: Any) -> None:
        """Other values of the release section."""
        assert self.model.release is not None
        self.model = replace(self.model, release=replace(self.model.release, **values))

    def hooked(self) -> None:
        self.change(webhook=Secret("HOOK", f"{self.hook.url}/secret-path"))

    def move(self, verb: MoveVerb, target: str = "", key: str = "", **rest: Any) -> Move:
        """A move a second later than the one before."""
        self.now += 1
        request = MoveRequest(verb, target, key=key, reason=rest.pop("reason", "because"), by="ana", **rest)
        return make_move(
            self.model, request, self.env, self.patience, self.now, echo=self.told.append, workspace=self.folder
        )

    def finish(self, *, after: float = 1.0, take_over: bool = False) -> tuple[Move, ...]:
        self.now += after
        return finish_open_moves(
            self.model, self.env, self.patience, self.now, take_over=take_over, echo=self.told.append,
            workspace=self.folder,
        )  # fmt: skip

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PAGERDUTY_EVENTS_URL": self.pagerduty.url}

    @property
    def patience(self) -> RetryPolicy:
        return RetryPolicy(max_attempts=2, initial_wait=0.0, timeout=2.0, wait_scale=self.scale)

    def registry(self) -> Registry:
        return read_registry(self.model, self.env, self.patience)

    def held(self, *names: str, project: str = "train") -> dict[str, str]:
        """Who holds what, numbers and ``latest`` left out unless they are named."""
        collection = self.wandb.standin.state.projects["acme", project].collections["churn"]
        return {
            alias: f"v{version.version}"
            for version in collection.versions
            for alias in version.aliases
            if alias in names or not (names or alias == "latest" or alias[0].isdigit())
        }

    def states(self) -> list[tuple[str, str]]:
        """Key and state of every move, oldest first."""
        return [(one.key, str(one.state)) for one in reversed(self.registry().moves)]

    def shown(self, key: str) -> str:
        """How W&B shows the W&B run of a move."""
        run = self.wandb.standin.state.run("acme", "train", run_id("churn", key))
        assert run is not None
        return run.state

    def deployed(self) -> list[str]:
        log = self.folder / "deployed.txt"
        return log.read_text().splitlines() if log.exists() else []

    def asked(self, name: str) -> int:
        """How many requests of this operation W&B got."""
        return sum(f" {name}" in one.body.decode() for one in self.wandb.requests)


def state_key(pagerduty: Server[PagerDutyStandIn]) -> Secret:
    return Secret("PAGERDUTY_ROUTING_KEY", pagerduty.standin.state.add_service("churn").routing_key)


@contextmanager
def open_world(home: Path) -> Iterator[World]:
    with wandb_on_loopback(home) as wandb, Server(PagerDutyStandIn()) as pagerduty, Server(Hook()) as hook:
        yield World(wandb, pagerduty, hook, home, Model("churn", ()))
