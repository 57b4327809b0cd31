"""Which rules wait for labels, and for how long."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.doctor.metrics import check_metrics
from modelwatch.doctor.setup_check import CheckStatus
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.windows import evaluation_grid
from modelwatch.model.keys import KeyPattern
from modelwatch.model.label_maturity import (
    MATURITY_KEY,
    follow_labels,
    is_label_metric,
    longest_wait,
    waiting_notes,
    waits_for_labels,
    young_key,
)
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import LONGEST_WAIT, MeasureSpec
from modelwatch.model.rule import Limit, LimitKind, Rule, Tier
from modelwatch.model.series import Histograms, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.sources.requirements import plan_read
from modelwatch.timeutil import DAY

SPEC = MeasureSpec(files="log", time="time", label="churned", label_time="known", custom=(("profit", "a.b:c"),))
NOW = 100 * DAY
TIERS = (Tier(Severity.ERROR, (Limit(LimitKind.BELOW, 0.5),), ("issue",)),)


def rule(metric: str = "eval/accuracy", **more: Any) -> Rule:
    return replace(Rule("accuracy", "accuracy-drop", KeyPattern(metric), TIERS, every=DAY), **more)


def series(name: str, *points: tuple[float, float]) -> Series:
    times, values = array("d", [day * DAY for day, _ in points]), array("d", [value for _, value in points])
    return Series(name, (), times, values, None, version_of=array("i", [-1] * len(points)))


def model(*rules: Rule, spec: MeasureSpec = SPEC) -> Model:
    return Model("churn", rules or (rule(),), measure=spec, history=10 * DAY)


@pytest.mark.parametrize(
    ("metric", "waits"),
    [
        ("eval/accuracy", True),
        ("eval/region=*/accuracy", True),
        ("eval/n", True),
        ("eval/profit", True),
        ("eval/own_number", False),
        ("weighted/accuracy", True),
        ("calibration/ece", True),
        ("labels/coverage", True),
        ("labels/decile=10/coverage", True),
        ("labels/class=yes/class_share", True),
        ("labels/predictions/psi", True),
        ("labels/churned/psi", True),
        ("labels/*/psi", True),
        ("labels/delay_days/p50", False),
        ("labels/days=7/missing_share", False),
        (MATURITY_KEY, False),
        ("labels/agreement", False),
        ("features/*/psi", False),
        ("quality/volume", False),
    ],
)
def test_metrics_of_labels_are_those_that_measure_holds_back(metric: str, waits: bool) -> None:
    assert is_label_metric(KeyPattern(metric), SPEC) is waits
    assert waits_for_labels(rule(metric), SPEC) is waits


def test_nothing_waits_without_times_of_labels() -> None:
    for spec in (None, replace(SPEC, label_time=""), replace(SPEC, label=""), replace(SPEC, maturity=0.0)):
        assert not waits_for_labels(rule(), spec)
    assert waits_for_labels(rule(), replace(SPEC, label_time="", maturity=14 * DAY))


def test_young_keys() -> None:
    keys = {
        "eval/region=eu/accuracy": "young/region=eu/accuracy",
        "labels/class=yes/class_share": "young/class=yes/class_share",
        "weighted/auc": "young/weighted/auc",
        "calibration/ece": "young/calibration/ece",
        "quality/volume": "quality/volume",
    }
    assert {key: young_key(key) for key in keys} == keys


def test_rules_look_as_far_back_as_the_newest_measurement_says() -> None:
    pull = PulledSeries("churn", (series(MATURITY_KEY, (97, 30.0), (98, 14.0), (99, float("nan"))),))
    followed = follow_labels(model(rule(), rule("features/age/psi")), pull).rules
    assert [one.total_lag / DAY for one in followed] == [14, 0]
    grid = evaluation_grid(followed[0], NOW, 10 * DAY)
    assert (grid.last / DAY, grid.count) == (86, 11)
    assert evaluation_grid(rule(), NOW, 10 * DAY).last / DAY == 100


@pytest.mark.parametrize(("lag", "total"), [(3, 14), (20, 20)])
def test_a_stated_lag_counts_where_it_is_longer(lag: float, total: float) -> None:
    pull = PulledSeries("churn", (series(MATURITY_KEY, (99, 14.0)),))
    (followed,) = follow_labels(model(rule(lag=lag * DAY)), pull).rules
    assert followed.total_lag == total * DAY


def test_a_stated_age_needs_no_measurement_and_a_wrong_one_is_bounded() -> None:
    stated = model(spec=replace(SPEC, maturity=90 * DAY))
    assert follow_labels(stated, PulledSeries("churn", ())).rules[0].total_lag == 90 * DAY
    wild = PulledSeries("churn", (series(MATURITY_KEY, (99, 1e9)),))
    assert follow_labels(model(), wild).rules[0].total_lag == LONGEST_WAIT
    assert follow_labels(model(), PulledSeries("churn", ())).rules[0].total_lag == 0


def test_enough_history_is_read_for_the_wait() -> None:
    plain = plan_read(model(spec=replace(SPEC, maturity=0.0)), NOW)
    waiting = plan_read(model(), NOW)
    assert longest_wait(model()) == LONGEST_WAIT
    assert plain.since - waiting.since == LONGEST_WAIT
    names = {pattern.text for pattern in waiting.patterns}
    assert {MATURITY_KEY, "young/accuracy"} <= names
    assert not {MATURITY_KEY, "young/accuracy"} & {pattern.text for pattern in plain.patterns}


def test_a_drop_in_mature_windows_is_found_and_young_ones_are_not_missed() -> None:
    """Windows of the last 14 days have no value, and that is no silence."""
    values = series("eval/accuracy", *((day, 0.4 if day > 80 else 0.9) for day in range(60, 87)))
    pull = PulledSeries("churn", (values, series(MATURITY_KEY, (99, 14.0))))
    (track,) = evaluate_model(model(), pull, NOW).tracks
    assert track.severity[-1] == Severity.ERROR.code
    assert 1 not in track.overdue
    unwaiting = evaluate_model(model(spec=replace(SPEC, maturity=0.0)), pull, NOW).tracks[0]
    assert unwaiting.overdue[-1] == 1


def test_without_any_mature_window_a_rule_waits_and_says_so() -> None:
    young = PulledSeries("churn", (series("young/accuracy", (99, 0.9)), series(MATURITY_KEY, (99, 5.0))))
    found = evaluate_model(model(), young, NOW)
    assert found.tracks == ()
    assert [note for note in found.notes if "no window has its labels yet" in note] == list(found.notes)
    missing = evaluate_model(model(), PulledSeries("churn", (series(MATURITY_KEY, (99, 5.0)),)), NOW)
    assert len(missing.tracks) == 1, "a metric that nobody publishes is reported as before"


def test_a_distribution_of_mature_windows_does_not_wait() -> None:
    """Drift is computed from histograms, under keys of their own."""
    one, edges, counts = array("d", [90 * DAY]), (array("d", [0.0, 1.0]),), (array("d", [9.0]),)
    logged = Histograms("labels/churned/categories", (), one, edges, counts)
    scalars = (series("young/coverage", (99, 0.9)), series(MATURITY_KEY, (99, 5.0)))
    drifting = model(rule("labels/churned/psi"))
    young, mature = (PulledSeries("churn", scalars, histograms=found) for found in ((), (logged,)))
    assert [len(list(waiting_notes(follow_labels(drifting, one), one))) for one in (young, mature)] == [1, 0]
    assert [follow_labels(drifting, one).rules[0].optional for one in (young, mature)] == [True, False]


def test_doctor_does_not_miss_what_waits() -> None:
    young = PulledSeries("churn", (series("young/accuracy", (99, 0.9)), series(MATURITY_KEY, (99, 5.0))))
    (check,) = check_metrics(model(), young, {"young/accuracy"})["accuracy"]
    assert (check.status, "the rule waits" in check.message) == (CheckStatus.OK, True)
    (missing,) = check_metrics(model(), PulledSeries("churn", ()), ())["accuracy"]
    assert missing.status is not CheckStatus.OK
