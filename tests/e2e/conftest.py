"""Fixtures of the workflow tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace, publish


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our repository, as a runner downloads it."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def workplace(tmp_path: Path, published: Path) -> Workplace:
    """A user's repository."""
    return Workplace(tmp_path, published)
