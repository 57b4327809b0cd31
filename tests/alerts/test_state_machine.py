from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.state_machine import healthy_streak, latest_alert, proving_window
from modelwatch.model.alert import AlertState, fingerprint
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import (
    Aggregate,
    AnomalySpec,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
    VersionOverride,
)
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import at, rule, tier, track

texts = st.text(alphabet="....~iwec?_", max_size=80)


def soon(text: str) -> float:
    return at(len(text))


def naive(text: str, of: Rule, fresh: Sequence[bool]) -> tuple[str, str | None, int | None, int | None]:
    """(state, severity, start, end), one finding after the other and tier by tier."""
    words = ("info", "warning", "error", "critical")
    held: dict[str, bool] = dict.fromkeys(words, False)
    ever: set[str] = set()
    history: dict[str, list[bool]] = {word: [] for word in words}
    clear = 0
    breach: int | None = None
    firing, last, start, end = False, None, None, None
    needs = {found.severity.value: found.for_ or of.for_ for found in of.tiers}
    for index, letter in enumerate(text):
        if letter in "?_" or not fresh[index]:
            continue
        reached = "iwec".find(letter)
        breach = None if reached < 0 else (index if breach is None else breach)
        clear = clear + 1 if letter == "." else 0
        for place, word in enumerate(words):
            history[word].append(reached >= place)
            if len(history[word]) >= needs[word] and all(history[word][-needs[word] :]):
                held[word] = True
                ever.add(word)
            elif len(history[word]) >= of.hold and not any(history[word][-of.hold :]):
                held[word] = False
        if not firing and any(held.values()):
            firing, start, end = True, breach, None
        if firing:
            standing = [word for word in words if held[word]]
            last = standing[-1] if standing else next(word for word in words if word in ever)
            if clear >= of.hold:
                firing, end, ever = False, index, set()
                held = dict.fromkeys(words, False)
                history = {word: [] for word in words}
    if firing:
        return "firing", last, start, None
    if breach is not None:
        return "pending", None, breach, None
    return ("resolved", last, start, end) if start is not None else ("quiet", None, None, None)


@settings(max_examples=100, deadline=None)
@given(texts, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.data())
def test_agrees_with_one_finding_after_the_other(
    text: str, for_: int, hold: int, critical_for: int, data: st.DataObject
) -> None:
    """ "State is a fold over the grid, recomputed each time." """
    tiers = (tier("info"), tier("warning"), tier("error"), tier("critical", for_=critical_for))
    of = rule(for_=for_, hold=hold, tiers=tiers)
    size = len(text)
    fresh = data.draw(st.one_of(st.just([True] * size), st.lists(st.booleans(), min_size=size, max_size=size)))
    state, severity, start, end = naive(text, of, fresh)
    found = latest_alert(track(text, of, fresh=fresh), soon(text))
    if state == "quiet":
        assert found is None
        return
    if state == "resolved" and end is not None and at(end) <= soon(text) - DAY:
        assert found is None
        return
    assert found is not None
    assert found.state == state
    assert found.start == at(start or 0)
    assert found.end == (None if end is None else at(end))
    if state != "pending":
        assert severity is not None
        assert found.severity is Severity(severity if state == "firing" else str(found.severity))
    assert found.finding.time == at(max(place for place, letter in enumerate(text) if letter not in "?_"))


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 3), st.integers(1, 3), st.data())
def test_undecided_findings_change_nothing(text: str, for_: int, hold: int, data: st.DataObject) -> None:
    """ "It neither advances nor resets anything." """
    of = rule(for_=for_, hold=hold)
    decided = "".join(letter for letter in text if letter not in "?_")
    woven = ""
    for letter in decided:
        woven += data.draw(st.sampled_from(["", "?", "_", "??"])) + letter
    plain, mixed = latest_alert(track(decided, of), at(0)), latest_alert(track(woven, of), at(0))
    assert (plain is None) == (mixed is None)
    if plain is not None and mixed is not None:
        same = (plain.state, plain.severity, plain.peak, [step.severity for step in plain.steps])
        assert (mixed.state, mixed.severity, mixed.peak, [step.severity for step in mixed.steps]) == same


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
def test_looking_again_changes_nothing(text: str, for_: int, hold: int, looks: int) -> None:
    """However often one looks between two points."""
    of = rule(for_=for_, hold=hold)
    once = latest_alert(track(text, of), at(0))
    again = "".join(letter * looks for letter in text)
    often = latest_alert(track(again, of, fresh=[place % looks == 0 for place in range(len(again))]), at(0))
    assert (once is None) == (often is None)
    if once is not None and often is not None:
        same = (once.state, once.severity, once.peak, [step.severity for step in once.steps])
        assert (often.state, often.severity, often.peak, [step.severity for step in often.steps]) == same


@pytest.mark.parametrize("for_", range(2, 25))
def test_one_bad_day_judged_hourly_is_one_finding(for_: int) -> None:
    """Logged daily and judged hourly, one bad day holds a tier for no `for` above 1."""
    text, fresh = "." * 240 + "c" * 24, [hour % 24 == 0 for hour in range(264)]
    found = latest_alert(track(text, rule(for_=for_), fresh=fresh), soon(text))
    assert found is not None
    assert found.state is AlertState.PENDING
    assert found.finding.time == at(263), "the newest is shown"
    healed = latest_alert(track(text + "." * 24, rule(for_=for_), fresh=[*fresh, True, *[False] * 23]), at(288))
    assert healed is None


def test_recovery_needs_new_points() -> None:
    firing = track("cc" + "." * 10, rule(hold=2), fresh=[True, True, True, *[False] * 9])
    found = latest_alert(firing, at(12))
    assert found is not None
    assert found.state is AlertState.FIRING
    assert found.finding.clear, "the newest is shown"
    assert healthy_streak(firing).times == (at(2),)


PROVEN = Tier(Severity.ERROR, (Limit(LimitKind.DROP, 0.1),), ("issue",), false_alarms=90 * DAY)
CONSTANT = BaselineSpec(BaselineKind.CONSTANT, value=0.9)
DETECTED: dict[str, Any] = {"tiers": (PROVEN,), "interval": Interval.WILSON, "baseline": CONSTANT, "window": DAY}


@pytest.mark.parametrize(
    ("more", "window"),
    [
        ({}, 0.0),
        ({"window": HOUR}, 0.0),
        ({"recover": Limit(LimitKind.DROP, 0.05)}, 0.0),
        ({"recover": Limit(LimitKind.BELOW, 0.8)}, DAY),
        ({"tiers": (PROVEN, replace(PROVEN, false_alarms=None))}, DAY),
        ({"interval": Interval.NONE}, DAY),
        ({"interval": Interval.NONE, "aggregate": Aggregate.LAST}, 0.0),
        ({"aggregate": Aggregate.P95}, DAY),
        ({"metric": KeyPattern("age/psi")}, DAY),
        ({"aggregate": Aggregate.SUM, "tiers": (replace(PROVEN, limits=(Limit(LimitKind.BELOW, 5.0),)),)}, DAY),
        ({"interval": Interval.NONE, "anomaly": AnomalySpec()}, 0.0),
    ],
)
def test_windows_prove_recovery_where_points_do_not(more: dict[str, Any], window: float) -> None:
    assert proving_window(rule(**(DETECTED | more))) == window


@settings(max_examples=60, deadline=None)
@given(texts)
def test_history_holds_together(text: str) -> None:
    found = latest_alert(track(text), soon(text))
    if found is None or found.state is AlertState.PENDING:
        return
    held = [step.severity for step in found.steps if step.severity is not None]
    assert found.peak == max(held)
    assert found.severity == held[-1]
    assert found.fired == found.steps[0].time >= found.start
    assert all(one.time < other.time and one.severity != other.severity for one, other in pairwise(found.steps))
    assert found.state is (AlertState.RESOLVED if found.steps[-1].severity is None else AlertState.FIRING)


def test_a_tier_holds_when_the_last_for_decided_findings_reach_it() -> None:
    """ "A tier holds when the last `for` decided findings reach it." """
    of = rule(for_=3)
    pending = latest_alert(track("..ww", of), at(4))
    assert pending is not None
    assert pending.state is AlertState.PENDING
    assert pending.fired is None
    firing = latest_alert(track("..ww?w", of), at(6))
    assert firing is not None
    assert (firing.state, firing.start, firing.fired) == (AlertState.FIRING, at(2), at(5))
    broken = latest_alert(track("..ww.w", of), at(6))
    assert broken is not None
    assert (broken.state, broken.start) == (AlertState.PENDING, at(5))


def test_a_worse_finding_counts_for_the_milder_tier() -> None:
    found = latest_alert(track("wcw", rule(for_=3)), at(3))
    assert found is not None
    assert (found.state, found.severity) == (AlertState.FIRING, Severity.WARNING)


def test_the_for_of_a_tier_goes_before_that_of_the_rule() -> None:
    of = rule(for_=1, tiers=(tier("warning"), tier("critical", for_=2)))
    once, twice = latest_alert(track("c", of), at(1)), latest_alert(track("cc", of), at(2))
    assert once is not None
    assert twice is not None
    assert (once.severity, twice.severity) == (Severity.WARNING, Severity.CRITICAL)


def test_a_tier_falls_after_hold_findings_that_do_not_reach_it() -> None:
    """ "... and falls after `hold` decided findings beyond `recover` (hysteresis)." """
    still, fallen = latest_alert(track("ccw", rule(hold=2)), at(3)), latest_alert(track("ccww", rule(hold=2)), at(4))
    assert still is not None
    assert fallen is not None
    assert still.severity is Severity.CRITICAL
    assert (fallen.severity, fallen.peak) == (Severity.WARNING, Severity.CRITICAL)
    assert [(step.time, step.severity) for step in fallen.steps] == [
        (at(0), Severity.CRITICAL),
        (at(3), Severity.WARNING),
    ]


def test_between_the_limit_and_recover_nothing_is_resolved() -> None:
    """Hysteresis: findings that are not clear do not resolve, however many there are."""
    found = latest_alert(track("ee" + "~" * 20, rule(hold=2)), at(22))
    assert found is not None
    assert (found.state, found.severity) == (AlertState.FIRING, Severity.INFO)


def test_resolves_after_hold_clear_findings_in_a_row() -> None:
    of = rule(hold=3)
    interrupted = latest_alert(track("ee..~..", of), at(7))
    assert interrupted is not None
    assert interrupted.state is AlertState.FIRING
    found = latest_alert(track("ee..~...", of), at(8))
    assert found is not None
    assert (found.state, found.end, found.severity) == (AlertState.RESOLVED, at(7), Severity.INFO)
    assert found.peak is Severity.ERROR
    assert found.steps[-1].severity is None


@pytest.mark.parametrize("missing", ["_" * 30, "?" * 30])
def test_missing_data_resolves_nothing(missing: str) -> None:
    """ "Missing data ... closes nothing." """
    found = latest_alert(track("ee" + missing), at(32))
    assert found is not None
    assert found.state is AlertState.FIRING
    assert found.finding.time == at(1), "the newest decided finding"


def test_what_is_wholly_past_is_reported_for_a_day() -> None:
    """ "What happened wholly in the past is reported, never acted on." """
    text = "ee.." + "." * 40
    assert latest_alert(track(text), at(3) + DAY - 1) is not None
    assert latest_alert(track(text), at(3) + DAY) is None


def test_a_new_breach_is_a_new_alert() -> None:
    found = latest_alert(track("cc..w"), at(5))
    assert found is not None
    assert (found.state, found.start, found.peak) == (AlertState.FIRING, at(4), Severity.WARNING)


def test_the_worst_finding_is_the_largest_change_since_the_start() -> None:
    found = latest_alert(track("eeee..", values=[0.8, 0.75, 0.79, 0.8, 0.9, 0.9]), at(6))
    assert found is not None
    assert found.worst.value == 0.75


def test_few_points_of_a_version_that_was_put_back_are_not_the_worst() -> None:
    """The alert lasts until it is proven over; by chance the first minutes of v6 look worse than v7 was."""
    put_back = replace(
        track("eeee", values=[0.8, 0.76, 0.74, 0.86], versions=("v7", "v6"), version=[0, 0, 1, 1]),
        low=array("d", [0.79, 0.75, 0.60, 0.83]),
        high=array("d", [0.81, 0.77, 0.88, 0.89]),
    )
    found = latest_alert(put_back, at(4))
    assert found is not None
    assert (found.worst.version, found.worst.time, found.worst.value) == ("v7", at(1), 0.76)
    rising = replace(put_back, rule=rule(better=Direction.LOWER), baseline=array("d", [0.5] * 4))
    found = latest_alert(rising, at(4))
    assert found is not None
    assert found.worst.value == 0.86
    either = replace(put_back, rule=rule(better=None), baseline=array("d", [0.86] * 4))
    found = latest_alert(either, at(4))
    assert found is not None
    assert found.worst.value == 0.76, "0.86 is within the interval of 0.74"


def test_the_worst_finding_of_a_slow_decline_is_the_newest_although_the_baseline_follows() -> None:
    """A rolling baseline follows, so that the change stays the same while the value gets worse."""
    declining = replace(track("eeee", values=[0.84, 0.82, 0.80, 0.79]), baseline=array("d", [0.95, 0.92, 0.89, 0.87]))
    found = latest_alert(declining, at(4))
    assert found is not None
    assert found.worst == found.finding
    milder = replace(track("eecw", values=[0.84, 0.82, 0.80, 0.79]), baseline=array("d", [0.95, 0.92, 0.89, 0.87]))
    found = latest_alert(milder, at(4))
    assert found is not None
    assert found.worst.value == 0.79


def test_the_worst_finding_against_a_seasonal_baseline_is_the_largest_change() -> None:
    seasonal = rule(baseline=BaselineSpec(BaselineKind.SEASONAL))
    nights = replace(track("eeee", seasonal, values=[0.5, 0.7, 0.45, 0.7]), baseline=array("d", [0.6, 0.9, 0.5, 0.8]))
    found = latest_alert(nights, at(4))
    assert found is not None
    assert found.worst.value == 0.7
    assert found.worst.time == at(1)


def test_other_tiers_for_one_version() -> None:
    """A version's own tiers count for its findings, also their `for`."""
    of = rule(
        for_=1,
        tiers=(tier("warning"),),
        overrides=(VersionOverride("v2", (tier("warning", for_=3),)),),
    )
    versions = ("v1", "v2")
    held = latest_alert(track("..ww", of, versions=versions, version=[0, 0, 1, 1]), at(4))
    assert held is not None
    assert held.state is AlertState.PENDING
    held = latest_alert(track("..ww", of, versions=versions, version=[0, 0, 0, 1]), at(4))
    assert held is not None
    assert held.state is AlertState.FIRING


def test_a_tier_that_a_version_lacks_falls_but_does_not_begin() -> None:
    of = rule(tiers=(tier("warning"), tier("critical")), overrides=(VersionOverride("v2", (tier("warning"),)),))
    found = latest_alert(track("ccww", of, versions=("v1", "v2"), version=[0, 0, 1, 1]), at(4))
    assert found is not None
    assert found.severity is Severity.WARNING


def test_clear_is_the_newest_unbroken_streak() -> None:
    of = rule(hold=2)
    assert healthy_streak(track("e.....", of)).times == (at(5), at(4), at(3), at(2))
    assert healthy_streak(track("e..?._", of)).times == (at(4), at(2), at(1))
    assert healthy_streak(track("....~", of)).times == ()
    assert healthy_streak(track("..w", of)).times == ()
    assert healthy_streak(track("..w??", of)).times == (), "missing data proves nothing"
    assert healthy_streak(track("", of)).times == ()
    assert healthy_streak(track(".", of, (("a", "b"),))).fingerprint == fingerprint("churn", of.name, (("a", "b"),))


def test_a_breach_that_reaches_no_tier_is_not_clear() -> None:
    text = track("w..")
    text.severity[0] = -1
    assert latest_alert(replace(text), at(3)) is None
