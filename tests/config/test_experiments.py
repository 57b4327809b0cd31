"""The parts of ``business:`` about outcomes, cohorts and experiments."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from modelwatch.errors import ConfigError
from modelwatch.model.business import BusinessSpec
from modelwatch.model.experiment import (
    AUTO_LAG,
    BusinessOutcomesSpec,
    CohortsSpec,
    ExperimentMetric,
    ExperimentSpec,
    MetricForm,
    MissingOutcome,
    RepeatedOutcome,
)
from modelwatch.model.rule import Direction
from modelwatch.timeutil import DAY, parse_iso

from .making import load_model, messages

MEASURE = "measure: {files: log.parquet, id: id, time: at}\n"
EXPERIMENT = """\
- name: checkout
  start: 2026-10-01
  arm: arm
  arms: {control: 50%, new: 50%}
  control: control
  metrics: [{name: revenue, value: revenue}]
"""


def business(folder: Path, text: str, measure: str = MEASURE) -> BusinessSpec:
    found = load_model(folder, f"{measure}business:\n{indent(text, '  ')}").business
    assert found is not None
    return found


def experiment(folder: Path, more: str = "", text: str = EXPERIMENT) -> ExperimentSpec:
    return business(folder, f"experiments:\n{indent(text + more, '  ')}").experiments[0]


def problem(folder: Path, text: str, measure: str = MEASURE) -> str:
    with pytest.raises(ConfigError) as caught:
        business(folder, text, measure)
    return "\n".join(messages(caught.value))


def test_an_experiment_with_defaults(tmp_path: Path) -> None:
    found = experiment(tmp_path)
    assert found == ExperimentSpec(
        name="checkout",
        start=parse_iso("2026-10-01"),
        arm="arm",
        arms=(("control", 0.5), ("new", 0.5)),
        control="control",
        metrics=(ExperimentMetric("revenue", "revenue"),),
    )
    assert found.shares == (0.5, 0.5)
    assert found.treatments == ("new",)
    assert found.follow_up == AUTO_LAG


def test_every_key_of_an_experiment(tmp_path: Path) -> None:
    text = """\
- name: checkout
  start: 2026-10-01T12:00
  until: 2026-11-01
  arm: variant
  arms: {holdout: 1, a: 4, b: 5}
  control: holdout
  unit: customer
  follow_up: 14d
  covariate: [before, visits]
  segments: region
  alpha: 1%
  units: 50000
  metrics:
    - {name: revenue, value: revenue, cap: 500}
    - {name: conversion, value: revenue, form: share}
  guardrails:
    - {name: latency, value: ms, form: mean, better: lower, margin: 3%}
    - {name: refunds, value: refund, per: revenue, better: lower, margin: 10%}
"""
    found = experiment(tmp_path, text=text)
    assert found.arm_names == ("holdout", "a", "b")
    assert found.shares == pytest.approx((0.1, 0.4, 0.5))
    assert found.treatments == ("a", "b")
    assert (found.unit, found.follow_up, found.alpha, found.units) == ("customer", 14 * DAY, 0.01, 50_000)
    assert (found.covariates, found.segments) == (("before", "visits"), ("region",))
    assert found.metrics == (
        ExperimentMetric("revenue", "revenue", cap=500),
        ExperimentMetric("conversion", "revenue", MetricForm.SHARE),
    )
    latency, refunds = found.guardrails
    assert (latency.form, latency.better, latency.margin) == (MetricForm.MEAN, Direction.LOWER, 0.03)
    assert latency.is_ratio
    assert refunds.is_ratio


def test_outcomes_lag_and_cohorts(tmp_path: Path) -> None:
    text = """\
outcomes: {files: orders/*.csv, id: prediction, time: paid_at, missing: zero, repeated: add}
lag: 90d
cohorts: {value: amount, window: 30d}
"""
    found = business(tmp_path, text)
    assert found.outcomes == BusinessOutcomesSpec(
        "prediction",
        files=str(tmp_path / "orders/*.csv"),
        time="paid_at",
        missing=MissingOutcome.ZERO,
        repeated=RepeatedOutcome.ADD,
    )
    assert found.lag == 90 * DAY
    assert found.cohorts == CohortsSpec("amount", 30 * DAY)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  unit: customer\n", "a unit has several predictions, and nothing says how long it is followed."),
        ("  until: 2026-09-01\n", "the experiment ends before it begins."),
        ("  guardrails: [{name: revenue, value: x, margin: 1%}]\n", "there is a metric `revenue` already."),
        ("  guardrails: [{name: latency, value: x}]\n", "the guardrail needs `margin`"),
        ("  guardrails: [{name: l, value: x, per: y, form: share, margin: 1%}]\n", "`per` makes a ratio of sums"),
        (EXPERIMENT, "there is an experiment `checkout` already."),
    ],
)
def test_what_does_not_fit_in_an_experiment(tmp_path: Path, more: str, message: str) -> None:
    assert message in problem(tmp_path, f"experiments:\n{indent(EXPERIMENT + more, '  ')}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{control: 50%, new: 50%}", "{control: 1}", "an experiment has two arms at least."),
        ("control: control", "control: controll", "`controll` is not in `arms`."),
        ("new: 50%", "new: 0", "`0` is out of range: more than 0."),
        ("  metrics: [{name: revenue, value: revenue}]\n", "", "the experiment needs `metrics`"),
        ("name: checkout", "name: check/out", "`check/out` is not a name"),
    ],
)
def test_what_is_wrong_in_an_experiment(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in problem(tmp_path, f"experiments:\n{indent(EXPERIMENT.replace(old, new), '  ')}")


@pytest.mark.parametrize(
    ("text", "measure", "message"),
    [
        ("outcomes: {id: id}\n", MEASURE, "the business outcomes have no source"),
        ("outcomes: {id: id, files: a.csv, query: FROM b}\n", MEASURE, "the outcomes have one source, and `files`"),
        ("outcomes: {id: id, files: a.csv}\n", "", "business outcomes are joined to the prediction log by id"),
        (
            "outcomes: {id: id, files: a.csv, time: t, missing: zero}\n",
            MEASURE,
            "the lag cannot be measured where a missing outcome means zero.",
        ),
        ("cohorts: {value: v}\n", MEASURE, "cohorts are by age, and nothing says when outcomes were known."),
        (f"experiments:\n{indent(EXPERIMENT, '  ')}", "", "an experiment reads the prediction log"),
    ],
)
def test_what_does_not_fit_in_the_section(tmp_path: Path, text: str, measure: str, message: str) -> None:
    assert message in problem(tmp_path, text, measure)
