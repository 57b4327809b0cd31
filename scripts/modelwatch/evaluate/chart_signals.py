"""Control charts of a rule's tiers: which tier they reach at each evaluation time, and by what signal.

Charts judge points, not windows: the centre line is the baseline at each point, the spread that of the baseline's
points or of the counts. Where the points before have something in common (first-order autocorrelation, measured once a
week), a chart judges what each point adds, so that its run length holds. Everything at a time follows from earlier
points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.control_chart import (
    COUNTED_DATA,
    PROPORTION_DATA,
    TEXTBOOK_LIMITS,
    ChartData,
    ChartMethod,
    ChartSignal,
    ControlChart,
)
from ..model.rule import BaselineKind, Direction, Rule, Tier
from ..stats import run_length
from ..stats.arrays import Bools, Floats, Ints
from ..stats.control_charts import (
    NELSON,
    WESTERN_ELECTRIC,
    autocorrelation,
    cusum_signals,
    ewma_signals,
    innovations,
    moving_range_deviation,
    rule_signals,
    shewhart_signals,
)
from ..timeutil import DAY, WEEK
from .baselines import Baseline
from .deployments import VersionTimeline
from .points import Points

HISTORY, ENOUGH_POINTS = 28 * DAY, 100
"""Spread and autocorrelation are measured on the points of this long before, and on at least as many."""
MIN_POINTS = 20
"""Fewer points give no spread (Montgomery, section 6.2: 20 to 25)."""
YOUNG = (1, 2, 4)
"""A young series is measured so many days after its first point; later once a week."""
MAX_GAP = 1.5
"""Points further apart than this many usual distances are no neighbours."""
MAX_Z = 20.0
"""No point counts for more standard deviations: an average forgets an outlier soon."""
ROUNDING = 1e-9
"""A spread is at least this share of the centre line, so that a metric that never changed can be judged."""
HEAD_START = 0.5
SHORTEST_RUN = 10.0
_SPREAD_OF_POINTS = frozenset((BaselineKind.FILE, BaselineKind.ROLLING, BaselineKind.VERSION))
"""Baselines whose standard deviation is that of points."""
Sides = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChartDecision:
    """What charts say at each evaluation time."""

    severity: Floats
    """``Severity.code`` of the most severe tier whose chart signals; -1 for none."""
    signal: Floats
    """``ChartSignal.code`` of that chart."""
    unknown: Bools
    """No centre line or no spread."""


@dataclass(frozen=True, slots=True, eq=False)
class ChartRequest:
    """One series of a rule that has charts."""

    rule: Rule
    points: Points
    times: Floats
    """Evaluation times."""
    version: Ints
    """Index into the versions of ``timeline`` at each of them."""
    timeline: VersionTimeline
    share: float
    """How many series share a budget of false alarms, each as much as this one."""
    reference: Baseline
    """At each evaluation time."""


@dataclass(frozen=True, slots=True, eq=False)
class _ChartPoints:
    """Points from the first to the last evaluation time that can be judged."""

    times: Floats
    z: Floats
    """Standard deviations above the centre line."""
    correlation: Floats
    is_neighbour: Bools
    spacing: Floats
    """Usual time between points."""
    restarts: Sequence[int]
    """Where a version was deployed; 0 where the series begins."""


def chart_tiers(rule: Rule) -> tuple[Tier, ...]:
    """All tiers with a chart, those of other versions included."""
    tiers = (*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers))
    return tuple(tier for tier in tiers if tier.chart is not None)


def chart_sides(better: Direction | None) -> Sides:
    """Which side of the centre line is worse."""
    return run_length.BOTH if better is None else run_length.DOWN if better is Direction.HIGHER else run_length.UP


def decide_charts(request: ChartRequest) -> ChartDecision:
    rule, count = request.rule, len(request.times)
    charts = dict.fromkeys(tier.chart for tier in chart_tiers(rule) if tier.chart is not None)
    points = {chart: _chart_points(request, rule.chart_data(chart)) for chart in charts}
    unknown = np.zeros(count, np.bool_)
    for some in points.values():
        unknown |= _rows(request.times, some.times, np.zeros(len(some.times)))[0] < 0
    severity, signal = _decide_tiers(request, rule.tiers, points)
    for place, version in enumerate(request.timeline.versions):
        tiers, serves = rule.tiers_for(version), request.version == place
        if tiers is not rule.tiers and serves.any():
            own, own_signal = _decide_tiers(request, tiers, points)
            severity, signal = np.where(serves, own, severity), np.where(serves, own_signal, signal)
    return ChartDecision(severity, signal, unknown)


def _decide_tiers(
    request: ChartRequest, tiers: Sequence[Tier], points: dict[ControlChart, _ChartPoints]
) -> tuple[Floats, Floats]:
    severity, signal = np.full(len(request.times), -1.0), np.zeros(len(request.times))
    for tier in sorted(tiers, key=lambda tier: tier.severity):
        if tier.chart is None:
            continue
        some = points[tier.chart]
        codes = _signal_codes(tier, some, chart_sides(request.rule.better), request.share)
        row_codes = _rows(request.times, some.times, codes)[1]
        fires = row_codes > 0
        severity[fires], signal[fires] = tier.severity.code, row_codes[fires]
    return severity, signal


def _rows(at: Floats, times: Floats, codes: Floats) -> tuple[Floats, Floats]:
    """Of each evaluation time: which row has its newest point (-1: none yet), and the newest signal among the points
    since the evaluation before it; where there are none, as at the newest point."""
    row = np.searchsorted(at, times, side="left")
    newest = np.full(len(at), -1, np.int64)
    newest[row] = row
    newest = np.maximum.accumulate(newest)
    found = np.zeros(len(at))
    fires = codes > 0
    found[row[fires]] = codes[fires]
    return newest.astype(np.float64), np.where(newest >= 0, found[newest], 0.0)


def _chart_points(request: ChartRequest, data: ChartData) -> _ChartPoints:
    rule, at, points = request.rule, request.times, request.points
    times, values, exposure = _usable_points(points, data)
    begin = int(np.searchsorted(times, at[0] - rule.every, side="right"))
    end = int(np.searchsorted(times, at[-1], side="right"))
    inside = slice(begin, end)
    row = np.searchsorted(at, times[inside], side="left")
    fits = _fit_times(times[:end], begin)
    measured = np.array([_measure(times, values, exposure, fit, data, rule.every) for fit in fits]).reshape(-1, 3)
    place = np.searchsorted(fits, times[inside], side="right") - 1
    correlation, deviation, spacing = measured[place].T if len(place) else np.zeros((3, 0))
    centre = request.reference.value[row]
    if data is ChartData.INDIVIDUALS and rule.baseline.kind in _SPREAD_OF_POINTS:
        deviation = request.reference.sd[row]
    elif data in (ChartData.P, ChartData.U):
        deviation = np.ones(len(row))
    spread = deviation * np.sqrt(_unit_variance(centre, data) / exposure[inside])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.clip((values[inside] - centre) / np.maximum(spread, ROUNDING * np.abs(centre)), -MAX_Z, MAX_Z)
    known = np.isfinite(z)
    gaps = np.diff(times[inside][known], prepend=-np.inf)
    begins = np.searchsorted(times[inside][known], request.timeline.since[1:], side="left")
    restarts = {int(start) for start in begins if 0 < start < known.sum()} | ({0} if begin == 0 else set())
    return _ChartPoints(
        times[inside][known],
        z[known],
        correlation[known],
        gaps <= MAX_GAP * spacing[known],
        spacing[known],
        sorted(restarts),
    )


def _usable_points(points: Points, data: ChartData) -> tuple[Floats, Floats, Floats]:
    exposure = np.ones(len(points.times))
    if data in COUNTED_DATA:
        exposure = np.zeros(len(points.times)) if points.weights is None else np.nan_to_num(points.weights)
    usable = exposure > 0
    if data in PROPORTION_DATA:
        usable &= (points.values >= 0) & (points.values <= 1)
    return points.times[usable], points.values[usable], exposure[usable]


def _unit_variance(centre: Floats, data: ChartData) -> Floats:
    """Variance of a value of exposure 1 by its counts; 1 where counts say nothing."""
    if data in PROPORTION_DATA:
        return centre * (1 - centre)
    return centre if data in (ChartData.U, ChartData.LANEY_U) else np.ones_like(centre)


def _fit_times(times: Floats, begin: int) -> Floats:
    """When spread and autocorrelation are measured, ascending; the first time not after the point at ``begin``."""
    if begin >= len(times):
        return np.zeros(0)
    young = times[0] // DAY * DAY + DAY * np.array([0, *YOUNG])
    weeks = np.arange(times[begin] // WEEK, times[-1] // WEEK + 1) * WEEK
    return np.unique([*young[young <= times[-1]], *weeks])


def _measure(
    times: Floats, values: Floats, exposure: Floats, until: float, data: ChartData, every: float
) -> tuple[float, float, float]:
    """Autocorrelation, standard deviation in those of the counts, and usual distance of the points before ``until``."""
    end = int(np.searchsorted(times, until, side="left"))
    start = min(int(np.searchsorted(times, until - HISTORY, side="left")), max(end - ENOUGH_POINTS, 0))
    some = slice(start, end)
    if end - start < 2:
        return 0.0, np.nan, every
    gaps = np.diff(times[some])
    spacing = float(np.median(gaps))
    if end - start < MIN_POINTS:
        return 0.0, np.nan, spacing
    mean = np.average(values[some], weights=exposure[some])
    variance = _unit_variance(np.asarray(mean), data)
    if not variance > 0:
        return 0.0, np.nan, spacing
    z = (values[some] - mean) * np.sqrt(exposure[some] / variance)
    is_neighbour = np.concatenate([[False], gaps <= MAX_GAP * spacing])
    # The middle of four: one stretch that was broken does not count as autocorrelation.
    parts = 4 if len(z) >= ENOUGH_POINTS else 1
    found = [
        autocorrelation(part, own)
        for part, own in zip(np.array_split(z, parts), np.array_split(is_neighbour, parts), strict=True)
    ]
    correlation = float(np.median(found))
    return correlation, moving_range_deviation(z) / np.sqrt(1 - correlation), spacing


def _signal_codes(tier: Tier, points: _ChartPoints, sides: Sides, share: float) -> Floats:
    """``ChartSignal.code`` at each point."""
    chart = tier.chart
    assert chart is not None  # noqa: S101
    z = points.z
    if chart.remove_autocorrelation:
        z = innovations(z, points.correlation, points.is_neighbour)
    different, back = np.unique(points.spacing, return_inverse=True)
    limit = np.array([chart_limit(tier, sides, float(spacing), share) for spacing in different])[back]
    codes = np.zeros(len(z))
    starts = sorted({0, *points.restarts})
    for begin, end in zip(starts, [*starts[1:], len(z)], strict=True):
        is_fresh = begin in points.restarts
        codes[begin:end] = _chart_codes(chart, z[begin:end], limit[begin:end], sides, is_fresh=is_fresh)
    return codes


def _chart_codes(chart: ControlChart, z: Floats, limit: Floats, sides: Sides, *, is_fresh: bool) -> Floats:
    if chart.method is ChartMethod.NELSON:
        return _first_code(ChartSignal.NELSON_1, rule_signals(z, NELSON, chart.rule_numbers, sides))
    if chart.method is ChartMethod.WESTERN_ELECTRIC:
        numbers = rule_signals(z, WESTERN_ELECTRIC, chart.rule_numbers, sides)
        return _first_code(ChartSignal.WESTERN_ELECTRIC_1, numbers)
    if chart.method is ChartMethod.EWMA:
        return np.where(ewma_signals(z, chart.smoothing, limit, sides), float(ChartSignal.EWMA.code), 0.0)
    if chart.method is ChartMethod.CUSUM:
        head_start = HEAD_START if chart.head_start and is_fresh else 0.0
        signals = cusum_signals(z, chart.shift / 2, limit, sides, head_start)
        return np.where(signals, float(ChartSignal.CUSUM.code), 0.0)
    return np.where(shewhart_signals(z, limit, sides), float(ChartSignal.SHEWHART.code), 0.0)


def _first_code(first: ChartSignal, numbers: Ints) -> Floats:
    return np.where(numbers > 0, first.code + numbers - 1.0, 0.0)


def chart_limit(tier: Tier, sides: Sides, spacing: float, share: float = 1.0) -> float:
    """The limit of a tier's chart where points lie ``spacing`` seconds apart; NaN for charts that are rules."""
    chart = tier.chart
    if chart is None or chart.method not in TEXTBOOK_LIMITS:
        return np.nan
    if chart.limit is not None:
        return chart.limit
    run = chart.run_length
    if run is None and chart.duration is not None:
        run = chart.duration / spacing
    if run is None and tier.false_alarms is not None:
        # A tier's budget is shared by its chart and its limits.
        run = tier.false_alarms * share * (1 + len(tier.limits)) / spacing
    if run is None:
        return TEXTBOOK_LIMITS[chart.method]
    run = float(f"{max(run, SHORTEST_RUN):.3g}")  # few different limits are computed
    if chart.method is ChartMethod.EWMA:
        return run_length.ewma_limit(run, chart.smoothing, sides)
    if chart.method is ChartMethod.CUSUM:
        return run_length.cusum_limit(run, chart.shift / 2, sides, HEAD_START if chart.head_start else 0.0)
    return run_length.shewhart_limit(run, sides)


def chart_run_length(tier: Tier, better: Direction | None, spacing: float, shift: float = 0.0) -> float:
    """Mean number of points until a tier's chart signals, where points lie ``spacing`` seconds apart; ``inf`` without a
    chart. ``shift``: how many standard deviations worse the metric became, long after the chart began; 0: not at all.
    """
    chart, sides = tier.chart, chart_sides(better)
    if chart is None:
        return np.inf
    limit, shift = chart_limit(tier, sides, spacing), sides[0] * shift
    if chart.method is ChartMethod.NELSON:
        return run_length.nelson_run_length(chart.rule_numbers, sides, shift)
    if chart.method is ChartMethod.WESTERN_ELECTRIC:
        return run_length.western_electric_run_length(chart.rule_numbers, sides, shift)
    if chart.method is ChartMethod.EWMA:
        return run_length.ewma_run_length(limit, chart.smoothing, sides, shift, steady=shift != 0)
    if chart.method is ChartMethod.CUSUM:
        head_start = HEAD_START if chart.head_start and shift == 0 else 0.0
        return run_length.cusum_run_length(limit, chart.shift / 2, sides, shift, head_start)
    return run_length.shewhart_run_length(limit, sides, shift)
