"""What a rule can see: the smallest change that its detectors find in a given time, and how soon they find a change.

Computed, not simulated, along the mean path: while a metric stays worse by the same amount, every point adds the same
expected log e to the evidence of each alternative, so that the evidence after n points is a geometric sum. A tier
holds as soon as that reaches its budget, if the change is as large as its limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..model.finding import Track
from ..model.rule import RELATIVE_LIMITS, BaselineKind, Interval, Limit, Rule, SamplingModel, Tier
from ..model.sensitivity import DetectionDelay, Sensitivity, SeriesNoise, TierSensitivity
from ..model.series import Labels
from ..model.severity import Severity
from ..stats.arrays import Floats
from ..stats.intervals import z_value
from ..stats.noise import PRIOR_DISPERSION
from ..timeutil import DAY, HOUR, WEEK
from .hypotheses import CHANGES, Criterion, change_log_e, criteria, distance_to_limit, is_detectable
from .samples import Samples
from .segments import whole_labels

YEAR = 365 * DAY
MEMORY = 30 * DAY
"""Healthy time before the change begins, from which evidence is carried over."""
USUAL_CHANGES = (0.02, 0.05, 0.10)
"""Changes (relative to the baseline) whose delays are reported."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
"""The expectation over normal noise, by Gauss-Hermite quadrature."""
GRID = 96
"""Changes, and numbers of points, between which is interpolated."""


def summarize_noise(samples: Samples) -> SeriesNoise | None:
    """The newest week of a series as one point; ``None`` where it has no baseline yet, or its noise is unknown, and of
    quantiles: how many more points lie beyond one after a change is not known from it."""
    if samples.model is SamplingModel.QUANTILE:
        return None
    newest, gap = newest_week(samples.times)
    known = np.isfinite(samples.expected[newest]) & np.isfinite(samples.spread[newest])
    if not known.any() or not np.isfinite(samples.level[-1]):
        return None
    spread = samples.spread[newest][known]
    below = round_digits(samples.below[newest][known].mean())
    return SeriesNoise(
        gap=gap,
        level=round_digits(samples.level[-1]),
        expected=round_digits(samples.expected[newest][known].mean()),
        below=below,
        above=below if samples.above is samples.below else round_digits(samples.above[newest][known].mean()),
        spread=round_digits((spread**-2.0).mean() ** -0.5) if spread.min() > 0 else 0.0,
        exposure=round_digits(samples.exposure[newest].mean()),
        trials=round_digits(samples.trials[newest].mean()),
        sigma=round_digits(samples.sigma[-1]) if np.isfinite(samples.sigma[-1]) else None,
        is_proportion=samples.is_proportion,
        is_count=samples.model is SamplingModel.COUNT,
    )


def newest_week(times: Floats) -> tuple[slice, float]:
    """Which points the newest week has, and how far apart they are (seconds)."""
    newest = slice(int(np.searchsorted(times, times[-1] - WEEK, side="right")), None)
    before = max(newest.start - 1, 0)
    steps = len(times) - 1 - before
    return newest, round_digits(float(times[-1] - times[before]) / steps if steps else DAY)


def round_digits(value: float | np.floating[Any]) -> float:
    """To six digits, which do not depend on the order in which a processor adds."""
    return float(f"{value:.6g}")


def expected_sensitivities(rule: Rule, rows_an_hour: float, level: float, segments: int) -> tuple[Sensitivity, ...]:
    """What a rule about a proportion is going to see of the whole and of each of its segments, before there is data.

    ``rows_an_hour`` of the whole; ``level``: of the proportion, where the baseline does not state it. Segments have
    equal shares. Empty for a rule that is about no proportion, or that no detector decides.
    """
    if not is_detectable(rule) or rule.interval is not Interval.WILSON or not rows_an_hour > 0:
        return ()
    segments = segments if rule.segments or whole_labels(rule) is None else 0
    # As the evaluator shares the budget: half for the whole, half for the segments together.
    series: list[tuple[Labels, float, float]] = []
    if whole_labels(rule) is not None:
        series.append(((), rows_an_hour, 2.0 if segments else 1.0))
    if segments:
        share = float(2 * segments if series else segments)
        series.append(((("segment", f"1 of {segments}"),), rows_an_hour / segments, share))
    found = []
    for labels, rows, share in series:
        noise = _expected_noise(rule, rows, level)
        if tiers := tier_sensitivities(rule, rule.tiers, noise, share):
            found.append(Sensitivity(rule.name, labels, tiers, noise))
    return tuple(found)


def _expected_noise(rule: Rule, rows_an_hour: float, level: float) -> SeriesNoise:
    """A point an evaluation, with the dispersion that is assumed before there is history."""
    baseline = rule.baseline
    rows: float | None = rows_an_hour * baseline.length / HOUR
    if baseline.kind is BaselineKind.SEASONAL:
        rows = rows_an_hour * rule.window / HOUR * (baseline.length // WEEK)
    if baseline.kind is BaselineKind.CONSTANT:
        level, rows = baseline.value, baseline.n
    if baseline.kind is BaselineKind.FILE and baseline.entries:
        entry = next((entry for entry in baseline.entries if not entry.labels), baseline.entries[0])
        level, rows = entry.value, entry.n
    exposure = rows_an_hour * rule.every / HOUR
    deviation = float(np.sqrt(level * (1 - level) * PRIOR_DISPERSION))
    uncertainty = z_value(0.9) * deviation / rows**0.5 if rows else 0.0
    return SeriesNoise(
        gap=rule.every,
        level=level,
        expected=level,
        below=uncertainty,
        above=uncertainty,
        spread=deviation / exposure**0.5,
        exposure=exposure,
        trials=exposure / PRIOR_DISPERSION,
        sigma=None,
        is_proportion=True,
    )


def visible_limits(rule: Rule, rows_an_hour: float, level: float) -> tuple[float, ...]:
    """The limits of the rule's tiers (relative ones), raised to what is seen of the whole within a week, in whole
    percents; behind a limit that was raised each lies half as far again. Empty: not even a loss of all is seen."""
    limits: list[float] = []
    is_raised = False
    for tier in rule.tiers:
        limit = tier.limits[0].value
        if is_raised:
            limit = max(limit, math.ceil(150 * limits[-1]) / 100)
        while limit < 1 and not _sees(rule, (*limits, limit), rows_an_hour, level):
            limit, is_raised = math.floor(100 * limit + 1.5) / 100, True
        limits.append(limit)
    return tuple(limits) if limits[-1] < 1 else ()


def _sees(rule: Rule, limits: Sequence[float], rows_an_hour: float, level: float) -> bool:
    """Whether the last of the tiers that have these limits is reached within a week by a change as large."""
    tiers = tuple(
        replace(tier, limits=(replace(tier.limits[0], value=limit),))
        for tier, limit in zip(rule.tiers, limits, strict=False)
    )
    paths = _mean_paths(rule, tiers, _expected_noise(rule, rows_an_hour, level), 2.0 if rule.segments else 1.0)
    return all(path.sees_limit(WEEK) for path in paths if path.test.severity == tiers[-1].severity.code)


def measure_sensitivity(track: Track) -> Sensitivity | None:
    """What the rule can see on this series; ``None`` where its limits are not decided by detectors."""
    if track.noise is None:
        return None
    version = track.version[-1] if track.grid.count else -1
    tiers = track.rule.tiers_for(track.versions[version] if version >= 0 else "")
    seen = tier_sensitivities(track.rule, tiers, track.noise, track.budget_share)
    return Sensitivity(track.rule.name, track.labels, seen, track.noise) if seen else None


def tier_sensitivities(
    rule: Rule, tiers: Sequence[Tier], noise: SeriesNoise, share: float
) -> tuple[TierSensitivity, ...]:
    """One for each limit of a tier that has a budget; ``share``: how many series share the budget."""
    budgets = {tier.severity.code: tier.false_alarms for tier in tiers}
    return tuple(
        _see(path, budgets[path.test.severity] or YEAR, _usual_changes(path.test.limit, tiers))
        for path in _mean_paths(rule, tiers, noise, share)
    )


def is_blind(track: Track) -> bool:
    """Whether the limit of the mildest tier needs more than a week to be seen on this series, or is never seen. Tiers
    above it have larger limits."""
    if track.noise is None:
        return False
    for tier in track.rule.tiers:
        for path in _mean_paths(track.rule, (tier,), track.noise, track.budget_share):
            return not path.sees_limit(WEEK)
    return False


def _usual_changes(limit: Limit, tiers: Sequence[Tier]) -> tuple[float, ...]:
    """The changes whose delays are reported, in the limit's unit: of absolute limits those of the tiers."""
    if limit.form in RELATIVE_LIMITS:
        return USUAL_CHANGES
    return tuple(sorted({other.value for tier in tiers for other in tier.limits if other.form is limit.form}))


def _mean_paths(rule: Rule, tiers: Sequence[Tier], noise: SeriesNoise, share: float) -> Iterator[_MeanPath]:
    """One for each limit; of a limit in both directions the one downwards."""
    tests = [test for test in criteria(rule, tiers, share) if not test.is_static]
    both = {(test.severity, test.limit): test for test in reversed(tests)}
    for test in reversed(both.values()):
        change = float(distance_to_limit(test.limit, point_samples(noise, np.zeros(1)))[0])
        if np.isfinite(change) and change > 0:
            yield _MeanPath(noise, test, change)


def point_samples(noise: SeriesNoise, values: Floats) -> Samples:
    """The series' point with these values."""
    columns: dict[str, Any] = {
        name: np.array([np.nan if (number := getattr(noise, name)) is None else number])
        for name in ("exposure", "expected", "level", "below", "above", "spread", "trials", "sigma")
    }
    model = SamplingModel.PROPORTION if noise.is_proportion else SamplingModel.MEAN
    model = SamplingModel.COUNT if noise.is_count else model
    none = np.zeros(1)
    return Samples(times=none, values=values, model=model, effect=none, pattern=none, **columns)


@dataclass(frozen=True, slots=True)
class _MeanPath:
    """The expected evidence of one detector."""

    noise: SeriesNoise
    test: Criterion
    change: float
    """How far from what is expected the limit lies, in the metric's unit; so are all changes here."""

    @property
    def largest(self) -> float:
        """The largest change there can be."""
        if self.noise.is_count and self.test.sign < 0:
            return self.noise.expected
        if not self.noise.is_proportion:
            return 100 * max(self.change, self.noise.spread, self.noise.below, self.noise.above)
        return self.noise.expected if self.test.sign < 0 else 1 - self.noise.expected

    def rates(self, changes: Floats) -> Floats:
        """Expected log e of a point, (alternatives, changes)."""
        noise, sign = self.noise, self.test.sign
        is_linear = noise.is_proportion or noise.is_count
        nodes, weights = (np.zeros(1), np.ones(1)) if is_linear else (NODES, WEIGHTS)
        values = noise.expected + sign * changes[:, None] + noise.spread * nodes
        samples = point_samples(noise, values.ravel())
        log_e = change_log_e(samples, sign, self.test.margin * np.array([self.change]), CHANGES * self.change)
        rates: Floats = log_e.reshape(len(log_e), *values.shape) @ (weights / weights.sum())
        return rates

    def evidence(self, changes: Floats, points: Floats) -> Floats:
        """log M over the budget so many points after a change; either one change or one number of points."""
        rates = self.rates(np.append(changes, 0.0))
        return mean_evidence(rates[:, :-1], rates[:, -1:], points, self.noise.gap, self.test.budget)

    def sees_limit(self, seconds: float) -> bool:
        """Whether a change as large as the limit is found so soon."""
        points = seconds // self.noise.gap
        if points < 1 or self.change > self.largest:
            return False
        return bool(self.evidence(np.array([self.change]), np.array([points]))[0] >= 0)

    def smallest(self, seconds: float) -> float | None:
        """The smallest change that is found so soon."""
        points = seconds // self.noise.gap
        if points < 1 or self.change > self.largest:
            return None
        if self.sees_limit(seconds):
            return self.change
        changes = np.geomspace(self.change, self.largest, GRID)
        return crossing(changes, self.evidence(changes, np.array([points])))

    def delay(self, change: float) -> float | None:
        """Seconds until a change is found."""
        if change < self.change * (1 - 1e-9) or change > self.largest:
            return None
        points = np.unique(np.round(np.geomspace(1, max(YEAR / self.noise.gap, 2), 2 * GRID)))
        count = crossing(points, self.evidence(np.array([change]), points))
        return None if count is None else float(np.ceil(count)) * self.noise.gap

    @property
    def is_baseline_vague(self) -> bool:
        """Whether no number of points proves a change as large as the limit."""
        return bool((self.rates(np.array([self.change])) <= 0).all())


def mean_evidence(rates: Floats, healthy: Floats, points: Floats, gap: float, budget: float) -> Floats:
    """log M over the budget so many points after a change, where each adds ``rates`` (alternatives, changes) to log M,
    and each before it ``healthy`` (alternatives, 1)."""
    start = np.log(min(gap, DAY) / budget)
    before = start + _log_geometric_sum(healthy, np.array([MEMORY // gap]))
    paths = np.logaddexp(before + points * rates, start + _log_geometric_sum(rates, points))
    top = paths.max(axis=0)
    evidence: Floats = top + np.log(np.exp(paths - top).mean(axis=0))
    return evidence


def crossing(steps: Floats, evidence: Floats) -> float | None:
    """Where the evidence reaches the budget, between two steps; ``None``: nowhere."""
    place = int((evidence >= 0).argmax())
    if not evidence[place] >= 0:
        return None
    if place == 0:
        return float(steps[0])
    share = evidence[place - 1] / (evidence[place - 1] - evidence[place])
    return float(steps[place - 1] + share * (steps[place] - steps[place - 1]))


def _log_geometric_sum(rates: Floats, count: Floats) -> Floats:
    """log of exp(rate) + exp(2 rate) + ... + exp(count rate)."""
    size = np.maximum(np.abs(rates), 1e-12)
    count = np.maximum(count, 1.0)
    total: Floats = np.log(-np.expm1(-count * size)) + np.where(
        rates > 0, count * size - np.log(-np.expm1(-size)), -np.log(np.expm1(np.minimum(size, 700.0)))
    )
    return total


def _see(path: _MeanPath, budget: float, usual: Sequence[float]) -> TierSensitivity:
    limit = path.test.limit
    scale = limit.value / path.change

    def in_limits_unit(change: float | None) -> float | None:
        return limit.value if change == path.change else None if change is None else round_digits(change * scale)

    return TierSensitivity(
        severity=Severity.from_code(path.test.severity),
        limit=limit,
        false_alarms=YEAR / budget,
        within_day=in_limits_unit(path.smallest(DAY)),
        within_week=in_limits_unit(path.smallest(WEEK)),
        own=DetectionDelay(limit.value, path.delay(path.change)),
        delays=tuple(DetectionDelay(change, path.delay(change / scale)) for change in usual),
        is_baseline_vague=path.is_baseline_vague,
    )
