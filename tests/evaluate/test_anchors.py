"""Slow declines under a rolling baseline: what is found, what they are compared with, and what stays quiet."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest

from modelwatch.evaluate.hypotheses import anchor_criteria, criteria
from modelwatch.model.finding import Track
from modelwatch.model.rule import (
    Aggregate,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR, WEEK

from .making import NAME, NOW, rule, track

READ = 24 * 67
"""Hours that are read: 30 days that are judged, the week before a window, and a rolling baseline of 28 days."""
JUDGED = 30 * DAY
LIMITS = ((Severity.WARNING, 0.02), (Severity.ERROR, 0.05), (Severity.CRITICAL, 0.1))
HOURS_AGO = np.arange(READ)[::-1]


def accuracy_rule(*, anchor: bool = True, **more: object) -> Rule:
    tiers = (
        Tier(severity, (Limit(LimitKind.DROP, limit),), ("issue",), false_alarms=90 * DAY) for severity, limit in LIMITS
    )
    given = {
        "window": DAY,
        "better": Direction.HIGHER,
        "weight": "eval/n",
        "interval": Interval.WILSON,
        "baseline": BaselineSpec(BaselineKind.ROLLING, anchor=anchor),
        **more,
    }
    return rule(*tiers, **given)


def decline(share: float, days: float) -> Floats:
    """The part that is left of a metric that loses ``share`` evenly over the last ``days``."""
    return 1 - share * np.clip(1 - HOURS_AGO / (24 * days), 0.0, 1.0)


def shares(left: Floats, *, n: int = 1000, level: float = 0.92, seed: int = 1) -> Series:
    rng = np.random.default_rng(seed)
    values = rng.binomial(n, np.clip(level * left, 0, 1)) / n
    times = NOW - HOUR * HOURS_AGO
    return Series(NAME, (), array("d", times), array("d", values), array("d", np.full(READ, float(n))))


def judge(left: Floats, *, anchor: bool = True, **more: object) -> Track:
    return track(accuracy_rule(anchor=anchor), shares(left), history=JUDGED, **more)


def reached(found: Track) -> str:
    """The severity at the end; empty for none."""
    return str(Severity.from_code(found.severity[-1])) if found.severity[-1] >= 0 else ""


@pytest.mark.parametrize(
    ("share", "days", "with_anchor", "without"),
    [(0.09, 60, "error", "warning"), (0.035, 60, "warning", ""), (0.12, 45, "critical", "error"), (0.012, 60, "", "")],
)
def test_a_slow_decline_is_measured_from_the_healthy_weeks(
    share: float, days: float, with_anchor: str, without: str
) -> None:
    left = decline(share, days)
    assert (reached(judge(left)), reached(judge(left, anchor=False))) == (with_anchor, without)


def test_the_finding_says_what_it_is_compared_with() -> None:
    found = judge(decline(0.09, 60))
    finding = found.finding(-1)
    assert found.anchor is not None
    assert found.anchor.until - found.anchor.since == 2 * WEEK
    assert finding.baseline == pytest.approx(0.914, abs=0.002)
    assert finding.change == pytest.approx(-0.083, abs=0.004)
    assert found.gradual is not None
    assert (NOW - found.gradual.since) / DAY == pytest.approx(60, abs=3)
    assert found.gradual.a_day == pytest.approx(-0.92 * 0.09 / 60, rel=0.05)
    assert found.gradual.is_share


def test_it_is_the_same_an_hour_later() -> None:
    one = shares(decline(0.09, 60))
    periods = {track(accuracy_rule(), one, history=JUDGED, now=NOW - hours * HOUR).anchor for hours in (0, 1, 5)}
    assert len(periods) == 1


def test_a_sudden_drop_is_no_trend() -> None:
    found = judge(np.where(HOURS_AGO < 72, 0.94, 1.0))
    assert reached(found) == "error"
    assert found.gradual is None


@pytest.mark.parametrize("hours", [3, 10, 30])
def test_a_sudden_drop_on_top_of_a_decline_is_no_trend(hours: int) -> None:
    found = judge(decline(0.05, 40) * np.where(hours > HOURS_AGO, 0.95, 1.0))
    assert reached(found)
    assert found.gradual is None


def test_a_version_is_compared_with_its_own_first_weeks() -> None:
    """v7 is better than v6 by 3 %, and has lost that again."""
    served = 24 * 45
    left = np.where(served > HOURS_AGO, 1.03 * decline(0.045, 30), 1.0)
    deployed = (("v6", NOW - READ * HOUR), ("v7", NOW - served * HOUR))
    found = judge(left, deployed=deployed)
    assert reached(found) == "warning"
    assert found.anchor is not None
    assert (found.anchor.version, found.anchor.since) == ("v7", NOW - served * HOUR)


def test_an_incident_in_the_first_weeks_of_a_version_is_no_healthy_level() -> None:
    """v7 was broken for ten of its first fourteen days: the weeks of v6 still count."""
    served = 24 * 29
    broken = (served - 24 * 12 < HOURS_AGO) & (served - 24 * 2 >= HOURS_AGO)
    left = np.where(broken, 0.8, decline(0.07, 50))
    found = judge(left, deployed=(("v6", NOW - READ * HOUR), ("v7", NOW - served * HOUR)))
    assert found.anchor is not None
    assert found.anchor.version == "v6"


def swing(size: float) -> Floats:
    """The steepest part of a yearly swing."""
    return 1 - size * np.sin(2 * np.pi * (24 * 33 - HOURS_AGO) / (24 * 365))


@pytest.mark.parametrize(
    "left", [np.ones(READ), decline(0.009, 60), swing(0.01), 1 / decline(0.09, 60)], ids=["none", "mood", "swing", "up"]
)
def test_what_is_no_worse_than_half_of_the_limit_stays_quiet(left: Floats) -> None:
    found = track(accuracy_rule(), shares(left, level=0.8), history=JUDGED)
    assert max(found.severity) < 0
    assert found.anchor is None


def test_a_part_of_the_budget_is_for_the_anchor() -> None:
    with_anchor, without = accuracy_rule(), accuracy_rule(anchor=False)
    assert anchor_criteria(without, without.tiers, 2.0) == []
    for usual, mine, anchored in zip(
        criteria(without, without.tiers, 2.0),
        criteria(with_anchor, with_anchor.tiers, 2.0),
        anchor_criteria(with_anchor, with_anchor.tiers, 2.0),
        strict=True,
    ):
        assert 1 / mine.budget + 1 / anchored.budget == pytest.approx(1 / usual.budget)


@pytest.mark.parametrize(
    ("aggregate", "is_found"), [(Aggregate.MEAN, True), (Aggregate.P95, True), (Aggregate.SUM, False)]
)
def test_means_and_quantiles_have_anchors_and_sums_follow_the_traffic(aggregate: Aggregate, is_found: bool) -> None:
    """A latency that rises by 60 % in 60 days; its warning is a rise of 25 %."""
    rng = np.random.default_rng(3)
    values = 250 / decline(0.375, 60) * np.exp(0.1 * rng.standard_normal(READ))
    series = Series(NAME, (), array("d", NOW - HOUR * HOURS_AGO), array("d", values), None)
    a_rule = replace(
        accuracy_rule(),
        tiers=(Tier(Severity.WARNING, (Limit(LimitKind.RISE, 0.25),), ("issue",), false_alarms=90 * DAY),),
        better=Direction.LOWER,
        weight=None,
        interval=Interval.NORMAL if aggregate is Aggregate.MEAN else Interval.NONE,
        aggregate=aggregate,
    )
    found = track(a_rule, series, history=JUDGED)
    assert (found.anchor is not None) is is_found
    assert (found.severity[-1] >= 0) is is_found
