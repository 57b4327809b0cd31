"""Which tiers the evidence supports at each time: an e-detector for every limit of a series.

A tier begins to hold when two things are so: it is proven, by an e-detector whose mean time to a false alarm is the
tier's budget, that the metric is worse than a margin of the limit; and the best estimate since the change reaches the
limit. It holds until it is proven that the limit is no longer reached. Both are decided point by point, so how often
anybody looks, and how windows overlap, changes no promise; only a moving baseline is that of the next evaluation time.
Everything at a time follows from earlier points alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.finding import AnchorPeriod, ChangeEstimate, GradualChange
from ..model.rule import STATIC_LIMITS, Limit, Rule, SamplingModel
from ..stats.arrays import Bools, Floats, Ints
from ..stats.e_detector import best_start, evidence_bound, log_evidence
from ..stats.intervals import z_value
from ..stats.noise import Stretches, exclude
from ..timeutil import DAY, WEEK
from .anchors import Anchors, anchor_periods, find_anchors, has_strayed
from .baselines import Baseline, BaselineRequest, compute_baseline
from .calendars import DayEffects, SeriesCalendar
from .deployments import VersionTimeline
from .gradual import find_gradual_change
from .hypotheses import MAX_MARGIN, Criterion, Hypotheses, anchor_criteria, criteria, distance_to_limit, form_hypotheses
from .points import Points
from .samples import Samples, prepare

RECOVERY_ODDS = 50.0
"""Evidence that ends a tier."""
RECOVERY_POINTS = 12
"""A quantile has recovered no sooner than within so many points."""
DEPLOYMENT_CREDIT = WEEK
"""Of this time after a deployment half of the budget is saved for the next one: changes are likely there."""
ROUNDING = 1e-6
"""Nats that sums of evidence may differ by rounding."""
MAX_ROUNDS = 4
"""Rounds in which stretches that fired are taken out of noise and baselines."""


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
    anchor: AnchorPeriod | None = None
    """What the tier that holds at the end was decided against, where that is not the baseline of the rule."""
    gradual: GradualChange | None = None
    """How it got worse, where a tier holds at the end and it was not at once."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionRequest:
    """One series of a rule whose limits have a budget of false alarms."""

    rule: Rule
    points: Points
    """Measured ones: with an exposure, see ``measured_points``."""
    times: Floats
    """Evaluation times."""
    version: Ints
    """Index into ``versions`` at each of them."""
    timeline: VersionTimeline
    share: float
    """How many series share the budget, each as much as this one."""
    baseline: Callable[[Points], BaselineRequest]
    """The request for the baseline, from these points."""
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
    rounds = MAX_ROUNDS
    while True:
        quiet, effects = _quiet_rows(request, stretches)
        healthy = request.points if quiet is None else request.points.select(quiet)
        reference = compute_baseline(request.baseline(healthy))
        samples = prepare(rule, request.points, request.times, reference, quiet, effects)
        if samples is None:
            return reference, Detection(np.full(len(request.times), -1.0), limits, effects)
        detected = [detect(samples, some, rule, request.timeline.since[1:]) for some in tests]
        before, stretches = stretches, fired_stretches(samples, detected[0].departed)
        rounds -= 1
        if stretches == before or not rounds:
            break
    severity = _serving_severity(request, samples, detected)
    found = Detection(severity, limits, effects, detected[0].estimate, samples)
    anchors = _anchors(request, healthy, samples, [test for some in tests for test in some])
    if anchors is not None:
        reference, found = _compare_with_anchors(request, anchors, reference, found, samples)
    if found.severity[-1] >= 0:
        found = replace(found, gradual=find_gradual_change(request.points, samples, rule.timezone))
    return reference, found


def _serving_severity(request: DetectionRequest, samples: Samples, detected: Sequence[DetectedTiers]) -> Floats:
    """At each evaluation time the severity by the tiers of the version that serves. ``detected``: by the tiers of the
    rule, and then by those of each override."""
    row = np.searchsorted(samples.times, request.times, side="right")
    severity, *others = (found.severity[row] for found in detected)
    versions = request.timeline.versions
    for override, other in zip(request.rule.overrides, others, strict=True):
        if override.version in versions:
            severity = np.where(request.version == versions.index(override.version), other, severity)
    return severity


def _anchors(
    request: DetectionRequest, healthy: Points, samples: Samples, tests: Sequence[Criterion]
) -> Anchors | None:
    """What the points are compared with besides the baseline; ``None`` where there is nothing, or no week lies further
    from it than the margin of some limit: then nothing has changed slowly."""
    rule = request.rule
    periods = anchor_periods(rule, request.timeline, request.points.times, float(request.times[-1]))
    if periods is None:
        return None
    if samples.model is not SamplingModel.QUANTILE:
        margins = [(test.limit, test.sign * MAX_MARGIN) for test in tests if not test.is_static]
        if not has_strayed(periods, healthy, _weekly_means(samples), margins):
            return None
    return find_anchors(periods, request.points.times, healthy, request.baseline)


def _compare_with_anchors(
    request: DetectionRequest, anchors: Anchors, reference: Baseline, found: Detection, samples: Samples
) -> tuple[Baseline, Detection]:
    """``reference`` and ``found`` with what is proven against the anchors, where that is the more severe tier, or the
    larger change at the same one."""
    rule = request.rule
    tests = [
        anchor_criteria(rule, tiers, request.share)
        for tiers in (rule.tiers, *(override.tiers for override in rule.overrides))
    ]
    anchored = samples.against(anchors.levels_at(samples.times))
    if request.calendar is not None:
        ordinary = request.calendar.is_ordinary[np.searchsorted(request.points.times, samples.times)]
        anchored = replace(anchored, expected=np.where(ordinary, anchored.expected, np.nan))
    detected = [detect(anchored, some, rule, request.timeline.since[1:]) for some in tests]
    severity = _serving_severity(request, samples, detected)
    if not (severity >= 0).any():
        return reference, found
    levels = anchors.levels_at(request.times)
    newest = np.append(np.nan, samples.values)[np.searchsorted(samples.times, request.times, side="right")]
    further = ~(np.abs(newest - reference.value) >= np.abs(newest - levels.value))
    decides = (severity > found.severity) | ((severity == found.severity) & (severity >= 0) & further)
    merged = Baseline(*(np.where(decides, *pair) for pair in zip(levels.columns, reference.columns, strict=True)))
    if decides[-1]:
        period = anchors.period_at(float(request.times[-1]))
        found = replace(found, anchor=period, estimate=detected[0].estimate)
    return merged, replace(found, severity=np.maximum(found.severity, severity))


def _weekly_means(samples: Samples) -> tuple[Floats, Floats]:
    """The newest time of each week (since 1970), and the mean of its points without their seasonal effects."""
    times, exposure = samples.times, samples.exposure
    weeks = np.arange(times[0] // WEEK, times[-1] // WEEK + 1) * WEEK
    edges = np.append(np.searchsorted(times, weeks), len(times))
    filled = edges[1:] > edges[:-1]
    starts = edges[:-1][filled]
    total = np.add.reduceat(exposure * (samples.values - samples.effect), starts)
    return times[edges[1:][filled] - 1], total / np.add.reduceat(exposure, starts)


def _quiet_rows(request: DetectionRequest, stretches: Stretches) -> tuple[Bools | None, DayEffects | None]:
    """Points on ordinary days outside ``stretches`` (``None``: all), and what the other days do."""
    quiet = exclude(request.points.times, stretches) if stretches else None
    if request.calendar is None:
        return quiet, None
    ordinary = request.calendar.is_ordinary
    return ordinary if quiet is None else ordinary & quiet, request.calendar.effects(quiet)


@dataclass(frozen=True, slots=True, eq=False)
class DetectedTiers:
    """What holds before the first point, and after each."""

    severity: Floats
    """The code of the most severe tier; -1 for none."""
    departed: Floats
    """The same by limits that compare with the baseline alone: such points are left out of baseline and noise."""
    estimate: ChangeEstimate | None = None
    """The change at the end."""


def detect(samples: Samples, tests: Sequence[Criterion], rule: Rule, deployed: Floats) -> DetectedTiers:
    """The tiers that hold. ``deployed``: when versions were deployed, ascending."""
    estimate: ChangeEstimate | None = None
    severity, departed = (np.full(len(samples.times) + 1, -1.0) for _ in range(2))
    if not tests:
        return DetectedTiers(severity, departed)
    starts = np.searchsorted(samples.times, deployed, side="left")
    restarts = sorted({int(start) for start in starts if 0 < start < len(samples.times)})
    weights = _starting_weights(samples.times, rule.every, deployed, starts)
    log_start, log_budget = np.log(weights), np.log([test.budget for test in tests])
    hypotheses = form_hypotheses(samples, tests)
    # Most series are so healthy that no alternative needs to be looked at; the margin is for rounding.
    if (hypotheses.most_log_e() + np.log(weights.sum()) < log_budget - ROUNDING).all():
        return DetectedTiers(severity, departed)
    log_e = hypotheses.begin_log_e()
    for place in np.flatnonzero(evidence_bound(log_e, log_start) >= log_budget).tolist():
        test = tests[place]
        watch = _Watch(hypotheses, place, rule)
        holds = watch.hold(log_e[place], log_start - log_budget[place], restarts)
        if holds[-1] and test.severity > severity[-1]:
            begin = restarts[-1] if restarts else 0
            estimate = _estimate(samples, begin + int(best_start(log_e[place, 0, begin:])[-1]))
        for reached in (severity,) if test.is_static else (severity, departed):
            np.maximum(reached[1:], float(test.severity), out=reached[1:], where=holds)
    return DetectedTiers(severity, departed, estimate)


def _estimate(samples: Samples, start: int) -> ChangeEstimate | None:
    """The mean change from one point to the end, relative to the baseline; ``None`` where that is 0 or unknown, and of
    quantiles."""
    if samples.model is SamplingModel.QUANTILE:
        return None
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

    def __init__(self, hypotheses: Hypotheses, place: int, rule: Rule) -> None:
        samples = hypotheses.samples
        self._excess = hypotheses.excess(place)
        exposure = np.where(hypotheses.known[place], samples.exposure, 0.0)
        self._beyond = np.concatenate([[0.0], np.cumsum(exposure * self._excess)])
        if samples.model is SamplingModel.QUANTILE:
            # That few points lie beyond a quantile takes long to prove: its own value over the window decides.
            first = np.searchsorted(samples.times, samples.times - rule.window, side="right")
            self._oldest = np.maximum(np.minimum(first, np.arange(len(first)) + 1 - RECOVERY_POINTS), 0)
            return
        self._oldest = np.zeros(0, np.int64)
        change = hypotheses.distance[place]
        self._log_recovered = hypotheses.end_log_e(place, _recovery_change(rule, samples, change))

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
        if len(self._oldest):
            back: Bools = self._beyond[begin + 1 : end + 1] <= self._beyond[self._oldest[begin:end]]
            return back
        evidence = log_evidence(self._log_recovered[:, begin:end], np.zeros(end - begin))
        recovered: Bools = evidence >= np.log(RECOVERY_ODDS)
        return recovered


def _recovery_change(rule: Rule, samples: Samples, change: Floats) -> Floats:
    """How far from what is expected recovery counts."""
    if rule.recover is None or rule.recover.form in STATIC_LIMITS:
        return change
    back = distance_to_limit(rule.recover, samples)
    return np.where(np.isfinite(back) & (back > 0), back, change)


def fired_stretches(samples: Samples, severity: Floats) -> Stretches:
    """First and last time of every stretch in which something held; ``severity`` as ``detect`` gives it."""
    edges = np.flatnonzero(np.diff(severity >= 0, append=False))
    first, last = samples.times[edges[::2]], samples.times[edges[1::2] - 1]
    return list(zip(first.tolist(), last.tolist(), strict=True))
