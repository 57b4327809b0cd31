"""Control charts in tiers: how they are written, and which make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.digest import rule_digest
from modelwatch.errors import ConfigError
from modelwatch.model.control_chart import ChartData, ChartMethod, ControlChart
from modelwatch.timeutil import DAY

from .making import load_rule, messages

PLAIN = "baseline: {rolling: 28d}\nbetter: higher"
COUNTED = f"{PLAIN}\nweight: eval/n"


@pytest.mark.parametrize(
    ("text", "chart"),
    [
        ("ewma", ControlChart(ChartMethod.EWMA)),
        ("laney_p", ControlChart(ChartMethod.SHEWHART, ChartData.LANEY_P)),
        ("{shewhart: {limit: 3, data: u}}", ControlChart(ChartMethod.SHEWHART, ChartData.U, limit=3.0)),
        ("{cusum: {shift: 1.5, arl: 500}}", ControlChart(ChartMethod.CUSUM, shift=1.5, run_length=500.0)),
        ("{cusum: {head_start: true, arl: 90d}}", ControlChart(ChartMethod.CUSUM, head_start=True, duration=90 * DAY)),
        ("{ewma: {lambda: 0.2, remove_autocorrelation: false}}", None),
        ("{nelson: {rules: [1, 2, 5]}}", ControlChart(ChartMethod.NELSON, rules=(1, 2, 5))),
        ("{western_electric: {}}", ControlChart(ChartMethod.WESTERN_ELECTRIC)),
    ],
)
def test_a_chart_is_its_name_or_its_name_with_settings(tmp_path: Path, text: str, chart: ControlChart | None) -> None:
    rule = load_rule(tmp_path, f"tiers: {{warning: {{chart: {text}}}}}\n{COUNTED}")
    expected = chart or ControlChart(ChartMethod.EWMA, smoothing=0.2, remove_autocorrelation=False)
    assert rule.tiers[0].chart == expected
    assert rule.tiers[0].limits == ()
    assert rule.tiers[0].false_alarms == 90 * DAY


def test_what_a_point_is_follows_from_the_interval(tmp_path: Path) -> None:
    tiers = "tiers: {warning: {chart: ewma}}"
    counted, plain = load_rule(tmp_path, f"{tiers}\n{COUNTED}"), load_rule(tmp_path, f"{tiers}\n{PLAIN}")
    chart = ControlChart(ChartMethod.EWMA)
    assert counted.chart_data(chart) is ChartData.LANEY_P
    assert plain.chart_data(chart) is ChartData.INDIVIDUALS


def test_a_chart_stands_beside_limits_and_changes_the_digest(tmp_path: Path) -> None:
    with_chart = load_rule(tmp_path, f"tiers: {{warning: {{drop: 5%, chart: cusum}}}}\n{COUNTED}")
    without = load_rule(tmp_path, f"tiers: {{warning: {{drop: 5%}}}}\n{COUNTED}")
    assert with_chart.tiers[0].limits == without.tiers[0].limits
    assert rule_digest(with_chart) != rule_digest(without)


def test_a_lone_critical_chart_has_no_derived_warning(tmp_path: Path) -> None:
    rule = load_rule(tmp_path, f"tiers: {{critical: {{chart: ewma}}}}\n{PLAIN}")
    assert len(rule.tiers) == 1


@pytest.mark.parametrize(
    ("chart", "keys", "problem"),
    [
        ("p", PLAIN, "needs the count behind each point"),
        ("ewma", "better: higher", "has its centre line from a baseline"),
        ("ewma", f"{PLAIN}\nfor: 2", "`for` has no meaning in a tier with a chart"),
        ("ewma", f"{PLAIN}\naggregate: p95", "which `aggregate: p95` cannot be compared with"),
        ("p", f"{COUNTED}\ninterval: normal", "contradicts `interval: normal`"),
        ("{ewma: {arl: 100, limit: 2}}", PLAIN, "give only one of them"),
        ("{ewma: {}, cusum: {}}", PLAIN, "exactly one control chart"),
        ("{ewma: {arl: 3}}", PLAIN, "too short: at least 10 points"),
        ("{ewma: {arl: soon}}", PLAIN, "is not a number of points such as 500"),
        ("{ewma: {lambda: 2}}", PLAIN, "out of range"),
        ("{nelson: {rules: [9]}}", PLAIN, "a whole number from 1 to 8"),
        ("{nelson: {arl: 500}}", PLAIN, "is not a key of the Nelson rules"),
        ("{ewma: {shift: 1}}", PLAIN, "is not a key of an EWMA chart"),
        ("cumsum", PLAIN, "is not the name of a control chart"),
    ],
)
def test_senseless_charts_are_refused(tmp_path: Path, chart: str, keys: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, f"tiers: {{warning: {{chart: {chart}}}}}\n{keys}")
    assert any(problem in message for message in messages(caught.value)), messages(caught.value)


def test_a_more_severe_chart_signals_more_seldom(tmp_path: Path) -> None:
    tiers = "tiers: {warning: {chart: {ewma: {arl: 500}}}, error: {chart: {ewma: {arl: 300}}}}"
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, f"{tiers}\n{PLAIN}")
    assert messages(caught.value) == ["the chart's `arl` of `error` must be higher than that of `warning`."]


def test_drift_has_no_charts(tmp_path: Path) -> None:
    rule = "tiers: {warning: {chart: ewma}}\ndrift: features/*\nmethod: psi"
    with pytest.raises(ConfigError) as caught:
        load_rule(tmp_path, rule)
    assert any("`drift` compares distributions" in message for message in messages(caught.value))
