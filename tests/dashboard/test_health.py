"""The colour of a model, since when, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.dashboard.answers import DOWN_STEP, QUESTIONS, answers
from modelwatch.dashboard.fleet import fleet_page, fleet_row
from modelwatch.dashboard.health import ModelHealth, diagnose, model_health, newest_point
from modelwatch.dashboard.model_page import model_page
from modelwatch.dashboard.page import FleetRow
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.model.alert import MONITORING_SILENT, SOURCE_OUTAGE, AlertState, Group, Mute, SeverityChange
from modelwatch.model.finding import ModelFindings, Outcome
from modelwatch.model.plan import ModelObservation, ObservedIssue
from modelwatch.model.register import DispatchState, FollowerRecord, PageRecord, Register
from modelwatch.model.series import PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.report.model_health import Health

from ..report.making import HOUR, NEWEST, NOW, alert, finding, group, model, record, register
from .making import series as points

QUIET = group(state=AlertState.QUIET, severity=None, start=None, latest=finding(outcome=Outcome.OK, severity=None))
HEALTHY = replace(QUIET, alerts=())
UNKNOWN = replace(HEALTHY, latest=finding(outcome=Outcome.NO_DATA, severity=None, value=None))
WARNING = group(alert(severity=Severity.WARNING), severity=Severity.WARNING)
PENDING = group(alert(state=AlertState.PENDING), state=AlertState.PENDING, severity=None)
SILENT = replace(WARNING, rule=MONITORING_SILENT, kind=MONITORING_SILENT)


def snapshot(*groups: Group, **fields: Any) -> ModelSnapshot:
    plain = ModelSnapshot(model(), NOW, PulledSeries("churn", ()), ModelFindings(()), groups)
    return replace(plain, **fields)


def health(*groups: Group, **fields: Any) -> ModelHealth:
    known = snapshot(*groups, **fields)
    return model_health(known, diagnose(known))


def issue(known: Register | None = None, **fields: Any) -> ObservedIssue:
    kept = known or register()
    plain = ObservedIssue(12, "https://example.org/12", kept.group, "open", "", None, NEWEST, "bot", "", kept)
    return replace(plain, **fields)


@pytest.mark.parametrize(
    ("groups", "colour"),
    [
        ((group(),), Health.RED),
        ((HEALTHY, group(severity=Severity.CRITICAL)), Health.RED),
        ((HEALTHY, WARNING), Health.YELLOW),
        ((HEALTHY, PENDING), Health.YELLOW),
        ((HEALTHY,), Health.GREEN),
        ((UNKNOWN,), Health.GREY),
        ((UNKNOWN, SILENT), Health.GREY),
        ((HEALTHY, SILENT), Health.YELLOW),
        ((replace(UNKNOWN, rule="other"), group()), Health.RED),
        ((), Health.GREY),
        ((UNKNOWN, replace(SILENT, rule=SOURCE_OUTAGE, severity=Severity.ERROR)), Health.GREY),
        ((replace(group(), mutes=(Mute("silence", "planned"),)),), Health.RED),
    ],
)
def test_the_colour_is_that_of_the_worst_alert_and_no_data_is_no_health(
    groups: tuple[Group, ...], colour: Health
) -> None:
    assert health(*groups).health is colour


def test_a_source_that_cannot_be_read_is_grey_and_says_why() -> None:
    found = health(HEALTHY, pull=PulledSeries("churn", (), error="W&B does not answer: 503"))
    assert found.health is Health.GREY
    assert found.headline == "The metrics cannot be read: W&B does not answer: 503"
    assert found.doing == "The next evaluation reads it again"
    known = snapshot(HEALTHY, pull=PulledSeries("churn", (), error="W&B does not answer: 503"))
    said = diagnose(known)
    texts = {one.id: one.text for one in answers(known, model_health(known, said), said)}
    assert texts["next"] == DOWN_STEP
    assert texts["change"] == "Unknown: the metrics cannot be read, and no open issue reports an alert."


def test_a_point_after_the_evaluation_is_not_its_newest_data() -> None:
    known = snapshot(pull=PulledSeries("churn", (points("m", [1.0, 2.0], step=HOUR, end=NOW + HOUR),)))
    assert newest_point(known) == NOW
    assert newest_point(replace(known, now=NOW - HOUR)) is None


def test_red_begins_when_the_alert_became_an_error_not_when_it_began() -> None:
    steps = (SeverityChange(NEWEST - 9 * HOUR, Severity.WARNING), SeverityChange(NEWEST - 4 * HOUR, Severity.ERROR))
    assert health(group(alert(steps=steps))).since == NEWEST - 4 * HOUR
    worse = (*steps, SeverityChange(NEWEST - HOUR, Severity.CRITICAL))
    assert health(group(alert(steps=worse, severity=Severity.CRITICAL))).since == NEWEST - 4 * HOUR
    again = (*steps, SeverityChange(NEWEST - 3 * HOUR, Severity.WARNING), SeverityChange(NEWEST, Severity.ERROR))
    assert health(group(alert(steps=again))).since == NEWEST
    (link,) = model_page(snapshot(group(alert(steps=steps))))[0].alerts
    assert (link.since, link.urgent_since) == (NEWEST - 10 * HOUR, NEWEST - 4 * HOUR), "both times are told"
    (link,) = model_page(snapshot(group()))[0].alerts
    assert link.urgent_since is None


def test_yellow_begins_with_the_alert_and_green_with_the_end_of_the_last_one() -> None:
    assert health(WARNING).since == NEWEST - 10 * HOUR
    ended = group(alert(state=AlertState.RESOLVED, end=NEWEST - 2 * HOUR), state=AlertState.RESOLVED, severity=None)
    ended = replace(ended, latest=QUIET.latest)
    assert health(ended).since == NEWEST - 2 * HOUR
    closed = ModelObservation("churn", (issue(register(closed=NEWEST - 50 * HOUR), state="closed"),))
    assert health(HEALTHY, observation=closed).since == NEWEST - 50 * HOUR
    assert health(HEALTHY).since is None


def test_the_headline_is_that_of_diagnose_without_state_and_name() -> None:
    assert health(group()).headline == "accuracy is 0.85, 7.6 % below its baseline 0.92"
    assert health(HEALTHY).headline.startswith("Nothing is firing; 1 rule judged at ")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (register(dispatches=(record(state=DispatchState.SENT, target_version="v6"),)), "Rollback to v6 runs since"),
        (register(dispatches=(record(),)), "Rollback waits for approval since"),
        (register(page=PageRecord("triggered", Severity.ERROR, NOW)), "The on-call was paged at 2026-11-20 12:05 UTC"),
        (
            register(page=PageRecord("triggered", Severity.ERROR, NOW, status="acknowledged", status_by="Ada")),
            "The page was acknowledged by Ada",
        ),
        (register(silence_until=NOW + HOUR, silence_by="ada", silence_reason="planned"), "ilenced"),
    ],
)
def test_what_is_done_comes_from_the_register(known: Register, text: str) -> None:
    of = group()
    assert text in health(of, registers={of.key: known}).doing


def test_the_issue_is_named_the_own_one_or_that_which_leads() -> None:
    of = group()
    assert health(of, observation=ModelObservation("churn", (issue(),))).doing == "Issue #12 is open"
    leads = register(
        group="b" * 16,
        model="location",
        rule="accuracy",
        followers=(FollowerRecord(of.key, "churn", "accuracy", "accuracy-drop", Severity.ERROR, NEWEST),),
    )
    doing = health(of, observation=ModelObservation("churn"), other_issues=(issue(leads),)).doing
    assert doing == "Issue #12 of location accuracy is about it, too"


def test_an_alert_nobody_acts_on_says_so() -> None:
    assert health(group(do=("issue", "page"))).doing == "This alert asks for: issue, page"
    assert health(group(do=())).doing == "Nothing: this alert has no action"
    assert health(HEALTHY).doing == ""


def test_there_are_eight_answers_in_order() -> None:
    for groups in ((group(),), (HEALTHY,), (UNKNOWN,), ()):
        known = snapshot(*groups)
        said = diagnose(known)
        found = answers(known, model_health(known, said), said)
        assert [one.id for one in found] == list(QUESTIONS)
        assert all(one.text for one in found)


def test_the_answers_of_a_red_model() -> None:
    known = snapshot(group())
    said = diagnose(known)
    found = {one.id: one for one in answers(known, model_health(known, said), said, business="About 3,100 EUR a day.")}
    assert found["health"].text == "No: an alert fires (error). Since 2026-11-20 02:00 UTC."
    assert found["problem"].text == "accuracy is 0.85, 7.6 % below its baseline 0.92"
    assert found["business"].text == "About 3,100 EUR a day."
    assert found["inputs"].text == "Unknown: no rule looks at them."
    assert found["next"].text == "Follow the runbook"
    assert found["next"].url == "https://example.org/runbooks/accuracy-drop.md"


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ((WARNING,), "Not quite: an alert fires (warning). Since 2026-11-20 02:00 UTC."),
        ((HEALTHY, PENDING), "Not quite: an alert is pending. Since 2026-11-20 02:00 UTC."),
        ((group(), replace(WARNING, rule="other")), "No: 2 alerts fire (at worst error). Since 2026-11-20 02:00 UTC."),
        ((HEALTHY,), "Yes: no alert fires."),
        ((UNKNOWN,), "Unknown: nothing could be judged."),
    ],
)
def test_health_is_answered_with_what_fires(groups: tuple[Group, ...], text: str) -> None:
    known = snapshot(*groups)
    said = diagnose(known)
    assert answers(known, model_health(known, said), said)[0].text == text


def test_inputs_are_sound_only_if_a_rule_says_so() -> None:
    drift = replace(HEALTHY, rule="inputs", kind="data-drift")
    known = snapshot(drift)
    said = diagnose(known)
    found = {one.id: one.text for one in answers(known, model_health(known, said), said)}
    assert found["inputs"] == "Yes: 1 of 1 rules about them are within limits, none fires."
    blind = snapshot(replace(UNKNOWN, rule="inputs", kind="data-drift"))
    said = diagnose(blind)
    found = {one.id: one.text for one in answers(blind, model_health(blind, said), said)}
    assert found["inputs"] == "Unknown: no rule about them could be decided."


def row(name: str, colour: Health, severity: Severity | None = None, since: float | None = None) -> FleetRow:
    found = ModelHealth(colour, since, "", "", severity, 0)
    return replace(fleet_row(snapshot(), found, f"models/{name}/index.html"), model=name)


def test_the_fleet_is_worst_first() -> None:
    rows = [
        row("fine", Health.GREEN),
        row("pending", Health.YELLOW),
        row("warned", Health.YELLOW, Severity.WARNING, NOW - 5 * HOUR),
        row("fresh", Health.YELLOW, Severity.WARNING, NOW),
        row("dark", Health.GREY),
        row("error", Health.RED, Severity.ERROR, NOW),
        row("critical", Health.RED, Severity.CRITICAL, NOW - HOUR),
        row("also", Health.GREEN),
    ]
    order = [one.model for one in fleet_page(rows, NOW).rows]
    assert order == ["critical", "error", "dark", "fresh", "warned", "pending", "also", "fine"]
