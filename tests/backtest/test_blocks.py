"""Where blocks of evaluations begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelwatch.backtest.blocks import cut_blocks
from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.config.loader import load_config
from modelwatch.timeutil import DAY, HOUR, WEEK

from .random_histories import START, Row

MODEL = """
version: 1
models:
  - name: churn
    wandb: {entity: a, project: b, time: at, version: model_version}
    history: 30d
    rules:
      - {name: static, kind: accuracy-drop, metric: eval/accuracy, better: higher, tiers: {warning: {below: 90%}}}
      - name: later
        kind: accuracy-drop
        metric: eval/accuracy
        better: higher
        lag: 3h
        tiers: {warning: {below: 90%}}
      - {name: speed, kind: latency, metric: ops/latency, better: lower, tiers: {warning: {above: 90}}}
"""
FIRST = (START + 40 * DAY) // WEEK * WEEK + 30 * DAY % WEEK
"""Histories of 30 days begin a new week here."""


def row(hour: float, *, delay: float = 0.0, **more: Any) -> Row:
    """``hour``: after the first evaluation."""
    time = FIRST + hour * HOUR
    return {"at": time, "_timestamp": time + delay * HOUR, "model_version": "v1", "eval/accuracy": 0.95, **more}


def begins(tmp_path: Path, *extra: Row, hours: int = 24) -> dict[str, list[int]]:
    """By rule the places where its blocks begin; evaluations are hourly."""
    (tmp_path / "modelwatch.yml").write_text(MODEL, "utf-8")
    model = load_config(tmp_path / "modelwatch.yml", {}).models[0]
    rows = [row(hour, **{"ops/latency": 80.0}) for hour in range(-100, hours)]
    history = history_of_rows(model, sorted([*rows, *extra], key=lambda one: one["_timestamp"]))
    blocks = cut_blocks(history, [FIRST + hour * HOUR for hour in range(hours)])
    return {rule.name: [first for first, _ in own] for rules, own in blocks.items() for rule in rules}


def test_the_evaluations_of_a_week_are_one_block(tmp_path: Path) -> None:
    assert begins(tmp_path, hours=9 * 24) == {name: [0, 7 * 24] for name in ("static", "later", "speed")}


@pytest.mark.parametrize(
    ("delay", "static", "later"), [(0.5, [0], [0]), (1.0, [0], [0]), (2.0, [0, 12], [0]), (5.0, [0, 15], [0, 15])]
)
def test_a_row_that_was_logged_late_begins_one(
    delay: float, static: list[int], later: list[int], tmp_path: Path
) -> None:
    found = begins(tmp_path, row(10.5, delay=delay - 0.5, **{"eval/accuracy": 0.7}))
    assert (found["static"], found["later"], found["speed"]) == (static, later, [0])


def test_a_new_series_a_new_version_and_one_that_comes_back_begin_one(tmp_path: Path) -> None:
    found = begins(tmp_path, row(7.5, model_version="v2"), row(9.5, model_version="v2"))
    assert found["static"][:2] == [0, 8]
