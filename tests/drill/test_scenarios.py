"""Every scenario against the stand-ins while nothing is broken: all of its links hold, and nothing is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.drill.drilled_rule import choose_rule, levels_of
from modelwatch.drill.scenarios import SCENARIOS, Scenario
from modelwatch.errors import UserError
from modelwatch.model.drill import DRILL_PREFIX, Link, LinkState
from modelwatch.testing.drill_site import REPOSITORY, StandInSite
from tests.drill.making import CONFIG, drill, read_model


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_a_healthy_chain_passes(scenario: Scenario, tmp_path: Path) -> None:
    places: list[StandInSite] = []
    result, left = drill(read_model(tmp_path), scenario.name, places.append)
    report = result.report
    assert report.passed, report.broken or report.cleanup
    assert left == []
    assert [one.link for one in report.links[: len(scenario.chain)]] == list(scenario.chain)
    parts = {one.link for one in report.links if one.state is LinkState.PASSED}
    assert {Link.LOGGED, Link.PULLED, Link.FIRED, Link.ISSUE, Link.RECOVERED, Link.CLOSED} <= parts
    assert not parts & scenario.not_part.keys()
    for link in scenario.must_not:
        assert report.link(link).found.startswith("none, as it should be")
    (place,) = places
    assert place.wandb.errors == place.github.errors == place.pagerduty.errors == []


def test_whatever_people_see_is_marked(tmp_path: Path) -> None:
    places: list[StandInSite] = []
    drill(read_model(tmp_path), "bad-deployment", places.append)
    (place,) = places
    issues = place.github.standin.state.repo(REPOSITORY).issues.items.values()
    assert [issue.title.partition(" ")[0] for issue in issues] == [DRILL_PREFIX]
    assert all("This is a drill" in (issue.body or "") for issue in issues)
    assert {one.title.partition(" ")[0] for one in place.pagerduty.standin.state.notifications} == {DRILL_PREFIX}


def test_bad_data_is_no_reason_to_retrain(tmp_path: Path) -> None:
    """The refusal is seen, not only the absence: accuracy falls with the data, and would retrain."""
    result, _ = drill(read_model(tmp_path), "missing-data")
    assert "retrain was refused: data quality is in doubt" in result.report.link(Link.DISPATCHED).found


def test_a_rollback_is_approved_by_a_person_and_timed(tmp_path: Path) -> None:
    result, _ = drill(read_model(tmp_path), "bad-deployment")
    assert "after an approval" in result.report.link(Link.DISPATCHED).found
    times = result.times.parts()
    assert all(seconds is not None for seconds in times.values()), times
    assert result.times.detection == 3600.0
    assert result.times.move == 300.0


def test_a_rollback_without_a_page_is_approved_too(tmp_path: Path) -> None:
    config = CONFIG.replace("do: [issue, page, rollback]", "do: [issue, rollback]")
    result, left = drill(read_model(tmp_path, config), "bad-deployment")
    assert result.report.passed, result.report.broken
    assert result.report.link(Link.INCIDENT).state is LinkState.NOT_PART
    assert left == []


def test_the_rules_of_the_model_are_drilled_where_they_fit(tmp_path: Path) -> None:
    model = read_model(tmp_path)
    own, _ = drill(model, "accuracy-drop")
    assert own.report.rule == "accuracy"
    assert own.report.notes == ()
    other, _ = drill(model, "latency")
    assert other.report.rule == "latency"
    assert "has no rule for this scenario" in other.report.notes[0]
    assert "(a rule of the drill)" in other.report.link(Link.FIRED).found
    assert "of the drill" not in own.report.link(Link.FIRED).found


ISSUES_ONLY = (
    CONFIG.replace("issue, page", "issue")
    .replace(", retrain]", "]")
    .replace(", rollback]", "]")
    .replace('    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}\n', "")
    .replace("    workflows: {retrain: retrain.yml, rollback: {file: rollback.yml, mode: propose}}\n", "")
)
"""No key, no workflows: what such a model does is open issues."""


@pytest.mark.parametrize("name", [one.name for one in SCENARIOS.values() if not one.needs])
def test_what_the_model_does_not_have_is_never_passed(name: str, tmp_path: Path) -> None:
    """Also where the drill takes a rule of its own, which pages and retrains elsewhere."""
    result, left = drill(read_model(tmp_path, ISSUES_ONLY), name)
    report = result.report
    assert report.passed, report.broken
    for link in (Link.INCIDENT, Link.NOTIFIED, Link.DISPATCHED, Link.ENDED):
        assert report.link(link).state is LinkState.NOT_PART, link
    assert report.link(Link.INCIDENT).expected == "churn has no `pagerduty.routing_key`"
    assert report.link(Link.DISPATCHED).expected == "churn has no `workflows`"
    assert left == []


@pytest.mark.parametrize(("name", "lacks"), [("bad-deployment", "rolls back"), ("pagerduty-down", "pages")])
def test_what_a_scenario_is_about_is_never_borrowed(name: str, lacks: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no tier of `accuracy` {lacks}, so there is nothing to drill"):
        drill(read_model(tmp_path, ISSUES_ONLY), name)


def test_another_rule_than_the_first_may_have_what_the_scenario_is_about(tmp_path: Path) -> None:
    more = """\
      - {name: p99, kind: latency, metric: latency/p99, better: lower, window: 2h, every: 1h,
         tiers: {error: {above: 250, do: [issue, page, rollback]}}}
"""
    model = read_model(tmp_path, CONFIG.replace(", rollback]", "]") + more)
    rule, _ = choose_rule(model, SCENARIOS["bad-deployment"])
    assert rule.name == "p99"


def test_a_relay_of_the_drill_is_called_that(tmp_path: Path) -> None:
    result, _ = drill(read_model(tmp_path))
    assert "(a relay of the drill: the model has no `pagerduty.webhook`)" in result.report.link(Link.RECEIVED).found


def test_a_workflow_of_another_scenario_is_named(tmp_path: Path) -> None:
    """The tier that pages starts a rollback; what this scenario is about is started by another one."""
    config = CONFIG.replace("error: {drop: 5%, do: [issue, page, retrain]}", "error: {drop: 5%, do: [issue, page]}")
    result, _ = drill(read_model(tmp_path, config))
    reason = result.report.link(Link.DISPATCHED).expected
    assert "starts `rollback`, which `bad-deployment` drills; `--tier warning` drills `retrain`" in reason


def test_the_metric_reaches_the_tier_and_no_severer_one(tmp_path: Path) -> None:
    rule, tier = choose_rule(read_model(tmp_path), SCENARIOS["accuracy-drop"])
    assert str(tier.severity) == "error", "it pages and retrains"
    levels = levels_of(rule, tier)
    assert levels.healthy == 0.92
    reached = [one for one in rule.tiers if one.limits[0].is_passed(levels.degraded, levels.healthy)]
    assert [str(one.severity) for one in reached] == ["warning", "error"]


def test_a_tier_that_the_rule_has_not_is_refused(tmp_path: Path) -> None:
    model = read_model(tmp_path)
    with pytest.raises(UserError, match=r"has no tier info\. It has warning, error, critical"):
        choose_rule(model, SCENARIOS["accuracy-drop"], "info")
    with pytest.raises(UserError, match="no rule of kind `latency`"):
        choose_rule(model, SCENARIOS["latency"])
    no_rollback = replace(model.rules[0], tiers=model.rules[0].tiers[:1])
    with pytest.raises(UserError, match="rolls back"):
        choose_rule(replace(model, rules=(no_rollback,)), SCENARIOS["bad-deployment"])
