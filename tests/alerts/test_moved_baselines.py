"""Alerts that outlast the history that is read fire by what the issue remembers, until the metric has recovered."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.alerts.moved_baselines import keep_firing
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.model.alert import AlertState, Group, Judgement, fingerprint
from modelwatch.model.finding import Cause
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model
from modelwatch.model.register import Impact
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Limit, LimitKind, Rule, Tier
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR
from tests.targets.making import issue, register, seen

from .making import unexplained

NOW = 20_000 * DAY
READ = 24 * 67
ORDERS = Rule(
    name="accuracy",
    kind="traffic-drop",
    metric=KeyPattern("orders"),
    tiers=tuple(
        Tier(severity, (Limit(LimitKind.DROP, limit),), do, false_alarms=90 * DAY)
        for severity, limit, do in ((Severity.WARNING, 0.1, ("issue",)), (Severity.ERROR, 0.3, ("issue", "page")))
    ),
    window=DAY,
    every=HOUR,
    aggregate=Aggregate.SUM,
    better=Direction.HIGHER,
    baseline=BaselineSpec(BaselineKind.ROLLING),
    digest="d1",
)
CONFIG = Config((Model("churn", (ORDERS,)),), "c1")
ALERT = fingerprint("churn", "accuracy", ())


def judge(days: float, left: float, *, recovered: float = 0.0) -> Judgement:
    """The judgement of orders of which a part is ``left`` for so many days; they ``recovered`` some days ago."""
    ago = np.arange(READ)[::-1] / 24
    mean = np.where((ago < days + recovered) & (ago >= recovered), 1000 * left, 1000.0)
    values = np.random.default_rng(5).poisson(mean).astype(float)
    times = NOW - DAY * ago
    pull = PulledSeries("churn", (Series("orders", (), array("d", times), array("d", values), None),))
    found = evaluate_model(CONFIG.models[0], pull, NOW)
    return judge_models(CONFIG, {"churn": found}, {"churn": pull}, NOW, unexplained)


def kept(judgement: Judgement, *, state: str = "open", **more: Any) -> Group:
    """The group with an issue that remembers a drop to a half."""
    impact = Impact("", 12_000.0, 24_000.0, -0.5, alert=ALERT)
    given = {"start": NOW - 60 * DAY, "config_since": NOW - 60 * DAY, "impact": impact, "alerts": (ALERT,), **more}
    observed = seen(issue(register(**given), state=state))
    return keep_firing(judgement, CONFIG, observed, NOW).groups[0]


@pytest.mark.parametrize("days", [20, 33, 36, 40, 48, 55, 60, 67])
def test_sums_fire_as_long_as_they_are_as_low(days: float) -> None:
    """They have no anchor: after 38 days the baseline is that of the incident."""
    group = kept(judge(days, 0.5))
    assert (group.state, group.severity, group.do) == (AlertState.FIRING, Severity.ERROR, ("issue", "page"))
    assert group.outlasts_history == (days > 37)
    if group.outlasts_history:
        (alert,) = group.alerts
        assert alert.finding.cause is Cause.MOVED_BASELINE
        assert alert.finding.baseline == 24_000.0
        assert alert.finding.change == pytest.approx(-0.5, abs=0.02)
        assert group.clear[0].times == ()
        assert "longer than the history that is read" in group.evidence.notes[-1]


def test_without_the_issue_nothing_is_known_of_it() -> None:
    judgement = judge(48, 0.5)
    assert judgement.groups[0].state is AlertState.QUIET
    assert keep_firing(judgement, CONFIG, seen(), NOW) == judgement


@pytest.mark.parametrize(("left", "severity"), [(0.5, "error"), (0.8, "warning"), (0.93, "warning"), (0.96, None)])
def test_what_got_better_has_a_milder_tier_and_recovers_near_the_baseline_of_then(
    left: float, severity: str | None
) -> None:
    group = kept(judge(50, left))
    assert group.severity == (Severity(severity) if severity else None)
    assert (group.state is AlertState.FIRING) == (severity is not None)


def test_what_has_recovered_does_not_fire() -> None:
    assert kept(judge(48, 0.5, recovered=1.5)).state is not AlertState.FIRING


@pytest.mark.parametrize(
    "more",
    [
        {"state": "closed"},
        {"closed": NOW - DAY},
        {"config": "d2"},
        {"config_since": NOW - DAY},
        {"impact": None},
    ],
)
def test_it_does_not_fire_by_what_does_not_count(more: dict[str, Any]) -> None:
    """An issue that is closed (the level is to stay), a rule that has changed, a register of 0.1."""
    assert kept(judge(48, 0.5), **more).state is AlertState.QUIET


def test_the_issue_is_never_surpassed() -> None:
    """A metric that the issue calls a warning is none that pages."""
    assert kept(judge(48, 0.5), severity=Severity.WARNING).severity is Severity.WARNING
