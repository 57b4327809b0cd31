"""A model's budget of false alarms, and how its rules and tiers share it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import FalseAlarmBudget, Rule
from modelwatch.timeutil import DAY

from .making import load, load_model, load_rule, messages

TIERS = "{warning: {drop: 2%}, error: {drop: 5%, do: page}, critical: {drop: 10%, do: [page, rollback]}}"
BASELINE = "baseline: {rolling: 28d}"
STATIC = "{name: s, kind: latency, metric: m, tiers: {info: {above: 1}}}"


def days(rule: Rule) -> list[float | None]:
    return [None if tier.false_alarms is None else tier.false_alarms / DAY for tier in rule.tiers]


def accuracy(name: str) -> str:
    return f"{{name: {name}, kind: accuracy-drop, metric: eval/accuracy, {BASELINE}, tiers: {TIERS}}}"


def model(folder: Path, keys: str, *names: str) -> Model:
    return load_model(folder, keys, "\n  - ".join(map(accuracy, names)))


def test_the_default_is_90_days_a_year_and_five_years() -> None:
    budget = FalseAlarmBudget()
    assert (budget.warnings, budget.pages, budget.actions) == (90 * DAY, 365 * DAY, 1825 * DAY)


def test_a_tier_has_the_budget_of_what_it_does(tmp_path: Path) -> None:
    """A rollback that is only proposed counts as the page that goes with it."""
    (rule,) = model(tmp_path, "owner: '@a'", "r").rules
    assert days(rule) == [90, 365, 365]


def test_a_workflow_that_starts_without_approval_has_the_budget_of_actions(tmp_path: Path) -> None:
    (rule,) = model(tmp_path, "modes: {rollback: act}", "r").rules
    assert days(rule) == [90, 365, 1825]


def test_a_retraining_counts_as_a_warning(tmp_path: Path) -> None:
    rule = load_rule(tmp_path, f"{BASELINE}\ntiers: {{warning: {{drop: 2%, do: retrain}}}}")
    assert days(rule) == [90]


def test_rules_share_the_budget_of_their_model(tmp_path: Path) -> None:
    both = model(tmp_path, "false_alarms: {warnings: 10d, pages: 20d}", "a", "b").rules
    assert [days(rule) for rule in both] == [[20, 40, 40], [20, 40, 40]]


def test_drift_rules_share_it_unless_they_state_a_rate_for_each_window(tmp_path: Path) -> None:
    def drift(name: str, more: str) -> str:
        keys = f"drift: 'features/*', method: psi, tiers: {{warning: {{}}}}{more}"
        return f"{{name: {name}, kind: data-drift, {BASELINE}, {keys}}}"

    rules = [
        accuracy("a"),
        drift("b", ""),
        drift("c", ", false_alarms: 1%"),
        drift("d", ", false_alarms: {warnings: 9d}"),
    ]
    found = load_model(tmp_path, "false_alarms: {warnings: 10d, pages: 20d}", "\n  - ".join(rules)).rules
    assert [days(rule) for rule in found] == [[20, 40, 40], [20], [None], [9]]
    assert found[2].false_alarms == 0.01


def test_a_rule_whose_tiers_do_nothing_takes_no_share(tmp_path: Path) -> None:
    clue = f"{{name: b, kind: data-drift, {BASELINE}, drift: 'f/*', method: psi, tiers: {{warning: {{do: []}}}}}}"
    found = load_model(tmp_path, "false_alarms: {warnings: 10d, pages: 20d}", f"{accuracy('a')}\n  - {clue}").rules
    assert [days(rule) for rule in found] == [[10, 20, 20], [10]]


def test_rules_with_limits_of_the_value_itself_have_no_share(tmp_path: Path) -> None:
    rules = load_model(tmp_path, "owner: '@a'", f"{accuracy('a')}\n  - {STATIC}").rules
    assert [days(rule) for rule in rules] == [[90, 365, 365], [None]]


def test_a_rule_and_a_tier_can_have_their_own(tmp_path: Path) -> None:
    tiers = "{warning: {drop: 2%}, error: {drop: 5%, false_alarms: 7d}}"
    assert days(load_rule(tmp_path, f"{BASELINE}\nfalse_alarms: {{warnings: 30d}}\ntiers: {tiers}")) == [30, 7]


def test_overrides_by_version_have_it_too(tmp_path: Path) -> None:
    keys = f"{BASELINE}\ntiers: {{warning: {{drop: 2%}}}}\noverrides: {{v9: {{error: {{drop: 5%, do: page}}}}}}"
    (override,) = load_rule(tmp_path, keys).overrides
    assert [tier.false_alarms for tier in override.tiers] == [365 * DAY]


def test_off_decides_every_window_alone(tmp_path: Path) -> None:
    loaded = model(tmp_path, "false_alarms: off", "r")
    assert loaded.false_alarms is None
    assert days(loaded.rules[0]) == [None, None, None]


def test_the_defaults_of_the_file_are_completed_by_the_model(tmp_path: Path) -> None:
    text = f"""\
        version: 1
        defaults: {{false_alarms: {{warnings: 10d, pages: 20d}}}}
        models:
          - name: m
            wandb: {{entity: e, project: p}}
            false_alarms: {{pages: 30d}}
            rules: [{{name: r, kind: latency, metric: m, {BASELINE}, tiers: {{warning: {{rise: 2%}}}}}}]
    """
    assert load(tmp_path, text).models[0].false_alarms == FalseAlarmBudget(10 * DAY, 30 * DAY)


def test_another_rule_changes_no_digest_and_another_budget_of_a_tier_does(tmp_path: Path) -> None:
    alone, both = model(tmp_path, "owner: '@a'", "a").rules[0], model(tmp_path, "owner: '@a'", "a", "b").rules[0]
    assert alone.digest == both.digest
    keys = f"{BASELINE}\ntiers: {{warning: {{drop: 2%%, false_alarms: %s}}}}"
    assert load_rule(tmp_path, keys % "7d").digest != load_rule(tmp_path, keys % "8d").digest


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (f"{BASELINE}\nfalse_alarms: 1%\ntiers: {{warning: {{drop: 2%}}}}", "without `drift` is a mapping"),
        ("baseline: {rolling: 28d}\nfalse_alarms: {warnings: 1h}\ntiers: {warning: {drop: 2%}}", "`1h` is too short"),
        ("baseline: {rolling: 28d}\nfalse_alarms: {page: 9d}\ntiers: {warning: {drop: 2%}}", "`page` is not a key"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, keys)
    assert any(message in problem for problem in messages(caught.value)), messages(caught.value)
