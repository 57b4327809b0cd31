from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.model.alert import AlertState, Group, fingerprint, group_key
from modelwatch.model.finding import Track
from modelwatch.model.monitored_model import Config, Matcher, Model, Silence
from modelwatch.model.rule import BaselineSpec, Direction, VersionOverride
from modelwatch.model.severity import Severity

from .making import T0, at, config, findings, pull, rule, tier, track, unexplained

EU, US = (("region", "eu"),), (("region", "us"),)
DO = rule(
    tiers=(tier("warning", ("issue", "retrain")), tier("error", ("page",)), tier("critical", ("issue", "rollback")))
)


def groups_of(of: Config, *tracks: Track, now: float = at(10)) -> dict[str, Group]:
    judged = judge_models(of, {"churn": findings(*tracks)}, {"churn": pull()}, now, unexplained)
    return {group.rule: group for group in judged.groups}


def group_of(*tracks: Track, **more: float) -> Group:
    return groups_of(config(tracks[0].rule), *tracks, **more)[tracks[0].rule.name]


def test_a_rule_that_is_quiet_has_a_group_too() -> None:
    group = group_of(track("....."))
    assert (group.state, group.severity, group.alerts, group.do) == (AlertState.QUIET, None, (), ())
    assert group.clear[0].times == (at(4), at(3), at(2), at(1))
    assert (group.hold, group.newest, group.config) == (2, at(4), "d1")
    assert group.key == group_key("churn", "accuracy")


def test_an_optional_rule_without_a_series_is_not_there() -> None:
    """Nor does anything say that it is not; one that had a series is silent when that stops."""
    optional, other = rule("format", optional=True), rule()
    both = config(optional, other)
    judged = judge_models(both, {"churn": findings(track("....."))}, {"churn": pull()}, at(10), unexplained)
    assert [group.rule for group in judged.groups if not group.built_in] == ["accuracy"]
    assert {group.state for group in judged.groups} == {AlertState.QUIET}
    assert judged.notes == ()
    stopped = groups_of(both, track("..___", optional, EU), track("....."))
    assert stopped["monitoring-silent"].state is AlertState.FIRING
    assert list(stopped)[:2] == ["format", "accuracy"]
    assert groups_of(config(replace(optional, optional=False)), now=at(10))["format"].state is AlertState.QUIET


def test_segments_travel_inside_their_group() -> None:
    """ "Segments travel inside their group." """
    group = group_of(track("....."), track("..www", labels=EU), track("...ee", labels=US))
    assert [alert.labels for alert in group.alerts] == [US, EU], "worst first"
    assert (group.state, group.severity, group.start) == (AlertState.FIRING, Severity.ERROR, at(2))
    assert {clear.fingerprint for clear in group.clear} == {
        fingerprint("churn", "accuracy", labels) for labels in ((), EU, US)
    }


def test_of_equal_severity_what_is_further_off_goes_first() -> None:
    near, far = [0.9] * 3 + [0.87] * 2, [0.9] * 3 + [0.8] * 2
    group = group_of(track("...ww", labels=EU, values=near), track("...ww", labels=US, values=far))
    assert [alert.labels for alert in group.alerts] == [US, EU]
    fixed = rule(better=Direction.LOWER, baseline=BaselineSpec())
    small, large = (
        replace(track("...ww", fixed, labels, values=values), baseline=array("d", [math.nan] * 5))
        for labels, values in ((EU, [0.0] * 3 + [1.0] * 2), (US, [0.0] * 3 + [2.0] * 2))
    )
    assert [alert.labels for alert in group_of(small, large).alerts] == [US, EU]


def test_firing_goes_before_pending_and_resolved() -> None:
    of = rule(for_=2)
    group = group_of(track("....c", of), track("..wwww", of, EU), track("ee...", of, US))
    assert [alert.state for alert in group.alerts] == [AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED]
    assert group.state is AlertState.FIRING


def test_do_is_the_whole_list_of_the_tier_that_holds() -> None:
    """ "A tier's `do` list is the whole list of that tier"; "every `do` implies `issue`"."""
    assert group_of(track("...w", DO)).do == ("issue", "retrain")
    assert group_of(track("...e", DO)).do == ("issue", "page")
    assert group_of(track("...c", DO)).do == ("issue", "rollback")
    assert group_of(track("...w", rule(tiers=(tier("warning", ()),)))).do == ()


def test_do_of_the_version_in_production() -> None:
    of = rule(tiers=(tier("warning", ("retrain",)),), overrides=(VersionOverride("v2", (tier("warning", ("page",)),)),))
    assert group_of(track("..w", of, versions=("v1",))).do == ("issue", "retrain")
    assert group_of(track("..w", of, versions=("v2",))).do == ("issue", "page")


def test_a_group_is_muted_only_where_every_firing_alert_is() -> None:
    silence = Silence(Matcher(labels=EU), until=at(100), owner="ada", reason="known")
    of = config(DO, silences=(silence,))
    both = groups_of(of, track("...c", DO, EU), track("...w", DO, US))["accuracy"]
    assert both.mutes == ()
    assert (both.severity, both.do) == (Severity.WARNING, ("issue", "retrain")), "the muted alert has no actions"
    one = groups_of(of, track("...c", DO, EU))["accuracy"]
    assert [mute.reason for mute in one.mutes] == ["known (silenced by ada)"]
    assert one.severity is Severity.CRITICAL


def test_a_failed_source_has_a_failure_and_no_groups() -> None:
    """ "A failed source ... closes nothing": nothing is known of its rules."""
    models = (Model("churn", (rule(),)), Model("fraud", (rule(),)))
    tracks = {"churn": findings(track("..w")), "fraud": findings(track("..w", model="fraud"))}
    judged = judge_models(
        Config(models, "c1"), tracks, {"churn": pull(error="502 for ever"), "fraud": pull()}, at(3), unexplained
    )
    assert [(failure.model, failure.error) for failure in judged.failures] == [("churn", "502 for ever")]
    assert {group.model for group in judged.groups} == {"fraud"}, "one model's failure never hides another's result"


def test_built_in_rules_speak_when_they_have_something_to_say() -> None:
    quiet = groups_of(config(rule()), track("....."))
    assert {name for name, group in quiet.items() if group.alerts} == set()
    assert len(quiet["monitoring-silent"].clear) == 1, "the proof that nothing is silent"
    silent = groups_of(config(rule()), track("..???"))["monitoring-silent"]
    assert (silent.kind, silent.state, silent.severity) == ("monitoring-silent", AlertState.FIRING, Severity.WARNING)
    assert silent.alerts[0].labels == (("rule", "accuracy"),)
    recovered = groups_of(config(rule()), track("..???..."))["monitoring-silent"]
    assert recovered.state is AlertState.RESOLVED
    assert len(recovered.clear[0].times) == 3, "the proof that it recovered"


def test_a_segment_that_is_gone_is_said_on_its_alert() -> None:
    found = groups_of(config(rule()), track("........"), track("..ee____", labels=EU, overdue="_"))
    assert found["segment-gone"].kind == "data-quality"
    assert found["accuracy"].alerts[0].gone
    assert found["accuracy"].state is AlertState.FIRING, "missing data closes nothing"


@pytest.mark.parametrize(
    ("own", "base", "expected"),
    [
        ("", "https://x.example/runbooks/", "https://x.example/runbooks/accuracy-drop.md"),
        ("https://own.example/page", "https://x.example/runbooks", "https://own.example/page"),
        ("", "", ""),
    ],
)
def test_runbook(own: str, base: str, expected: str) -> None:
    of = rule(runbook=own)
    assert groups_of(config(of, runbook_base=base), track("..w", of))["accuracy"].runbook == expected


def test_a_rule_without_series_is_told() -> None:
    judged = judge_models(
        config(rule()), {"churn": findings(notes=("60 segments; 10 left out",))}, {"churn": pull()}, T0, unexplained
    )
    assert judged.groups[0].state is AlertState.QUIET
    assert judged.notes == (
        "churn: 60 segments; 10 left out",
        "churn: rule accuracy found no series that matches eval/accuracy",
    )


def test_a_wholly_past_alert_is_reported_and_asks_for_nothing() -> None:
    """ "What happened wholly in the past is reported, never acted on." """
    group = group_of(track("..cc....", DO))
    assert (group.state, group.do, group.severity) == (AlertState.RESOLVED, (), None)
    assert (group.start, group.end) == (at(2), at(5))
    assert group.newest == at(7)
