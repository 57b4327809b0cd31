"""The evaluation once more, one window and one point at a time: what the vectorised one is compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelwatch.model.finding import Cause, Outcome
from modelwatch.model.rule import (
    PROPORTION_INTERVALS,
    Aggregate,
    BaselineKind,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY

WEEK = 7 * DAY
Z = 1.959963984540054
Deployed = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Row:
    outcome: Outcome
    severity: Severity | None
    cause: Cause
    clear: bool
    improved: bool
    value: float | None
    baseline: float | None
    low: float | None
    high: float | None
    n: float | None
    points: int
    version: str
    fresh: bool


@dataclass(frozen=True)
class Point:
    time: float
    value: float
    weight: float | None


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float | None
    high: float | None
    n: float | None
    points: int


def stretch(deployed: Deployed, time: float) -> tuple[str | None, float]:
    """The version that serves at a time, and since when."""
    found: tuple[str | None, float] = (None, -math.inf)
    for version, since in sorted(deployed, key=lambda one: one[1]):
        if since <= time and version != found[0]:
            found = (version, since)
    return found


def points_of(series: Series | None, deployed: Deployed, now: float) -> list[Point]:
    """The points that count (finite or not), of the version that served."""
    found: dict[float, Point] = {}
    for i in range(len(series) if series is not None else 0):
        assert series is not None
        weight = None if series.weights is None else series.weights[i]
        if (weight is not None and weight <= 0) or series.times[i] > now + 300:
            continue
        version = series.versions[series.version_of[i]] if series.version_of[i] >= 0 else None
        serving = stretch(deployed, series.times[i])[0]
        if version is None or serving is None or version == serving:
            known = weight is not None and math.isfinite(weight)
            found[series.times[i]] = Point(series.times[i], series.values[i], weight if known else None)
    return [found[time] for time in sorted(found)]


def inside(points: list[Point], start: float, end: float, floor: float = -math.inf) -> list[Point]:
    return [p for p in points if start < p.time <= end and p.time >= floor]


def wilson(p: float, n: float) -> tuple[float, float]:
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return middle - half, middle + half


def quantile(ordered: list[float], q: float) -> float:
    rank = (len(ordered) - 1) * q
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def aggregate(rule: Rule, some: list[Point], below: list[Point]) -> Estimate | None:
    points = [p for p in some if math.isfinite(p.value)]
    if not points:
        return None
    known = [p.weight for p in points if p.weight is not None]
    n = math.fsum(known) if known else None
    values = [p.value for p in points]
    how = rule.aggregate
    if how is Aggregate.MEAN:
        each = n / len(known) if n is not None else 1.0
        weights = [p.weight if p.weight is not None else each for p in points]
        value = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
        bounds = _mean_bounds(rule, value, values, weights, n)
        return Estimate(value, *bounds, n, len(points))
    if how is Aggregate.SUM:
        value = math.fsum(values)
        if rule.interval is Interval.NORMAL and len(values) > 1:
            mean, k = value / len(values), len(values)
            half = Z * math.sqrt(k / (k - 1) * math.fsum((v - mean) ** 2 for v in values))
            return Estimate(value, value - half, value + half, n, len(points))
        return Estimate(value, None, None, n, len(points))
    if how is Aggregate.LAST:
        n, value = points[-1].weight, values[-1]
        return Estimate(value, *_wilson_bounds(rule, value, n), n, len(points))
    if how is Aggregate.RATIO:
        total = math.fsum(p.value for p in below if math.isfinite(p.value))
        if total == 0:
            return None
        value = math.fsum(values) / total
        n = n if n is not None else total
        return Estimate(value, *_wilson_bounds(rule, value, n), n, len(points))
    ordered = sorted(values)
    q = {Aggregate.P50: 0.5, Aggregate.P95: 0.95, Aggregate.P99: 0.99}[how]
    low = high = None
    if rule.interval is Interval.NORMAL:
        k, half = len(ordered), Z * math.sqrt(len(ordered) * q * (1 - q))
        at = math.floor((k - 1) * q)
        low = ordered[min(max(math.floor(k * q - half) - 1, 0), at)]
        high = ordered[max(min(math.ceil(k * q + half), k - 1), min(at + 1, k - 1))]
    return Estimate(quantile(ordered, q), low, high, n, len(points))


def _wilson_bounds(rule: Rule, value: float, n: float | None) -> tuple[float | None, float | None]:
    if rule.interval in PROPORTION_INTERVALS and n is not None and n > 0 and 0 <= value <= 1:
        return wilson(value, n)
    return None, None


def _mean_bounds(
    rule: Rule, mean: float, values: list[float], weights: list[float], n: float | None
) -> tuple[float | None, float | None]:
    if rule.interval is Interval.NORMAL and len(values) > 1:
        k = len(values)
        apart = math.fsum((w * (v - mean)) ** 2 for w, v in zip(weights, values, strict=True))
        half = Z * math.sqrt(k / (k - 1) * apart) / math.fsum(weights)
        return mean - half, mean + half
    return _wilson_bounds(rule, mean, n)


@dataclass(frozen=True)
class Base:
    value: float
    low: float
    high: float
    sd: float | None


def enough(rule: Rule, one: Estimate | None) -> bool:
    if one is None or one.points < rule.min_points:
        return False
    return rule.min_weight <= 0 or (one.n is not None and one.n >= rule.min_weight)


def sd_of(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def baseline(rule: Rule, points: list[Point], below: list[Point], deployed: Deployed, time: float) -> Base | None:
    spec = rule.baseline
    if spec.kind is BaselineKind.NONE:
        return None
    if spec.kind is BaselineKind.CONSTANT:
        low = high = spec.value
        if spec.n and rule.interval in PROPORTION_INTERVALS and 0 <= spec.value <= 1:
            low, high = wilson(spec.value, spec.n)
        return Base(spec.value, low, high, None)
    if spec.kind is BaselineKind.ROLLING:
        end = time - rule.window - max(rule.window, WEEK)
        return _period(rule, points, below, end - spec.length, end, -math.inf)
    if spec.kind is BaselineKind.VERSION:
        return _service(rule, points, below, deployed, time)
    assert spec.kind is BaselineKind.SEASONAL
    return _weeks(rule, points, below, deployed, time)


def _period(rule: Rule, points: list[Point], below: list[Point], start: float, end: float, floor: float) -> Base | None:
    some = inside(points, start, end, floor)
    one = aggregate(rule, some, inside(below, start, end, floor))
    if one is None or not enough(rule, one):
        return None
    low, high = (one.value, one.value) if one.low is None or one.high is None else (one.low, one.high)
    return Base(one.value, low, high, sd_of([p.value for p in some if math.isfinite(p.value)]))


def _service(rule: Rule, points: list[Point], below: list[Point], deployed: Deployed, time: float) -> Base | None:
    stretches: list[tuple[str, float]] = []
    for version, since in sorted(deployed, key=lambda one: one[1]):
        if not stretches or stretches[-1][0] != version:
            stretches.append((version, since))
    begun = [one for one in stretches if one[1] <= time]
    if rule.baseline.version == "previous":
        chosen = begun[:-1][-1:]
    else:
        chosen = [one for one in begun if one[0] == rule.baseline.version][-1:]
    if not chosen:
        return None
    at = stretches.index(chosen[0])
    until = stretches[at + 1][1] if at + 1 < len(stretches) else math.inf
    before = time - rule.window if rule.baseline.version != "previous" else math.inf
    mine = [[p for p in some if p.time < until and p.time <= before] for some in (points, below)]
    return _period(rule, mine[0], mine[1], -math.inf, math.inf, chosen[0][1])


def _weeks(rule: Rule, points: list[Point], below: list[Point], deployed: Deployed, time: float) -> Base | None:
    found: list[Estimate] = []
    for k in range(1, int(rule.baseline.length // WEEK) + 1):
        end = time - k * WEEK
        span = (end - rule.window, end, stretch(deployed, end)[1])
        one = aggregate(rule, inside(points, *span), inside(below, *span))
        if one is not None and enough(rule, one):
            found.append(one)
    if not found:
        return None
    value = math.fsum(one.value for one in found) / len(found)
    sd = sd_of([one.value for one in found])
    n = math.fsum(one.n for one in found if one.n is not None)
    low = high = value
    if rule.interval in PROPORTION_INTERVALS and n > 0 and 0 <= value <= 1:
        low, high = wilson(value, n)
    if rule.interval is Interval.NORMAL and sd is not None:
        half = Z * sd / math.sqrt(len(found))
        low, high = value - half, value + half
    return Base(value, low, high, sd)


SLACK = 1e-9


def limit_state(limit: Limit, rule: Rule, one: Estimate, base: Base | None) -> tuple[bool, bool] | None:
    """(passed, cleared); ``None`` where it cannot be known."""
    low = one.value if one.low is None else one.low
    high = one.value if one.high is None else one.high
    if limit.form is LimitKind.ABOVE:
        return one.value > limit.value, low > limit.value
    if limit.form is LimitKind.BELOW:
        return one.value < limit.value, high < limit.value
    if base is None:
        return None
    change = one.value - base.value
    least = change - math.hypot(one.value - low, base.high - base.value)
    most = change + math.hypot(high - one.value, base.value - base.low)
    sides = {LimitKind.DROP: -1, LimitKind.DROP_POINTS: -1, LimitKind.RISE: 1, LimitKind.RISE_POINTS: 1}
    side = sides.get(limit.form) or {Direction.HIGHER: -1, Direction.LOWER: 1, None: 0}[rule.better]
    worse = abs(change) if side == 0 else side * change
    far = reach(limit, base)
    if far is None:
        # No limit is passed by what is not worse, wherever it lies.
        return None if worse > 0 else (False, False)
    noise = SLACK * max(abs(one.value), abs(base.value))
    cleared = least > 0 or most < 0 if side == 0 else least > 0 if side > 0 else most < 0
    return worse >= far * (1 - SLACK) and worse > noise, cleared


def reach(limit: Limit, base: Base) -> float | None:
    if limit.form in (LimitKind.DROP, LimitKind.RISE):
        return None if base.value == 0 else limit.value * abs(base.value)
    if limit.form is LimitKind.SIGMA:
        return None if base.sd is None else limit.value * base.sd
    return limit.value


def is_improved(rule: Rule, tiers: Sequence[Tier], one: Estimate, base: Base | None) -> bool:
    forms = {limit.form for t in tiers for limit in t.limits}
    better = rule.better
    if better is None:
        falls = bool(forms & {LimitKind.DROP, LimitKind.DROP_POINTS, LimitKind.BELOW})
        rises = bool(forms & {LimitKind.RISE, LimitKind.RISE_POINTS, LimitKind.ABOVE})
        if LimitKind.SIGMA in forms or falls == rises:
            return False
        better = Direction.HIGHER if falls else Direction.LOWER
    if base is None:
        return False
    ours = (
        {LimitKind.DROP, LimitKind.DROP_POINTS}
        if better is Direction.HIGHER
        else {LimitKind.RISE, LimitKind.RISE_POINTS}
    )
    if rule.improvement is not None:
        wanted = [None if base.value == 0 else rule.improvement * abs(base.value)]
    else:
        graded = [(t.severity, [x for x in t.limits if x.form in ours | {LimitKind.SIGMA}]) for t in tiers]
        graded = [one for one in graded if one[1]]
        if not graded:
            return False
        wanted = [reach(limit, base) for limit in max(graded, key=lambda pair: pair[0])[1]]
    known = [far for far in wanted if far is not None]
    if not known:
        return False
    low = one.value if one.low is None else one.low
    high = one.value if one.high is None else one.high
    change = one.value - base.value
    if better is Direction.HIGHER:
        gain, sure = change, change - math.hypot(one.value - low, base.high - base.value) > 0
    else:
        gain, sure = -change, change + math.hypot(high - one.value, base.value - base.low) < 0
    return gain >= min(known) * (1 - SLACK) and gain > SLACK * max(abs(one.value), abs(base.value)) and sure


def with_absence(
    rows: list[Row], rule: Rule, series: Series, deployed: Deployed, now: float, times: list[float]
) -> list[Row]:
    """``rows`` at ``times``, where no window holds a point with the cause of that."""
    points = points_of(series, deployed, now)
    if any(inside(points, time - rule.window, time, stretch(deployed, time)[1]) for time in times):
        return rows
    cause = Cause.NOTHING_WATCHED if points else Cause.NO_DATA_YET
    return [replace(row, cause=cause) for row in rows]


def evaluate(
    rule: Rule, series: Series | None, below: Series | None, deployed: Deployed, now: float, time: float, before: float
) -> Row:
    """``before``: the evaluation time before; ``-inf`` where there is none."""
    points, others = points_of(series, deployed, now), points_of(below, deployed, now)
    version, since = stretch(deployed, time)
    span = (time - rule.window, time, since)
    here = inside(points, *span)
    finite = [p for p in here if math.isfinite(p.value)]
    there = inside(others, *span)
    one = aggregate(rule, finite, there)
    clean = [[p for p in some if math.isfinite(p.value)] for some in (points, others)]
    base = baseline(rule, clean[0], clean[1], deployed, time)
    base_value = base.value if base else None
    known = finite + ([p for p in there if math.isfinite(p.value)] if rule.aggregate is Aggregate.RATIO else [])
    fresh = any(p.time > before for p in (here if here and not finite else known))
    if one is None:
        cause = Cause.ONLY_BAD_VALUES if here and not finite else Cause.NO_POINTS
        empty = (None, base_value, None, None, None, len(finite))
        return Row(Outcome.NO_DATA, None, cause, False, False, *empty, version or "", fresh)
    outcome, severity, cause = outcome_of(rule, version or "", one, base)
    clear = outcome is Outcome.OK
    if clear and rule.recover:
        state = limit_state(rule.recover, rule, one, base)
        clear = state is not None and not state[0]
    better = outcome is Outcome.OK and is_improved(rule, rule.tiers_for(version or ""), one, base)
    return Row(
        outcome,
        severity,
        cause,
        clear,
        better,
        one.value,
        base_value,
        one.low,
        one.high,
        one.n,
        one.points,
        version or "",
        fresh,
    )


def outcome_of(rule: Rule, version: str, one: Estimate, base: Base | None) -> tuple[Outcome, Severity | None, Cause]:
    if one.points < rule.min_points or (rule.interval is Interval.NORMAL and one.points < 2):
        return Outcome.UNDECIDED, None, Cause.TOO_FEW_POINTS
    if rule.min_weight > 0 and (one.n is None or one.n < rule.min_weight):
        return Outcome.UNDECIDED, None, Cause.TOO_SMALL_COUNT
    if rule.interval in PROPORTION_INTERVALS and not 0 <= one.value <= 1:
        return Outcome.UNDECIDED, None, Cause.NOT_A_PROPORTION
    reached: list[Severity] = []
    passed = unknown = False
    for t in rule.tiers_for(version):
        for limit in t.limits:
            state = limit_state(limit, rule, one, base)
            is_backed = base is not None and base.value == 0 and has_another(limit, t)
            unknown |= state is None and not is_backed
            passed |= state is not None and state[0]
            if state == (True, True):
                reached.append(t.severity)
    if reached:
        return Outcome.BREACH, max(reached), Cause.NONE
    if passed:
        return Outcome.UNDECIDED, None, Cause.NOT_CLEARED
    if not unknown:
        return Outcome.OK, None, Cause.NONE
    is_zero = base is not None and base.value == 0
    return Outcome.UNDECIDED, None, Cause.ZERO_BASELINE if is_zero else Cause.NO_BASELINE


def has_another(limit: Limit, tier: Tier) -> bool:
    """Whether the tier has another limit in the direction of a share, which is none."""
    alike = {
        LimitKind.DROP: {LimitKind.DROP_POINTS, LimitKind.BELOW},
        LimitKind.RISE: {LimitKind.RISE_POINTS, LimitKind.ABOVE},
    }.get(limit.form, set())
    return any(other.form in alike for other in tier.limits)
