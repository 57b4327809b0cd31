"""Rules with ``anomaly``: what is found, when it is over, and what is never said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelwatch.alerts.state_machine import latest_alert
from modelwatch.evaluate.anomaly import HOLD
from modelwatch.model.alert import AlertState
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import AnomalySpec, Direction, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR, MINUTE

from .making import NAME, NAN, NOW, hourly, rows, series, track, tracks

HOURS = 60 * 24
TIERS = (
    Tier(Severity.WARNING, (), ("issue",), false_alarms=90 * DAY),
    Tier(Severity.ERROR, (), ("issue", "page"), false_alarms=365 * DAY),
)


def rule(**more: Any) -> Rule:
    given: dict[str, Any] = {"tiers": TIERS, "anomaly": AnomalySpec(), **more}
    return Rule(name="orders", kind="anomaly", metric=KeyPattern(NAME), **given)


def metric(seed: int = 1, hours: int = HOURS) -> list[float]:
    hour = np.arange(hours)
    noise = 0.5 * np.random.default_rng(seed).standard_normal(hours)
    values: list[float] = (10 + 3 * np.sin(2 * np.pi * hour / 24) + noise).tolist()
    return values


def spiked(at: int, by: float = 15.0) -> list[float]:
    values = metric()
    values[at] += by
    return values


def test_a_spike_is_found_at_once_with_what_was_expected_and_is_over_after_half_a_day() -> None:
    at = HOURS - 20
    one = track(rule(), hourly(spiked(at)), history=3 * DAY)
    breaches = [row for row in rows(one) if row.outcome is Outcome.BREACH]
    start, hold = NOW - 19 * HOUR, int(HOLD / HOUR)
    assert [row.time for row in breaches] == [start + HOUR * place for place in range(len(breaches))]
    assert hold <= len(breaches) <= hold + 12  # means of up to 12 hours hold the spike longer
    first = breaches[0]
    assert first.severity is Severity.ERROR
    assert first.value == spiked(at)[at]
    assert first.baseline == pytest.approx(10 + 3 * np.sin(2 * np.pi * at / 24), abs=1)
    assert first.past == pytest.approx(at * HOUR)
    alert = latest_alert(one, NOW)
    assert alert is not None
    assert (alert.state, alert.worst.time) == (AlertState.RESOLVED, first.time)


def test_a_quiet_metric_has_no_breach_and_says_what_is_expected() -> None:
    newest = track(rule(), hourly(metric())).finding(-1)
    assert (newest.outcome, newest.clear, newest.severity) == (Outcome.OK, True, None)
    assert newest.baseline == pytest.approx(newest.value, abs=3)


@pytest.mark.parametrize(("better", "by", "found"), [("higher", 15, False), ("higher", -15, True), ("lower", 15, True)])
def test_only_the_worse_direction_counts_where_one_is_named(better: str, by: float, found: bool) -> None:
    one = track(rule(better=Direction(better)), hourly(spiked(HOURS - 2, by)))
    assert (one.finding(-1).outcome is Outcome.BREACH) == found


def test_a_tier_is_reached_as_seldom_as_its_budget_and_the_number_of_series_say() -> None:
    values = spiked(HOURS - 2)
    patient = (Tier(Severity.WARNING, (), ("issue",), false_alarms=1e9 * DAY),)
    assert track(rule(tiers=patient), hourly(values)).finding(-1).outcome is Outcome.OK
    without = (Tier(Severity.WARNING, (), ("issue",)),)
    assert track(rule(tiers=without), hourly(values)).finding(-1).outcome is Outcome.OK


@pytest.mark.parametrize("every", [15 * MINUTE, 6 * HOUR, DAY])
def test_how_often_it_is_evaluated_changes_nothing_that_is_found(every: float) -> None:
    values = spiked(HOURS - 10)
    at, hour = (track(rule(every=step), hourly(values), history=4 * DAY) for step in (every, HOUR))
    expected = {row.time: row.severity for row in rows(hour)}
    for row in rows(at):
        assert row.severity == expected[float(np.ceil(row.time / HOUR) * HOUR)] or row.time % HOUR


def test_a_young_series_is_undecided_and_never_silent() -> None:
    from modelwatch.alerts.builtin_rules import derive_health_tracks
    from modelwatch.model.monitored_model import Model

    one = track(rule(), hourly(metric(hours=10 * 24)), history=20 * DAY)
    causes = [row.cause for row in rows(one)]
    assert causes.count(Cause.TOO_YOUNG) == 2 * 24
    assert causes[-1] is Cause.NONE
    derived, _ = derive_health_tracks(Model("churn", (one.rule,)), [one])
    assert derived == {}


def test_without_points_there_is_no_data() -> None:
    gone = track(rule(), hourly(metric(), until=NOW - 2 * DAY))
    assert gone.finding(-1).outcome is Outcome.NO_DATA
    assert track(rule()).finding(-1).cause is Cause.NO_DATA_YET
    bad = track(rule(), series([(NOW - HOUR, NAN)])).finding(-1)
    assert bad.cause is Cause.ONLY_BAD_VALUES


def test_a_metric_logged_once_a_day_keeps_its_last_finding() -> None:
    values = np.random.default_rng(4).normal(8, 1, 120)
    values[-1] = 40
    daily = series([(NOW - 5 * HOUR - DAY * (119 - place), value) for place, value in enumerate(values)])
    one = track(rule(), daily, history=3 * DAY)
    assert one.finding(-7).outcome is Outcome.OK
    assert [one.finding(place).outcome for place in range(-6, 0)] == [Outcome.BREACH] * 6
    assert one.finding(-1).value == 40


def test_the_past_begins_at_the_same_time_for_a_month_of_evaluations() -> None:
    many = hourly(metric(hours=300 * 24), until=NOW)
    since = {track(rule(), many, now=NOW - DAY * back).past_since for back in range(20)}
    assert len(since) <= 2


def test_segments_are_judged_each_with_its_share_of_the_budget() -> None:
    parts = [hourly(metric(seed), labels=(("region", name),)) for seed, name in ((1, "eu"), (2, "na"))]
    whole = hourly(metric(3))
    some = rule(segments=(KeyPattern("eval/region=*/accuracy"),))
    found = tracks(some, whole, *parts)
    assert [one.labels for one in found] == [(), (("region", "eu"),), (("region", "na"),)]
    assert all(one.finding(-1).outcome is Outcome.OK for one in found)
