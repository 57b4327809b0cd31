"""The world of the command line, and, where a page is about releases, a W&B that holds the versions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.cli.conftest import world
from tests.cli.world import BEGIN
from tests.conftest import wandb_on_loopback

__all__ = ["registry", "wandb", "world"]


@pytest.fixture(scope="module")
def wandb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server[WandbStandIn], dict[str, str]]]:
    """One for all tests of a module, and the variables that lead there."""
    with wandb_on_loopback(tmp_path_factory.mktemp("wandb")) as server:
        yield server, {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}


@pytest.fixture
def registry(
    world: object, wandb: tuple[Server[WandbStandIn], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for after ``world``, which forgets every variable of W&B."""
    add_versions(wandb, monkeypatch.setenv)


def add_versions(wandb: tuple[Server[WandbStandIn], dict[str, str]], setenv: Callable[[str, str], None]) -> None:
    """Versions v0 to v7 of which v6 serves, in a W&B that has nothing else."""
    server, variables = wandb
    for name, value in variables.items():
        setenv(name, value)
    server.clear()
    server.standin.reset()
    held = {5: ["1.5.0", "previous"], 6: ["1.6.0", "production"], 7: ["1.7.0", "candidate"]}
    for number in range(8):
        server.standin.state.add_artifact(
            "acme", "train", "churn", {"model.bin": f"weights {number}".encode()}, created_at=BEGIN - 9_000 + number,
            aliases=held.get(number, []),
        )  # fmt: skip
