"""Tiers: which limits a window passes, whether the breach is real, and when a window is better than it should be.

Conventions. ``drop``, ``rise``, their ``_points`` and ``sigma`` are passed when the change is *at least* as large as
the limit ("2 % worse"); ``above`` and ``below`` when the value lies *strictly* beyond. No change passes no limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..model.finding import Cause, Outcome
from ..model.rule import (
    FALL_LIMITS,
    PROPORTION_INTERVALS,
    RELATIVE_LIMITS,
    RISE_LIMITS,
    STATIC_LIMITS,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import difference_interval
from .aggregation import WindowStats, is_no_proportion
from .baselines import Baseline
from .chart_signals import ChartDecision
from .detection import Detection
from .hypotheses import TOLERANCE


@dataclass(frozen=True, slots=True, eq=False)
class BaselineComparison:
    """Windows against their baseline, row by row."""

    value: Floats
    low: Floats
    high: Floats
    """The value itself where it has no interval."""
    change: Floats
    """value - baseline; NaN without a baseline."""
    scale: Floats
    """|baseline|; NaN where relative limits cannot be judged, because it is missing or 0."""
    is_zero: Bools
    """The baseline is 0."""
    noise: Floats
    """A change up to this is rounding, not change: a constant metric has a ``sd`` of 0, or nearly."""
    sd: Floats
    up: Bools
    """The interval of the change lies above 0: the value is really greater than the baseline."""
    down: Bools


def compare_with_baseline(stat: WindowStats, reference: Baseline) -> BaselineComparison:
    """Clearing uses the interval of the difference: two intervals may overlap and still differ for certain."""
    exact = np.isnan(stat.low)
    low = np.where(exact, stat.value, stat.low)
    high = np.where(exact, stat.value, stat.high)
    least, most = difference_interval(stat.value, low, high, reference.value, reference.low, reference.high)
    scale = np.abs(reference.value)
    return BaselineComparison(
        value=stat.value,
        low=low,
        high=high,
        change=stat.value - reference.value,
        scale=np.where(scale == 0, np.nan, scale),
        is_zero=scale == 0,
        noise=TOLERANCE * np.maximum(np.abs(stat.value), scale),
        sd=reference.sd,
        up=least > 0,
        down=most < 0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LimitCheck:
    """Rows where a limit is passed; where that is real; and where it cannot be known for want of a baseline."""

    passed: Bools
    significant: Bools
    unknown: Bools


def check_limit(limit: Limit, rows: BaselineComparison, better: Direction | None) -> LimitCheck:
    """One limit. For a static one the value's own interval has to clear the limit; for the others that of the change
    has to clear 0, whatever the limit."""
    if limit.form is LimitKind.ABOVE:
        return LimitCheck(rows.value > limit.value, rows.low > limit.value, np.isnan(rows.value))
    if limit.form is LimitKind.BELOW:
        return LimitCheck(rows.value < limit.value, rows.high < limit.value, np.isnan(rows.value))
    worse, clears = _worsening(limit.form, rows, better)
    needed = limit_distance(limit, rows)
    passed = (worse >= needed * (1 - TOLERANCE)) & (worse > rows.noise)
    # What is no worse than a baseline of 0 passes no limit, although no share of 0 says where that lies.
    return LimitCheck(passed, passed & clears, np.isnan(worse) | (np.isnan(needed) & (worse > 0)))


def limit_distance(limit: Limit, rows: BaselineComparison) -> Floats:
    """How far from the baseline a limit lies, in the metric's unit; NaN where that cannot be known."""
    if limit.form in (LimitKind.DROP, LimitKind.RISE):
        return limit.value * rows.scale
    if limit.form is LimitKind.SIGMA:
        return limit.value * rows.sd
    return np.full(len(rows.value), limit.value)


def _worsening(form: LimitKind, rows: BaselineComparison, better: Direction | None) -> tuple[Floats, Bools]:
    """How much worse than the baseline each row is in the direction of a limit, and whether that clears."""
    if form in FALL_LIMITS or (form is LimitKind.SIGMA and better is Direction.HIGHER):
        return -rows.change, rows.down
    if form in RISE_LIMITS or (form is LimitKind.SIGMA and better is Direction.LOWER):
        return rows.change, rows.up
    return np.abs(rows.change), rows.up | rows.down


@dataclass(frozen=True, slots=True, eq=False)
class TierDecision:
    """Which tier each row reaches."""

    severity: Floats
    """``Severity.code`` of the most severe tier of which a limit is passed and real; -1 for none."""
    passed: Bools
    """Some limit is passed, real or not."""
    unknown: Bools
    """Some limit cannot be judged for want of a baseline."""
    improved: Bools


def decide_tier(rule: Rule, rows: BaselineComparison, context: RowContext) -> TierDecision:
    """By the tiers of the version in each window; the most severe tier reached wins, whatever their order."""
    count = len(rows.value)
    detected = frozenset() if context.detection is None else context.detection.limits
    verdict = TierDecision(np.full(count, -1.0), *(np.zeros(count, np.bool_) for _ in range(3)))
    for tiers, serves in _tiers_by_version(rule, context):
        np.logical_or(verdict.improved, is_improvement(rule, tiers, rows), out=verdict.improved, where=serves)
        for tier in tiers:
            code = float(tier.severity.code)
            for limit in tier.limits:
                check = check_limit(limit, rows, rule.better)
                unknown = check.unknown & ~rows.is_zero if _is_backed(limit, tier) else check.unknown
                np.logical_or(verdict.unknown, unknown, out=verdict.unknown, where=serves)
                if limit in detected:
                    continue
                np.maximum(verdict.severity, code, out=verdict.severity, where=check.significant & serves)
                np.logical_or(verdict.passed, check.passed, out=verdict.passed, where=serves)
    if context.detection is not None:
        np.maximum(verdict.severity, context.detection.severity, out=verdict.severity)
    if context.charts is not None:
        np.maximum(verdict.severity, context.charts.severity, out=verdict.severity)
        np.logical_or(verdict.unknown, context.charts.unknown, out=verdict.unknown)
    return verdict


def _is_backed(limit: Limit, tier: Tier) -> bool:
    """Whether the tier has a limit in the same direction that judges where the baseline is 0, too."""
    if limit.form not in RELATIVE_LIMITS:
        return False
    alike = FALL_LIMITS if limit.form in FALL_LIMITS else RISE_LIMITS
    return any(other.form in alike and other.form not in RELATIVE_LIMITS for other in tier.limits)


def _tiers_by_version(rule: Rule, context: RowContext) -> Iterator[tuple[Sequence[Tier], Bools]]:
    """All tiers that some version has, and the rows that they are for."""
    own = np.ones(len(context.version), np.bool_)
    for place, version in enumerate(context.versions):
        tiers, serves = rule.tiers_for(version), context.version == place
        if tiers is not rule.tiers and serves.any():
            own &= ~serves
            yield tiers, serves
    yield rule.tiers, own


def good_direction(rule: Rule, tiers: Sequence[Tier]) -> Direction | None:
    """The good direction: as the rule says, else the one that all its limits leave open."""
    if rule.better is not None:
        return rule.better
    forms = {limit.form for tier in tiers for limit in tier.limits}
    if LimitKind.SIGMA in forms:
        return None
    falls, rises = bool(forms & FALL_LIMITS), bool(forms & RISE_LIMITS)
    if falls == rises:
        return None
    return Direction.HIGHER if falls else Direction.LOWER


def is_improvement(rule: Rule, tiers: Sequence[Tier], rows: BaselineComparison) -> Bools:
    """Rows that are better than the baseline for certain: by ``rule.improvement``, or else by as much as the severest
    tier that compares with the baseline would have been worse. Too good is a finding as well: often it is a leak."""
    none = np.zeros(len(rows.value), np.bool_)
    better = good_direction(rule, tiers)
    if better is None:
        return none
    needed = rule.improvement * rows.scale if rule.improvement is not None else _mirrored_distance(tiers, rows, better)
    if needed is None:
        return none
    gain = rows.change if better is Direction.HIGHER else -rows.change
    clears = rows.up if better is Direction.HIGHER else rows.down
    return (gain >= needed * (1 - TOLERANCE)) & (gain > rows.noise) & clears


def _mirrored_distance(tiers: Sequence[Tier], rows: BaselineComparison, better: Direction) -> Floats | None:
    """The nearest limit of the severest tier that has one relative to the baseline."""
    worse = FALL_LIMITS if better is Direction.HIGHER else RISE_LIMITS
    for tier in sorted(tiers, key=lambda tier: tier.severity, reverse=True):
        limits = [
            limit
            for limit in tier.limits
            if limit.form is LimitKind.SIGMA or (limit.form in worse and limit.form not in STATIC_LIMITS)
        ]
        if limits:
            return np.asarray(np.fmin.reduce([limit_distance(limit, rows) for limit in limits]))
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What is decided of every row, in codes."""

    outcome: Floats
    severity: Floats
    clear: Bools
    improved: Bools
    cause: Floats
    signal: Floats | None = None
    """Of the control chart that reached the severity; ``None`` where the rule has no charts."""

    def mark_undecided(self, mask: Bools, cause: Cause) -> None:
        """What these rows would have said does not count, for this cause."""
        self.outcome[mask], self.cause[mask], self.severity[mask] = Outcome.UNDECIDED.code, cause.code, -1.0
        self.clear[mask] = self.improved[mask] = False
        if self.signal is not None:
            self.signal[mask] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class RowContext:
    """What is known of a row besides its statistic."""

    version: Ints
    """Index into ``versions``, -1 for unknown."""
    versions: tuple[str, ...]
    is_new: Bools | None = None
    """The segment has not been there for a full window."""
    only_bad: Bools | None = None
    """The window holds points, but none of them is finite."""
    uncounted: Bools | None = None
    """The window holds points, but detectors know the count of none."""
    detection: Detection | None = None
    """What is proven of limits that have a budget of false alarms."""
    charts: ChartDecision | None = None
    """What the control charts of the tiers say."""


def decide_outcomes(rule: Rule, stat: WindowStats, reference: Baseline, context: RowContext) -> Outcomes:
    """The outcome of every row. The first of these that applies is its cause: no data, a new segment, an unknown
    count, too few points, too small a count, no proportion, a limit passed for certain, one passed but not cleared, no
    baseline (or one of 0)."""
    rows = compare_with_baseline(stat, reference)
    verdict = decide_tier(rule, rows, context)
    outcome = np.full(len(stat.value), float(Outcome.OK.code))
    cause = np.full(len(stat.value), float(Cause.NONE.code))
    # Later lines overrule earlier ones.
    for mask, result, why in (
        (verdict.unknown, Outcome.UNDECIDED, Cause.NO_BASELINE),
        (verdict.unknown & (reference.value == 0), Outcome.UNDECIDED, Cause.ZERO_BASELINE),
        (verdict.passed, Outcome.UNDECIDED, Cause.NOT_CLEARED),
        (verdict.severity >= 0, Outcome.BREACH, Cause.NONE),
        *(
            (mask, Outcome.UNDECIDED, why)
            for mask, why in _unreliable_rows(rule, stat, is_detected=context.detection is not None)
        ),
        (context.uncounted, Outcome.UNDECIDED, Cause.UNKNOWN_COUNT),
        (context.is_new, Outcome.UNDECIDED, Cause.NEW_SEGMENT),
        (np.isnan(stat.value), Outcome.NO_DATA, Cause.NO_POINTS),
        (context.only_bad, Outcome.NO_DATA, Cause.ONLY_BAD_VALUES),
    ):
        if mask is not None:
            outcome[mask], cause[mask] = result.code, why.code
    fine = outcome == Outcome.OK.code
    severity = np.where(outcome == Outcome.BREACH.code, verdict.severity, -1.0)
    clear = fine if _detects_recovery(rule, context.detection) else fine & _has_recovered(rule, rows)
    return Outcomes(outcome, severity, clear, fine & verdict.improved, cause, _chart_signal(context.charts, severity))


def _chart_signal(charts: ChartDecision | None, severity: Floats) -> Floats | None:
    return None if charts is None else np.where((severity >= 0) & (charts.severity == severity), charts.signal, 0.0)


def _unreliable_rows(rule: Rule, stat: WindowStats, *, is_detected: bool) -> list[tuple[Bools, Cause]]:
    """Why a window's value says nothing. Later ones overrule earlier ones. Detectors know the spread from the history,
    so a single point in a window is enough for them."""
    doubts: list[tuple[Bools, Cause]] = []
    if rule.interval in PROPORTION_INTERVALS:
        doubts.append((is_no_proportion(stat.value), Cause.NOT_A_PROPORTION))
    if rule.min_weight > 0:
        # An unknown count is not known to be large enough.
        doubts.append((~(stat.n >= rule.min_weight), Cause.TOO_SMALL_COUNT))
    needs_spread = rule.interval is Interval.NORMAL and not is_detected
    fewest = max(rule.min_points, 2) if needs_spread else rule.min_points
    if fewest > 1:
        doubts.append((stat.points < fewest, Cause.TOO_FEW_POINTS))
    return doubts


def _detects_recovery(rule: Rule, detection: Detection | None) -> bool:
    """Whether what holds until recovery is decided by the detectors already."""
    return detection is not None and (rule.recover is None or rule.recover.form not in STATIC_LIMITS)


def _has_recovered(rule: Rule, rows: BaselineComparison) -> Bools:
    """Beyond ``recover``, which must be certain; by default reaching no tier is enough."""
    if rule.recover is None:
        return np.ones(len(rows.value), np.bool_)
    check = check_limit(rule.recover, rows, rule.better)
    return ~check.passed & ~check.unknown
