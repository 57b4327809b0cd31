"""A canary against the champion in the same hours, by the model's own rules: go on, take back, or promote.

The window is the whole time that both have served, and the champion in it is the baseline; so a quiet Sunday or a bad
morning falls on both alike. A tier is reached as ever: its limit passed, and the difference beyond chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..model.drift import drift_spec
from ..model.finding import Cause, Outcome
from ..model.release import CanaryCheck, CanaryDecision, CanaryPeriod, CanarySpec, CanaryVerdict
from ..model.rule import Aggregate, BaselineKind, BaselineSpec, LimitKind, Mode, Rule, Tier
from ..model.series import Labels, PulledSeries, Series, format_labels
from ..model.severity import Severity
from ..model.watched import Model
from .baseline import Reference
from .columns import Floats, nans
from .measure import Measure, Stat
from .outcomes import Circumstances, Rows, decide
from .points import Points, clean
from .segments import find, segments_of, whole_labels
from .service import Service, service_of

UNALIGNED = (LimitKind.SIGMA,)
"""Limits that need the spread of a baseline's windows, which one window does not have."""
DECIDED, UNDECIDED, NO_DATA = (str(Outcome.OK), str(Outcome.BREACH)), str(Outcome.UNDECIDED), str(Outcome.NO_DATA)
_SILENT = "the champion has logged it in these hours, and the canary has not"
BAD = Severity.ERROR
"""A canary that reaches this tier, or a worse one, is taken back."""


def judge_canary(model: Model, pull: PulledSeries, now: float) -> CanaryVerdict | None:
    """The canary that serves now, judged; ``None`` where there is none. Raises nothing for missing data: without a
    comparison there is no promotion."""
    trial = next((one for one in reversed(pull.canary_periods) if one.until is None), None)
    if trial is None or model.release is None:
        return None
    until = _last(pull.canary_series, trial, now)
    checks = _checks(model, pull, trial, until, now) if until > trial.since else ()
    step, reasons = _decide(model.release.canary, model.release.promote, trial, checks, until, now)
    return CanaryVerdict(step, trial.version, trial.since, until, reasons, checks)


def _last(series: Sequence[Series], trial: CanaryPeriod, now: float) -> float:
    times = [time for one in series for time in one.times if trial.since <= time <= now]
    return max(times, default=trial.since)


def _decide(
    spec: CanarySpec, promote: Mode, trial: CanaryPeriod, checks: Sequence[CanaryCheck], until: float, now: float
) -> tuple[CanaryDecision, tuple[str, ...]]:
    worst = sorted((one for one in checks if one.severity), key=lambda one: -Severity(one.severity).code)
    bad = [one for one in worst if Severity(one.severity) >= BAD]
    if bad:
        return CanaryDecision.ABORT, tuple(_words(one) for one in bad)
    decided = [one for one in checks if one.outcome in DECIDED]
    missing = []
    if not decided:
        missing.append("nothing can be compared yet: no rule has enough of both versions in the same hours")
    if now - trial.since < spec.length:
        missing.append(f"it has served {(now - trial.since) / 3600:.1f} of {spec.length / 3600:g} h")
    n = max((one.n for one in decided if one.n is not None), default=None)
    if decided and n is not None and n < spec.least:
        missing.append(f"it has judged {n:.0f} of at least {spec.least} predictions")
    missing += [_words(one) for one in worst]
    missing += [_words(one) for one in checks if one.outcome in (UNDECIDED, NO_DATA) and not one.labels]
    if missing:
        return CanaryDecision.CONTINUE, tuple(missing)
    good = f"no worse than the champion by any of {len(decided)} comparisons in {(until - trial.since) / 3600:.1f} h"
    if promote is Mode.ACT:
        return CanaryDecision.PROMOTE, (good,)
    if promote is Mode.PROPOSE:
        return CanaryDecision.PROPOSE, (good, "a person decides (`release.promote: propose`)")
    return CanaryDecision.CONTINUE, (good, "it is only watched (`release.promote: observe`)")


def _words(check: CanaryCheck) -> str:
    where = f" ({format_labels(check.labels)})" if check.labels else ""
    if not check.severity:
        return f"{check.rule}{where} {'has no data' if check.outcome == NO_DATA else 'is undecided'}: {check.reason}"
    values = f"{check.canary:.4g} against {check.champion:.4g}" if check.champion is not None else f"{check.canary:.4g}"
    return f"{check.rule}{where} reaches {check.severity}: {values}"


def _checks(model: Model, pull: PulledSeries, trial: CanaryPeriod, until: float, now: float) -> tuple[CanaryCheck, ...]:
    desk = _Desk(pull, trial, until, now)
    with np.errstate(all="ignore"):
        return tuple(check for rule in model.rules if drift_spec(rule) is None for check in desk.judge(rule))


class _Desk:
    """Points of both versions in the hours of one trial."""

    def __init__(self, pull: PulledSeries, trial: CanaryPeriod, until: float, now: float) -> None:
        self.now = now
        self.since, self.until = np.array([trial.since]), np.array([until])
        self.service = service_of(pull.deployments)
        self.champion = _by_name(pull.series)
        self.canary = _by_name([_during(one, trial) for one in pull.canary_series])

    def judge(self, rule: Rule) -> list[CanaryCheck]:
        labels = whole_labels(rule)
        whole = None if labels is None else find(self.canary, rule.metric.name, labels)
        beside = None if labels is None else find(self.champion, rule.metric.name, labels)
        found = [whole] if whole is not None else []
        absent = self._absent(rule, beside) if whole is None and beside is not None else []
        return [*absent, *(self._one(rule, one) for one in (*found, *segments_of(rule, self.canary)))]

    def _absent(self, rule: Rule, beside: Series) -> list[CanaryCheck]:
        """What the champion has logged in these hours, and the canary has not, proves nothing for it. Metrics that name
        no version are of neither."""
        since, until = float(self.since[0]), float(self.until[0])
        hours = (row for row, time in enumerate(beside.times) if since <= time <= until)
        if not any(_version(beside, row) for row in hours):
            return []
        reference = _reference(self._stat(rule, beside, self.champion, self.service))
        value, n = _number(reference.value), _number(reference.n)
        return [CanaryCheck(rule.name, beside.labels, NO_DATA, "", None, value, None, None, None, n, _SILENT)]

    def _one(self, rule: Rule, own: Series) -> CanaryCheck:
        stat = self._stat(rule, own, self.canary, _ANY)
        beside = find(self.champion, own.name, own.labels)
        reference = _reference(self._stat(rule, beside, self.champion, self.service)) if beside else _nothing()
        judged = replace(rule, tiers=_comparable(rule.tiers), overrides=(), baseline=_CHAMPION)
        rows = decide(judged, stat, reference, Circumstances(np.array([-1]), ()))
        return _check(rule, own.labels, stat, reference, rows)

    def _stat(self, rule: Rule, series: Series, beside: dict[str, list[Series]], service: Service) -> Stat:
        below: Points | None = None
        if rule.aggregate is Aggregate.RATIO and rule.denominator is not None:
            other = find(beside, rule.denominator.name, series.labels)
            below = None if other is None else clean(other, service, self.now)
        measure = Measure(clean(series, service, self.now), below, rule.aggregate, rule.interval)
        # The window is open at its beginning; the moment of the deployment itself counts.
        return measure.over(np.nextafter(self.since, -np.inf), self.until)


_ANY = service_of(())
"""A canary's points are known to be its own."""
_CHAMPION = BaselineSpec(BaselineKind.CONSTANT)


def _by_name(series: Sequence[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in series:
        found.setdefault(one.name, []).append(one)
    return found


def _during(series: Series, trial: CanaryPeriod) -> Series:
    """Only what this canary logged: an earlier one's points stand in the same series."""
    rows = [row for row, time in enumerate(series.times) if trial.covers(_version(series, row), time)]
    if len(rows) == len(series):
        return series
    pick = series.times.__class__
    return replace(
        series,
        times=pick("d", (series.times[row] for row in rows)),
        values=pick("d", (series.values[row] for row in rows)),
        weights=None if series.weights is None else pick("d", (series.weights[row] for row in rows)),
        version_of=pick("i", (series.version_of[row] for row in rows)),
    )


def _version(series: Series, row: int) -> str:
    place = series.version_of[row] if row < len(series.version_of) else -1
    return series.versions[place] if place >= 0 else ""


def _comparable(tiers: Sequence[Tier]) -> tuple[Tier, ...]:
    """The tiers without limits that one window cannot be held against."""
    kept = [replace(tier, limits=tuple(one for one in tier.limits if one.form not in UNALIGNED)) for tier in tiers]
    return tuple(tier for tier in kept if tier.limits)


def _reference(stat: Stat) -> Reference:
    low = np.where(np.isfinite(stat.low), stat.low, stat.value)
    high = np.where(np.isfinite(stat.high), stat.high, stat.value)
    return Reference(stat.value, low, high, stat.n, nans(len(stat.value)))


def _nothing() -> Reference:
    empty = nans(1)
    return Reference(empty, empty, empty, empty, empty)


def _check(rule: Rule, labels: Labels, stat: Stat, reference: Reference, rows: Rows) -> CanaryCheck:
    severity = int(rows.severity[0])
    return CanaryCheck(
        rule=rule.name,
        labels=labels,
        outcome=str(Outcome.from_code(int(rows.outcome[0]))),
        severity=str(Severity.from_code(severity)) if severity >= 0 else "",
        canary=_number(stat.value),
        champion=_number(reference.value),
        low=_number(stat.low),
        high=_number(stat.high),
        n=_number(stat.n),
        champion_n=_number(reference.n),
        reason=Cause.from_code(int(rows.cause[0])).text,
    )


def _number(column: Floats) -> float | None:
    return float(column[0]) if np.isfinite(column[0]) else None
