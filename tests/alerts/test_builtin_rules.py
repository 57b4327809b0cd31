from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.builtin_rules import derive_health_tracks, source_rule_name
from modelwatch.alerts.state_machine import latest_alert
from modelwatch.model.alert import (
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    SEGMENT_GONE,
    SUDDEN_IMPROVEMENT,
    AlertState,
    HealthyStreak,
    fingerprint,
)
from modelwatch.model.finding import Cause
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import BuiltInRule, Model
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

from .making import at, rule, track

CHURN = Model("churn", ())
EU = (("region", "eu"),)


def states(text: str, name: str, *, labels: tuple[tuple[str, str], ...] = (), window: float = HOUR) -> str:
    of = rule(window=window)
    whole = [track("." * len(text), of)] if labels else []
    one = track(text, of, labels, overdue="_" if labels else "")
    found = derive_health_tracks(CHURN, [*whole, one])[0].get(name, [])
    alert = latest_alert(found[0], at(len(text))) if found else None
    return alert.state if alert else "quiet"


def test_three_undecided_in_a_row_are_monitoring_silent() -> None:
    """ "... and three in a row raise the kind *monitoring-silent*." """
    assert states("..??.??", MONITORING_SILENT) == "quiet"
    assert states("..??_", MONITORING_SILENT) == "firing"
    assert states("..e?_?e", MONITORING_SILENT) == "firing", "decided once; recovery takes two"
    assert states("..?_?..", MONITORING_SILENT) == "resolved"


def test_a_share_of_a_baseline_of_zero_is_reported_at_once() -> None:
    text = "...?.."
    causes = array("b", [Cause.ZERO_BASELINE.code if letter == "?" else Cause.NONE.code for letter in text])
    derived = derive_health_tracks(CHURN, [replace(track(text), cause=causes)])[0][MONITORING_SILENT]
    assert [derived[0].finding(row).severity is not None for row in range(6)] == [letter == "?" for letter in text]
    assert "write `rise_points` or `above` for `rise`" in derived[0].finding(3).reason


@pytest.mark.parametrize(("key", "silent"), [("estimated/accuracy", False), ("estimate_check/auc", False), ("x", True)])
def test_an_estimate_that_is_withheld_is_no_silence(key: str, silent: bool) -> None:
    """A new version has no labels from which to estimate. That measurements stopped, the other rules say."""
    of = replace(rule("estimate"), metric=KeyPattern(key))
    gap = track("..____", of, overdue="_")
    for rules, known in (((of, rule("accuracy")), silent), ((of,), True)):
        derived = derive_health_tracks(Model("churn", rules), [gap])[0]
        assert (MONITORING_SILENT in derived) is known


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=".we?_", max_size=40), st.data())
def test_silent_breaches_exactly_from_the_third_on(text: str, data: st.DataObject) -> None:
    """Of those with new points, and of those without any."""
    size = len(text)
    fresh = data.draw(st.one_of(st.just([True] * size), st.lists(st.booleans(), min_size=size, max_size=size)))
    derived = derive_health_tracks(CHURN, [track(text, fresh=fresh)])[0].get(MONITORING_SILENT)
    first = len(text) - len(text.lstrip("_")) if text.strip("_") else 0
    counted: list[str] = []
    for index, letter in enumerate(text):
        counts = fresh[index] or letter == "_"
        counted += [letter] if index >= first and counts else []
        silent = counts and index >= first + 2 and len(counted) > 2 and set(counted[-3:]) <= set("?_")
        if derived is not None:
            assert (derived[0].finding(index).severity is not None) == silent
            assert derived[0].finding(index).clear == (index >= first and counts and letter not in "?_")
        else:
            assert not silent


def test_one_undecided_day_is_no_silence() -> None:
    """Logged daily and judged hourly, it is one finding, and not 24."""
    day = [True, *[False] * 23]
    assert judged_daily(".?..", day) == "quiet"
    assert judged_daily(".??.", day) == "quiet"
    assert judged_daily(".???", day) == "firing"
    assert judged_daily(".???..", day) == "resolved"


def judged_daily(text: str, day: list[bool]) -> str:
    daily = track("".join(letter * len(day) for letter in text), fresh=day * len(text))
    derived = derive_health_tracks(CHURN, [daily])[0].get(MONITORING_SILENT)
    alert = latest_alert(derived[0], at(len(text) * len(day) - 1)) if derived else None
    return alert.state if alert else "quiet"


def test_points_that_stop_are_silence_by_time() -> None:
    stopped = track("." * 24 + "___", fresh=[True, *[False] * 26])
    alert = latest_alert(derive_health_tracks(CHURN, [stopped])[0][MONITORING_SILENT][0], at(27))
    assert alert is not None
    assert (alert.state, alert.start) == (AlertState.FIRING, at(26))


def test_an_improvement_seen_again_is_one_improvement() -> None:
    of = rule(for_=2)
    seen = [track("...+++", of, fresh=[True] * 4 + [False] * 2), track("...+++", of)]
    found = [latest_alert(derive_health_tracks(CHURN, [one])[0][SUDDEN_IMPROVEMENT][0], at(6)) for one in seen]
    assert [alert and alert.state for alert in found] == [AlertState.PENDING, AlertState.FIRING]


def test_a_segment_is_gone_by_time() -> None:
    whole = track("......")
    gone = track("..____", labels=EU, fresh=[True, True, *[False] * 4], overdue="_")
    alert = latest_alert(derive_health_tracks(CHURN, [whole, gone])[0][SEGMENT_GONE][0], at(6))
    assert alert is not None
    assert alert.state is AlertState.FIRING


def test_silence_is_judged_on_the_whole() -> None:
    whole, segment = track("....."), track(".????", labels=EU)
    assert MONITORING_SILENT not in derive_health_tracks(CHURN, [whole, segment])[0]
    found = derive_health_tracks(CHURN, [segment])[0][MONITORING_SILENT][0]
    assert (found.labels, found.rule.kind) == ((("region", "eu"), ("rule", "accuracy")), "monitoring-silent")
    assert source_rule_name(found.labels) == "accuracy"


def test_a_sudden_improvement_is_a_finding_of_its_own() -> None:
    """ "A sudden improvement is a finding of its own." """
    assert states("...+", SUDDEN_IMPROVEMENT) == "firing"
    assert states("..+..", SUDDEN_IMPROVEMENT) == "resolved"
    assert states("..eee", SUDDEN_IMPROVEMENT) == "quiet"
    found = derive_health_tracks(CHURN, [track("..+")])[0][SUDDEN_IMPROVEMENT][0]
    assert found.rule.tiers[0].severity is Severity.INFO
    assert found.rule.tiers[0].do == ()


IMPLAUSIBLE = [0, 0, *[Cause.PERFECT.code] * 3]


def implausible(text: str, codes: list[int], model: Model = CHURN) -> tuple[str, str]:
    """State of the alert, and what it says; nothing where there is none."""
    one = replace(track(text), implausible=array("b", codes))
    found = derive_health_tracks(model, [one])[0].get(IMPLAUSIBLE_METRIC, [])
    alert = latest_alert(found[0], at(len(text))) if found else None
    return (str(alert.state), alert.finding.reason) if alert else ("", "")


def test_a_metric_that_its_past_does_not_allow_is_a_finding_whatever_the_tiers() -> None:
    assert implausible(".....", IMPLAUSIBLE) == ("firing", "exactly perfect for hours, which it was not before")
    assert implausible("..???", IMPLAUSIBLE)[0] == "firing", "without a baseline, too"
    assert implausible(".......", [*IMPLAUSIBLE, 0, 0])[0] == "resolved"
    assert implausible("..ccc", IMPLAUSIBLE) == ("", ""), "its own alert says that it stands still at a bad value"
    assert implausible("..___", IMPLAUSIBLE) == ("", "")
    assert implausible("..+++", IMPLAUSIBLE)[0] == "firing", "a sudden improvement without an issue"
    reported = replace(CHURN, improvement=BuiltInRule(Severity.WARNING, ("issue",)))
    assert implausible("..+++", IMPLAUSIBLE, reported) == ("", ""), "one with an issue is enough"


def test_an_implausible_metric_is_a_warning_with_an_issue_and_proves_that_it_is_over() -> None:
    one = replace(track("....."), implausible=array("b", IMPLAUSIBLE))
    (derived,) = derive_health_tracks(CHURN, [one])[0][IMPLAUSIBLE_METRIC]
    (tier,) = derived.rule.tiers
    assert (derived.rule.kind, tier.severity, tier.do) == ("implausible-metric", Severity.WARNING, ("issue",))
    assert proofs(".....", IMPLAUSIBLE_METRIC)[0].times == (at(4), at(3), at(2), at(1))


def test_the_time_before_the_first_point_is_no_silence() -> None:
    """A metric that was logged for the first time an hour ago has not been silent for the thirty days before."""
    assert states("______.", MONITORING_SILENT) == "quiet"
    assert states("______.???", MONITORING_SILENT) == "firing"
    assert states("______???", MONITORING_SILENT) == "firing", "points are there, and none of them decides"


def test_a_segment_absent_for_three_windows_is_gone() -> None:
    """ "One that is absent for three windows is `gone` and becomes a data-quality finding." """
    assert states("..__", SEGMENT_GONE, labels=EU) == "quiet"
    assert states("..___", SEGMENT_GONE, labels=EU) == "firing"
    assert states("..___..", SEGMENT_GONE, labels=EU) == "resolved"
    (gone,) = derive_health_tracks(CHURN, [track("..___", labels=EU, overdue="_")])[0][SEGMENT_GONE]
    assert gone.rule.kind == "data-quality"


def test_a_segment_that_comes_and_goes_is_not_gone_before_it_is_overdue() -> None:
    """Three windows without a point are usual for a rare country, or one of which too little is known."""
    assert SEGMENT_GONE not in derive_health_tracks(CHURN, [track("..____", labels=EU)])[0]
    usual = track("..____", labels=EU, overdue="e")
    assert SEGMENT_GONE not in derive_health_tracks(CHURN, [usual])[0]
    (streak,) = derive_health_tracks(CHURN, [usual])[1][SEGMENT_GONE].clear
    assert streak.times == (at(1), at(0)), "its absence proves nothing"


def test_windows_longer_than_the_step_take_longer_to_be_gone() -> None:
    # Points end at 1; the window of 4 h is first empty at 2 and has been empty three times over 8 h later.
    assert states(".." + "_" * 8, SEGMENT_GONE, labels=EU, window=4 * HOUR) == "quiet"
    assert states(".." + "_" * 9, SEGMENT_GONE, labels=EU, window=4 * HOUR) == "firing"


def test_a_segment_that_never_had_data_is_not_gone() -> None:
    assert states("______..", SEGMENT_GONE, labels=EU) == "quiet"
    assert SEGMENT_GONE not in derive_health_tracks(CHURN, [track("..____")])[0], "the whole is no segment"


@pytest.mark.parametrize("cause", [Cause.NO_DATA_YET, Cause.NOTHING_WATCHED])
def test_what_was_never_logged_is_told_from_now_on(cause: Cause) -> None:
    """A new setup was not silent for as long as its history is read, whatever was logged before that."""
    never = track("______")
    never = replace(never, cause=array("b", [cause.code] * 6))
    found = latest_alert(derive_health_tracks(CHURN, [never])[0][MONITORING_SILENT][0], at(6))
    assert found is not None
    assert (found.state, found.start, found.finding.cause) == (AlertState.FIRING, at(5), cause)
    assert SEGMENT_GONE not in derive_health_tracks(CHURN, [track("......"), replace(never, labels=EU)])[0]


def test_what_they_ask_for_comes_from_the_model() -> None:
    model = Model("churn", (), silent=BuiltInRule(Severity.CRITICAL, ("issue", "page")))
    found = latest_alert(derive_health_tracks(model, [track(".???")])[0][MONITORING_SILENT][0], at(4))
    assert found is not None
    assert (found.severity, found.state) == (Severity.CRITICAL, AlertState.FIRING)


def proofs(text: str, name: str, *, labels: tuple[tuple[str, str], ...] = ()) -> tuple[HealthyStreak, ...]:
    whole = [track("." * len(text))] if labels else []
    found = derive_health_tracks(CHURN, [*whole, track(text, labels=labels)])[1].get(name)
    return tuple(found.clear) if found else ()


def test_what_has_nothing_to_say_is_proved_healthy() -> None:
    """A silence that was never there, since history was mended, is over all the same."""
    (clear,) = proofs("......", MONITORING_SILENT)
    assert clear.fingerprint == fingerprint("churn", MONITORING_SILENT, (("rule", "accuracy"),))
    assert clear.times == (at(5), at(4), at(3), at(2)), "newest first, twice what is needed"
    assert clear.fingerprint == alert_of("..???", MONITORING_SILENT)


def alert_of(text: str, name: str) -> str:
    found = latest_alert(derive_health_tracks(CHURN, [track(text)])[0][name][0], at(len(text)))
    assert found is not None
    return found.fingerprint


def test_what_decides_nothing_proves_nothing() -> None:
    assert [clear.times for clear in proofs("..??", MONITORING_SILENT)] == [(at(1), at(0))]
    assert [clear.times for clear in proofs("__??", MONITORING_SILENT)] == [()]
    assert proofs("..???", MONITORING_SILENT) == (), "it is derived, and has its own proof"


def test_a_breach_is_no_silence_and_no_improvement() -> None:
    assert [len(clear.times) for clear in proofs("eeeee", MONITORING_SILENT)] == [4]
    assert [len(clear.times) for clear in proofs("eeeee", SUDDEN_IMPROVEMENT)] == [4]
    assert proofs("...+", SUDDEN_IMPROVEMENT) == ()


def test_a_segment_that_is_there_is_proved_to_be() -> None:
    gone = {clear.fingerprint: clear.times for clear in proofs("......", SEGMENT_GONE, labels=EU)}
    assert gone == {
        fingerprint("churn", SEGMENT_GONE, (("region", "eu"), ("rule", "accuracy"))): (at(5), at(4), at(3), at(2))
    }
    assert proofs("......", SEGMENT_GONE) == (), "the whole is no segment"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=".we?_+", min_size=1, max_size=40))
def test_every_series_has_either_a_derived_track_or_a_proof(text: str) -> None:
    tracks = [track(text)]
    for name in (MONITORING_SILENT, SUDDEN_IMPROVEMENT):
        proved = derive_health_tracks(CHURN, tracks)[1].get(name)
        assert (name in derive_health_tracks(CHURN, tracks)[0]) != (proved is not None)
        times = proved.clear[0].times if proved else ()
        assert list(times) == sorted(times, reverse=True)
