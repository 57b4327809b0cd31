"""Which tiers the evidence supports at each time: an e-detector for every limit of a series.

A tier begins to hold when two things are so: it is proven, by an e-detector whose mean time to a false alarm is the
tier's budget, that the metric is worse than ``MARGIN`` of the limit; and the best estimate since the change reaches the
limit. It holds until it is proven that the limit is no longer reached. Both are decided point by point, so how often
anybody looks, and how windows overlap, changes no promise; only a moving baseline is that of the next evaluation time.
Everything at a time follows from earlier points alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..model.finding import ChangeEstimate
from ..model.rule import (
    FALL_LIMITS,
    RISE_LIMITS,
    STATIC_LIMITS,
    Aggregate,
    BaselineKind,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from ..stats.arrays import Bools, Floats, Ints
from ..stats.e_detector import best_start, evidence_bound, location_log_e, log_evidence, proportion_log_e
from ..stats.intervals import z_value
from ..stats.noise import Stretches, exclude, fit_noise
from ..timeutil import DAY, WEEK
from .baselines import Baseline
from .calendars import DayEffects, SeriesCalendar
from .deployments import VersionTimeline
from .local_time import local_times
from .points import Points

MARGIN = 0.3
"""A change up to this share of the mildest limit is no news: slow trends and moods of the data stay inside."""
MAX_MARGIN = 0.5
"""A severer tier has to be worse than the tier below it, but never than more of its own limit."""
CHANGES = np.array([1.0, 1.5, 2.5, 5.0])[:, None]
"""The changes that a detector looks for, in limits."""
RECOVERIES = np.array([0.0, 0.25, 0.5])[:, None]
"""What is left of the change after a recovery, in limits."""
RECOVERY_ODDS = 50.0
"""Evidence that ends a tier."""
FIRST_FITS = (1, 2, 4)
"""Noise is fitted so many days after the first point of a series; later once a week."""
DEPLOYMENT_CREDIT = WEEK
"""Of this time after a deployment half of the budget is saved for the next one: changes are likely there."""
ONE_SIDED = z_value(0.9) / z_value()
"""From a two-sided 95 % interval to a one-sided 95 % bound."""
MAX_ROUNDS = 4
"""Rounds in which stretches that fired are taken out of noise and baselines."""
_INSIDE = 1e-6
"""Proportions stay this far from 0 and 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What is proven at each evaluation time."""

    severity: Floats
    """``Severity.code`` of the most severe tier that holds; -1 for none."""
    limits: frozenset[Limit]
    """The limits decided here; others are decided by the window alone."""
    effects: DayEffects | None = None
    """What the days of the calendar are expected to do, of every point."""
    estimate: ChangeEstimate | None = None
    """Of the most severe tier that holds at the end."""
    samples: Samples | None = None
    """The points it was decided from; ``None``: no points."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One limit of one tier in one direction; ``sign`` is 1 where higher is worse, -1 where lower is."""

    severity: int
    limit: Limit
    sign: float
    budget: float
    """Mean time between false alarms (seconds)."""
    margin: float = MARGIN
    """The share of the limit that has to be proven passed."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The points that count, as trials or measurements, with what they are compared with."""

    times: Floats
    values: Floats
    exposure: Floats
    expected: Floats
    """The baseline at each point, with its seasonal effects; NaN where there is none."""
    level: Floats
    """The baseline without them."""
    below: Floats
    """How far the baseline may lie below its value: its own interval, one-sided."""
    above: Floats
    spread: Floats
    """Standard deviation of a point; the dispersion is in it."""
    trials: Floats
    """Exposure over dispersion."""
    sigma: Floats
    """The baseline's own standard deviation, for limits in sigma."""
    is_proportion: bool


@dataclass(frozen=True, slots=True, eq=False)
class DetectionRequest:
    """One series of a rule whose limits have a budget of false alarms."""

    rule: Rule
    points: Points
    times: Floats
    """Evaluation times."""
    version: Ints
    """Index into ``versions`` at each of them."""
    timeline: VersionTimeline
    share: float
    """How many series share the budget, each as much as this one."""
    baseline: Callable[[Points], Baseline]
    """The baseline at each evaluation time, from these points."""
    calendar: SeriesCalendar | None = None
    """Its days count neither for the baseline nor for the noise."""


def detect_tiers(request: DetectionRequest) -> tuple[Baseline, Detection]:
    """The baseline and what is proven against it. Stretches that fired are left out of both baseline and noise."""
    rule = request.rule
    tests = [
        criteria(rule, tiers, request.share) for tiers in (rule.tiers, *(override.tiers for override in rule.overrides))
    ]
    limits = frozenset(test.limit for some in tests for test in some)
    stretches: Stretches = []
    for _ in range(MAX_ROUNDS):
        quiet, effects = _quiet_rows(request, stretches)
        reference = request.baseline(request.points if quiet is None else request.points.select(quiet))
        samples = prepare(rule, request.points, request.times, reference, quiet, effects)
        if samples is None:
            return reference, Detection(np.full(len(request.times), -1.0), limits, effects)
        detected = [detect(samples, some, rule, request.timeline.since[1:]) for some in tests]
        reached = [severity for severity, _ in detected]
        row = np.searchsorted(samples.times, request.times, side="right")
        before, stretches = stretches, fired_stretches(samples, reached[0])
        if stretches == before:
            break
    severity = reached[0][row]
    for override, other in zip(rule.overrides, reached[1:], strict=True):
        if override.version in request.timeline.versions:
            serves = request.version == request.timeline.versions.index(override.version)
            severity = np.where(serves, other[row], severity)
    return reference, Detection(severity, limits, effects, detected[0][1], samples)


def _quiet_rows(request: DetectionRequest, stretches: Stretches) -> tuple[Bools | None, DayEffects | None]:
    """Points on ordinary days outside ``stretches`` (``None``: all), and what the other days do."""
    quiet = exclude(request.points.times, stretches) if stretches else None
    if request.calendar is None:
        return quiet, None
    ordinary = request.calendar.is_ordinary
    return ordinary if quiet is None else ordinary & quiet, request.calendar.effects(quiet)


def is_detectable(rule: Rule) -> bool:
    """Whether the limits of some tier have a budget, and the points say how sure they are, by their counts or by their
    spread."""
    if all(tier.false_alarms is None or not tier.limits for tier in rule.tiers):
        return False
    if rule.baseline.kind is BaselineKind.NONE:
        return False
    if rule.interval is Interval.WILSON:
        return rule.aggregate in (Aggregate.MEAN, Aggregate.LAST)
    return rule.interval is Interval.NORMAL and rule.aggregate is Aggregate.MEAN


def criteria(rule: Rule, tiers: Sequence[Tier], share: float) -> list[Criterion]:
    """A detector for each limit that compares with the baseline, of tiers that have a budget.

    ``share``: how many series share the budget, each as much as this one.
    """
    chosen = [
        (tier, limit, sign)
        for tier in tiers
        if tier.false_alarms is not None
        for limit in tier.limits
        if limit.form not in STATIC_LIMITS
        for sign in _signs(limit.form, rule.better)
    ]
    together = {tier.severity: sum(other is tier for other, _, _ in chosen) for tier, _, _ in chosen}
    return [
        Criterion(
            tier.severity.code,
            limit,
            sign,
            (tier.false_alarms or 0.0) * share * together[tier.severity],
            _margin(tier, limit, tiers),
        )
        for tier, limit, sign in chosen
    ]


def _margin(tier: Tier, limit: Limit, tiers: Sequence[Tier]) -> float:
    """How much of the limit has to be proven passed: as much as the milder tiers allow."""
    below = [other for milder in tiers if milder.severity < tier.severity for other in milder.limits]
    largest = max((other.value for other in below if other.form is limit.form), default=0.0)
    return min(max(MARGIN, largest / limit.value), MAX_MARGIN) if limit.value > 0 else MARGIN


def _signs(form: LimitKind, better: Direction | None) -> tuple[float, ...]:
    if form in FALL_LIMITS or (form is LimitKind.SIGMA and better is Direction.HIGHER):
        return (-1.0,)
    if form in RISE_LIMITS or (form is LimitKind.SIGMA and better is Direction.LOWER):
        return (1.0,)
    return (-1.0, 1.0)


def prepare(
    rule: Rule,
    points: Points,
    at: Floats,
    reference: Baseline,
    quiet: Bools | None,
    effects: DayEffects | None = None,
) -> Samples | None:
    """The points between the first and the last of the evaluation times ``at``, with what is expected of them.

    ``reference`` has a row for each of these times. Noise is fitted to the ``quiet`` points only. ``None``: no points.
    """
    is_proportion = rule.interval is Interval.WILSON
    exposure = np.ones(len(points.times)) if points.weights is None else np.nan_to_num(points.weights)
    usable = exposure > 0
    if is_proportion:
        usable &= (points.values >= 0) & (points.values <= 1)
    times, values, exposure = points.times[usable], points.values[usable], exposure[usable]
    begin = int(np.searchsorted(times, at[0] - rule.every, side="right"))
    end = int(np.searchsorted(times, at[-1], side="right"))
    if begin >= end:
        return None
    row = np.searchsorted(at, times[begin:end], side="left")
    level = reference.value[row]
    counted = exposure if quiet is None else np.where(quiet[usable], exposure, 0.0)
    clock = local_times(times, rule.timezone)
    days = _fit_days(clock[begin], clock[end - 1], clock[0])
    noise = fit_noise(clock[:end], values[:end], counted[:end], days, is_proportion=is_proportion)
    effect, dispersion, variance = noise.at(clock[begin:end])
    if rule.baseline.kind is BaselineKind.SEASONAL:
        # The baseline has the mean of its window in it already.
        effect = effect - noise.mean_effect(clock[begin:end], rule.window)
    expected = level + effect
    doubt = np.zeros(1)
    if effects is not None:
        expected = expected + effects.change[usable][begin:end] * np.abs(level)
        doubt = effects.doubt[usable][begin:end] * np.abs(level)
    if is_proportion:
        expected = _inside(expected)
        variance = expected * (1 - expected)
    exposure = exposure[begin:end]
    factor = ONE_SIDED * np.sqrt(dispersion)
    sides = [np.nan_to_num(side[row]) * factor + doubt for side in _sides(rule, reference)]
    return Samples(
        times=times[begin:end],
        values=values[begin:end],
        exposure=exposure,
        expected=expected,
        level=level,
        below=sides[0],
        above=sides[-1],
        spread=np.sqrt(variance * dispersion / exposure),
        trials=exposure / dispersion,
        sigma=reference.sd[row],
        is_proportion=is_proportion,
    )


def _sides(rule: Rule, reference: Baseline) -> list[Floats]:
    """How far the baseline's interval reaches down and up; one for both, the wider one, unless it is yearly."""
    below, above = reference.value - reference.low, reference.high - reference.value
    return [below, above] if rule.baseline.is_yearly else [np.maximum(below, above)]


def _fit_days(begin: float, end: float, first: float) -> Ints:
    """Days on which noise is fitted: once a week, the first time before ``begin``; oftener in a young series."""
    week = np.arange(begin // WEEK, end // WEEK + 1) * 7
    young = first // DAY + np.array(FIRST_FITS)
    days: Ints = np.unique([*week, *young[young <= end // DAY]]).astype(np.int64)
    return days


def detect(
    samples: Samples, tests: Sequence[Criterion], rule: Rule, deployed: Floats
) -> tuple[Floats, ChangeEstimate | None]:
    """The most severe tier that holds, in codes: before the first point, and after each; and the change at the end.

    ``deployed``: when versions were deployed, ascending.
    """
    severity, estimate = np.full(len(samples.times) + 1, -1.0), None
    if not tests:
        return severity, estimate
    starts = np.searchsorted(samples.times, deployed, side="left")
    restarts = sorted({int(start) for start in starts if 0 < start < len(samples.times)})
    log_start = np.log(_starting_weights(samples.times, rule.every, deployed, starts))
    log_budget = np.log([test.budget for test in tests])
    change = np.stack([distance_to_limit(test.limit, samples) for test in tests])
    known = np.isfinite(change) & (change > 0) & np.isfinite(samples.expected) & np.isfinite(samples.spread)
    change = np.where(known, change, 1.0)
    sign = np.array([test.sign for test in tests])[:, None, None]
    margin = np.array([test.margin for test in tests])[:, None, None]
    log_e = change_log_e(samples, sign, margin * change[:, None], CHANGES * change[:, None], known[:, None])
    for place in np.flatnonzero(evidence_bound(log_e, log_start) >= log_budget).tolist():
        watch = _Watch(samples, tests[place].sign, rule, change[place], known[place])
        holds = watch.hold(log_e[place], log_start - log_budget[place], restarts)
        if holds[-1] and tests[place].severity > severity[-1]:
            begin = restarts[-1] if restarts else 0
            estimate = _estimate(samples, begin + int(best_start(log_e[place, 0, begin:])[-1]))
        np.maximum(severity[1:], float(tests[place].severity), out=severity[1:], where=holds)
    return severity, estimate


def _estimate(samples: Samples, start: int) -> ChangeEstimate | None:
    """The mean change from one point to the end, relative to the baseline; ``None`` where that is 0 or unknown."""
    since = slice(start, None)
    weight = samples.exposure[since]
    level = float(np.average(np.abs(samples.level[since]), weights=weight))
    change = float(np.average(samples.values[since] - samples.expected[since], weights=weight))
    half = z_value() * float(np.sqrt(((weight * samples.spread[since]) ** 2).sum()) / weight.sum())
    if not (level > 0 and np.isfinite(change)):
        return None
    return ChangeEstimate(float(samples.times[start]), change / level, (change - half) / level, (change + half) / level)


def _starting_weights(times: Floats, every: float, deployed: Floats, starts: Ints) -> Floats:
    """How much of the budget (seconds) is spent at each point: the time that passes. Of the first week after a
    deployment half is saved for the next one. ``starts``: the first point of each deployment."""
    weights = np.minimum(np.diff(times, prepend=times[0] - every), DAY)
    if len(deployed):
        newest = np.searchsorted(deployed, times, side="right") - 1
        weights[(newest >= 0) & (times < deployed[newest] + DEPLOYMENT_CREDIT)] /= 2
        saved = np.minimum(np.diff(deployed), DEPLOYMENT_CREDIT) / 2
        inside = (starts[1:] > 0) & (starts[1:] < len(times))
        np.add.at(weights, starts[1:][inside], saved[inside])
    return weights


class _Watch:
    """One criterion, point by point."""

    def __init__(self, samples: Samples, sign: float, rule: Rule, change: Floats, known: Bools) -> None:
        back = _recovery_change(rule, samples, change)
        self._log_recovered = change_log_e(samples, -sign, -back, -RECOVERIES * back, known)
        exposure = np.where(known, samples.exposure, 0.0)
        excess = sign * (samples.values - np.where(known, samples.expected, 0.0)) - change
        self._beyond = np.concatenate([[0.0], np.cumsum(exposure * excess)])

    def hold(self, log_e: Floats, log_start: Floats, restarts: Sequence[int]) -> Bools:
        """Where it holds. ``log_start`` is in budgets, so that the alarm is at log M = 0."""
        count = len(log_start)
        holds = np.zeros(count, np.bool_)
        held = False
        for begin, end in zip([0, *restarts], [*restarts, count], strict=True):
            at = begin
            while at < end:
                turns = self._recovered(at, end) if held else self._reached(log_e, log_start, at, end)
                stop = at + int(turns.argmax()) if turns.any() else end
                holds[at:stop] = held
                if stop < end:
                    held = not held
                    holds[stop] = held
                at = stop + 1
        return holds

    def _reached(self, log_e: Floats, log_start: Floats, begin: int, end: int) -> Bools:
        """Where the margin is proven passed, and the mean change since the best start reaches the limit."""
        starts = best_start(log_e[0, begin:end])
        estimated = self._beyond[begin + 1 : end + 1] >= self._beyond[begin + starts]
        reached: Bools = estimated & (log_evidence(log_e[:, begin:end], log_start[begin:end]) >= 0)
        return reached

    def _recovered(self, begin: int, end: int) -> Bools:
        evidence = log_evidence(self._log_recovered[:, begin:end], np.zeros(end - begin))
        recovered: Bools = evidence >= np.log(RECOVERY_ODDS)
        return recovered


def distance_to_limit(limit: Limit, samples: Samples) -> Floats:
    """How far from what is expected the limit lies at each point."""
    if limit.form in (LimitKind.DROP, LimitKind.RISE):
        return limit.value * np.abs(samples.level)
    if limit.form is LimitKind.SIGMA:
        return limit.value * samples.sigma
    return np.full(len(samples.times), limit.value)


def _recovery_change(rule: Rule, samples: Samples, change: Floats) -> Floats:
    """How far from what is expected recovery counts."""
    if rule.recover is None or rule.recover.form in STATIC_LIMITS:
        return change
    back = distance_to_limit(rule.recover, samples)
    return np.where(np.isfinite(back) & (back > 0), back, change)


def change_log_e(samples: Samples, sign: Floats | float, bound: Floats, changes: Floats, known: Bools) -> Floats:
    """log e of the hypothesis that the change, in the direction of ``sign``, is at most ``bound``."""
    uncertainty = samples.below
    if samples.above is not samples.below:
        uncertainty = np.where(np.asarray(sign) > 0, samples.above, samples.below)
    limit = samples.expected + sign * (bound + uncertainty)
    sought = samples.expected + sign * (changes + uncertainty)
    if samples.is_proportion:
        limit, sought = _inside(limit), _inside(sought)
        log_e = proportion_log_e(samples.values * samples.trials, samples.trials, limit, sought)
    else:
        spread = np.maximum(samples.spread, _INSIDE * np.abs(changes).max(axis=-2, keepdims=True))
        log_e = location_log_e(sign * (samples.values - limit) / spread, sign * (sought - limit) / spread)
    return log_e if known.all() else np.where(known, log_e, 0.0)


def _inside(p: Floats) -> Floats:
    """Proportions strictly between 0 and 1."""
    return np.minimum(np.maximum(p, _INSIDE), 1 - _INSIDE)


def fired_stretches(samples: Samples, severity: Floats) -> Stretches:
    """First and last time of every stretch in which something held; ``severity`` as ``detect`` gives it."""
    edges = np.flatnonzero(np.diff(severity >= 0, append=False))
    first, last = samples.times[edges[::2]], samples.times[edges[1::2] - 1]
    return list(zip(first.tolist(), last.tolist(), strict=True))
