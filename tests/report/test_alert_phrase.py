"""What an alert says, in one phrase."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.alert import (
    MONITORING_SILENT,
    SEGMENT_GONE,
    SUDDEN_IMPROVEMENT,
    AlertState,
    Evidence,
    UnconfirmedTier,
)
from modelwatch.model.control_chart import ChartSignal
from modelwatch.model.explanation import Explanation, SegmentContribution
from modelwatch.model.finding import Cause, ChangeEstimate, Outcome
from modelwatch.model.rule import Limit, LimitKind
from modelwatch.model.severity import Severity
from modelwatch.report.alert_phrase import describe_alert, limit_comparison, recovery_streak, subject_of
from modelwatch.timeutil import DAY, HOUR

from .making import LATAM, NEWEST, alert, clear, finding, group

OWN = (("region", "latam"), ("rule", "accuracy"))


def estimate(change: float) -> ChangeEstimate:
    return ChangeEstimate(NEWEST - 9 * HOUR, change, change - 0.01, change + 0.01)


def test_value_and_how_far_from_the_baseline() -> None:
    told = describe_alert(group(alert(finding(labels=LATAM))))
    assert told.subject == "accuracy (region=latam)"
    assert told.phrase == "0.85, 7.6 % below its baseline 0.92"
    assert describe_alert(group()).subject == "accuracy"


@pytest.mark.parametrize(
    ("limits", "value", "change", "told"),
    [
        ((Limit(LimitKind.ABOVE, 250),), 379.5, None, "above its limit 250"),
        ((Limit(LimitKind.BELOW, 0.5),), 0.4, None, "below its limit 0.5"),
        ((Limit(LimitKind.ABOVE, 250),), 240.0, None, "back within its limit 250"),
        ((Limit(LimitKind.DROP, 0.05), Limit(LimitKind.BELOW, 0.5)), 0.8, -0.13, "13.0 % below its baseline 0.92"),
        ((Limit(LimitKind.DROP, 0.05), Limit(LimitKind.BELOW, 0.5)), 0.4, -0.56, "below its limit 0.5"),
    ],
)
def test_a_fixed_limit_is_named_where_it_is_passed(
    limits: tuple[Limit, ...], value: float, change: float | None, told: str
) -> None:
    assert limit_comparison(finding(value=value, change=change, baseline=0.92 if change else None), limits) == told


def test_what_a_control_chart_signals_is_named() -> None:
    runs = finding(signal=ChartSignal.NELSON_2)
    assert describe_alert(group(alert(runs), limits=())).sentence == (
        "accuracy is 0.85, 7.6 % below its baseline 0.92 (Nelson rule 2: nine points in a row on one side)"
    )
    average = finding(signal=ChartSignal.EWMA)
    assert describe_alert(group(alert(average))).phrase.endswith("(EWMA beyond its limit)")


def test_an_anomaly_says_what_was_expected_and_how_long_nothing_was_like_it() -> None:
    spike = finding(value=12.3, baseline=8.1234, change=0.51, low=None, high=None, past=34.2 * DAY)
    later = finding(value=8.2, baseline=8.0, change=0.025, low=None, high=None, past=34.5 * DAY)
    firing = describe_alert(group(alert(later, worst=spike), limits=()))
    assert firing.sentence == "accuracy is 12.3, unlike anything in 34 d: expected about 8.1"
    over = describe_alert(group(alert(later, worst=spike, state=AlertState.RESOLVED), limits=()))
    assert over.sentence == "accuracy is 8.2, as usual again: expected about 8"


def test_what_modelwatch_raises_itself_speaks_of_the_configured_rule() -> None:
    few = finding(labels=OWN, outcome=Outcome.BREACH, cause=Cause.TOO_SMALL_COUNT, n=72.0)
    silent = describe_alert(group(alert(few), rule=MONITORING_SILENT))
    assert (silent.rule, silent.where, silent.value) == ("accuracy", "region=latam", "")
    assert silent.phrase == "cannot be judged: the count in the window is too small (72 rows)"
    assert describe_alert(group(alert(few), rule=SEGMENT_GONE)).phrase == "has sent no data for three windows"
    good = describe_alert(group(alert(finding(labels=OWN, value=0.99, change=0.076)), rule=SUDDEN_IMPROVEMENT))
    assert good.phrase == "0.99, 7.6 % above its baseline 0.92: suspiciously good"
    back = finding(labels=OWN, value=0.9, change=-0.0217, outcome=Outcome.OK)
    for state in (AlertState.FIRING, AlertState.RESOLVED):
        over = describe_alert(group(alert(back, state=state), rule=SUDDEN_IMPROVEMENT))
        assert over.phrase == "0.9, 2.2 % below its baseline 0.92; it was suspiciously good"


def test_a_label_named_rule_of_a_users_own_stays() -> None:
    labels = (("rule", "r1"),)
    assert subject_of("accuracy", labels) == ("accuracy", labels)


def test_recovery_is_as_far_as_its_slowest_alert() -> None:
    whole, segment = alert(), alert(finding(labels=LATAM))
    assert recovery_streak(group(whole, segment, clear=(clear(whole, 3), clear(segment, 1)))) == 1
    assert recovery_streak(group(whole, segment, clear=(clear(whole, 3), clear(segment, 0)))) == 0
    assert recovery_streak(group()) == 0


@pytest.mark.parametrize(
    ("evidence", "value", "told"),
    [
        (Evidence(estimate=estimate(-0.096)), 0.88, "judged by the last 9 h: −9.6 %"),
        (Evidence(estimate=replace(estimate(-0.096), since=NEWEST)), 0.88, "judged by the newest point: −9.6 %"),
        (Evidence(estimate=estimate(-0.044)), 0.88, "stays error until recovery is proven"),
        (
            Evidence(unconfirmed=UnconfirmedTier(Severity.CRITICAL, Limit(LimitKind.DROP, 0.1))),
            0.81,
            "critical, drop 10 %, is not confirmed yet",
        ),
    ],
)  # fmt: skip
def test_a_value_that_contradicts_the_severity_says_why(evidence: Evidence, value: float, told: str) -> None:
    newest = finding(value=value, change=value / 0.92 - 1)
    assert describe_alert(group(alert(newest), evidence=evidence)).phrase.endswith(f" below its baseline 0.92 ({told})")


def test_a_value_on_the_good_side_is_no_proof_of_recovery() -> None:
    better = group(alert(finding(value=0.921, change=0.001)), evidence=Evidence(estimate=estimate(-0.096)))
    assert describe_alert(better).phrase == (
        "0.921, 0.1 % above its baseline 0.92 (recovery is not proven: −9.6 % on average over the last 9 h)"
    )


def test_a_tier_that_held_before_is_confirmed_no_longer() -> None:
    evidence = Evidence(unconfirmed=UnconfirmedTier(Severity.CRITICAL, Limit(LimitKind.DROP, 0.1)))
    newest = alert(finding(value=0.82, change=-0.109), peak=Severity.CRITICAL)
    assert describe_alert(group(newest, evidence=evidence)).phrase.endswith(
        "(critical, drop 10 %, is confirmed no longer)"
    )


def test_the_part_that_has_the_severity_is_named_beside_a_milder_whole() -> None:
    part = alert(finding(labels=LATAM, value=0.8, change=-0.1304), severity=Severity.CRITICAL)
    parts = tuple(SegmentContribution((("region", name),), 0.5, 0.5, 0.92, 0.84, 0.0, -0.04) for name in ("eu", "na"))
    why = Explanation(NEWEST, -0.08, 0.0, -0.08, parts, 2, alike=True)
    tier = (Limit(LimitKind.DROP, 0.1),)
    both = group(part, alert(), severity=Severity.CRITICAL, limits=tier, evidence=Evidence(why=why, segments_seen=2))
    shown = describe_alert(both)
    assert shown.subject == "accuracy (every region)"
    assert shown.phrase == "0.85, 7.6 % below its baseline 0.92 (critical in region=latam: −13.0 %)"
    bad = group(part, alert(finding(value=0.81, change=-0.1196)), severity=Severity.CRITICAL, limits=tier)
    bad = replace(bad, evidence=both.evidence)
    assert describe_alert(bad).phrase == "0.81, 12.0 % below its baseline 0.92", "the whole passes the limit, too"


def test_a_value_that_agrees_with_the_severity_needs_no_reason() -> None:
    assert "(" not in describe_alert(group(evidence=Evidence(estimate=estimate(-0.096)))).phrase


@pytest.mark.parametrize(
    ("value", "reached", "told"),
    [
        (0.913, None, "(was 0.85; stays error until recovery is proven)"),
        (0.895, Severity.WARNING, "(was 0.85; stays error until that is proven)"),
        (0.85, None, "(was 0.8)"),  # its limit is passed, though not proven any more
    ],
)
def test_a_severity_that_the_newest_value_does_not_reach_says_how_long_it_stays(
    value: float, reached: Severity | None, told: str
) -> None:
    worst = 0.8 if value == 0.85 else 0.85
    newest = finding(value=value, change=value / 0.92 - 1, severity=reached, time=NEWEST)
    before = finding(value=worst, change=worst / 0.92 - 1, time=NEWEST - 3600)
    assert describe_alert(group(replace(alert(newest), worst=before))).phrase.endswith(told)
