"""What the configuration says about estimates, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.label_maturity import waits_for_labels, young_metric
from modelwatch.model.prediction_log import EstimatesSpec
from modelwatch.model.unit import ESTIMATE, MARGIN, unit_of
from modelwatch.timeutil import DAY

from .making import load, load_model, messages

LOG = "measure: {files: logs, id: id, time: t, label: y, score: s, prediction: p"


def rule(metric: str, do: str, more: str = "") -> str:
    tiers = f"tiers: {{error: {{below: 0.8, do: [{do}]}}}}"
    return f"{{name: r, kind: accuracy-drop, metric: '{metric}', {tiers}{more}}}"


@pytest.mark.parametrize("verb", ["rollback", "degrade", "promote"])
@pytest.mark.parametrize("metric", ["estimated/accuracy", "estimated/f1/low", "*/accuracy"])
def test_an_estimate_changes_nothing_that_serves(verb: str, metric: str, tmp_path: Path) -> None:
    workflows = "workflows: {rollback: a.yml, degrade: b.yml, promote: c.yml}"
    tiers = f"tiers: {{error: {{below: 0.8, do: [issue, page, {verb}]}}}}"
    text = f"""
    version: 1
    models:
      - {{name: m, wandb: {{entity: e, project: p}}, {workflows},
         pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}"}},
         rules: [{{name: r, kind: accuracy-drop, metric: '{metric}', {tiers}}}]}}
    """
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert messages(caught.value) == [f"an estimate is no reason for `{verb}`."]


def test_nor_does_it_in_an_override(tmp_path: Path) -> None:
    more = ", overrides: [{version: v9, tiers: {critical: {below: 0.5, do: rollback}}}]"
    with pytest.raises(ConfigError) as caught:
        load_model(tmp_path, "", rule("estimated/accuracy", "issue", more))
    assert messages(caught.value) == ["an estimate is no reason for `rollback`."]


def test_it_may_page_and_retrain(tmp_path: Path) -> None:
    model = load_model(tmp_path, "", rule("estimated/accuracy", "page, retrain"))
    assert model.rules[0].tiers[0].do == ("issue", "page", "retrain")
    assert unit_of(model.rules[0]) == ESTIMATE


@pytest.mark.parametrize("metric", ["estimate_check/accuracy", "eval/accuracy"])
def test_what_labels_say_may_roll_back(metric: str, tmp_path: Path) -> None:
    model = load_model(tmp_path, "", rule(metric, "rollback"))
    assert unit_of(model.rules[0]) == (MARGIN if "check" in metric else "")


@pytest.mark.parametrize(
    ("stated", "spec"),
    [
        ("", None),
        (", estimates: off", None),
        (", estimates: on", EstimatesSpec()),
        (", estimates: {history: 60d, min_labels: 50}", EstimatesSpec(history=60 * DAY, min_labels=50)),
        (", estimates: {metrics: auc}", EstimatesSpec(metrics=("auc",))),
    ],
)
def test_off_unless_asked_for(stated: str, spec: EstimatesSpec | None, tmp_path: Path) -> None:
    measure = load_model(tmp_path, f"{LOG}{stated}}}").measure
    assert measure is not None
    assert measure.estimates == spec
    assert measure.remeasured == measure.late + (3 * DAY if spec else 0)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("measure: {files: logs, time: t, score: s, estimates: on}", "an estimate learns from labels and outputs."),
        ("measure: {files: logs, time: t, label: y, estimates: on}", "an estimate learns from labels and outputs."),
        (f"{LOG}, estimates: {{metrics: bias}}}}", "`bias` is not a metric that can be estimated"),
        (f"{LOG}, estimates: {{min_labels: 0}}}}", "0"),
        (f"{LOG}, estimates: maybe}}", "maybe"),
    ],
)
def test_what_does_not_fit_is_refused(log: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_model(tmp_path, log)
    assert any(message in text for text in messages(caught.value)), messages(caught.value)


def test_a_rule_on_a_check_waits_for_labels_and_one_on_an_estimate_does_not(tmp_path: Path) -> None:
    model = load_model(tmp_path, f"{LOG}, maturity: 7d}}", rule("estimate_check/accuracy", "issue"))
    (check,) = model.rules
    assert waits_for_labels(check, model.measure)
    assert young_metric(check).text == "estimated/accuracy"
    (estimate,) = load_model(tmp_path, f"{LOG}, maturity: 7d}}", rule("estimated/accuracy", "issue")).rules
    assert not waits_for_labels(estimate, model.measure)
