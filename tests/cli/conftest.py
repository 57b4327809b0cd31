"""A world for each test; for tests of releases one W&B a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from tests.release.world import World as ReleaseWorld
from tests.release.world import open_world

from .world import Clock, World, furnish

FOREIGN = ("GITHUB_", "PAGERDUTY_", "WANDB_", "MODELWATCH_", "ACTIONS_", "INPUT_")
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "MODELWATCH_WAIT_SCALE": "0.001"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Stand-ins for GitHub and PagerDuty, a repository, a configuration that reads a table; W&B is not there."""
    clock = Clock()
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    with Server(GitHubStandIn(clock=clock)) as github, Server(PagerDutyStandIn(clock=clock)) as pagerduty:
        pages = pagerduty.standin.state
        given = {
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": github.standin.state.add_token(),
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "PAGERDUTY_ROUTING_KEY": pages.add_service("churn-model").routing_key,
            "PAGERDUTY_TOKEN": pages.add_token(read_only=True),
        }
        for name, value in (PLAIN | given).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        furnish(github.standin.state, tmp_path)
        found = World(tmp_path, clock, github, pagerduty, monkeypatch.setenv, monkeypatch.delenv)
        found.config()
        yield found
    assert github.errors == []
    assert pagerduty.errors == []


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    """A model with releases; tests ``renew`` or ``enter`` it."""
    with open_world(tmp_path_factory.mktemp("wandb")) as world:
        yield world
