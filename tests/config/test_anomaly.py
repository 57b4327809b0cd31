"""Rules with ``anomaly``: tiers without limits, their budgets, and keys without meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.lint import lint_config
from modelwatch.errors import ConfigError
from modelwatch.model.monitored_model import Config
from modelwatch.model.rule import AnomalySpec, Rule
from modelwatch.sources.requirements import history_reach
from modelwatch.timeutil import DAY, WEEK

from .making import MODEL, load, messages


def config(folder: Path, keys: str, more: str = "") -> Config:
    model = "".join(f"    {line}\n" for line in [*MODEL.splitlines(), *more.splitlines()])
    rule = f"      - {{name: r, metric: orders, {keys}}}\n"
    return load(folder, f"version: 1\nmodels:\n  -\n{model}    rules:\n{rule}")


def rule(folder: Path, keys: str, more: str = "") -> Rule:
    return config(folder, keys, more).models[0].rules[0]


def test_tiers_have_a_budget_and_no_limit(tmp_path: Path) -> None:
    found = rule(tmp_path, "anomaly: {}, tiers: {warning: {}, error: {do: [page]}, critical: {false_alarms: 700d}}")
    assert (found.kind, found.anomaly) == ("anomaly", AnomalySpec())
    assert [tier.limits for tier in found.tiers] == [()] * 3
    assert [tier.false_alarms for tier in found.tiers] == [90 * DAY, 365 * DAY, 700 * DAY]


def test_a_model_without_a_budget_has_the_default_one_for_its_anomalies(tmp_path: Path) -> None:
    found = rule(tmp_path, "anomaly: {}, tiers: {warning: {}}", "false_alarms: off")
    assert found.tiers[0].false_alarms == 90 * DAY


@pytest.mark.parametrize(("keys", "memory"), [("anomaly: {}", 26 * WEEK), ("anomaly: {memory: 52w}", 52 * WEEK)])
def test_the_memory_is_read_before_the_oldest_evaluation(tmp_path: Path, keys: str, memory: float) -> None:
    found = rule(tmp_path, f"{keys}, tiers: {{warning: {{}}}}")
    assert memory < history_reach(found) < memory + 5 * WEEK


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("tiers: {warning: {above: 1}}", "`above` has no meaning in tiers of a rule with `anomaly`"),
        ("tiers: {warning: {chart: ewma}}", "`chart` has no meaning in tiers of a rule with `anomaly`"),
        ("tiers: {warning: {}}, baseline: {rolling: 28d}", "`baseline` has no meaning with `anomaly`"),
        ("tiers: {warning: {}}, aggregate: sum", "`aggregate` has no meaning with `anomaly`"),
        ("tiers: {warning: {}}, recover: {above: 1}", "`recover` has no meaning with `anomaly`"),
        ("tiers: {}", "the tiers are empty"),
    ],
)
def test_what_an_anomaly_rule_does_without_is_refused(tmp_path: Path, keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, f"anomaly: {{}}, {keys}")
    assert any(message.startswith(problem) for message in messages(caught.value))


def test_a_short_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        rule(tmp_path, "anomaly: {memory: 7d}, tiers: {warning: {}}")


def test_tiers_that_are_reached_equally_often_are_pointed_out(tmp_path: Path) -> None:
    same = config(tmp_path, "anomaly: {}, tiers: {warning: {}, error: {}}")
    (advice,) = [text for text in map(str, lint_config(same, tmp_path)) if "as often as" in text]
    assert "`error` of r is reached as often as `warning`" in advice
    other = config(tmp_path, "anomaly: {}, tiers: {warning: {}, error: {do: [page]}}")
    assert not any("as often as" in text for text in map(str, lint_config(other, tmp_path)))
