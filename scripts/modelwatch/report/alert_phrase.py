"""The phrase that describes an alert, shared by titles, headlines, incidents and comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.alert import (
    CANARY_FAILED,
    FREQUENT_ROLLBACKS,
    MONITORING_SILENT,
    RELEASE_RULES,
    RETRAINING_FAILED,
    ROLLBACK_FAILED,
    SEGMENT_GONE,
    SUDDEN_IMPROVEMENT,
    Alert,
    AlertState,
    Group,
)
from ..model.control_chart import ChartSignal
from ..model.finding import Cause, Finding
from ..model.rule import STATIC_LIMITS, Limit, LimitKind
from ..model.series import Labels
from ..timeutil import DAY
from .formatting import (
    bare_value,
    baseline_comparison,
    count,
    is_clause,
    labels_text,
    number,
    quantity,
    round_roughly,
    row_count,
)


@dataclass(frozen=True, slots=True)
class AlertPhrase:
    """``accuracy`` (rule) in ``region=eu`` (where) is ``0.8412`` (value), ``8.6 % below its baseline`` (predicate).

    Plain text, not escaped. ``value`` is empty where no number matters: then ``predicate`` says everything.
    """

    rule: str
    where: str
    value: str
    predicate: str
    has_verb: bool = False
    """``value`` needs no verb before it: ``60 % of features drifted``, ``PSI 0.41``."""

    @property
    def phrase(self) -> str:
        """``0.8412, 8.6 % below its baseline 0.9203``"""
        return f"{self.value}, {self.predicate}" if self.value else self.predicate

    @property
    def connector(self) -> str:
        """Between the subject and the rest of the sentence."""
        return " " if not self.value else ": " if self.has_verb else " is "

    @property
    def headline(self) -> str:
        """``accuracy (region=eu) 0.8412, 8.6 % below its baseline 0.9203``: for titles, without a verb."""
        return f"{self.subject}{':' if self.has_verb else ''} {self.phrase}"

    @property
    def sentence(self) -> str:
        """``accuracy (region=eu) is 0.8412, 8.6 % below its baseline 0.9203``"""
        return f"{self.subject}{self.connector}{self.phrase}"

    @property
    def subject(self) -> str:
        """``accuracy (region=eu)``"""
        return f"{self.rule} ({self.where})" if self.where else self.rule


_RELEASE_SUBJECTS = {
    ROLLBACK_FAILED: "the rollback",
    RETRAINING_FAILED: "the retraining",
    CANARY_FAILED: "the canary",
    FREQUENT_ROLLBACKS: "rollbacks",
}


def describe_alert(group: Group) -> AlertPhrase:
    """The phrase of the group's worst alert; without alerts, only that the group is not healthy."""
    alert = worst_alert(group)
    if alert is None:
        return AlertPhrase(group.rule, "", "", "is not healthy")
    rule, labels = subject_of(group.rule, alert.labels)
    finding = alert.finding
    where = labels_text(labels)
    if group.rule == SUDDEN_IMPROVEMENT:
        return AlertPhrase(rule, where, number(finding.value), f"{baseline_comparison(finding)}: suspiciously good")
    if group.built_in:
        return AlertPhrase(rule, where, "", _builtin_predicate(group.rule, finding))
    if finding.past is not None:
        return _describe_anomaly(alert, rule, where, group.unit)
    predicate = limit_comparison(finding, group.limits, group.unit)
    if finding.signal is not ChartSignal.NONE:
        predicate = f"{predicate} ({finding.signal.text})"
    return AlertPhrase(rule, where, quantity(finding.value, group.unit), predicate, is_clause(group.unit))


def _describe_anomaly(alert: Alert, rule: str, where: str, unit: str) -> AlertPhrase:
    """``12.3, unlike anything in 34 d: expected about 8``; the most unusual value, until the alert is over."""
    is_over = alert.state is AlertState.RESOLVED
    finding = alert.finding if is_over else alert.worst
    expected = f"expected about {bare_value(round_roughly(finding.baseline), unit)}"
    days = round((finding.past or 0.0) / DAY)
    predicate = f"as usual again: {expected}" if is_over else f"unlike anything in {days} d: {expected}"
    return AlertPhrase(rule, where, quantity(finding.value, unit), predicate, is_clause(unit))


def _builtin_predicate(rule: str, finding: Finding) -> str:
    rows = f" ({row_count(finding.n)})" if finding.n is not None else ""
    if finding.cause is Cause.NO_DATA_YET:
        return f"has {finding.reason}"
    return {
        MONITORING_SILENT: f"cannot be judged: {finding.reason or 'its findings are undecided'}{rows}",
        SEGMENT_GONE: "has sent no data for three windows",
        FREQUENT_ROLLBACKS: f"happened {count(finding.value)} times recently: they do not fix the cause",
        ROLLBACK_FAILED: "did not restore the previous version",
        RETRAINING_FAILED: "produced no new version",
        CANARY_FAILED: "was withdrawn",
    }[rule]


def limit_comparison(finding: Finding, limits: Sequence[Limit], unit: str = "") -> str:
    """``above its limit 250`` where a fixed limit is passed, else how far from the baseline."""
    fixed = [limit for limit in limits if limit.form in STATIC_LIMITS]
    for limit in fixed:
        if finding.value is not None and _exceeds_limit(finding.value, limit):
            return f"{limit.form.value} its limit {bare_value(limit.value, unit)}"
    if fixed and finding.change is None:
        return f"back within its limit {bare_value(fixed[0].value, unit)}"
    return baseline_comparison(finding, lambda value: bare_value(value, unit))


def _exceeds_limit(value: float, limit: Limit) -> bool:
    return value > limit.value if limit.form is LimitKind.ABOVE else value < limit.value


def subject_of(rule: str, labels: Labels) -> tuple[str, Labels]:
    """The configured rule and the labels of its series; a built-in rule's alerts carry the rule as a label."""
    subject = dict(labels).get("rule", rule)
    if rule in RELEASE_RULES:
        return _RELEASE_SUBJECTS[rule], labels
    if rule not in (MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT):
        return rule, labels
    return subject, tuple(pair for pair in labels if pair != ("rule", subject))


def worst_alert(group: Group) -> Alert | None:
    """The alert that the headline describes: alerts are sorted worst first."""
    return group.alerts[0] if group.alerts else None


def recovery_streak(group: Group) -> int:
    """How many healthy evaluations in a row every firing alert has behind it: the smallest count of them."""
    firing = {alert.fingerprint for alert in group.alerts if alert.state is AlertState.FIRING}
    runs = [len(clear.times) for clear in group.clear if clear.fingerprint in firing]
    return min(runs, default=0)
