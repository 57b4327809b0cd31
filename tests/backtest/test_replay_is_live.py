"""A replay finds and does what evaluations would have, one by one, on random histories of every kind of rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.backtest.replay import replay
from modelwatch.backtest.result import Span
from modelwatch.timeutil import DAY, HOUR

from .live_comparison import differences
from .random_histories import random_history

SEEDS = (3, 5, 9, 10, 11, 13, 21, 33, 40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_is_what_evaluations_would_have_done(seed: int, tmp_path: Path) -> None:
    found, alerts, changes = differences(seed, tmp_path, most=40)
    assert found == []
    assert alerts
    assert changes


def test_two_processes_replay_what_one_does(tmp_path: Path) -> None:
    history = random_history(5, tmp_path)
    known = {model.name: history_of_rows(model, history.rows[model.name]) for model in history.config.models}
    span = Span(history.end - 6 * DAY, history.end, 2 * HOUR)
    one, two = (replay(history.config, known, span, processes=processes) for processes in (1, 2))
    assert one == two
    assert one.episodes
    assert one.effects
