"""A world for each test; for tests of releases one W&B a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Stand-ins for GitHub and PagerDuty, a repository, a configuration that reads a table; W&B is not there."""
    clock = Clock()
    with (
        pytest.MonkeyPatch.context() as patch,
        Server(GitHubStandIn(clock=clock)) as github,
        Server(PagerDutyStandIn(clock=clock)) as pagerduty,
    ):
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            patch.delenv(name)
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
            patch.setenv(name, value)
        patch.chdir(folder)
        furnish(github.standin.state, folder)
        found = World(folder, clock, github, pagerduty, patch.setenv, patch.delenv)
        found.config()
        yield found
    assert github.errors == []
    assert pagerduty.errors == []


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    """A model with releases; tests ``renew`` or ``enter`` it."""
    with open_world(tmp_path_factory.mktemp("wandb")) as world:
        yield world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as found:
        yield found
