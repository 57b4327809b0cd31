"""Advice on rules over keys that ``modelwatch measure`` publishes, or nearly so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.config.measured_metrics import lint_measured_metrics
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import EstimatesSpec, MeasureSpec
from modelwatch.model.rule import Rule

SPEC = MeasureSpec(files="log", label="churned", label_time="known", estimates=EstimatesSpec())


def advice(key: str, spec: MeasureSpec | None = SPEC) -> list[str]:
    rule = Rule("r", "label-delay", KeyPattern(key), (), where="modelwatch.yml:7:9")
    return list(lint_measured_metrics(Model("churn", (rule,), measure=spec)))


@pytest.mark.parametrize(
    "key",
    [
        *("labels/delay_days/p50", "labels/days=7/missing_share", "labels/agreement", "labels/churned/psi", "labels/n"),
        *("estimated/accuracy", "estimated/accuracy_n", "estimated/*", "estimate_check/auc", "eval/acuracy"),
        *("labels/our_own_number", "labels/*/psi"),
    ],
)
def test_what_is_published_needs_no_advice(key: str) -> None:
    assert advice(key) == []


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("labels/delay_day/p50", "`measure` publishes no 'labels/delay_day/p50'. Did you mean `delay_days`?"),
        (
            "labels/label/psi",
            (
                "`measure` publishes no 'labels/label/psi'. The distribution of labels is under `labels/churned`, as "
                "their column is named."
            ),
        ),
        ("estimated/acuracy", "`measure` estimates no 'acuracy'. Did you mean `accuracy`?"),
        ("estimate_check/acc", "`measure` estimates no 'acc'. Did you mean `accuracy`?"),
    ],
)
def test_a_name_that_is_nearly_one(key: str, told: str) -> None:
    assert advice(key) == [f"modelwatch.yml:7:9: {told}"]


def test_what_measure_needs_for_it() -> None:
    (told,) = advice("estimated/accuracy", replace(SPEC, estimates=None))
    assert told.endswith("publishes 'estimated/accuracy' only with `estimates: on`.")
    (told,) = advice("labels/delay_days/p90", replace(SPEC, label_time=""))
    assert "only where `label_time` names the column" in told
    assert advice("estimated/nothing", None) == [], "somebody else logs it"


@pytest.mark.parametrize("key", ["calibration/ece", "eval/accuracy", "eval/region=eu/auc", "labels/agreement"])
def test_what_takes_labels_is_not_published_of_recorders(key: str) -> None:
    (told,) = advice(key, MeasureSpec(recorder="recorded", score="score"))
    assert f"{key!r} takes labels, and what recorders count has none" in told
    assert advice(key, MeasureSpec(files="recorded/sample", label="churned")) == []


@pytest.mark.parametrize("key", ["errors/rate", "quality/rows", "features/age/psi", "eval/our_own_number"])
def test_what_recorders_publish_needs_no_advice(key: str) -> None:
    assert advice(key, MeasureSpec(recorder="recorded", score="score")) == []
