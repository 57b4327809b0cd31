"""Business metrics that fall while technical ones are fine, or better: told by tracks, and in simulated worlds."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from modelwatch.alerts.divergence import BUSINESS_KIND, derive_divergence_tracks
from modelwatch.alerts.state_machine import latest_alert
from modelwatch.model.alert import BUSINESS_DIVERGENCE
from modelwatch.model.finding import Cause, Track
from modelwatch.model.monitored_model import BuiltInRule, Model
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

from .divergence_worlds import divergences
from .making import at, rule, track

CHURN = Model("churn", ())
MARGIN = rule("margin", kind=BUSINESS_KIND)


def judged(business: str, *technical: Track | str, model: Model = CHURN) -> tuple[str, str]:
    """State of the divergence, and what it says; tracks of an hour a finding."""
    others = [each if isinstance(each, Track) else track(each) for each in technical]
    found = derive_divergence_tracks(model, [track(business, MARGIN), *others])
    if not found:
        return "none", ""
    alert = latest_alert(found[BUSINESS_DIVERGENCE][0], at(len(business)))
    return (alert.state, alert.finding.reason) if alert else ("quiet", "")


def test_a_fall_that_no_technical_metric_shows_is_a_divergence_once_they_had_the_time() -> None:
    assert judged("....", "....") == ("quiet", "")
    assert judged("....e", ".....") == ("quiet", "")
    assert judged("....ee", "......") == ("firing", "got worse, and no technical metric did")
    assert judged("....eee..", ".........") == ("resolved", "")


def test_what_is_explained_is_none() -> None:
    assert judged("....eee", "...eeee")[0] == "quiet"
    assert judged("....eee", "..e....")[0] == "quiet", "it was worse just before"
    assert judged("....eeee", ".....eee")[0] == "quiet", "and it may show later"
    segment = track("....eee", labels=(("region", "eu"),))
    assert judged("....eee", ".......", segment)[0] == "quiet", "a segment explains it, too"


def test_it_ends_when_a_technical_metric_explains_it() -> None:
    assert judged("....eeeee", "......eee")[0] == "resolved"


def test_nothing_is_known_while_technical_metrics_decide_nothing() -> None:
    assert judged("....eeee", "....????")[0] == "quiet"
    assert judged("....eeee", "________") == ("quiet", "")
    assert judged("....eeee", "____....", "________")[0] == "firing", "one that never decides is not waited for"
    assert judged("....eeee") == ("none", ""), "there is none"


def test_a_limit_that_is_passed_and_not_proven_is_neither() -> None:
    unsure = replace(track("....????"), cause=array("b", [0] * 4 + [Cause.NOT_CLEARED.code] * 4))
    assert judged("....eeee", "........", unsure)[0] == "quiet"


def test_slow_rules_are_waited_for() -> None:
    slow = rule(window=3 * HOUR, lag=2 * HOUR)
    assert judged("....eeeee", track("." * 9, slow))[0] == "quiet"
    assert judged("....eeeeee", track("." * 10, slow))[0] == "firing"


def test_a_technical_metric_that_gets_better_meanwhile_is_said_at_once() -> None:
    assert judged("....e", "....+") == ("firing", "got worse while a technical metric got better")
    latency = track("....+", rule("latency", kind="latency"))
    assert judged("....e", latency)[0] == "quiet", "faster is not better at the task"


def test_its_severity_and_actions_are_the_models() -> None:
    model = replace(CHURN, divergence=BuiltInRule(Severity.ERROR, ("issue", "page")))
    (found,) = derive_divergence_tracks(model, [track("....ee", MARGIN), track("......")])[BUSINESS_DIVERGENCE]
    assert (found.rule.kind, found.rule.tiers[0].do) == ("business-divergence", ("issue", "page"))
    assert found.labels == (("rule", "margin"),)
    alert = latest_alert(found, at(6))
    assert alert is not None
    assert alert.severity is Severity.ERROR


@pytest.mark.parametrize("seed", range(6))
def test_healthy_worlds_are_quiet(seed: int) -> None:
    assert divergences(seed) == []


@pytest.mark.parametrize("seed", range(4))
def test_worlds_in_which_both_fall_are_explained(seed: int) -> None:
    assert divergences(seed, margin=-0.15, accuracy=-0.12) == []


@pytest.mark.parametrize("seed", range(4))
def test_worlds_in_which_only_the_margin_falls_diverge(seed: int) -> None:
    found = divergences(seed, margin=-0.15)
    assert found
    assert set(found) == {"got worse, and no technical metric did"}


@pytest.mark.parametrize("seed", range(4))
def test_worlds_in_which_accuracy_is_bought_with_margin_are_misaligned(seed: int) -> None:
    found = divergences(seed, margin=-0.15, accuracy=0.08)
    assert found
    assert set(found) == {"got worse while a technical metric got better"}


@pytest.mark.parametrize("seed", range(2))
def test_worlds_in_which_only_accuracy_falls_do_not_diverge(seed: int) -> None:
    assert divergences(seed, accuracy=-0.12) == []
