"""What counts as found, late, false or unmarked, at the edges of each definition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.backtest.result import ReplayedEpisode
from modelwatch.backtest.scoring import news_times, score
from modelwatch.model.backtest import AlertVerdict, FalseMark, Marks
from modelwatch.model.plan import ChangeKind
from modelwatch.model.rule import Limit, LimitKind, Tier
from modelwatch.model.severity import Severity

from .making import BEGIN, HOUR, at, config, effect, episode, incident, page, result, rule

DROP = incident(100, 148)


@pytest.mark.parametrize(
    ("alert", "delay", "verdict"),
    [
        (episode(103, 150), 3, AlertVerdict.INCIDENT),
        (episode(100, 101), 0, AlertVerdict.INCIDENT),  # at its very start
        (episode(148, 160, start=147), 48, AlertVerdict.INCIDENT),  # at its very end
        (episode(149, 160, start=147), None, AlertVerdict.INCIDENT),  # too late for anybody, and not without reason
        (episode(150, 160, start=149), None, AlertVerdict.UNMARKED),
        (episode(148 + 7 * 24, 400, start=147), None, AlertVerdict.INCIDENT),
        (episode(149 + 7 * 24, 400, start=147), None, AlertVerdict.UNMARKED),  # whatever raised it, it was not this
        (episode(99, 160), None, AlertVerdict.UNMARKED),  # it would have fired without the incident, too
        (episode(99, 160, steps=((99, Severity.WARNING), (120, Severity.ERROR))), 20, AlertVerdict.INCIDENT),
        (episode(99, 160, steps=((99, Severity.ERROR), (120, Severity.WARNING))), None, AlertVerdict.UNMARKED),
        (episode(20, 30), None, AlertVerdict.UNMARKED),
    ],
)
def test_an_alert_and_an_incident(alert: ReplayedEpisode, delay: float | None, verdict: AlertVerdict) -> None:
    report = score(config(), result(alert), Marks((DROP,)))
    (found,) = report.incidents
    assert found.delay == (None if delay is None else delay * HOUR)
    assert report.alerts[0].verdict is verdict
    assert report.rules[0].detected == (delay is not None)


def test_an_alert_that_fired_before_is_named() -> None:
    (found,) = score(config(), result(episode(99, 160)), Marks((DROP,))).incidents
    assert found.firing_before == ("accuracy",)
    (found,) = score(config(), result(episode(90, 100)), Marks((DROP,))).incidents
    assert found.firing_before == ()


def test_an_alert_that_gets_as_bad_as_before_tells_nothing_new() -> None:
    steps = ((10, Severity.WARNING), (12, Severity.ERROR), (14, Severity.WARNING), (16, Severity.ERROR))
    assert news_times(episode(10, 20, steps=steps)) == (at(10), at(12))


@pytest.mark.parametrize(
    ("incidents", "verdict"),
    [
        ((), AlertVerdict.FALSE),
        ((DROP,), AlertVerdict.FALSE),  # of the whole model: people called this rule wrong
        ((replace(DROP, rules=("accuracy",)),), AlertVerdict.INCIDENT),
    ],
)
def test_the_more_specific_mark_counts(incidents: tuple[object, ...], verdict: AlertVerdict) -> None:
    marks = Marks(incidents, (FalseMark("churn", "accuracy", at(120), at(130)),))  # type: ignore[arg-type]
    report = score(config(), result(episode(103, 150)), marks)
    assert report.alerts[0].verdict is verdict
    assert report.rules[0].false_alarms == (verdict is AlertVerdict.FALSE)


@pytest.mark.parametrize(
    ("mark", "is_false"),
    [
        (FalseMark("churn", "accuracy", at(149), at(160)), True),
        (FalseMark("churn", "", at(149), at(160)), True),
        (FalseMark("churn", "latency", at(149), at(160)), False),
        (FalseMark("credit", "accuracy", at(149), at(160)), False),
        (FalseMark("churn", "accuracy", at(151), at(160)), False),
        (FalseMark("churn", "accuracy", at(90), at(100)), False),  # the breach begins an hour later
    ],
)
def test_a_false_mark_is_about_its_rule_and_time(mark: FalseMark, is_false: bool) -> None:
    report = score(config(), result(episode(103, 150)), Marks((), (mark,)))
    assert report.rules[0].false_alarms == is_false
    assert report.rules[0].unmarked == (not is_false)


def test_an_incident_that_names_a_rule_is_missed_by_that_rule() -> None:
    rules = (rule(), rule("latency"))
    marks = Marks((incident(100, 148, "latency"),))
    report = score(config(*rules), result(episode(103, 150)), marks)
    assert report.incidents[0].found is None
    assert [(found.rule, found.detected, found.missed) for found in report.rules] == [
        ("accuracy", 0, 0),
        ("latency", 0, 1),
    ]
    assert report.alerts[0].verdict is AlertVerdict.UNMARKED


def test_the_first_rule_finds_it_and_pages_of_all_of_them_count() -> None:
    rules = (rule(), rule("latency"))
    replayed = result(
        episode(105, 150), episode(103, 150, rule="latency"), effects=(page(99), page(107), page(110, "latency"))
    )
    (found,) = score(config(*rules), replayed, Marks((DROP,))).incidents
    assert (found.rule, found.delay, found.page_delay) == ("latency", 3 * HOUR, 7 * HOUR)
    assert found.by_rule == (("latency", at(103)), ("accuracy", at(105)))


def test_figures_of_a_rule() -> None:
    effects = (
        effect(10, ChangeKind.OPEN_ISSUE),
        effect(11, ChangeKind.UPDATE_ISSUE),
        effect(50, ChangeKind.REOPEN_ISSUE),
        page(10),
        effect(11, ChangeKind.TRIGGER_INCIDENT),  # updates an open incident
        effect(12, ChangeKind.DISPATCH_WORKFLOW, verb="retrain"),
        effect(13, ChangeKind.DISPATCH_WORKFLOW, verb="retrain"),
        effect(14, ChangeKind.DISPATCH_WORKFLOW, verb="rollback"),
        effect(15, ChangeKind.UPDATE_ISSUE, verb="rollback"),
        effect(15, ChangeKind.SEND_MESSAGE),
    )
    replayed = result(episode(10, 14), episode(50, 58), episode(660, None), effects=effects)
    report = score(config(), replayed, Marks())
    (found,) = report.rules
    assert (found.alerts, found.per_week, found.still_firing) == (3, 0.75, True)
    assert (found.median_duration, found.longest_duration) == (8 * HOUR, 12 * HOUR)
    assert (found.issues, found.pages, found.proposals, found.messages) == (2, 1, 1, 1)
    assert found.dispatches == (("retrain", 2), ("rollback", 1))
    assert (report.issues, report.pages, report.workflows, report.proposals) == (2, 1, 3, 1)


def test_marks_outside_of_the_span_are_left_out_and_said() -> None:
    early, cut, late = incident(-90, -50), incident(-5, 20), incident(700, 800)
    other = incident(10, 20, model="credit")
    report = score(config(), result(episode(4, 8)), Marks((early, cut, late, other)))
    assert report.incidents == ()
    assert report.alerts[0].verdict is AlertVerdict.INCIDENT  # what is cut is known to be true
    assert len(report.notes) == 2


def test_an_incident_under_way_at_the_end_is_missed_by_nobody() -> None:
    open_one = replace(incident(660, 900), rules=("accuracy",))
    report = score(config(), result(), Marks((open_one,)))
    (found,) = report.incidents
    assert (found.under_way, found.is_counted, report.rules[0].missed) == (True, False, 0)
    assert report.notes == ("1 marked incident under way at the end, and not found yet: not counted.",)
    report = score(config(), result(episode(665, None)), Marks((open_one,)))
    assert report.incidents[0].is_counted
    assert report.notes == ()


def test_a_rule_whose_budget_is_no_promise_is_named() -> None:
    limits = (Limit(LimitKind.RISE, 0.1),)
    unsure = replace(rule(), tiers=(Tier(Severity.WARNING, limits, ("issue",), false_alarms=90 * 24 * HOUR),))
    (note,) = score(config(unsure), result(), Marks()).notes
    assert note.startswith("churn: the budget cannot hold for accuracy, whose windows decide alone")


def test_a_model_that_could_not_be_replayed_is_judged_in_nothing() -> None:
    report = score(config(), result(errors=(("churn", "W&B is down"),)), Marks((DROP,)))
    assert report.notes == ("1 marked incident of models that could not be replayed: left out.",)
    assert report.rules == ()
    assert report.incidents == ()
    assert report.errors == (("churn", "W&B is down"),)


def test_a_built_in_rule_is_listed_when_it_fired() -> None:
    silent = replace(episode(10, 20, rule="monitoring-silent"), kind="monitoring-silent")
    report = score(config(), result(silent), Marks())
    assert [(found.rule, found.kind, found.alerts) for found in report.rules] == [
        ("accuracy", "accuracy-drop", 0),
        ("monitoring-silent", "monitoring-silent", 1),
    ]


def test_the_span_is_that_of_the_replay() -> None:
    report = score(config(), result(), Marks())
    assert (report.since, report.weeks, report.evaluations) == (BEGIN, 4.0, 28 * 24 + 1)
