"""What issue and page advise first about labels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.prediction_log import MeasureSpec
from modelwatch.model.rule import Rule
from modelwatch.report.kind_steps import kind_steps
from modelwatch.report.next_steps import first_step

from .making import NOW, alert, finding, group

WAITS = Model("churn", (), measure=MeasureSpec(files="log", label="label", label_time="known"))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("label-delay", "Find the job that delivers the labels: they come later than usual"),
        ("label-quality", "Check the labels before anything that is computed from them."),
        ("label-drift", "Check that the labels are real. If the change is real and stays, accept it"),
    ],
)
def test_the_first_step_is_about_the_labels(kind: str, told: str) -> None:
    firing = group(alert(finding(rule="labels", kind=kind)), rule="labels", kind=kind)
    assert first_step(firing, None, WAITS, NOW).startswith(told)


def test_the_command_that_accepts_a_baseline_names_model_and_rule() -> None:
    firing = group(alert(finding(rule="mix", kind="label-drift")), rule="mix", kind="label-drift")
    (step,) = kind_steps(firing, WAITS, (), lambda text: f"`{text}`")
    assert f"`modelwatch baseline accept --model {firing.model} --rule mix --because ...`" in step


def test_late_labels_are_judged_later_only_where_windows_wait_for_them() -> None:
    firing = group(alert(finding(rule="age", kind="label-delay")), rule="age", kind="label-delay")
    (waiting,), (plain,) = (list(kind_steps(firing, model, (), str)) for model in (WAITS, None))
    assert "are judged later until then" in waiting
    assert "are incomplete" in plain


def test_other_kinds_have_no_such_step() -> None:
    assert list(kind_steps(group(alert()), WAITS, (), str)) == []


def test_labels_that_the_scores_contradict_can_be_right() -> None:
    doubts = Rule("doubts", "label-quality", KeyPattern("labels/suspicious_share"), ())
    firing = group(alert(finding(rule="doubts", kind=doubts.kind)), rule="doubts", kind=doubts.kind)
    (step,) = kind_steps(firing, replace(WAITS, rules=(doubts,)), (), str)
    assert step.startswith("Check some of these labels by hand")
    assert "where the model is" in step
