"""Control charts of a rule's tiers: which tier they reach at each evaluation time, and by what signal.

Charts judge points, not windows: the centre line is the baseline at each point, the spread that of the baseline's
points or of the counts. Where the points before have something in common (first-order autocorrelation, measured once a
week), a chart judges what each point adds, so that its run length holds. Everything at a time follows from earlier
points.

A chart whose limit follows from a budget of false alarms allows for what is not known: counts become normal scores, the
centre line and the spread are at upper bounds, and an excursion lasts until the average is halfway back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
    BOUND,
    NELSON,
    WESTERN_ELECTRIC,
    autocorrelation,
    cusum,
    cusum_signals,
    dispersion_bound,
    ewma,
    ewma_deviation,
    ewma_signals,
    holding,
    innovations,
    moving_range_deviation,
    rate_scores,
    rule_signals,
    share_scores,
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
HALFWAY = 0.5
"""The share of its limit at which an average ends an excursion, where a budget counts them."""
SHORTEST_RUN = 10.0
_SIGNALS = {
    ChartMethod.SHEWHART: ChartSignal.SHEWHART,
    ChartMethod.EWMA: ChartSignal.EWMA,
    ChartMethod.CUSUM: ChartSignal.CUSUM,
}
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
    wider: Floats
    """How much more what is charted may vary than ``z`` says; 1 without a budget."""
    tolerance: dict[float, Floats]
    """By side, how far the true centre may lie beyond the centre line (95 %), in standard deviations of what is charted
    by then; nothing without a budget."""
    restarts: Sequence[int]
    """Where a version was deployed; 0 where the series begins."""


@dataclass(frozen=True, slots=True)
class _Standard:
    """How values become standard deviations."""

    chart: ControlChart
    data: ChartData
    has_budget: bool
    """Whether the limit follows from a budget of false alarms."""

    @property
    def memory(self) -> float:
        """Smoothing of the moving average that looks back about as far as the chart does."""
        if self.chart.method is ChartMethod.EWMA:
            return self.chart.smoothing
        # A CUSUM takes about (4 / shift)^2 points to its limit.
        return min(self.chart.shift**2 / 8, 1.0) if self.chart.method is ChartMethod.CUSUM else 1.0

    def of_counts(
        self, values: Floats, centre: Floats | float, exposure: Floats, *, is_charted: bool = False
    ) -> Floats:
        """Distance from the centre in standard deviations of the counts; where counts say nothing, of a point of
        exposure 1. ``is_charted``: for the comparison with a limit."""
        # A point far out is as likely as its whole tail; without a memory that is what counts.
        correction = 0.5 if is_charted and self.chart.method is ChartMethod.SHEWHART else 0.0
        if self.has_budget and self.data in PROPORTION_DATA:
            return share_scores(values, centre, exposure, correction)
        if self.has_budget and self.data in (ChartData.U, ChartData.LANEY_U):
            return rate_scores(values, centre, exposure, correction)
        return (values - centre) * np.sqrt(exposure / _unit_variance(np.asarray(centre), self.data))


@dataclass(frozen=True, slots=True)
class _Fit:
    """What the points before some time say; NaN where they say nothing."""

    correlation: float
    deviation: float
    """In standard deviations of the counts."""
    spacing: float
    wider: float = 1.0
    points: float = np.nan


def chart_tiers(rule: Rule) -> tuple[Tier, ...]:
    """All tiers with a chart, those of other versions included."""
    tiers = (*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers))
    return tuple(tier for tier in tiers if tier.chart is not None)


def chart_sides(better: Direction | None) -> Sides:
    """Which side of the centre line is worse."""
    return run_length.BOTH if better is None else run_length.DOWN if better is Direction.HIGHER else run_length.UP


def has_budget_limit(tier: Tier) -> bool:
    """Whether the limit of a tier's chart follows from its budget of false alarms."""
    chart = tier.chart
    if chart is None or chart.method not in TEXTBOOK_LIMITS or tier.false_alarms is None:
        return False
    return chart.limit is None and chart.run_length is None and chart.duration is None


def _standard_of(rule: Rule) -> Callable[[Tier], _Standard]:
    def find(tier: Tier) -> _Standard:
        assert tier.chart is not None  # noqa: S101
        return _Standard(tier.chart, rule.chart_data(tier.chart), has_budget_limit(tier))

    return find


def decide_charts(request: ChartRequest) -> ChartDecision:
    rule, count = request.rule, len(request.times)
    points = {key: _chart_points(request, key) for key in dict.fromkeys(map(_standard_of(rule), chart_tiers(rule)))}
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
    request: ChartRequest, tiers: Sequence[Tier], points: dict[_Standard, _ChartPoints]
) -> tuple[Floats, Floats]:
    severity, signal = np.full(len(request.times), -1.0), np.zeros(len(request.times))
    for tier in sorted(tiers, key=lambda tier: tier.severity):
        if tier.chart is None:
            continue
        some = points[_standard_of(request.rule)(tier)]
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


def _chart_points(request: ChartRequest, standard: _Standard) -> _ChartPoints:
    rule, at, data = request.rule, request.times, standard.data
    times, values, exposure = _usable_points(request.points, data)
    begin = int(np.searchsorted(times, at[0] - rule.every, side="right"))
    end = int(np.searchsorted(times, at[-1], side="right"))
    inside = slice(begin, end)
    row = np.searchsorted(at, times[inside], side="left")
    fits = _fit_times(times[:end], begin)
    measured = [_measure(times, values, exposure, fit, standard, rule.every) for fit in fits]
    place = np.searchsorted(fits, times[inside], side="right") - 1
    columns = np.array([(f.correlation, f.deviation, f.spacing, f.wider, f.points) for f in measured]).reshape(-1, 5)
    correlation, deviation, spacing, wider, count = columns[place].T if len(place) else np.zeros((5, 0))
    centre = request.reference.value[row]
    if data is ChartData.INDIVIDUALS and rule.baseline.kind in _SPREAD_OF_POINTS:
        own = request.reference.sd[row]
        deviation = np.where(np.isfinite(deviation), deviation, own) if standard.has_budget else own
    elif data in (ChartData.P, ChartData.U):
        deviation = np.ones(len(row))
    spread = np.maximum(deviation * np.sqrt(_unit_variance(centre, data) / exposure[inside]), ROUNDING * np.abs(centre))
    with np.errstate(divide="ignore", invalid="ignore"):
        if standard.has_budget and data in COUNTED_DATA:
            z = standard.of_counts(values[inside], centre, exposure[inside], is_charted=True)
            z /= np.maximum(deviation, ROUNDING)
        else:
            z = (values[inside] - centre) / spread
    z = np.clip(z, -MAX_Z, MAX_Z)
    known = np.isfinite(z)
    gaps = np.diff(times[inside][known], prepend=-np.inf)
    begins = np.searchsorted(times[inside][known], request.timeline.since[1:], side="left")
    restarts = {int(start) for start in begins if 0 < start < known.sum()} | ({0} if begin == 0 else set())
    tolerance = _tolerance(request, standard, row, spread, (correlation, wider, count)) if standard.has_budget else {}
    return _ChartPoints(
        times[inside][known],
        z[known],
        correlation[known],
        gaps <= MAX_GAP * spacing[known],
        spacing[known],
        wider[known],
        {side: some[known] for side, some in tolerance.items()},
        sorted(restarts),
    )


def _tolerance(
    request: ChartRequest, standard: _Standard, row: Ints, spread: Floats, fit: tuple[Floats, Floats, Floats]
) -> dict[float, Floats]:
    """By side, how far the true centre may lie beyond the centre line, in standard deviations of what is charted."""
    reference, baseline = request.reference, request.rule.baseline
    correlation, wider, count = fit
    sides = chart_sides(request.rule.better)
    if baseline.kind is BaselineKind.ROLLING:
        points = count * min(baseline.length / HISTORY, 1.0)
        return {side: np.nan_to_num(BOUND / np.sqrt(points)) for side in sides}
    if standard.chart.remove_autocorrelation:
        wider = wider * np.sqrt((1 + correlation) / (1 - correlation))
    bounds = {1.0: reference.high - reference.value, -1.0: reference.value - reference.low}
    return {side: np.nan_to_num(bounds[side][row] / (spread * wider)) for side in sides}


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


def _measure(times: Floats, values: Floats, exposure: Floats, until: float, standard: _Standard, every: float) -> _Fit:
    """Of the points before ``until``."""
    end = int(np.searchsorted(times, until, side="left"))
    start = min(int(np.searchsorted(times, until - HISTORY, side="left")), max(end - ENOUGH_POINTS, 0))
    some = slice(start, end)
    if end - start < 2:
        return _Fit(0.0, np.nan, every)
    gaps = np.diff(times[some])
    spacing = float(np.median(gaps))
    if end - start < MIN_POINTS:
        return _Fit(0.0, np.nan, spacing)
    mean = np.average(values[some], weights=exposure[some])
    if not _unit_variance(np.asarray(mean), standard.data) > 0:
        return _Fit(0.0, np.nan, spacing)
    z = standard.of_counts(values[some], mean, exposure[some])
    is_neighbour = np.concatenate([[False], gaps <= MAX_GAP * spacing])
    # The middle of four: one stretch that was broken does not count as autocorrelation.
    parts = 4 if len(z) >= ENOUGH_POINTS else 1
    found = [
        autocorrelation(part, own)
        for part, own in zip(np.array_split(z, parts), np.array_split(is_neighbour, parts), strict=True)
    ]
    correlation = float(np.median(found))
    deviation = float(moving_range_deviation(z) / np.sqrt(1 - correlation))
    if standard.has_budget and standard.data in (ChartData.LANEY_P, ChartData.LANEY_U):
        deviation = max(deviation, 1.0)  # counts vary no less than chance
    wider = _wider(z, correlation, deviation, is_neighbour, standard) if standard.has_budget and deviation > 0 else 1.0
    return _Fit(correlation, deviation, spacing, wider, float(len(z)))


def _wider(z: Floats, correlation: float, deviation: float, is_neighbour: Bools, standard: _Standard) -> float:
    """How much more what is charted may have varied than its spread says, as far back as the chart looks."""
    charted = z if standard.data in (ChartData.P, ChartData.U) else z / deviation
    if standard.chart.remove_autocorrelation:
        charted = innovations(charted, np.full(len(z), correlation), is_neighbour)
    return float(np.sqrt(dispersion_bound(charted, standard.memory)))


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
        is_fresh, rows = begin in points.restarts, slice(begin, end)
        if has_budget_limit(tier):
            sided = [side * z[rows] / points.wider[rows] - points.tolerance[side][rows] for side in sides]
            holds = np.any([_excursions(chart, column, limit[rows], is_fresh=is_fresh) for column in sided], axis=0)
            codes[rows] = np.where(holds, float(_SIGNALS[chart.method].code), 0.0)
        else:
            codes[rows] = _chart_codes(chart, z[rows], limit[rows], sides, is_fresh=is_fresh)
    return codes


def _excursions(chart: ControlChart, z: Floats, limit: Floats, *, is_fresh: bool) -> Bools:
    """Points from a signal above the centre until the chart is halfway back."""
    if chart.method is ChartMethod.SHEWHART:
        return shewhart_signals(z, limit, run_length.UP)
    if chart.method is ChartMethod.EWMA:
        average, edge = ewma(z, chart.smoothing), limit * ewma_deviation(len(z), chart.smoothing)
        return holding(average > edge, average <= HALFWAY * edge)
    total = cusum(z, chart.shift / 2, limit, HEAD_START if chart.head_start and is_fresh else 0.0)
    return holding(total >= limit, total <= HALFWAY * limit)


def _chart_codes(chart: ControlChart, z: Floats, limit: Floats, sides: Sides, *, is_fresh: bool) -> Floats:
    if chart.method is ChartMethod.NELSON:
        return _first_code(ChartSignal.NELSON_1, rule_signals(z, NELSON, chart.rule_numbers, sides))
    if chart.method is ChartMethod.WESTERN_ELECTRIC:
        numbers = rule_signals(z, WESTERN_ELECTRIC, chart.rule_numbers, sides)
        return _first_code(ChartSignal.WESTERN_ELECTRIC_1, numbers)
    if chart.method is ChartMethod.EWMA:
        signals = ewma_signals(z, chart.smoothing, limit, sides)
    elif chart.method is ChartMethod.CUSUM:
        head_start = HEAD_START if chart.head_start and is_fresh else 0.0
        signals = cusum_signals(z, chart.shift / 2, limit, sides, head_start)
    else:
        signals = shewhart_signals(z, limit, sides)
    return np.where(signals, float(_SIGNALS[chart.method].code), 0.0)


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


def budget_limit(tier: Tier, better: Direction | None, spacing: float) -> float | None:
    """The limit that a tier's chart would have of its budget on one series; ``None`` where no limit moves it."""
    chart = tier.chart
    if chart is None or chart.method not in TEXTBOOK_LIMITS or tier.false_alarms is None:
        return None
    own = replace(chart, limit=None, run_length=None, duration=None)
    return chart_limit(replace(tier, chart=own), chart_sides(better), spacing)


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
