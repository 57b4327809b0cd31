"""What is logged and unwatched, what never fired, and how long labels take."""

from __future__ import annotations

from pathlib import Path

from modelwatch.model.monitored_model import Config
from modelwatch.model.scorecard import LabelDelay, LedgerAlert
from modelwatch.model.severity import Severity
from modelwatch.scorecard.coverage import (
    LoggedKeys,
    UnwatchedProjects,
    find_coverage,
    label_delays,
    metric_names,
)

from ..config.making import load

NOW = 1_795_132_800.0
CONFIG = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn, version: model_version, time: at}
    measure:
      files: logs/*.parquet
      time: time
      id: id
      prediction: predicted
      outcomes: {files: labels/*.parquet, id: id, label: churned, label_time: known_at}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        segments: "eval/region=*/accuracy"
        tiers: {warning: {drop: 2%, do: [issue]}}
        baseline: {rolling: 28d}
        runbook: runbooks/churn.md
      - name: latency
        kind: latency
        metric: serving/p95
        tiers: {warning: {above: 100, do: [issue]}}
  - name: offers
    wandb: {entity: acme, project: offers}
    rules:
      - {name: errors, kind: error-rate, metric: errors, tiers: {warning: {above: 1, do: [issue]}}}
"""
KEYS = frozenset(
    {
        "eval/accuracy", "eval/n", "eval/region=eu/accuracy", "eval/region=us/accuracy", "serving/p95", "model_version",
        "at", "_runtime", "loss", "eval/region=eu/f1", "eval/region=us/f1",
    }
)  # fmt: skip

PROJECTS = UnwatchedProjects(("acme/prices",), (("other", "refused"),))


def config(tmp_path: Path) -> Config:
    return load(tmp_path, CONFIG)


def alert(rule: str, *followers: str, model: str = "churn") -> LedgerAlert:
    return LedgerAlert(
        model,
        rule,
        "a/b",
        1,
        "",
        Severity.ERROR,
        0.0,
        False,
        0.0,
        followers=tuple(("churn", name) for name in followers),
    )


def test_what_nobody_watches(tmp_path: Path) -> None:
    logged = {"churn": LoggedKeys(KEYS), "offers": LoggedKeys(error="W&B is down")}
    found = find_coverage(config(tmp_path), logged, [], PROJECTS, NOW)
    assert found.unwatched == (("churn", ("eval/f1", "loss")),)
    assert found.logged == 5
    assert found.unread == (("offers", "W&B is down"), ("other", "refused"))
    assert (found.models, found.rules, found.unwatched_projects) == (2, 3, ("acme/prices",))
    assert found.without_runbook == (("churn", "latency"), ("offers", "errors"))
    assert found.never_fired == (("churn", "accuracy"), ("churn", "latency"), ("offers", "errors"))


def test_a_rule_fired_as_part_of_another_alert_too(tmp_path: Path) -> None:
    found = find_coverage(
        config(tmp_path), {}, [alert("accuracy", "latency"), alert("errors", model="offers")], PROJECTS, NOW
    )
    assert found.never_fired == ()
    assert [name for name, _ in found.unread] == ["churn", "offers", "other"]


def test_without_issues_nobody_knows_what_fired(tmp_path: Path) -> None:
    assert find_coverage(config(tmp_path), {}, None, PROJECTS, NOW).never_fired is None


def test_metrics_are_keys_without_segments_and_housekeeping(tmp_path: Path) -> None:
    (model, _) = config(tmp_path).models
    names = {"eval/accuracy", "eval/n", "eval/f1", "serving/p95", "loss"}
    assert metric_names(KEYS, model) == names


def test_the_delay_of_labels_is_the_newest_that_was_logged(tmp_path: Path) -> None:
    newest = {"labels/delay_days/p50": 2.5, "labels/delay_days/p90": 11, "labels/delay_days/n": 900}
    known = config(tmp_path)
    assert label_delays(known, {"churn": LoggedKeys(KEYS, newest)}) == (LabelDelay("churn", 2.5, 11.0),)
    (missing,) = label_delays(known, {"churn": LoggedKeys(KEYS, {})})
    assert (missing.half, missing.most) == (None, None)
    assert "`modelwatch measure` logs it" in missing.problem
    (odd,) = label_delays(
        known, {"churn": LoggedKeys(KEYS, {"labels/delay_days/p50": "NaN", "labels/delay_days/p90": -1})}
    )
    assert (odd.half, odd.most) == (None, None)
    (unread,) = label_delays(known, {"churn": LoggedKeys(error="W&B is down")})
    assert unread.problem == "W&B is down"
