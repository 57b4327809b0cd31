"""The watchdog fires at every time, whatever mutes its host, through the code of every alert."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from modelwatch.alerts.grouping import judge_models, judge_watchdog
from modelwatch.model.alert import WATCHDOG, AlertState
from modelwatch.model.monitored_model import Config, Matcher, Model, Silence
from modelwatch.model.plan import ChangeKind, ModelObservation
from modelwatch.model.secret import Secret
from modelwatch.model.self_monitoring import HeartbeatSpec
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import DAY

NOW = 1_790_000_000.0
MUTED = Model("churn", (), silences=(Silence(Matcher(), NOW + 400 * DAY, "alice", "quiet"),))


@pytest.mark.parametrize("host", [Model("churn", ()), MUTED], ids=["plain", "silenced"])
def test_it_always_fires(host: Model) -> None:
    source = random.Random(17)
    for now in (NOW, *(NOW + source.uniform(0, 400 * DAY) for _ in range(500))):
        group = judge_watchdog(host, now)
        assert (group.state, group.rule, group.do) == (AlertState.FIRING, WATCHDOG, ())
        assert bool(group.mutes) == bool(host.silences)


@pytest.mark.parametrize("host", [Model("churn", ()), MUTED], ids=["plain", "silenced"])
def test_its_plan_is_the_heartbeat_and_nothing_else(host: Model) -> None:
    config = Config((host,), "c", heartbeat=HeartbeatSpec(Secret("HEARTBEAT_URL", "")))
    judgement = judge_models(Config((), "c"), {}, {}, NOW, lambda *_: None)
    assert judgement.watchdog is None
    group = judge_watchdog(host, NOW)
    plan = make_plan(replace(judgement, watchdog=group), config, {"churn": ModelObservation("churn")}, NOW)
    assert plan.heartbeat is not None
    assert plan.heartbeat.kind is ChangeKind.SEND_HEARTBEAT
    assert (plan.changes, plan.skips, plan.groups, plan.troubles) == ((), (), (), ())


def test_without_it_the_plan_has_a_problem() -> None:
    config = Config((Model("churn", ()),), "c", heartbeat=HeartbeatSpec(Secret("HEARTBEAT_URL", "")))
    judgement = judge_models(Config((), "c"), {}, {}, NOW, lambda *_: None)
    plan = make_plan(judgement, config, {}, NOW)
    assert plan.heartbeat is None
    assert plan.troubles == (("churn", "the watchdog does not fire, so no heartbeat is sent"),)
