"""One W&B for all tests of a module, renewed for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World, open_world


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("wandb")) as world:
        yield world


@pytest.fixture
def world(opened: World, tmp_path: Path) -> World:
    opened.renew(tmp_path)
    return opened
