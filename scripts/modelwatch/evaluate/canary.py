"""A canary against the champion in the same hours, by the model's own rules: go on, take back, or promote.

The window is the whole time that both have served, and the champion in it is the baseline; so a quiet Sunday or a bad
morning falls on both alike. A tier is reached as ever: its limit passed, and the difference beyond chance.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..model.drift import drift_spec
from ..model.finding import Cause, Outcome
from ..model.monitored_model import CanarySpec, Model
from ..model.release import CanaryCheck, CanaryDecision, CanaryPeriod, CanaryVerdict
from ..model.rule import Aggregate, BaselineKind, BaselineSpec, LimitKind, Mode, Rule, Tier
from ..model.series import PulledSeries, Series, format_labels
from ..model.severity import Severity
from ..model.unit import number_text
from ..timeutil import HOUR
from .aggregation import Aggregator, WindowStats
from .arrays import first_or_none, nans
from .baselines import Baseline, bounds_or_exact
from .deployments import VersionTimeline, version_timeline
from .points import Points, clean_points
from .segments import SeriesByName, find_series, group_by_name, segment_series, whole_labels
from .tiers import RowContext, decide_outcomes

DECIDED, UNDECIDED, NO_DATA = (str(Outcome.OK), str(Outcome.BREACH)), str(Outcome.UNDECIDED), str(Outcome.NO_DATA)
ABORT_SEVERITY = Severity.ERROR
"""A canary that reaches this tier, or a worse one, is taken back."""


def judge_canary(model: Model, pull: PulledSeries, now: float) -> CanaryVerdict | None:
    """The canary that serves now, judged; ``None`` where there is none. Raises nothing for missing data: without a
    comparison there is no promotion."""
    trial = next((period for period in reversed(pull.canary_periods) if period.until is None), None)
    if trial is None or model.release is None:
        return None
    times = (time for series in pull.canary_series for time in series.times if trial.since <= time <= now)
    until = max(times, default=trial.since)
    checks: tuple[CanaryCheck, ...] = ()
    if until > trial.since:
        evaluator = _CanaryEvaluator(pull, trial, until, now)
        with np.errstate(all="ignore"):
            rules = (rule for rule in model.rules if drift_spec(rule.metric) is None)
            checks = tuple(check for rule in rules for check in evaluator.evaluate(rule))
    step, reasons = _decide(model.release.canary, model.release.promote, trial, checks, until, now)
    return CanaryVerdict(step, trial.version, trial.since, until, reasons, checks)


def _decide(
    spec: CanarySpec, promote: Mode, trial: CanaryPeriod, checks: Sequence[CanaryCheck], until: float, now: float
) -> tuple[CanaryDecision, tuple[str, ...]]:
    worst = sorted((check for check in checks if check.severity), key=lambda check: -Severity(check.severity).code)
    bad = [check for check in worst if Severity(check.severity) >= ABORT_SEVERITY]
    if bad:
        return CanaryDecision.ABORT, tuple(_describe(check) for check in bad)
    decided = [check for check in checks if check.outcome in DECIDED]
    missing = []
    if not decided:
        missing.append("nothing can be compared yet: no rule has enough of both versions in the same hours")
    if now - trial.since < spec.length:
        missing.append(f"it has served {(now - trial.since) / HOUR:.1f} of {spec.length / HOUR:g} h")
    n = max((check.n for check in decided if check.n is not None), default=None)
    if decided and n is not None and n < spec.least:
        missing.append(f"it has judged {n:.0f} of at least {spec.least} predictions")
    missing += [_describe(check) for check in worst]
    missing += [_describe(check) for check in checks if check.outcome in (UNDECIDED, NO_DATA) and not check.labels]
    if missing:
        return CanaryDecision.CONTINUE, tuple(missing)
    compared = "1 comparison" if len(decided) == 1 else f"{len(decided)} comparisons"
    good = f"no worse than the champion in {compared} over {(until - trial.since) / HOUR:.1f} h"
    if promote is Mode.ACT:
        return CanaryDecision.PROMOTE, (good,)
    if promote is Mode.PROPOSE:
        return CanaryDecision.PROPOSE, (good, "a person decides (`release.promote: propose`)")
    return CanaryDecision.CONTINUE, (good, "it is only watched (`release.promote: observe`)")


def _describe(check: CanaryCheck) -> str:
    where = f" ({format_labels(check.labels)})" if check.labels else ""
    if not check.severity:
        return f"{check.rule}{where} {'has no data' if check.outcome == NO_DATA else 'is undecided'}: {check.reason}"
    values = [number_text(value) for value in (check.canary, check.champion) if value is not None]
    return f"{check.rule}{where} reaches {check.severity}: {' against '.join(values)}"


class _CanaryEvaluator:
    """Points of both versions in the hours of one trial."""

    def __init__(self, pull: PulledSeries, trial: CanaryPeriod, until: float, now: float) -> None:
        self.now = now
        self.since, self.until = np.array([trial.since]), np.array([until])
        self.service = version_timeline(pull.deployments)
        self.champion = group_by_name(pull.series)
        self.canary = group_by_name([_canary_points(series, trial) for series in pull.canary_series])

    def evaluate(self, rule: Rule) -> list[CanaryCheck]:
        labels = whole_labels(rule)
        checks = []
        if labels is not None:
            whole = find_series(self.canary, rule.metric.name, labels)
            champion = find_series(self.champion, rule.metric.name, labels)
            if whole is not None:
                checks.append(self._check_series(rule, whole))
            elif champion is not None:
                checks += self._check_absent(rule, champion)
        return checks + [self._check_series(rule, series) for series in segment_series(rule, self.canary)]

    def _check_absent(self, rule: Rule, champion: Series) -> list[CanaryCheck]:
        """A metric that the champion has logged in these hours, and the canary has not, proves nothing for it. Metrics
        without a version belong to neither."""
        since, until = float(self.since[0]), float(self.until[0])
        hours = (row for row, time in enumerate(champion.times) if since <= time <= until)
        if not any(_version(champion, row) for row in hours):
            return []
        reference = _baseline_of(self._window_stats(rule, champion, self.champion, self.service))
        value, n = first_or_none(reference.value), first_or_none(reference.n)
        reason = "the champion has logged it in these hours, and the canary has not"
        return [CanaryCheck(rule.name, champion.labels, NO_DATA, "", None, value, None, None, None, n, reason)]

    def _check_series(self, rule: Rule, own: Series) -> CanaryCheck:
        stat = self._window_stats(rule, own, self.canary, _ANY_VERSION)
        champion = find_series(self.champion, own.name, own.labels)
        reference = (
            _baseline_of(self._window_stats(rule, champion, self.champion, self.service))
            if champion
            else Baseline.missing(1)
        )
        judged = replace(rule, tiers=_comparable(rule.tiers), overrides=(), baseline=_CHAMPION)
        rows = decide_outcomes(judged, stat, reference, RowContext(np.array([-1]), ()))
        severity = int(rows.severity[0])
        return CanaryCheck(
            rule=rule.name,
            labels=own.labels,
            outcome=str(Outcome.from_code(int(rows.outcome[0]))),
            severity=str(Severity.from_code(severity)) if severity >= 0 else "",
            canary=first_or_none(stat.value),
            champion=first_or_none(reference.value),
            low=first_or_none(stat.low),
            high=first_or_none(stat.high),
            n=first_or_none(stat.n),
            champion_n=first_or_none(reference.n),
            reason=Cause.from_code(int(rows.cause[0])).text,
        )

    def _window_stats(self, rule: Rule, series: Series, side: SeriesByName, service: VersionTimeline) -> WindowStats:
        below: Points | None = None
        if rule.aggregate is Aggregate.RATIO and rule.denominator is not None:
            other = find_series(side, rule.denominator.name, series.labels)
            below = None if other is None else clean_points(other, service, self.now)
        measure = Aggregator(clean_points(series, service, self.now), below, rule.aggregate, rule.interval)
        # The window is open at its beginning; the moment of the deployment itself counts.
        return measure.aggregate(np.nextafter(self.since, -np.inf), self.until)


_ANY_VERSION = version_timeline(())
"""A canary's points are known to be its own."""
_CHAMPION = BaselineSpec(BaselineKind.CONSTANT)


def _canary_points(series: Series, trial: CanaryPeriod) -> Series:
    """Only what this canary logged: an earlier one's points are in the same series."""
    rows = [row for row, time in enumerate(series.times) if trial.covers(_version(series, row), time)]
    if len(rows) == len(series):
        return series
    return replace(
        series,
        times=array("d", (series.times[row] for row in rows)),
        values=array("d", (series.values[row] for row in rows)),
        weights=None if series.weights is None else array("d", (series.weights[row] for row in rows)),
        version_of=array("i", (series.version_of[row] for row in rows)),
    )


def _version(series: Series, row: int) -> str:
    place = series.version_of[row] if row < len(series.version_of) else -1
    return series.versions[place] if place >= 0 else ""


def _comparable(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """The tiers without the limits that need the spread of a baseline's windows, which one window does not have."""
    comparable = [
        replace(tier, limits=tuple(limit for limit in tier.limits if limit.form is not LimitKind.SIGMA))
        for tier in tiers
    ]
    return tuple(tier for tier in comparable if tier.limits)


def _baseline_of(stat: WindowStats) -> Baseline:
    return Baseline(stat.value, *bounds_or_exact(stat.value, (stat.low, stat.high)), stat.n, nans(len(stat.value)))
