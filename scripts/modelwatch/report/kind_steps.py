"""The next step that follows from the kind of an alert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model.alert import (
    BUSINESS_DIVERGENCE,
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    SEGMENT_GONE,
    SOURCE_OUTAGE,
    SUDDEN_IMPROVEMENT,
    WATCHDOG_SILENT,
    Group,
)
from ..model.finding import Cause
from ..model.monitored_model import Model
from ..model.prediction_log import SUSPICIOUS_SHARE
from ..model.register import FollowerRecord
from .alert_phrase import describe_alert
from .estimates import estimate_steps
from .explanation import Quote
from .group_states import wrong_name
from .markdown import plain_line

_FAULTS_OF_RULES = frozenset({Cause.NOT_A_PROPORTION, Cause.ZERO_BASELINE})
"""Why a rule cannot judge data that is there: the rule has to change."""


def kind_steps(group: Group, model: Model | None, followers: Sequence[FollowerRecord], quote: Quote) -> Iterator[str]:
    """What the kind of the alert asks for first; nothing where the kind alone says too little. ``followers``: what
    fires with the same cause."""
    yield from estimate_steps(group, model, followers, quote)
    if group.kind == "data-quality" and not group.built_in:
        yield "Fix the data, not the model. Until then retraining is blocked and drift alerts are muted."
    if group.rule == MONITORING_SILENT:
        rule = quote(describe_alert(group).rule)
        if note := wrong_name(group):
            yield f"Check the configuration: {quote(plain_line(note, 400))}"
        cause = group.alerts[0].finding.cause if group.alerts else Cause.NONE
        if cause in _FAULTS_OF_RULES:
            yield f"Change the rule {rule}: {cause.text}. Nothing closes until it is judged again."
        else:
            yield f"Check the job that logs the data of {rule}. Nothing closes until it is judged again."
    if group.rule == SOURCE_OUTAGE:
        error = plain_line(next(iter(group.evidence.notes), "it cannot be read"), 250)
        why = quote(error)
        unknown = any(one.finding.cause is Cause.UNKNOWN_SOURCE for one in group.alerts[:1])
        what = "Correct the configuration, or what the key may see" if unknown else "Find out why it cannot be read"
        yield f"{what}: {why}. Until then nothing is judged, and nothing closes."
    if group.rule == WATCHDOG_SILENT:
        last = quote(plain_line(next(iter(group.evidence.notes), "it is silent"), 250))
        yield f"Find out why the watchdog does not run: {last}. Until then nobody notices when modelwatch stops."
    if group.rule == SEGMENT_GONE:
        yield "Find out whether this segment still exists. If it does, its logging is broken."
    if group.rule == IMPLAUSIBLE_METRIC:
        rule = quote(describe_alert(group).rule)
        yield f"Check what {rule} is computed from: labels that leak, or a job that repeats its last result."
    if group.rule == BUSINESS_DIVERGENCE:
        rule = quote(describe_alert(group).rule)
        yield (
            f"Find out what moved {rule}: the technical metrics do not show it. Look for a campaign, prices or a new "
            "version first; then check whether those metrics still measure what the business needs."
        )
    if group.rule == SUDDEN_IMPROVEMENT:
        yield "Check labels and logging first: a jump like this is more often a label leak than a better model."
    yield from _label_steps(group, model, quote)


def _label_steps(group: Group, model: Model | None, quote: Quote) -> Iterator[str]:
    """The labels are late, wrong, or of another mix: no retraining and no rollback changes that."""
    if group.built_in:
        return
    if group.kind == "label-delay":
        waits = model is not None and model.measure is not None and model.measure.waits_for_labels
        then = "metrics of labels are judged later until then" if waits else "metrics of labels are incomplete"
        yield f"Find the job that delivers the labels: they come later than usual, so {then}. Do not retrain on them."
    if group.kind == "label-quality" and _is_suspicion(group, model):
        yield (
            "Check some of these labels by hand: the scores contradict them, which happens where labels are wrong, and "
            "where the model is. Do not retrain before you know which."
        )
    elif group.kind == "label-quality":
        yield "Check the labels before anything that is computed from them. Until then neither retrain nor roll back."
    if group.kind == "label-drift":
        command = f"modelwatch baseline accept --model {plain_line(group.model)} --rule {plain_line(group.rule)}"
        accept = quote(f"{command} --because ...")
        yield (
            "Check that the labels are real. If the change is real and stays, accept it as the new baseline: "
            f"{accept}. Neither a retraining nor a rollback ends this."
        )


def _is_suspicion(group: Group, model: Model | None) -> bool:
    rules = model.rules if model is not None else ()
    return any(rule.name == group.rule and rule.metric.name == SUSPICIOUS_SHARE for rule in rules)
