"""The incident: a summary for a lock screen, and the facts beside it."""

from __future__ import annotations

from modelwatch.model.alert import MONITORING_SILENT, Evidence
from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.targets.incidents.render import incident_details, incident_summary

from .making import DROP, HOUR, LATAM, NEWEST, NOW, alert, finding, group, register


def test_the_summary_says_what_how_much_and_since_when() -> None:
    shown = incident_summary(group(alert(finding(labels=LATAM))), NEWEST - 10 * HOUR)
    assert shown == ("churn accuracy (region=latam) 0.85, 7.6 % below its baseline 0.92, since 2026-11-20 02:00 UTC")


def test_the_facts() -> None:
    evidence = Evidence(
        segments=(finding(labels=LATAM),),
        version="v7",
        version_since=NEWEST - 12 * HOUR,
        previous=("v6",),
    )
    assert incident_details(group(alert(finding(labels=LATAM)), evidence=evidence), register(), NOW) == {
        "next": "Follow the runbook: https://example.org/runbooks/accuracy-drop.md",
        "next_as_of": "2026-11-20 12:05 UTC; the GitHub issue has the current step",
        "value": "0.85, 7.6 % below its baseline 0.92",
        "how_sure": "95 % interval 0.84 to 0.86, 12,000 rows",
        "since": "2026-11-20 02:00 UTC (10 h 5 min)",
        "model": "churn",
        "rule": "accuracy",
        "where": "region=latam",
        "tier": "error (drop 5 %)",
        "acknowledging": "holds for 24 h, or until it gets worse",
        "version": "v7, first seen 2026-11-20 00:00 UTC",
        "healthy_before": "v6",
        "worst_segments": "region=latam: 0.85 (−7.6 %, 12,000 rows, error)",
    }


def test_what_is_not_known_is_left_out() -> None:
    bare = finding(baseline=None, change=None, low=None, high=None, n=None)
    found = incident_details(group(alert(bare), limits=(Limit(LimitKind.ABOVE, 0.5),)), None, NOW)
    assert set(found) == {"next", "next_as_of", "model", "rule", "tier", "value", "since", "acknowledging"}
    assert "—" not in "".join(map(str, found.values()))


def test_a_segment_beyond_a_limit_is_not_ok_where_that_is_not_proven() -> None:
    tiers = (Tier(Severity.ERROR, DROP, ()),)
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), tiers)
    rows = (finding(severity=None, outcome=Outcome.OK), finding(severity=None, outcome=Outcome.OK, value=0.91))
    found = incident_details(group(evidence=Evidence(segments=rows)), register(), NOW, rule=rule)
    first, second = found["worst_segments"].split("; ")
    assert first.endswith("beyond a limit, not proven)")
    assert second.endswith(", ok)")


def test_silence_has_no_worst_value() -> None:
    labels = (("rule", "accuracy"),)
    silent = alert(finding(labels=labels, value=None, cause=Cause.NO_POINTS), worst=finding(time=0.0))
    found = incident_details(group(silent, rule=MONITORING_SILENT, limits=()), None, NOW)
    assert found["rule"] == "accuracy"
    assert not {"worst_so_far", "where"} & set(found)
