"""Fixtures of the tests of what is made inside W&B."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.wandb_setup.world import World


@pytest.fixture
def world(tmp_path: Path, wandb_server: Server[WandbStandIn], monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in {"COLUMNS": "160", "NO_COLOR": "1", "MODELWATCH_WAIT_SCALE": "0.001"}.items():
        monkeypatch.setenv(name, value)
    return World(wandb_server, tmp_path)
