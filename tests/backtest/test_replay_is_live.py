"""A replay finds and does what evaluations would have, one by one, on random histories of every kind of rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from .live_comparison import differences

SEEDS = (5, 9, 21, 33, 40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_is_what_evaluations_would_have_done(seed: int, tmp_path: Path) -> None:
    found, alerts, changes = differences(seed, tmp_path, most=40)
    assert found == []
    assert alerts
    assert changes
