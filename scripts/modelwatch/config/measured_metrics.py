"""Rules over keys that ``modelwatch measure`` publishes: whether this configuration makes it publish them."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import did_you_mean
from ..model.drift import drift_spec
from ..model.keys import escape_label
from ..model.monitored_model import Model
from ..model.prediction_log import ESTIMABLE_METRICS, ESTIMATE_CHECK, ESTIMATED, METRICS, MeasureSpec
from ..model.rule import Rule

LABEL_METRICS = (
    *("coverage", "rows", "class_share", "predictions", "agreement", "changed_share", "suspicious_share"),
    *("delay_days", "missing_share", "maturity_days"),
)
"""What is published of labels, by the first part of the key after ``labels/``; counts aside."""
_PERFORMANCE = frozenset(name for metric in METRICS for name in (metric, f"{metric}_n"))
_ESTIMATE_COUNTS = ("n", "labels", "shift_auc")
_TIMED = ("delay_days", "missing_share", "maturity_days")
"""Metrics of labels that take the time of each label."""


def lint_measured_metrics(model: Model) -> Iterator[str]:
    """Advice about names that are nearly those that ``measure`` publishes, and about what it needs for them."""
    spec = model.measure
    if spec is None:
        return
    for rule in model.rules:
        head, _, rest = rule.metric.name.partition("/")
        name = rest.partition("/")[0]
        if head in (ESTIMATED, ESTIMATE_CHECK):
            yield from _lint_estimate(rule, name, spec)
        elif spec.recorder and _takes_labels(head, rule.metric.name):
            yield (
                f"{rule.where}: {rule.metric.text!r} takes labels, and what recorders count has none. Unless a job "
                "logs it, read the rows that they write: `files: FOLDER/sample`, not `recorder`, and `outcomes`."
            )
        elif head == "labels":
            yield from _lint_label_metric(rule, name, spec)


def _takes_labels(head: str, name: str) -> bool:
    return head in ("labels", "calibration") or (head == "eval" and name.rpartition("/")[2] in _PERFORMANCE)


def _lint_estimate(rule: Rule, name: str, spec: MeasureSpec) -> Iterator[str]:
    if spec.estimates is None:
        yield f"{rule.where}: `measure` publishes {rule.metric.text!r} only with `estimates: on`."
    known = (*ESTIMABLE_METRICS, *(f"{metric}_n" for metric in ESTIMABLE_METRICS), *_ESTIMATE_COUNTS)
    if name and name not in known:
        yield f"{rule.where}: `measure` estimates no {name!r}. {did_you_mean(name, ESTIMABLE_METRICS)}"


def _lint_label_metric(rule: Rule, name: str, spec: MeasureSpec) -> Iterator[str]:
    if name in _TIMED and not spec.label_time_column:
        yield (
            f"{rule.where}: `measure` publishes {rule.metric.text!r} only where `label_time` names the column that "
            "says when a label was known."
        )
    own = {*LABEL_METRICS, *(f"{metric}_n" for metric in LABEL_METRICS), escape_label(spec.label)}
    hint = did_you_mean(name, own, "")
    if drift_spec(rule.metric) is not None and name not in own:
        hint = f"The distribution of labels is under `labels/{escape_label(spec.label)}`, as their column is named."
    if name and name not in own and hint and "*" not in rule.metric.text:
        yield f"{rule.where}: `measure` publishes no {rule.metric.text!r}. {hint}"
