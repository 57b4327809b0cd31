"""Alerts from tracks alone are those of a replay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelwatch.backtest.logged_history import history_of_rows
from modelwatch.backtest.replay import replay_alerts
from modelwatch.backtest.result import Span
from modelwatch.backtest.rule_alerts import replay_rules
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.model.rule import BaselineKind, BaselineSpec, Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR, WEEK

from ..tuning.worlds import DEVELOPMENT, draw_world

START = 2_900 * WEEK


def windows(name: str, value: float, **more: object) -> Rule:
    """A rule that windows decide, on the whole and by region."""
    tiers = tuple(
        Tier(severity, (Limit(LimitKind.BELOW, value - step),), ("issue",))
        for severity, step in ((Severity.WARNING, 0.0), (Severity.ERROR, 0.03))
    )
    rule = Rule(
        name,
        "accuracy-drop",
        KeyPattern("eval/accuracy"),
        tiers,
        window=6 * HOUR,
        every=HOUR,
        segments=(KeyPattern("eval/region=*/accuracy"),),
        baseline=BaselineSpec(BaselineKind.NONE),
    )
    return replace(rule, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_of_segments_gaps_late_rows_and_several_tiers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for hour in range(24 * 40):
        if rng.random() < 0.9:
            drop = 0.05 * (hour // 60 % 4 == 1)
            late = HOUR * rng.integers(0, 9) if rng.random() < 0.05 else 0.0
            values = {
                "eval/accuracy": 0.9 - drop + 0.02 * rng.standard_normal(),
                **{f"eval/region={name}/accuracy": 0.9 + 0.03 * rng.standard_normal() for name in ("eu", "us")},
            }
            time = START + HOUR * hour
            rows.append({"_timestamp": time + late, "at": time, **values})
    rules = (windows("a", 0.89), windows("b", 0.88, for_=2, hold=3), windows("c", 0.87, lag=2 * HOUR, every=2 * HOUR))
    model = Model("churn", rules, wandb=WandbSpec("acme", "churn", time="at"), history=10 * DAY)
    history = history_of_rows(model, sorted(rows, key=lambda row: row["_timestamp"]))
    span = Span(START + 11 * DAY, START + 39 * DAY, HOUR)
    expected = [one for one in replay_alerts(model, history, span) if one.rule in ("a", "b", "c")]
    found = replay_rules(model, history, span)
    assert list(found) == ["a", "b", "c"]
    assert sum(map(len, found.values())) == len(expected) > 10
    for name, own in found.items():
        for one, other in zip(own, [one for one in expected if one.rule == name], strict=True):
            assert replace(one, labels=()) == replace(other, labels=())
            assert set(one.labels) == set(other.labels)


def test_of_detectors() -> None:
    world = draw_world(DEVELOPMENT["shares"], np.random.default_rng(2), days=90, every=2 * HOUR)
    expected = [one for one in replay_alerts(world.model, world.history, world.span) if one.rule == world.rule.name]
    assert list(replay_rules(world.model, world.history, world.span)[world.rule.name]) == expected
    assert expected
