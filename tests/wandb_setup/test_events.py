"""Which events in W&B come of which rules, and what charts show of hostile names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.clients.wandb_automations import (
    AliasAssignment,
    AutomationEvent,
    ChangeDirection,
    Comparison,
    MetricChange,
    MetricThreshold,
    MetricZScore,
)
from modelwatch.config.loader import load_config
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model, WandbSpec
from modelwatch.wandb_setup.charts import Chart, chart_sections
from modelwatch.wandb_setup.desired_state import desired_state, run_filter
from modelwatch.wandb_setup.events import watches
from modelwatch.wandb_setup.ownership import Mark, content_digest, read_mark, view_name
from modelwatch.wandb_setup.pages import constant_lines

HEAD = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod}
    github: {repository: acme/churn-model}
    rules:
"""


def load(folder: Path, *rules: str, head: str = HEAD) -> Model:
    path = folder / "modelwatch.yml"
    path.write_text(
        head + "".join(f"      - {{name: r{place}, {rule}}}\n" for place, rule in enumerate(rules)), "utf-8"
    )
    (model,) = load_config(path, {}, require_secrets=False).models
    return model


ACCURACY = "kind: accuracy-drop, metric: eval/accuracy"
STILL = "baseline: {value: 0.9, n: 10}"
DO = "do: [issue]"
CASES: dict[str, tuple[str, list[AutomationEvent]]] = {
    "a static limit": (
        f"kind: latency, metric: p95, tiers: {{error: {{above: 250, {DO}}}}}",
        [MetricThreshold("p95", Comparison.ABOVE, 250.0, 5)],
    ),
    "the newest value": (
        f"kind: latency, metric: p95, aggregate: last, tiers: {{error: {{below: 3, {DO}}}}}",
        [MetricThreshold("p95", Comparison.BELOW, 3.0, 1)],
    ),
    "the mildest tier": (
        f"{ACCURACY}, {STILL}, tiers: {{warning: {{drop: 10%, {DO}}}, error: {{drop: 20%, {DO}}}}}",
        [MetricThreshold("eval/accuracy", Comparison.AT_MOST, 0.81, 5)],
    ),
    "points": (
        f"{ACCURACY}, {STILL}, tiers: {{error: {{drop_points: 0.1, {DO}}}}}",
        [MetricThreshold("eval/accuracy", Comparison.AT_MOST, 0.8, 5)],
    ),
    "a baseline that moves": (
        f"{ACCURACY}, baseline: {{rolling: 28d}}, tiers: {{error: {{drop: 10%, {DO}}}}}",
        [MetricChange("eval/accuracy", ChangeDirection.DECREASE, 0.1, True, 10, 50)],
    ),
    "points of one that moves": (
        f"kind: latency, metric: p95, baseline: {{rolling: 28d}}, tiers: {{error: {{rise_points: 20, {DO}}}}}",
        [MetricChange("p95", ChangeDirection.INCREASE, 20.0, False, 10, 50)],
    ),
    "both sides": (
        f"kind: anomaly, metric: share, better: neither, tiers: {{error: {{above: 5, below: 1, {DO}}}}}",
        [MetricThreshold("share", Comparison.ABOVE, 5.0, 5), MetricThreshold("share", Comparison.BELOW, 1.0, 5)],
    ),
    "sigma": (
        f"{ACCURACY}, better: higher, baseline: {{rolling: 28d}}, tiers: {{error: {{sigma: 4, {DO}}}}}",
        [MetricZScore("eval/accuracy", ChangeDirection.DECREASE, 4.0, 30)],
    ),
    "a sum": (
        f"kind: business-metric, metric: calls, aggregate: sum, better: higher, tiers: {{error: {{below: 5, {DO}}}}}",
        [],
    ),
    "a pattern": (f'kind: latency, metric: "eval/region=*/p95", tiers: {{error: {{above: 250, {DO}}}}}', []),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_has_the_event_nearest_to_its_mildest_limit(tmp_path: Path, name: str) -> None:
    rule, wanted = CASES[name]
    found = list(watches(load(tmp_path, rule)))
    assert [watch.event for watch in found] == wanted
    assert len({watch.item for watch in found}) == len(found)


def test_a_release_is_watched_by_its_alias(tmp_path: Path) -> None:
    head = HEAD.replace("    rules:", "    release: {artifact: acme/train/churn, deploy: ./d.sh}\n    rules:")
    (watch,) = watches(load(tmp_path, CASES["a sum"][0], head=head))
    assert watch.event == AliasAssignment("acme/train/churn", "model", "production")


BUSINESS = """\
    business:
      currency: EUR
      units: {business/revenue: EUR, business/calls: call, serving/wait_ms: ms}
      derived:
        profit: "{business/revenue} - 0.02 EUR/call * {business/calls}"
        twice: "{profit} + {profit}"
        root: "sqrt({business/calls} * {business/calls})"
    rules:
"""


def test_derived_metrics_are_drawn_as_expressions_and_watched_by_no_automation(tmp_path: Path) -> None:
    head = HEAD.replace("    rules:\n", BUSINESS)
    rules = [
        f"kind: business-metric, metric: {name}, better: higher, tiers: {{error: {{below: 5, {DO}}}}}"
        for name in ("profit", "twice", "root")
    ]
    model = load(tmp_path, *rules, head=head)
    assert list(watches(model)) == []
    (section,) = chart_sections(model)
    profit, twice, root = section.charts
    assert profit.expression == "(${business/revenue} - (0.02 * ${business/calls}))"
    assert (profit.key, profit.levels) == ("business/revenue", (5.0,))
    assert twice.expression == f"({profit.expression} + {profit.expression})"
    assert (root.expression, root.pattern) == ("", "^(business/calls)$")


def test_what_measure_publishes_is_drawn_where_no_rule_does(tmp_path: Path) -> None:
    measure = """\
    measure:
      files: logs/*.parquet
      time: time
      prediction: predicted
      score: score
      operations: {latency: ms, error: failed}
      outcomes: {files: labels/*.parquet, id: id, label: churned, label_time: known_at}
      id: id
    rules:
"""
    rule = f"kind: error-rate, metric: errors/rate, tiers: {{error: {{above: 1%, {DO}}}}}"
    sections = {
        str(section.audience): [chart.key or chart.pattern for chart in section.charts]
        for section in chart_sections(load(tmp_path, rule, head=HEAD.replace("    rules:\n", measure)))
    }
    assert sections == {
        "Data science": ["predictions/confidence"],
        "Operations": ["errors/rate", "^latency/([^/=]+)$", "throughput"],
        "Ground truth": ["labels/coverage", "^labels/class=([^/]*)/class_share$", "^labels/delay_days/([^/=]+)$"],
    }


HOSTILE = ("${x}", "a}b", "$(touch pwned)", "eval/{a}", "x ${accuracy} * 1e9")


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_would_leave_its_place_in_an_expression_has_no_lines(key: str) -> None:
    assert constant_lines(Chart("t", key=key, levels=(1.0,))) == []


@pytest.mark.parametrize(
    ("level", "text"), [(0.9, "+ 0.9"), (-3.0, "- 3"), (1e-9, "+ 0.000000001"), (1e20, "+ 100000000000000000000")]
)
def test_lines_are_written_without_exponents(level: float, text: str) -> None:
    assert constant_lines(Chart("t", key="a/b c", levels=(level,))) == [f"${{a/b c}} * 0 {text}"]


@pytest.mark.parametrize("text", ["a/region=*/b", "a.b+c/x=*", "eval/r(=*/[p]", "features/*/psi", "a b/c=é*"])
def test_the_expression_of_a_pattern_matches_what_the_pattern_matches(text: str) -> None:
    pattern = KeyPattern(text)
    key = text.replace("*", "value")
    assert pattern.match(key) is not None
    assert re.search(pattern.regex, key)
    assert not re.search(pattern.regex, f"{key}/more")
    assert not re.search(pattern.regex, f"more/{key}")


@pytest.mark.parametrize("value", ["a' or Metric(\"State\") = 'x", "back\\slash", "new\nline", '"', "a') or ('b"])
def test_a_run_filter_is_not_built_from_what_could_end_it(value: str) -> None:
    chosen = run_filter(WandbSpec("acme", "churn", tags=("production", value), job_type=value))
    assert chosen.expression == "Metric(\"Tags\") in ['production']"
    assert len(chosen.missing) == 2


def test_further_filters_are_named_where_they_cannot_be_said() -> None:
    chosen = run_filter(WandbSpec("acme", "churn", group="g 1", filters='{"state": "running"}'))
    assert (chosen.expression, chosen.missing) == ("Metric(\"Group\") = 'g 1'", ('filters: {"state": "running"}',))


def test_a_section_has_twelve_charts_and_names_the_rest(tmp_path: Path) -> None:
    rules = [f"kind: latency, metric: p{place}, tiers: {{error: {{above: 1, {DO}}}}}" for place in range(15)]
    (section,) = chart_sections(load(tmp_path, *rules))
    assert (len(section.charts), len(section.left_out)) == (12, 3)


def test_titles_are_one_harmless_line(tmp_path: Path) -> None:
    """The configuration takes no such key; a file of another version might."""
    model = load(tmp_path, CASES["a static limit"][0])
    rule = replace(model.rules[0], metric=KeyPattern(f"a\u202eb\nc{'x' * 300}"))
    (section,) = chart_sections(replace(model, rules=(rule,)))
    (chart,) = section.charts
    assert len(chart.title) == 160
    assert "\n" not in chart.title
    assert "\u202e" not in chart.title


def test_a_mark_is_read_back_and_a_forged_one_is_another_owners() -> None:
    mark = Mark("acme/churn-model", "churn/view", "0" * 16, "f" * 16)
    assert read_mark(f"Some text. {mark}") == mark
    assert read_mark("managed by modelwatch: acme/churn-model") is None
    assert read_mark("managed by modelwatch: x (y 0 0)") is None


def test_the_digest_leaves_out_the_mark_and_nothing_else() -> None:
    mark = Mark("a/b", "churn/view", "0" * 16, "f" * 16)
    plain = content_digest("t", "", '{"a": ["text"]}')
    assert content_digest("t", f"{mark}", f'{{"a": ["text {mark}"], "ref": {{"x": 1}}}}') == plain
    assert content_digest("t", "", '{"a": ["text", "more"]}') != plain
    assert content_digest("u", "", '{"a": ["text"]}') != plain
    assert content_digest("t", "", "not JSON") != plain


def test_names_of_views_differ_by_owner_and_model() -> None:
    names = {view_name(owner, item) for owner in ("a/b", "a/c") for item in ("churn/view", "fraud/view")}
    assert len(names) == 4
    assert all(re.fullmatch(r"nw-[0-9a-z]{11}-v", name) for name in names)


def test_models_on_two_servers_are_set_up_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "modelwatch.yml"
    rule = f"    rules: [{{name: r, kind: latency, metric: p95, tiers: {{error: {{above: 1, {DO}}}}}}}]\n"
    other = HEAD.partition("    rules")[0].partition("models:\n")[2].replace("churn", "fraud")
    other = other.replace("project: fraud-prod", "project: p, base_url: https://wandb.acme.example")
    path.write_text(HEAD.partition("    rules")[0] + rule + other + rule, "utf-8")
    config = load_config(path, {}, require_secrets=False)
    with pytest.raises(Exception, match="different W&B servers"):
        desired_state(config, {})
