"""What issue and page advise about estimates."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.register import FollowerRecord
from modelwatch.model.rule import Limit, LimitKind, Rule
from modelwatch.model.severity import Severity
from modelwatch.report.alert_phrase import describe_alert
from modelwatch.report.estimates import estimate_steps
from modelwatch.report.next_steps import first_step
from modelwatch.report.rollback_choice import is_fixed_by_rollback

from .making import NOW, alert, finding, group

OFF = finding(rule="concept", kind="concept-drift", value=2.31, baseline=None, change=None, low=None, high=None)
CONCEPT = group(alert(OFF), rule="concept", kind="concept-drift", unit="margin", limits=(Limit(LimitKind.ABOVE, 1.5),))
KIND = "accuracy-drop"
NAMES = {"accuracy": "eval", "another estimate": "estimated"}
ESTIMATED = group(alert(), unit="estimate")


def test_an_estimate_is_shown_as_one() -> None:
    assert describe_alert(ESTIMATED).sentence.startswith("accuracy is 0.85 (estimated), 7.6 % below its baseline")
    assert describe_alert(CONCEPT).sentence == "concept is off by 2.31 times its margin, above its limit 1.5"


def test_the_next_step_is_about_labels() -> None:
    assert first_step(CONCEPT, None, None, NOW).startswith("Check a few labels by hand.")
    assert first_step(ESTIMATED, None, None, NOW).startswith("Get labels for some of these rows: this is an estimate")


def test_other_alerts_have_no_such_step() -> None:
    assert list(estimate_steps(group(alert()), None, (), str)) == []
    assert list(estimate_steps(replace(ESTIMATED, rule="monitoring-silent"), None, (), str)) == []


def test_labels_confirm_an_estimate() -> None:
    rules = [Rule(name, KIND, KeyPattern(f"{where}/accuracy"), ()) for name, where in NAMES.items()]
    churn = Model(ESTIMATED.model, tuple(rules))

    def step(model: str, rule: str, kind: str = KIND) -> str:
        follower = FollowerRecord("k", model, rule, kind, Severity.WARNING, NOW)
        return next(estimate_steps(ESTIMATED, churn, [follower], str))

    confirmed = "Labels confirm the estimate: accuracy fires, too. Retrain on rows since the change."
    assert step(churn.name, "accuracy") == confirmed
    assert step(churn.name, "another estimate") != confirmed
    assert step(churn.name, "accuracy", "latency") != confirmed
    assert step("fraud", "accuracy") != confirmed


def test_an_estimate_offers_no_rollback() -> None:
    assert is_fixed_by_rollback(group(alert()))
    assert not is_fixed_by_rollback(ESTIMATED)
    assert not is_fixed_by_rollback(CONCEPT)
