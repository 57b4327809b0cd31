"""A GitHub and one relay that a module's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .world import RelayProcess, github_server


@pytest.fixture(scope="module")
def shared_github() -> Iterator[tuple[Server[GitHubStandIn], str]]:
    server, token = github_server()
    with server:
        yield server, token


@pytest.fixture
def github(shared_github: tuple[Server[GitHubStandIn], str]) -> Server[GitHubStandIn]:
    """Without faults, recordings and workflow runs of earlier tests."""
    server, _ = shared_github
    server.clear()
    server.standin.reset()
    return server


@pytest.fixture(scope="module")
def shared_relay(
    shared_github: tuple[Server[GitHubStandIn], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    server, token = shared_github
    with RelayProcess(tmp_path_factory.mktemp("relay"), server.url, token) as relay:
        yield relay


@pytest.fixture
def relay(shared_relay: RelayProcess, github: Server[GitHubStandIn]) -> RelayProcess:
    """The module's relay; start another one where its memory must be empty."""
    return shared_relay


@pytest.fixture
def another(shared_github: tuple[Server[GitHubStandIn], str], tmp_path: Path) -> Iterator[Callable[..., RelayProcess]]:
    """Start one more relay."""
    server, token = shared_github
    made: list[RelayProcess] = []

    def start(**more: object) -> RelayProcess:
        given: dict[str, object] = {"github_url": server.url, "token": token} | more
        made.append(RelayProcess(tmp_path / f"relay-{len(made)}", **given).start())  # type: ignore[arg-type]
        return made[-1]

    yield start
    for one in made:
        one.kill()
