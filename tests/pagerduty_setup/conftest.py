"""A world for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn

from .world import World

FOREIGN = ("GITHUB_", "PAGERDUTY_", "WANDB_", "MODELWATCH_", "ACTIONS_", "INPUT_")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The environment leads to it, and the present directory holds its configuration."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    with Server(PagerDutyStandIn()) as server:
        found = World(server, tmp_path)
        found.renew()
        for name, value in found.env().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield found
    assert server.errors == []
