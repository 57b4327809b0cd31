"""Which settings are tried: around the present one, and none that a configuration could not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.backtest.config_patch import make_patch
from modelwatch.backtest.tuning_grid import is_promised, tuning_grid
from modelwatch.config.loader import load_config
from modelwatch.model.control_chart import ChartMethod, ControlChart
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Aggregate, BaselineEntry, BaselineKind, BaselineSpec, Interval, LimitKind, Rule
from modelwatch.model.tuning import AlertBudget, Suggestion
from modelwatch.timeutil import DAY, HOUR

CONFIG = """\
version: 1
models:
  - name: churn
    wandb: {{entity: acme, project: churn}}
    rules:
      - name: tuned
        kind: {kind}
        {body}
"""
README = """kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        baseline: {rolling: 28d}
        tiers:
          warning: {drop: 2%, do: [issue]}
          error: {drop: 5%, do: [issue]}
          critical: {drop: 10%, do: [issue]}"""
WINDOWS = """kind: latency
        metric: latency/p95
        tiers: {warning: {above: 300}, error: {above: 500}}"""
DRIFT = """kind: data-drift
        drift: features/*
        method: psi
        baseline: {rolling: 28d}
        tiers: {warning: {do: [issue]}, error: {above: 0.3, do: [issue]}}"""
ANOMALY = """kind: anomaly
        metric: eval/accuracy
        anomaly: {}
        tiers: {warning: {do: [issue]}}"""
CRITICAL = """kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        baseline: {rolling: 28d}
        tiers: {critical: {drop: 10%}}"""
CRITICAL_FOR = CRITICAL.replace("10%", "10%, for: 2")
POINTS = """kind: latency
        metric: eval/mae
        aggregate: mean
        interval: normal
        window: 6h
        baseline: {rolling: 28d}
        tiers: {warning: {rise_points: 0.5, for: 3}, error: {rise: 200%}}"""
CHART = """kind: accuracy-drop
        metric: eval/accuracy
        better: higher
        weight: eval/n
        baseline: {rolling: 28d}
        tiers: {warning: {chart: ewma, do: [issue]}}"""
BUDGET = AlertBudget(1.0, 30 * DAY)
LEVEL = {"windows": 240.0}
RULES = {
    "readme": README,
    "windows": WINDOWS,
    "drift": DRIFT,
    "anomaly": ANOMALY,
    "critical": CRITICAL,
    "critical for": CRITICAL_FOR,
    "points": POINTS,
    "chart": CHART,
}


def load(tmp_path: Path, rule: str) -> Model:
    path = tmp_path / "modelwatch.yml"
    kind, _, body = rule.partition("\n        ")
    path.write_text(CONFIG.format(kind=kind.removeprefix("kind: "), body=body))
    return load_config(path, {}).models[0]


def decisive(rule: Rule) -> Rule:
    """What a file says of it, and what follows."""
    return replace(rule, digest="", settings="", where="")


@pytest.mark.parametrize("name", RULES)
def test_every_setting_can_be_written_and_read_again(tmp_path: Path, name: str) -> None:
    model = load(tmp_path, RULES[name])
    rule = model.rules[0]
    grid = tuning_grid(model, rule, BUDGET, LEVEL.get(name))
    assert grid[0].rule == rule
    assert grid[0].changes == ()
    assert len({setting.changes for setting in grid}) == len(grid) > 2
    for setting in grid[1:]:
        suggestion = Suggestion(model.name, rule.name, rule.where, None, (), "", chosen=setting)
        patch = make_patch([suggestion])
        assert patch.by_hand == ()
        copy = tmp_path / "copy.yml"
        copy.write_bytes(patch.files[0].after)
        loaded = load_config(copy, {}).models[0].rules[0]
        assert decisive(loaded) == decisive(setting.rule), setting.changes


def test_the_grid_is_bounded_deterministic_and_nearest_first(tmp_path: Path) -> None:
    model = load(tmp_path, README)
    whole = tuning_grid(model, model.rules[0], BUDGET)
    assert whole == tuning_grid(model, model.rules[0], BUDGET)
    assert tuning_grid(model, model.rules[0], BUDGET, most=20) == whole[:20]
    assert len(whole) <= 200
    scales = {setting.scale for setting in whole}
    assert min(scales) == 0.25
    assert max(scales) == 4.0
    charts = {tier.chart.method for one in whole for tier in one.rule.tiers if tier.chart}
    assert charts == {ChartMethod.EWMA, ChartMethod.CUSUM, ChartMethod.SHEWHART}
    assert {one.rule.for_ for one in whole} == {1, 2, 4}
    assert {one.rule.window for one in whole} == {DAY}  # each point is proven alone
    assert {round((one.rule.tiers[0].false_alarms or 0) / DAY) for one in whole} == {8, 30, 90, 270}


def test_severer_tiers_stay_where_they_are_as_long_as_they_can(tmp_path: Path) -> None:
    model = load(tmp_path, README)
    by_scale = {one.scale: one for one in tuning_grid(model, model.rules[0]) if len(one.changes) in (1, 3)}
    assert [limit.value for tier in by_scale[2.0].rule.tiers for limit in tier.limits] == [0.04, 0.05, 0.1]
    assert [limit.value for tier in by_scale[4.0].rule.tiers for limit in tier.limits] == [0.08, 0.2, 0.4]


def test_static_limits_are_scaled_from_the_usual_level(tmp_path: Path) -> None:
    model = load(tmp_path, WINDOWS)
    grid = tuning_grid(model, model.rules[0], BUDGET, 240.0)
    limits = {one.scale: one.rule.tiers[0].limits[0].value for one in grid}
    assert limits[0.5] == 270.0
    assert limits[2.0] == 360.0
    assert {one.rule.window for one in grid} == {6 * HOUR, 12 * HOUR, DAY, 2 * DAY}
    for unknown in (None, 310.0):  # not known, or usually beyond the limit
        assert {one.scale for one in tuning_grid(model, model.rules[0], BUDGET, unknown)} == {1.0}


def test_where_windows_decide_a_budget_of_detectors_changes_nothing(tmp_path: Path) -> None:
    model = load(tmp_path, README.replace("        weight: eval/n\n", ""))
    grid = tuning_grid(model, model.rules[0], BUDGET)
    assert {one.rule.tiers[0].false_alarms for one in grid} == {90 * DAY}
    assert {one.rule.window for one in grid} == {6 * HOUR, 12 * HOUR, DAY, 2 * DAY}


def test_a_limit_inside_of_the_baselines_interval_is_not_tried(tmp_path: Path) -> None:
    model = load(tmp_path, README)
    entry = BaselineEntry("eval/accuracy", (), 0.9, n=1000, low=0.89, high=0.91)
    rule = replace(model.rules[0], baseline=BaselineSpec(BaselineKind.FILE, entries=(entry,)))
    model = replace(model, rules=(rule,))
    limits = {one.rule.tiers[0].limits[0].value for one in tuning_grid(model, rule)}
    assert min(limits) * 0.9 > 0.01
    wide = replace(rule, baseline=BaselineSpec(BaselineKind.FILE, entries=(replace(entry, low=0.8995, high=0.9005),)))
    assert min(one.rule.tiers[0].limits[0].value for one in tuning_grid(model, wide)) == 0.005


def test_only_what_keeps_its_budget_wherever_limits_lie_is_promised(tmp_path: Path) -> None:
    rules = {name: load(tmp_path, text).rules[0] for name, text in RULES.items()}
    assert {name for name, rule in rules.items() if is_promised(rule)} == {
        "readme",
        "critical",
        "critical for",
        "points",
        "chart",
    }
    readme = rules["readme"]
    mildest = readme.tiers[0]
    for chart, promised in (
        (ControlChart(ChartMethod.CUSUM), True),
        (ControlChart(ChartMethod.CUSUM, limit=5.0), False),
        (ControlChart(ChartMethod.SHEWHART), False),
    ):
        rule = replace(readme, tiers=(replace(mildest, chart=chart), *readme.tiers[1:]))
        assert is_promised(rule) is promised
    assert not is_promised(replace(readme, aggregate=Aggregate.LAST, interval=Interval.NONE))
    off = tuple(replace(tier, false_alarms=None) for tier in readme.tiers)
    assert not is_promised(replace(readme, tiers=off))
    assert {limit.form for tier in readme.tiers for limit in tier.limits} == {LimitKind.DROP}
