"""The phrase that describes an alert, shared by titles, headlines, incidents and comments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..model.alert import (
    BUSINESS_DIVERGENCE,
    CANARY_FAILED,
    FREQUENT_ROLLBACKS,
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    RELEASE_RULES,
    RETRAINING_FAILED,
    ROLLBACK_FAILED,
    SEGMENT_GONE,
    SOURCE_OUTAGE,
    SUDDEN_IMPROVEMENT,
    WATCHDOG_SILENT,
    Alert,
    AlertState,
    Group,
)
from ..model.alert_scope import FEATURE_LABELS, AlertScope, Extent, find_scope
from ..model.control_chart import ChartSignal
from ..model.finding import Cause, Finding, GradualChange, Outcome, is_within_limits
from ..model.ledger import RECOVERED
from ..model.monitored_model import Model
from ..model.register import Register
from ..model.rule import RELATIVE_LIMITS, STATIC_LIMITS, Limit, LimitKind
from ..model.series import Labels
from ..model.unit import MINUS
from ..timeutil import DAY
from .formatting import (
    METHOD_NAMES,
    bare_value,
    baseline_comparison,
    count,
    duration,
    is_clause,
    labels_text,
    limit_text,
    number,
    percent,
    quantity,
    round_roughly,
    row_count,
    short_number,
    utc_time,
)

WITHIN_LIMITS_TEXT = "the newest value is within every limit"
Quote = Callable[[str], str]
"""How a text from outside is shown: a Markdown code span, or a plain line."""


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
    before_where: str = ""
    """``every`` (region), ``2 of 6 segments, worst`` (region=latam)."""
    after_where: str = ""
    """(region=latam) ``alone``."""
    overall: str = ""
    """``0.9103 (−1.2 %)``: the whole, where a segment is described."""

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
        """``accuracy (region=eu alone)``, ``accuracy (every region)``"""
        place = self.place(str)
        return f"{self.rule} ({place})" if place else self.rule

    def place(self, quote: Quote) -> str:
        """Where it happens, with what comes from outside quoted; empty for the whole."""
        where = quote(self.where) if self.where else ""
        return " ".join(filter(None, (self.before_where, where, self.after_where)))


_RELEASE_SUBJECTS = {
    ROLLBACK_FAILED: "the rollback",
    RETRAINING_FAILED: "the retraining",
    CANARY_FAILED: "the canary",
    FREQUENT_ROLLBACKS: "rollbacks",
}


def describe_alert(group: Group) -> AlertPhrase:
    """The phrase of the alert that shows the group's scope; without alerts, only that the group is not healthy."""
    scope = find_scope(group)
    if scope.alert is None:
        return AlertPhrase(group.rule, "", "", "is not healthy")
    return _add_scope(_describe_single_alert(group, scope.alert), scope, group)


def _add_scope(phrase: AlertPhrase, scope: AlertScope, group: Group) -> AlertPhrase:
    """``phrase`` with how much of the metric it is about, and the whole's value beside that of a segment."""
    overall = overall_value(group) if scope.labels and scope.dimension not in FEATURE_LABELS else ""
    match scope.extent:
        case Extent.EVERYTHING if scope.labels:
            return replace(phrase, before_where=f"all {scope.segments} segments, worst", overall=overall)
        case Extent.EVERYTHING if scope.dimension:
            return replace(phrase, where=scope.dimension, before_where="every")
        case Extent.EVERYTHING:
            return replace(phrase, where="", before_where=f"all {scope.segments} segments")
        case Extent.SEGMENT if scope.segments >= 2 and scope.dimension not in FEATURE_LABELS:
            return replace(phrase, where=labels_text(scope.labels), after_where="alone", overall=overall)
        case Extent.SEVERAL:
            few = f"{scope.firing} of {scope.segments} segments, worst"
            return replace(phrase, before_where=few, overall=overall)
        case _:
            return replace(phrase, overall=overall)


def overall_value(group: Group) -> str:
    """``0.9103 (−1.2 %)``: the newest value of the whole; empty where there is none, or nothing else."""
    whole = group.latest
    if group.built_in or whole is None or whole.labels or whole.value is None or not group.evidence.segments_seen:
        return ""
    change = f" ({percent(whole.change)})" if whole.change is not None else ""
    return f"{bare_value(whole.value, group.unit)}{change}"


def _describe_single_alert(group: Group, alert: Alert) -> AlertPhrase:
    rule, labels = subject_of(group.rule, alert.labels)
    finding = alert.finding
    where = labels_text(labels)
    if group.rule == SUDDEN_IMPROVEMENT:
        is_good = finding.outcome is Outcome.BREACH
        told = f"{baseline_comparison(finding)}{': suspiciously good' if is_good else '; it was suspiciously good'}"
        return AlertPhrase(rule, where, number(finding.value), told)
    if group.rule == IMPLAUSIBLE_METRIC:
        return AlertPhrase(rule, where, number(finding.value), _implausible_predicate(alert))
    if group.built_in:
        return AlertPhrase(rule, where, "", _builtin_predicate(group.rule, finding))
    if finding.past is not None:
        return _describe_anomaly(alert, rule, where, group.unit)
    predicate = limit_comparison(finding, group.limits, group.unit)
    if finding.signal is not ChartSignal.NONE:
        predicate = f"{predicate} ({finding.signal.text})"
    if is_recovering(group):
        was = f"was {bare_value(alert.worst.value, group.unit)}"
        predicate = f"{predicate} ({'; '.join(filter(None, (was, _contradiction(group, alert))))})"
    elif reason := _severity_reason(group, alert):
        predicate = f"{predicate} ({reason})"
    return AlertPhrase(rule, where, quantity(finding.value, group.unit), predicate, is_clause(group.unit))


def _severity_reason(group: Group, alert: Alert) -> str:
    """Why the tier that holds is another than the newest value suggests; empty where it is not."""
    finding, estimate = alert.finding, group.evidence.estimate
    if alert.state is not AlertState.FIRING or finding.value is None or finding.baseline is None:
        return ""
    is_passed = any(limit.is_passed(finding.value, finding.baseline) for limit in group.limits)
    if group.severity is not None and alert.severity < group.severity and not is_passed:
        return _worst_part(group)
    if worse := group.evidence.unconfirmed:
        state = "confirmed no longer" if alert.peak >= worse.severity else "not confirmed yet"
        return f"{worse.severity}, {limit_text(worse.limit, group.unit)}, is {state}"
    limits = [limit for limit in group.limits if limit.boundary(finding.baseline) is not None]
    static = any(limit.form in STATIC_LIMITS for limit in limits)
    if estimate is None or static or any(limit.is_passed(finding.value, finding.baseline) for limit in limits):
        return ""
    estimated = finding.baseline + estimate.change * abs(finding.baseline)
    if any(limit.is_passed(estimated, finding.baseline) for limit in limits):
        length = finding.time - estimate.since
        what = f"last {duration(length)}" if length > 0 else "newest point"
        if (finding.value - finding.baseline) * estimate.change < 0:
            return f"recovery is not proven: {percent(estimate.change)} on average over the {what}"
        return f"judged by the {what}: {percent(estimate.change)}"
    return _contradiction(group, alert)


def _worst_part(group: Group) -> str:
    """``critical in region=na: −10.3 %``: what has the severity of the group, where the alert that is described has a
    milder one."""
    firing = (alert for alert in group.alerts if alert.state is AlertState.FIRING and alert.severity is group.severity)
    worst = next(firing, None)
    if worst is None:
        return ""
    where = f"in {labels_text(worst.labels)}" if worst.labels else "overall"
    change = f": {percent(worst.finding.change)}" if worst.finding.change is not None else ""
    return f"{group.severity} {where}{change}"


def _contradiction(group: Group, alert: Alert) -> str:
    """Why the alert keeps a severity that its newest value does not reach; empty where that passes its limit, or the
    limits of its tier are not known."""
    finding = alert.finding
    if alert.severity is not group.severity:
        return ""
    if finding.value is None or any(limit.is_passed(finding.value, finding.baseline or 0.0) for limit in group.limits):
        return ""
    milder = finding.severity is not None and finding.severity < alert.severity
    return f"stays {alert.severity} until {'that' if milder else 'recovery'} is proven"


def _describe_anomaly(alert: Alert, rule: str, where: str, unit: str) -> AlertPhrase:
    """``12.3, unlike anything in 34 d: expected about 8``; the most unusual value, until the alert is over."""
    is_over = alert.state is AlertState.RESOLVED
    finding = alert.finding if is_over else alert.worst
    expected = f"expected about {bare_value(round_roughly(finding.baseline), unit)}"
    days = round((finding.past or 0.0) / DAY)
    predicate = f"as usual again: {expected}" if is_over else f"unlike anything in {days} d: {expected}"
    return AlertPhrase(rule, where, quantity(finding.value, unit), predicate, is_clause(unit))


def _implausible_predicate(alert: Alert) -> str:
    """Of the newest value; once that is plausible again, of the worst."""
    finding = alert.finding if alert.finding.severity is not None else alert.worst
    before = f" (baseline {number(finding.baseline)})" if finding.baseline is not None else ""
    return f"{finding.reason}{before}"


def _builtin_predicate(rule: str, finding: Finding) -> str:
    rows = f" ({row_count(finding.n)})" if finding.n is not None else ""
    if finding.cause is Cause.NO_DATA_YET:
        return f"has {finding.reason}"
    if rule == BUSINESS_DIVERGENCE:
        change = f": {percent(finding.change)}" if finding.change is not None else ""
        return f"{finding.reason or 'is explained by a technical metric, or healthy'}{change}"
    models = f"{finding.points} {'model is' if finding.points == 1 else 'models are'}"
    return {
        MONITORING_SILENT: f"cannot be judged: {finding.reason or 'its findings are undecided'}{rows}",
        SEGMENT_GONE: "has sent no data for three windows",
        SOURCE_OUTAGE: f"{_outage_predicate(finding)}: {models} not judged",
        FREQUENT_ROLLBACKS: f"happened {count(finding.value)} times recently: they do not fix the cause",
        ROLLBACK_FAILED: "did not restore the previous version",
        RETRAINING_FAILED: "produced no new version",
        CANARY_FAILED: "was withdrawn",
        WATCHDOG_SILENT: "has not succeeded for twice its period",
    }[rule]


def _outage_predicate(finding: Finding) -> str:
    return "is not found" if finding.cause is Cause.UNKNOWN_SOURCE else "cannot be read"


def limit_comparison(finding: Finding, limits: Sequence[Limit], unit: str = "") -> str:
    """``above its limit 250`` where a fixed limit is passed, else how far from the baseline."""
    fixed = [limit for limit in limits if limit.form in STATIC_LIMITS]
    for limit in fixed:
        if finding.value is not None and limit.is_passed(finding.value, limit.value):
            return f"{limit.form.value} its limit {bare_value(limit.value, unit)}"
    if fixed and finding.change is None:
        return f"back within its limit {bare_value(fixed[0].value, unit)}"
    return baseline_comparison(finding, lambda value: bare_value(value, unit))


def at_worst(group: Group) -> Group:
    """``group`` with each alert as it was at its worst, not now."""
    return replace(group, alerts=tuple(replace(alert, finding=alert.worst) for alert in group.alerts))


def describe_title(group: Group) -> str:
    """``accuracy (every region) below its baseline (limit 5 %)``: what stays true while the severity does, so that a
    title does not change with every value."""
    phrase = describe_alert(group)
    place = phrase.before_where.removesuffix(", worst") if phrase.before_where.endswith("worst") else phrase.place(str)
    return (
        f"{phrase.rule} ({place}) {_lasting_predicate(group)}"
        if place
        else f"{phrase.rule} {_lasting_predicate(group)}"
    )


_LASTING_PREDICATES = {
    MONITORING_SILENT: "cannot be judged",
    SEGMENT_GONE: "has sent no data for three windows",
    SUDDEN_IMPROVEMENT: "is suspiciously good",
    IMPLAUSIBLE_METRIC: "is implausible by its own past",
    BUSINESS_DIVERGENCE: "got worse, and no technical metric explains it",
    SOURCE_OUTAGE: "cannot be read",
    FREQUENT_ROLLBACKS: "happen often: they do not fix the cause",
    ROLLBACK_FAILED: "did not restore the previous version",
    RETRAINING_FAILED: "produced no new version",
    CANARY_FAILED: "was withdrawn",
    WATCHDOG_SILENT: "has not succeeded for twice its period",
}
_LIMIT_PREDICATES = {
    LimitKind.DROP: "below its baseline (limit {})",
    LimitKind.DROP_POINTS: "below its baseline (limit {})",
    LimitKind.RISE: "above its baseline (limit {})",
    LimitKind.RISE_POINTS: "above its baseline (limit {})",
    LimitKind.ABOVE: "above its limit {}",
    LimitKind.BELOW: "below its limit {}",
    LimitKind.SIGMA: "away from its baseline (limit {} standard deviations)",
}


def _lasting_predicate(group: Group) -> str:
    """What is true of every value that reaches the tier."""
    alert = worst_alert(group)
    if group.rule == MONITORING_SILENT and alert is not None and alert.finding.cause is Cause.NO_DATA_YET:
        return "has no data yet"
    if group.rule == SOURCE_OUTAGE and alert is not None:  # without one it is over
        return _outage_predicate(alert.finding)
    if group.rule in _LASTING_PREDICATES:
        return _LASTING_PREDICATES[group.rule]
    if alert is None:
        return "is not healthy"
    if alert.finding.past is not None:
        return "unlike its past"
    if group.unit in METHOD_NAMES:
        return "drifted"
    limits = group.limits if alert.severity is group.severity else ()
    texts = [_LIMIT_PREDICATES[limit.form].format(_limit_size(limit, group.unit)) for limit in limits]
    if texts:
        return " or ".join(texts)
    if alert.finding.signal is not ChartSignal.NONE:
        return "outside its control limits"
    if alert.finding.change is None:
        return "past its limit"
    return "below its baseline" if alert.finding.change < 0 else "above its baseline"


def _limit_size(limit: Limit, unit: str) -> str:
    if limit.form in RELATIVE_LIMITS:
        return f"{number(limit.value * 100)} %"
    return number(limit.value) if limit.form is LimitKind.SIGMA else bare_value(limit.value, unit)


def subject_of(rule: str, labels: Labels) -> tuple[str, Labels]:
    """The configured rule and the labels of its series; a built-in rule's alerts carry the rule as a label."""
    subject = dict(labels).get("rule", rule)
    if rule in RELEASE_RULES:
        return _RELEASE_SUBJECTS[rule], labels
    if rule == WATCHDOG_SILENT:
        return "the watchdog", ()
    if rule == SOURCE_OUTAGE:
        return dict(labels).get("source", "the source"), ()
    if rule not in (MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT, IMPLAUSIBLE_METRIC, BUSINESS_DIVERGENCE):
        return rule, labels
    return subject, tuple(pair for pair in labels if pair != ("rule", subject))


def onset_text(group: Group, start: float, now: float) -> str:
    """``since 2026-11-20 14:00 UTC (3 h)``; of a change that came day by day ``steadily down for 20 days, −0.15 points
    a day``."""
    change = group.evidence.gradual
    if change is None or group.state is not AlertState.FIRING:
        return f"since {utc_time(start)}" + (f" ({duration(now - start)})" if now - start >= 1 else "")
    days = max(round((now - change.since) / DAY), 1)
    way = "down" if change.a_day < 0 else "up"
    return f"steadily {way} for {'more than ' if change.is_older else ''}{days} days, {pace_text(change, group.unit)}"


def pace_text(change: GradualChange, unit: str) -> str:
    """``−0.15 points a day``, ``+1.2 ms a day``; two digits."""
    size = abs(change.a_day) * (100 if change.is_share else 1)
    sign = MINUS if change.a_day < 0 else "+"
    amount = f"{short_number(size)} points" if change.is_share else bare_value(round_roughly(size), unit)
    return f"{sign}{amount} a day"


def worst_alert(group: Group) -> Alert | None:
    """The alert that the headline describes: the whole's where everything got worse, else the worst."""
    return find_scope(group).alert


def is_recovering(group: Group) -> bool:
    """Whether the newest window of the worst alert reaches less than the tier that holds, so that its value is not what
    that tier is about."""
    alert = worst_alert(group)
    if alert is None or alert.state is not AlertState.FIRING or group.built_in or alert.finding.past is not None:
        return False
    reached = alert.finding.severity
    milder = reached is None or reached < alert.severity
    return milder and alert.worst.value is not None and alert.worst.time != alert.finding.time


def is_recovery_unproven(group: Group, model: Model | None) -> bool:
    """Whether the newest value of everything that fires is within every limit, so that only the proof is missing."""
    rule = next((rule for rule in model.rules if rule.name == group.rule), None) if model else None
    firing = [alert for alert in group.alerts if alert.state is AlertState.FIRING and not alert.mutes]
    return rule is not None and bool(firing) and all(is_within_limits(alert.finding, rule) for alert in firing)


def recovery_streak(group: Group) -> int:
    """How many healthy evaluations in a row every firing alert has behind it: the smallest count of them."""
    firing = {alert.fingerprint for alert in group.alerts if alert.state is AlertState.FIRING}
    runs = [len(clear.times) for clear in group.clear if clear.fingerprint in firing]
    return min(runs, default=0)


def recovery_time(group: Group | None, register: Register, default: float) -> float:
    """When the alerts of the episode became healthy for good. A group does not say so any more where the proof took
    longer than a day, or counts from a later time than its end."""
    if group is None:
        return default
    since = register.proof_since
    if group.end is not None and group.end > since:
        return group.end
    recorded = [one.at for one in register.ledger.recent if one.what == RECOVERED and one.at >= register.began]
    times = [[at for at in one.times if at > since] for one in group.clear if one.fingerprint in register.alerts]
    return max(recorded or [proof[-1] for proof in times if proof], default=default)


def proof_text(group: Group, count: int = 2) -> str:
    """What proves recovery, without the number of it: ``healthy evaluations in a row``, or of a rule whose windows
    prove it ``healthy windows of 24 h that share no data``."""
    window = max((one.apart for one in group.clear), default=0.0)
    what = f"healthy {'window' if window else 'evaluation'}{'' if count == 1 else 's'}"
    what += f" of {duration(window)}" if window else ""
    return what if count == 1 else f"{what} {'that share no data' if window else 'in a row'}"
