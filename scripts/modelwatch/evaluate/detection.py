"""Which tiers the evidence supports at each time: an e-detector for every limit of a series.

A tier begins to hold when two things are so: it is proven, by an e-detector whose mean time to a false alarm is the
tier's budget, that the metric is worse than a margin of the limit; and the best estimate since the change reaches the
limit. It holds until it is proven that the limit is no longer reached. Both are decided point by point, so how often
anybody looks, and how windows overlap, changes no promise; only a moving baseline is that of the next evaluation time.
Everything at a time follows from earlier points alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.finding import AnchorPeriod, ChangeEstimate, GradualChange
from ..model.rule import Limit, Rule, SamplingModel
from ..model.sensitivity import SeriesNoise
from ..stats.arrays import Bools, Floats, Ints
from ..stats.e_detector import evidence_bound
from ..stats.intervals import z_value
from ..stats.noise import Stretches, exclude
from ..timeutil import DAY, WEEK
from .anchors import Anchors, anchor_periods, find_anchors, has_strayed
from .baselines import Baseline, BaselineRequest, compute_baseline, newest_baseline_point
from .calendars import DayEffects, SeriesCalendar, point_exposure
from .criterion_watch import CriterionWatch
from .deployments import VersionTimeline
from .gradual import find_gradual_change
from .hypotheses import MAX_MARGIN, Criterion, anchor_criteria, criteria, form_hypotheses
from .level_sensitivity import summarize_level
from .outliers import find_outliers
from .points import Points
from .recurring_hours import learn_recurring_hours
from .samples import HourEffects, Samples, observe, prepare
from .sensitivity import summarize_noise

DEPLOYMENT_CREDIT = WEEK
"""Of this time after a deployment half of the budget is saved for the next one: changes are likely there."""
ROUNDING = 1e-6
"""Nats that sums of evidence may differ by rounding."""
SERIES_AT_ONCE = 8
"""More columns at once would not stay near the processor."""
MAX_ROUNDS = 4
"""Rounds in which stretches that fired are taken out of noise and baselines."""
WARM_UP = 8 * WEEK
"""Seconds before the first evaluation that are searched for former incidents, as far as there are points."""
UNFAMILIAR = 2 * WEEK
"""After so many seconds of points a weekly pattern is known; what seems to fire before may be one."""
FiredStretches = list[tuple[float, float, float]]
"""When each began, when its alarm came, and the last time at which it held."""


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
    noise: SeriesNoise | None = None
    """What it was decided with; ``None``: no points, or no baseline yet."""
    level_noise: SeriesNoise | None = None
    """The same at the level of the series, of static limits and limits of quantiles; ``None``: there are none."""
    anchor: AnchorPeriod | None = None
    """What the tier that holds at the end was decided against, where that is not the baseline of the rule."""
    gradual: GradualChange | None = None
    """How it got worse, where a tier holds at the end and it was not at once."""
    too_young: Bools | None = None
    """Evaluation times at which too little came before to decide anything; ``None``: nowhere."""
    history: tuple[int, int] | None = None
    """If the last of them is one: how many points are known, and needed."""


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


def detect_tiers(requests: Sequence[DetectionRequest]) -> list[tuple[Baseline, Detection]]:
    """The baseline of each series, and what is proven against it. Stretches that fired are left out of both baseline
    and noise. Series that have points at the same times are worked on together, if their rules are alike."""
    searches = [_Search(request) for request in requests]
    active = searches
    while active:
        stacks: dict[Hashable, list[_Search]] = {}
        for search in active:
            search.observe()
            stacks.setdefault(search.likeness(), []).append(search)
        for stack in stacks.values():
            for first in range(0, len(stack), SERIES_AT_ONCE):
                _search_together(stack[first : first + SERIES_AT_ONCE])
        active = [search for search in active if search.detection is None]
    return [(search.reference, search.detection) for search in searches if search.detection is not None]


class _Search:
    """The rounds of one series."""

    def __init__(self, request: DetectionRequest) -> None:
        self.request = request
        rule = request.rule
        self.tests = tuple(
            tuple(criteria(rule, tiers, request.share))
            for tiers in (rule.tiers, *(override.tiers for override in rule.overrides))
        )
        """Of the rule, then of its overrides."""
        self.limits = frozenset(test.limit for tests in self.tests for test in tests)
        self.outliers = _outliers(rule, request.points)
        self.former: FiredStretches | None = None
        """Stretches before the first evaluation time; they are looked for as soon as something fires."""
        self.fired: FiredStretches = []
        self.before_alarm: tuple[float, Baseline, Detection] | None = None
        """When the first alarm came, and what was decided without ``former``: that stays for what is earlier."""
        self.hours: HourEffects | None = None
        self.rounds = MAX_ROUNDS
        """That are left."""
        self.detection: Detection | None = None
        """At the end."""

    @property
    def stretches(self) -> FiredStretches:
        """All that are left out of noise and baselines."""
        return [*(self.former or []), *self.fired]

    def observe(self) -> None:
        """Compute the baseline without the stretches that fired."""
        request, points = self.request, self.request.points
        quiet, self.effects = self._quiet_rows([(alarm, last) for _, alarm, last in self.stretches])
        # The hours before an alarm are no baseline for what comes later. They stay in the noise: that of the week
        # before the alarm was fitted with them.
        healthy = quiet
        if self.stretches:
            before = exclude(points.times, [(first, alarm) for first, alarm, _ in self.stretches])
            healthy = before if quiet is None else quiet & before
        self.healthy = points if healthy is None else points.select(healthy)
        self.place = request.baseline(self.healthy)
        self.reference = compute_baseline(self.place)
        self.observations = observe(request.rule, points, self.reference, quiet, self.effects, self.hours)

    def _quiet_rows(self, stretches: Stretches) -> tuple[Bools | None, DayEffects | None]:
        """Points on ordinary days outside ``stretches`` that are no outliers (``None``: all), and what the other days
        do."""
        calendar = self.request.calendar
        quiet = exclude(self.request.points.times, stretches) if stretches else None
        if self.outliers is not None:
            quiet = ~self.outliers if quiet is None else quiet & ~self.outliers
        if calendar is None:
            return quiet, None
        ordinary = calendar.is_ordinary
        return ordinary if quiet is None else ordinary & quiet, calendar.effects(quiet)

    def likeness(self) -> Hashable:
        """The same for series that can be worked on together."""
        rule, baseline = self.request.rule, self.request.rule.baseline
        grid = (rule.every, rule.lag, rule.label_age, rule.window, rule.timezone)
        kind = (rule.aggregate, rule.interval, baseline.kind, baseline.is_yearly)
        return (grid, kind, self.tests, self.observations.times.tobytes())

    def end_without_points(self) -> None:
        self.detection = Detection(np.full(len(self.request.times), -1.0), self.limits, self.effects)

    def end_round(
        self, stack: Samples, place: int, detected: Sequence[DetectedTiers], noise: SeriesNoise | None
    ) -> None:
        """With the samples, in which this series has a place, and what is detected by the tests of the rule and of each
        override."""
        request, rule = self.request, self.request.rule
        before, self.fired = self.stretches, fired_stretches(stack, detected[0], self.place)
        if self.fired and self.former is None:
            self.former = _find_former(request)
            if self.former:
                self.before_alarm = (self.fired[0][1], *self._conclude(stack, place, detected, noise))
        self.rounds -= 1
        if self.stretches != before and self.rounds:
            if stack.model is not SamplingModel.QUANTILE:
                fired = ~exclude(stack.times, [(first, last) for first, _, last in self.fired])
                relative = [test for tests in self.tests for test in tests if not test.is_static]
                self.hours = learn_recurring_hours(stack.of_series(place), fired, relative, rule.timezone)
            return
        self.reference, found = self._conclude(stack, place, detected, noise)
        if self.before_alarm is not None:
            alarm, reference, early = self.before_alarm
            is_early = request.times < alarm
            self.reference = _choose(is_early, reference, self.reference)
            found = replace(found, severity=np.where(is_early, early.severity, found.severity))
        self.detection = found

    def _conclude(
        self, stack: Samples, place: int, detected: Sequence[DetectedTiers], noise: SeriesNoise | None
    ) -> tuple[Baseline, Detection]:
        """What this round says, with its baseline."""
        request, rule, reference = self.request, self.request.rule, self.reference
        all_tests = [test for tests in self.tests for test in tests]
        severity = _serving_severity(request, stack.times, detected)
        young = _young_rows(request, stack)
        found = Detection(severity, self.limits, self.effects, detected[0].estimate, noise, too_young=young)
        if young is not None and young[-1]:
            found = replace(found, history=(int(np.asarray(stack.history)[-1]), stack.needed_history))
        has_level = stack.model is SamplingModel.QUANTILE or any(test.is_static for test in all_tests)
        if has_level or rule.has_anchor or severity[-1] >= 0:
            samples = stack.of_series(place)
            found = replace(found, level_noise=summarize_level(samples) if has_level else None)
            anchors = _anchors(request, self.healthy, samples, all_tests)
            if anchors is not None:
                reference, found = _compare_with_anchors(request, anchors, reference, found, samples)
            if found.severity[-1] >= 0:
                found = replace(found, gradual=find_gradual_change(request.points, samples, rule.timezone))
        return reference, found


def _find_former(request: DetectionRequest) -> FiredStretches:
    """Stretches that fired before the first evaluation time: baselines and noise reach back to them. One that had held
    for a week by then, and still did, is none: what has changed for good is the norm some day."""
    times, every = request.times, request.rule.every
    oldest = max(float(request.points.times[0]) + UNFAMILIAR, float(times[0]) - WARM_UP)
    count = int((times[0] - oldest) // every)
    if count < 1:
        return []
    earlier = times[0] - every * np.arange(count, 0.0, -1.0)

    def baseline(healthy: Points) -> BaselineRequest:
        return replace(request.baseline(healthy), times=earlier)

    version = request.timeline.version_at(earlier)
    search = _Search(replace(request, times=earlier, version=version, baseline=baseline))
    search.former = []
    while search.detection is None:
        search.observe()
        _search_together([search])
    newest = request.points.times[np.searchsorted(request.points.times, earlier[-1], side="right") - 1]
    return [one for one in search.fired if one[2] < newest or times[0] - one[1] < WEEK]


def _choose(rows: Bools, chosen: Baseline, other: Baseline) -> Baseline:
    return Baseline(*(np.where(rows, *pair) for pair in zip(chosen.columns, other.columns, strict=True)))


def _young_rows(request: DetectionRequest, stack: Samples) -> Bools | None:
    """Evaluation times whose newest point is too young; before the first point nothing is."""
    too_young = stack.is_too_young
    if not too_young.any():
        return None
    row = np.searchsorted(stack.times, request.times, side="right")
    return np.append(False, too_young)[row]


def _search_together(searches: Sequence[_Search]) -> None:
    """One round of series that are alike."""
    request, tests = searches[0].request, searches[0].tests
    stack = prepare(request.rule, request.times, [search.observations for search in searches])
    if stack is None:
        for search in searches:
            search.end_without_points()
        return
    rules = [search.request.rule for search in searches]
    detected = [detect_stack(stack, some, rules, request.timeline.since[1:]) for some in tests]
    noises = summarize_noise(stack)
    for place, search in enumerate(searches):
        search.end_round(stack, place, [found[place] for found in detected], noises[place])


def _serving_severity(request: DetectionRequest, times: Floats, detected: Sequence[DetectedTiers]) -> Floats:
    """At each evaluation time the severity by the tiers of the version that serves. ``times``: of the points;
    ``detected``: by the tiers of the rule, and then by those of each override."""
    row = np.searchsorted(times, request.times, side="right")
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
    detected = [detect_series(anchored, some, rule, request.timeline.since[1:]) for some in tests]
    severity = _serving_severity(request, samples.times, detected)
    if not (severity >= 0).any():
        return reference, found
    levels = anchors.levels_at(request.times)
    newest = np.append(np.nan, samples.values)[np.searchsorted(samples.times, request.times, side="right")]
    further = ~(np.abs(newest - reference.value) >= np.abs(newest - levels.value))
    decides = (severity > found.severity) | ((severity == found.severity) & (severity >= 0) & further)
    merged = _choose(decides, levels, reference)
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


def _outliers(rule: Rule, points: Points) -> Bools | None:
    """Of means and counts: a share cannot be far off, and a quantile hardly moves."""
    if rule.sampling_model not in (SamplingModel.MEAN, SamplingModel.COUNT):
        return None
    return find_outliers(points.times, points.values, point_exposure(points))


@dataclass(frozen=True, slots=True, eq=False)
class DetectedTiers:
    """What holds before the first point, and after each."""

    severity: Floats
    """The code of the most severe tier; -1 for none."""
    departed: Floats
    """The same by limits that compare with the baseline alone: such points are left out of baseline and noise."""
    onset: Ints | None = None
    """The point at which what holds began, where it begins to hold; elsewhere the point itself. ``None``: nothing
    holds."""
    estimate: ChangeEstimate | None = None
    """The change at the end."""


def detect_stack(
    samples: Samples, tests: Sequence[Criterion], rules: Sequence[Rule], deployed: Floats
) -> list[DetectedTiers]:
    """The tiers that hold, of each of several series. ``deployed``: when versions were deployed, ascending."""
    starts = _find_starts(samples.times, tests, rules[0].every, deployed)
    healthy = _are_healthy(samples, tests, starts)
    return [
        _nothing(samples) if healthy[place] else _detect_unhealthy(samples.of_series(place), tests, rule, starts)
        for place, rule in enumerate(rules)
    ]


def detect_series(samples: Samples, tests: Sequence[Criterion], rule: Rule, deployed: Floats) -> DetectedTiers:
    """The same of a single series."""
    starts = _find_starts(samples.times, tests, rule.every, deployed)
    if _are_healthy(samples, tests, starts):
        return _nothing(samples)
    return _detect_unhealthy(samples, tests, rule, starts)


def _nothing(samples: Samples) -> DetectedTiers:
    none = np.full(len(samples.times) + 1, -1.0)
    return DetectedTiers(none, none)


@dataclass(frozen=True, slots=True, eq=False)
class _Starts:
    """The tests that begin at each point."""

    weights: Floats
    log_budget: Floats
    """Of each criterion."""
    restarts: Sequence[int]
    """Points at which all begin anew."""


def _find_starts(times: Floats, tests: Sequence[Criterion], every: float, deployed: Floats) -> _Starts:
    starts = np.searchsorted(times, deployed, side="left")
    restarts = sorted({int(start) for start in starts if 0 < start < len(times)})
    weights = _starting_weights(times, every, deployed, starts)
    return _Starts(weights, np.log([test.budget for test in tests]), restarts)


def _are_healthy(samples: Samples, tests: Sequence[Criterion], starts: _Starts) -> Bools:
    """Of each series whether no alternative needs to be looked at, as of most; there is a margin for rounding."""
    if not tests:
        return np.ones(samples.values.shape[:-1], np.bool_)
    most = form_hypotheses(samples, tests).most_log_e() + np.log(starts.weights.sum())
    missing = starts.log_budget - most.T
    return np.asarray((missing > ROUNDING).all(axis=-1))


def _detect_unhealthy(samples: Samples, tests: Sequence[Criterion], rule: Rule, starts: _Starts) -> DetectedTiers:
    estimate: ChangeEstimate | None = None
    severity, departed = (np.full(len(samples.times) + 1, -1.0) for _ in range(2))
    onset = np.arange(len(samples.times))
    hypotheses = form_hypotheses(samples, tests)
    log_e, log_start = hypotheses.begin_log_e(), np.log(starts.weights)
    for place in np.flatnonzero(evidence_bound(log_e, log_start) >= starts.log_budget).tolist():
        test = tests[place]
        watch = CriterionWatch(hypotheses, place, rule, log_e[place], log_e[_mildest(tests, place), 0])
        holds, onsets = watch.hold(log_start - starts.log_budget[place], starts.restarts)
        if holds[-1] and test.severity > severity[-1]:
            begin = starts.restarts[-1] if starts.restarts else 0
            estimate = _estimate(samples, int(watch.likely_starts(begin, len(samples.times))[-1]))
        for reached in (severity,) if test.is_static else (severity, departed):
            np.maximum(reached[1:], float(test.severity), out=reached[1:], where=holds)
        if not test.is_static:
            for alarm, first in onsets:
                onset[alarm] = min(onset[alarm], first)
    return DetectedTiers(severity, departed, onset, estimate)


def _mildest(tests: Sequence[Criterion], place: int) -> int:
    """The mildest criterion that compares in the same direction with the same thing."""
    test = tests[place]
    alike = [i for i, one in enumerate(tests) if (one.sign, one.is_static) == (test.sign, test.is_static)]
    return min(alike, key=lambda i: tests[i].severity)


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


def fired_stretches(samples: Samples, detected: DetectedTiers, place: BaselineRequest) -> FiredStretches:
    """Every stretch in which something held. It begins at its onset, but after all points that baselines before its
    alarm counted: what was decided then stays as it was."""
    if detected.onset is None or detected.departed.max() < 0:
        return []
    edges = np.flatnonzero(np.diff(detected.departed >= 0, append=False))
    rows, times = edges[::2], samples.times
    alarm, last = times[rows], times[edges[1::2] - 1]
    counted = np.nextafter(newest_baseline_point(place, alarm), np.inf)
    first = np.minimum(np.maximum(times[detected.onset[rows]], counted), alarm)
    return list(zip(first.tolist(), alarm.tolist(), last.tolist(), strict=True))
