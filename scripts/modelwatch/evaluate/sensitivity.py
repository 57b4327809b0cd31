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
from ..stats.arrays import Bools, Floats
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


def summarize_noise(samples: Samples) -> list[SeriesNoise | None]:
    """The newest week of each series as one point; ``None`` where it has no baseline yet, or its noise is unknown, and
    of quantiles: how many more points lie beyond one after a change is not known from it."""
    if samples.model is SamplingModel.QUANTILE:
        return [None] * len(samples.values)
    newest, gap = newest_week(samples.times)
    expected, spread = samples.expected[:, newest], samples.spread[:, newest]
    known = np.isfinite(expected) & np.isfinite(spread)
    is_known = known.any(axis=1) & np.isfinite(samples.level[:, -1])
    below = above = _means(samples.below[:, newest], known)
    if samples.above is not samples.below:
        above = _means(samples.above[:, newest], known)
    columns = {
        "level": samples.level[:, -1],
        "expected": _means(expected, known),
        "below": below,
        "above": above,
        "spread": _means(spread**-2.0, known) ** -0.5,
        "exposure": samples.exposure[:, newest].mean(axis=1),
        "trials": samples.trials[:, newest].mean(axis=1),
    }

    def one(place: int) -> SeriesNoise:
        sigma = float(samples.sigma[place, -1])
        numbers: dict[str, Any] = {name: round_digits(column[place]) for name, column in columns.items()}
        return SeriesNoise(
            gap=gap,
            sigma=round_digits(sigma) if math.isfinite(sigma) else None,
            is_proportion=samples.is_proportion,
            is_count=samples.model is SamplingModel.COUNT,
            **numbers,
        )

    return [one(place) if has_noise else None for place, has_noise in enumerate(is_known.tolist())]


def _means(table: Floats, known: Bools) -> Floats:
    """Mean of what is known in each row."""
    means: Floats = np.where(known, table, 0.0).sum(axis=1) / known.sum(axis=1)
    return means


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


def find_blind(tracks: Sequence[Track]) -> list[Track]:
    """Those of series on which the limit of the mildest tier needs more than a week to be seen, or is never seen. Tiers
    above it have larger limits."""
    paths: dict[tuple[Criterion, bool, bool], list[tuple[int, _MeanPath]]] = {}
    for place, track in enumerate(tracks):
        path = _mildest_path(track)
        if path is not None:
            kind = (path.test, path.noise.is_proportion, path.noise.is_count)
            paths.setdefault(kind, []).append((place, path))
    blind: list[int] = []
    for own in paths.values():
        sees = _see_limits([path for _, path in own], WEEK)
        blind += [place for (place, _), seen in zip(own, sees, strict=True) if not seen]
    return [tracks[place] for place in sorted(blind)]


def _mildest_path(track: Track) -> _MeanPath | None:
    if track.noise is None:
        return None
    paths = (_mean_paths(track.rule, (tier,), track.noise, track.budget_share) for tier in track.rule.tiers)
    return next((path for own in paths for path in own), None)


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


_POINT = ("exposure", "expected", "level", "below", "above", "spread", "trials", "sigma")


def _points(noises: Sequence[SeriesNoise], values: Floats) -> Samples:
    """Points of series of one kind that have these values, one after the other: a row for each series, or any number of
    rows for a single one."""
    numbers = [[np.nan if (number := getattr(noise, name)) is None else number for name in _POINT] for noise in noises]
    table = np.broadcast_to(np.array(numbers).T[:, :, None], (len(_POINT), *values.shape)).reshape(len(_POINT), -1)
    columns: dict[str, Any] = dict(zip(_POINT, table, strict=True))
    model = SamplingModel.PROPORTION if noises[0].is_proportion else SamplingModel.MEAN
    model = SamplingModel.COUNT if noises[0].is_count else model
    none = np.zeros(1)
    return Samples(times=none, values=values.ravel(), model=model, effect=none, pattern=none, **columns)


def point_samples(noise: SeriesNoise, values: Floats) -> Samples:
    """Points of one series that have these values."""
    return _points([noise], values[:, None])


def _evidence(paths: Sequence[_MeanPath], changes: Floats, points: Floats) -> Floats:
    """log M over the budget so many points after a change: of each path, which have one criterion and are of one kind,
    one change and one number of points."""
    gap = np.array([path.noise.gap for path in paths])
    healthy = _rates(paths, np.zeros(len(paths)))
    return mean_evidence(_rates(paths, changes), healthy, points, gap, paths[0].test.budget)


def _rates(paths: Sequence[_MeanPath], changes: Floats) -> Floats:
    """Expected log e of a point, (alternatives, changes): one change of each path, or several of a single one."""
    noises, test = [path.noise for path in paths], paths[0].test
    expected, spread, limit = (
        np.array(column)
        for column in zip(*((path.noise.expected, path.noise.spread, path.change) for path in paths), strict=True)
    )
    is_linear = noises[0].is_proportion or noises[0].is_count
    nodes, weights = (np.zeros(1), np.ones(1)) if is_linear else (NODES, WEIGHTS)
    values = (expected + test.sign * changes)[:, None] + spread[:, None] * nodes
    limits = np.broadcast_to(limit[:, None], values.shape).ravel()
    log_e = change_log_e(_points(noises, values), test.sign, test.margin * limits, CHANGES * limits)
    rates: Floats = log_e.reshape(len(log_e), *values.shape) @ (weights / weights.sum())
    return rates


def _see_limits(paths: Sequence[_MeanPath], seconds: float) -> Bools:
    """Whether a change as large as the limit is found so soon, of paths with one criterion and of one kind."""
    points = np.array([seconds // path.noise.gap for path in paths])
    changes = np.array([path.change for path in paths])
    is_possible = (points >= 1) & (changes <= [path.largest for path in paths])
    return is_possible & (_evidence(paths, changes, points) >= 0)


@dataclass(frozen=True, slots=True)
class _MeanPath:
    """The expected evidence of one detector on one series."""

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

    def sees_limit(self, seconds: float) -> bool:
        """Whether a change as large as the limit is found so soon."""
        return bool(_see_limits([self], seconds)[0])

    def see(self, changes: Sequence[float]) -> tuple[list[float | None], list[float | None], bool]:
        """The smallest change that is found within a day and within a week, the seconds until each of ``changes`` is
        found, and whether no number of points proves the first of them, which is as large as the limit."""
        healthy, after = self._rates_after(np.array(changes))
        is_vague = bool((after[:, 0] <= 0).all())
        return self._smallest(healthy, after[:, :1]), self._delays(changes, healthy, after), is_vague

    def _rates_after(self, changes: Floats) -> tuple[Floats, Floats]:
        """Expected log e of a healthy point, and of one after each change: (alternatives, 1 or changes, 1)."""
        rates = _rates([self], np.append(0.0, changes))[..., None]
        return rates[:, :1], rates[:, 1:]

    def _evidence_after(self, healthy: Floats, after: Floats, points: Floats) -> Floats:
        """log M over the budget: (changes, points)."""
        return mean_evidence(after, healthy, points, self.noise.gap, self.test.budget)

    def _smallest(self, healthy: Floats, after: Floats) -> list[float | None]:
        """``after``: of the change that is as large as the limit."""
        points = np.array([DAY, WEEK]) // self.noise.gap
        if points[-1] < 1 or self.change > self.largest:
            return [None, None]
        found: list[float | None] = [self.change, self.change]
        sees = self._evidence_after(healthy, after, points)[0] >= 0
        if not sees.all():
            changes = np.geomspace(self.change, self.largest, GRID)
            larger = self._evidence_after(healthy, self._rates_after(changes)[1], points)
            found = [
                self.change if is_seen else crossing(changes, evidence)
                for is_seen, evidence in zip(sees, larger.T, strict=True)
            ]
        return [change if count >= 1 else None for change, count in zip(found, points, strict=True)]

    def _delays(self, changes: Sequence[float], healthy: Floats, after: Floats) -> list[float | None]:
        points = np.unique(np.round(np.geomspace(1, max(YEAR / self.noise.gap, 2), 2 * GRID)))
        counts = [crossing(points, evidence) for evidence in self._evidence_after(healthy, after, points)]
        return [
            None if count is None or not self._is_sought(change) else float(np.ceil(count)) * self.noise.gap
            for change, count in zip(changes, counts, strict=True)
        ]

    def _is_sought(self, change: float) -> bool:
        return self.change * (1 - 1e-9) <= change <= self.largest


def mean_evidence(rates: Floats, healthy: Floats, points: Floats, gap: float | Floats, budget: float) -> Floats:
    """log M over the budget so many points after a change, where each adds ``rates`` (alternatives, changes) to log M,
    and each before it ``healthy`` (alternatives, 1 or changes); with a dimension more each change with all of
    ``points``."""
    start = np.log(np.minimum(gap, DAY) / budget)
    before = start + _log_geometric_sum(healthy, np.asarray(MEMORY // gap))
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
    (within_day, within_week), (own, *delays), is_vague = path.see([path.change, *(change / scale for change in usual)])

    def in_limits_unit(change: float | None) -> float | None:
        return limit.value if change == path.change else None if change is None else round_digits(change * scale)

    return TierSensitivity(
        severity=Severity.from_code(path.test.severity),
        limit=limit,
        false_alarms=YEAR / budget,
        within_day=in_limits_unit(within_day),
        within_week=in_limits_unit(within_week),
        own=DetectionDelay(limit.value, own),
        delays=tuple(DetectionDelay(change, delay) for change, delay in zip(usual, delays, strict=True)),
        is_baseline_vague=is_vague,
    )
