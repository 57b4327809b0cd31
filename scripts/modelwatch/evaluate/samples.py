"""The points of a series as detectors see them: with what is expected of each, and how far chance takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..model.rule import MIN_HISTORY, MIN_MEANS, Aggregate, BaselineKind, Interval, Rule, SamplingModel
from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import z_value
from ..stats.noise import PRIOR_DISPERSION, Noise, fit_noise, fit_weeks
from ..timeutil import DAY, WEEK
from .aggregation import QUANTILES, Aggregator
from .baselines import Baseline, BaselineRequest
from .calendars import DayEffects, point_exposure
from .local_time import local_times
from .points import MAX_VALUE, Points

FIRST_FITS = (1, 2, 4, 8)
"""Noise is fitted so many days after the first point of a series; later once a week."""
ONE_SIDED = z_value(0.9) / z_value()
"""From a two-sided 95 % interval to a one-sided 95 % bound."""
YOUNG_SPREAD = 0.2
"""From its second day on, until its noise is known, a share is assumed to vary by so much of its distance from 0 or 1,
whatever its count: what is logged once a day or a week is young for long."""
MIN_SPREAD = 1e-3
"""The least standard deviation of a count (relative): a sum that never varied may."""
_BASELINES_OF_POINTS = frozenset((BaselineKind.ROLLING, BaselineKind.VERSION))
"""Their exposure says how sure a count's baseline is."""
INSIDE = 1e-6
"""Proportions stay this far from 0 and 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The points that count, as trials, measurements or counts, with what they are compared with: those of one series,
    or (series, points) of several that have points at the same times."""

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
    model: SamplingModel
    effect: Floats
    """Seasonal effect at each point; of quantiles on the share of points beyond them."""
    pattern: Floats
    """The same without its mean over the rule's window: what a static limit is moved by."""
    quantile: float = np.nan
    """Of quantiles: which one."""
    is_signed: Bools | None = None
    """Counts that cannot be such, because a value below 0 came before; ``None``: none."""
    history: Ints | float = np.inf
    """At each point how many points came before the newest fit of the noise, whether they were healthy or
    not: an incident of any length is no young series."""

    @property
    def is_proportion(self) -> bool:
        return self.model is SamplingModel.PROPORTION

    @property
    def is_too_young(self) -> Bools:
        """Points about which nothing can be decided, because too little came before them to know how much they vary."""
        return np.asarray(self.history < self.needed_history)

    @property
    def needed_history(self) -> int:
        """Points without which nothing is decided."""
        if self.model in (SamplingModel.QUANTILE, SamplingModel.PROPORTION):
            return 0
        return MIN_MEANS if self.model is SamplingModel.MEAN else MIN_HISTORY

    def against(self, reference: Baseline) -> Samples:
        """The same points compared with another baseline, which has a row for each."""
        level = reference.value
        expected = level if self.model is SamplingModel.QUANTILE else level + self.effect
        if self.model is SamplingModel.COUNT:
            side = z_value(0.9) * self.spread * np.sqrt(self.exposure / reference.n)
        else:
            half = np.maximum(reference.value - reference.low, reference.high - reference.value)
            side = half * ONE_SIDED * np.sqrt(self.exposure / self.trials)
        side = np.nan_to_num(side)
        expected = inside(expected) if self.is_proportion else expected
        return replace(self, expected=expected, level=level, below=side, above=side, sigma=reference.sd)

    def of_series(self, place: int) -> Samples:
        """The samples of one of the series."""
        names = ("values", "exposure", "expected", "level", "below", "above", "spread", "trials", "sigma")
        columns = {name: getattr(self, name)[place] for name in (*names, "effect", "pattern")}
        if self.above is self.below:
            columns["above"] = columns["below"]
        is_signed = None if self.is_signed is None else self.is_signed[place]
        return replace(self, **columns, is_signed=is_signed)

    def share_beyond(self, sign: Floats, effect: Floats) -> Floats:
        """The share of healthy points beyond a quantile in the direction of ``sign``, with this seasonal effect."""
        return inside(np.where(sign > 0, 1 - self.quantile, self.quantile) + sign * effect)


def inside(p: Floats) -> Floats:
    """Proportions strictly between 0 and 1."""
    return np.clip(p, INSIDE, 1 - INSIDE)


def measured_points(rule: Rule, points: Points, denominator: Points | None) -> Points:
    """The points as values with an exposure, whose mean by exposure is the rule's aggregate.

    Of a sum: the sum that a window would have at the rate since the point before. Of a ratio: numerator over
    denominator. Others as they are.
    """
    if rule.aggregate is Aggregate.SUM:
        return _as_rates(points, rule.window)
    if rule.aggregate is Aggregate.RATIO:
        return _as_ratios(points, denominator, is_proportion=rule.sampling_model is SamplingModel.PROPORTION)
    return points


def needed_counts(rule: Rule, points: Points) -> Floats | None:
    """The counts without which detectors leave points out; ``None``: they need none."""
    return None if _is_quantile(rule) else points.weights


def _as_rates(points: Points, window: float) -> Points:
    if not len(points.times):
        return points
    gaps = np.diff(points.times)
    usual = float(np.median(gaps)) if len(gaps) else window
    share = np.minimum(np.append(usual, gaps), window) / window
    return replace(points, values=points.values / share, weights=share)


def _as_ratios(points: Points, below: Points | None, *, is_proportion: bool) -> Points:
    """The denominator of a point is the sum of all since the point before."""
    if below is None or not len(below.times) or not len(points.times):
        return points.select(np.zeros(len(points.times), np.bool_))
    last = np.searchsorted(below.times, points.times, side="right")
    total = np.append(0.0, np.cumsum(below.values))
    amount = total[last] - total[np.append(max(last[0] - 1, 0), last[:-1])]
    known = (amount > 0) & (np.abs(points.values) <= MAX_VALUE * amount)
    kept, amount = points.select(known), amount[known]
    count = kept.weights if is_proportion and kept.weights is not None else amount
    return replace(kept, values=kept.values / amount, weights=count)


def measured_request(request: BaselineRequest, measured: Points, first: float) -> BaselineRequest:
    """The request for a baseline from ``measured_points``, with an interval where its points give one. ``first``: when
    the series began."""
    rule = request.rule
    is_seasonal = rule.baseline.kind is BaselineKind.SEASONAL
    if rule.sampling_model is SamplingModel.COUNT:
        # The exposure of a sum is time, and no count.
        least = 0.0 if rule.aggregate is Aggregate.SUM else rule.min_weight
        interval = Interval.NORMAL if is_seasonal else Interval.NONE
        rule = replace(rule, aggregate=Aggregate.MEAN, interval=interval, min_weight=least)
    elif rule.sampling_model is SamplingModel.QUANTILE:
        rule = replace(rule, interval=Interval.NORMAL)
    elif rule.aggregate is Aggregate.RATIO:
        rule = replace(rule, aggregate=Aggregate.MEAN)
    aggregator = Aggregator(measured, None, rule.aggregate, rule.interval)
    return replace(request, rule=rule, aggregator=aggregator, first=first)


@dataclass(frozen=True, slots=True, eq=False)
class HourEffects:
    """What is expected in hours that are worse every day, at each of the points that are judged."""

    lowest: Floats
    """The seasonal effect is this at most; NaN in other hours, as below."""
    highest: Floats
    doubt: Floats
    """Half of its one-sided 95 % interval; 0 in other hours."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """The points of one series that count, and what its detectors start from."""

    times: Floats
    values: Floats
    exposure: Floats
    counted: Floats
    """The exposure of quiet points, to which noise is fitted; 0 of others."""
    reference: Baseline
    """The baseline at each evaluation time."""
    change: Floats | None
    """What the days of the calendar are expected to do at each point, relative to the baseline; ``None``: nothing."""
    doubt: Floats | None
    """How unsure that is."""
    hours: HourEffects | None = None


def observe(
    rule: Rule,
    points: Points,
    reference: Baseline,
    quiet: Bools | None,
    effects: DayEffects | None = None,
    hours: HourEffects | None = None,
) -> Observations:
    """``points``: measured ones; ``quiet``: on which nothing happened (``None``: on all)."""
    exposure = np.ones(len(points.times)) if _is_quantile(rule) else point_exposure(points)
    usable = exposure > 0
    if rule.sampling_model is SamplingModel.PROPORTION:
        usable &= (points.values >= 0) & (points.values <= 1)
    counted = exposure if quiet is None else np.where(quiet, exposure, 0.0)
    return Observations(
        *(points.times[usable], points.values[usable], exposure[usable], counted[usable]),
        reference=reference,
        change=None if effects is None else effects.change[usable],
        doubt=None if effects is None else effects.doubt[usable],
        hours=hours,
    )


def prepare(rule: Rule, at: Floats, series: Sequence[Observations]) -> Samples | None:
    """The points between the first and the last of the evaluation times ``at``, with what is expected of them.

    All series have points at the same times, and rules like ``rule``. ``None``: no points.
    """
    model = rule.sampling_model or SamplingModel.MEAN
    times = series[0].times
    begin = int(np.searchsorted(times, at[0] - rule.every, side="right"))
    end = int(np.searchsorted(times, at[-1], side="right"))
    if begin >= end:
        return None
    row = np.searchsorted(at, times[begin:end], side="left")
    clock = local_times(times, rule.timezone)
    days = _fit_days(clock[begin], clock[end - 1], clock[0])
    values, exposure, counted = (np.stack([getattr(part, name)[:end] for part in series]) for name in _COLUMNS)
    reference = Baseline.stack([part.reference for part in series])
    noise = _fit(model, rule, clock[:end], values, counted, days)
    is_signed = np.minimum.accumulate(values, axis=-1) < 0 if model is SamplingModel.COUNT else None
    here, values, exposure = clock[begin:end], values[:, begin:], exposure[:, begin:]
    effect, dispersion, variance = noise.at(here)
    history = np.searchsorted(clock[:end], noise.fitted_at(here))
    usual_level = noise.level_at(here)
    pattern = effect - noise.mean_effect(here, rule.window)
    if rule.baseline.kind is BaselineKind.SEASONAL:
        # The baseline has the mean of its window in it already.
        effect = pattern
    effect, hour_doubt = _with_recurring_hours(series, effect)
    level = reference.value[:, row]
    expected = level if model is SamplingModel.QUANTILE else level + effect
    change, doubt = _calendar_effects(series, level, slice(begin, end))
    expected = expected + change
    if model is SamplingModel.PROPORTION:
        expected = inside(expected)
        # Without a baseline the level of the noise says how much chance there is, and before that one half at most.
        usual = np.where(np.isfinite(expected), expected, inside(np.nan_to_num(usual_level, nan=0.5)))
        variance = usual * (1 - usual)
        unknown = np.isfinite(expected) & (history > 0) & (history < MIN_HISTORY)
        mood = (YOUNG_SPREAD * np.minimum(usual, 1 - usual)) ** 2 * exposure / variance
        dispersion = np.where(unknown, np.maximum(dispersion, mood), dispersion)
    spread = np.sqrt(variance * dispersion / exposure)
    sides = [np.nan_to_num(side) + doubt + hour_doubt for side in _sides(rule, reference, row, variance, dispersion)]
    return Samples(
        *(times[begin:end], values, exposure, expected, level, sides[0], sides[-1]),
        spread=np.ones(values.shape) if model is SamplingModel.QUANTILE else spread,
        trials=_trials(model, exposure, spread, dispersion, usual_level),
        sigma=reference.sd[:, row],
        model=model,
        effect=effect,
        pattern=pattern,
        history=history,
        quantile=QUANTILES.get(rule.aggregate, np.nan),
        is_signed=None if is_signed is None else is_signed[:, begin:],
    )


_COLUMNS = ("values", "exposure", "counted")


def _is_quantile(rule: Rule) -> bool:
    return rule.sampling_model is SamplingModel.QUANTILE


def _with_recurring_hours(series: Sequence[Observations], effect: Floats) -> tuple[Floats, Floats]:
    """Seasonal effects with those of the hours that recur lately, and how unsure these are."""
    if all(one.hours is None for one in series):
        return effect, np.zeros(1)
    effect, doubt = effect.copy(), np.zeros(effect.shape)
    for place, one in enumerate(series):
        if one.hours is not None:
            effect[place] = np.fmax(np.fmin(effect[place], one.hours.lowest), one.hours.highest)
            doubt[place] = one.hours.doubt
    return effect, doubt


def _calendar_effects(series: Sequence[Observations], level: Floats, rows: slice) -> tuple[Floats, Floats]:
    """How far the days of the calendar move the points, and how unsure that is, in the metric's unit."""
    if all(part.change is None or part.doubt is None for part in series):
        return np.zeros(1), np.zeros(1)
    nothing = np.zeros(level.shape[1])
    change, doubt = (
        np.stack([nothing if column is None else column[rows] for column in columns])
        for columns in ([part.change for part in series], [part.doubt for part in series])
    )
    return change * np.abs(level), doubt * np.abs(level)


def _trials(model: SamplingModel, exposure: Floats, spread: Floats, dispersion: Floats, level: Floats) -> Floats:
    """Independent trials, or counts, that say as much as each point. Of counts: one over variance by mean, which is
    unknown of what was always 0."""
    if model is not SamplingModel.COUNT:
        return exposure / dispersion
    variance = np.maximum(spread, MIN_SPREAD * np.abs(level)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        trials: Floats = np.where(level > 0, level / variance, exposure / PRIOR_DISPERSION)
    return trials


def _fit(model: SamplingModel, rule: Rule, clock: Floats, values: Floats, counted: Floats, days: Ints) -> Noise:
    if model is SamplingModel.QUANTILE:
        q = QUANTILES[rule.aggregate]
        usual = np.stack([_usual_quantile(clock, *columns, q) for columns in zip(values, counted, strict=True)])
        counted = np.where(np.isfinite(usual), counted, 0.0)
        return fit_noise(clock, (values > usual).astype(np.float64), counted, days, MIN_HISTORY, is_proportion=True)
    is_proportion, is_count = model is SamplingModel.PROPORTION, model is SamplingModel.COUNT
    return fit_noise(clock, values, counted, days, MIN_HISTORY, is_proportion=is_proportion, is_count=is_count)


def _usual_quantile(clock: Floats, values: Floats, counted: Floats, q: float) -> Floats:
    """At each point the quantile of the weeks before its own week (in the first week: before its own day)."""
    first = clock[0] // DAY
    day = clock // DAY - first
    block = np.where(day < 7, day, day - day % 7)
    starts = np.flatnonzero(np.diff(block, prepend=-1.0))
    usual = np.full(len(clock), np.nan)
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(clock)], strict=True):
        oldest = int(np.searchsorted(clock, clock[start] - fit_weeks(clock, MIN_HISTORY) * WEEK))
        known = values[oldest:start][counted[oldest:start] > 0]
        if len(known):
            usual[start:stop] = np.quantile(known, q)
    return usual


def _sides(rule: Rule, reference: Baseline, row: Ints, variance: Floats, dispersion: Floats) -> list[Floats]:
    """How far the baseline may lie below and above its value, one-sided; one for both, the wider one, unless it is
    yearly."""
    is_count = rule.sampling_model is SamplingModel.COUNT
    if is_count and rule.baseline.kind in _BASELINES_OF_POINTS:
        return [z_value(0.9) * np.sqrt(variance * dispersion / reference.n[:, row])]
    # The dispersion of a count is relative to its whole variance; weeks beside each other have no patterns in it.
    factor = ONE_SIDED * (np.ones(1) if is_count else np.sqrt(dispersion))
    below, above = reference.value - reference.low, reference.high - reference.value
    sides = [below, above] if rule.baseline.is_yearly else [np.maximum(below, above)]
    return [side[:, row] * factor for side in sides]


def _fit_days(begin: float, end: float, first: float) -> Ints:
    """Days on which noise is fitted: once a week, the first time before ``begin``; oftener in a young series."""
    weekly = {7 * week for week in range(int(begin // WEEK), int(end // WEEK) + 1)}
    young = {int(first // DAY) + days for days in FIRST_FITS}
    return np.array(sorted(weekly | {day for day in young if day <= end // DAY}), dtype=np.int64)


def short_history_note(known: Sequence[tuple[int, int]]) -> str:
    """``known``: of each series of a rule that is too young how many points there are, and are needed."""
    count, needed = min(known)
    others = "" if len(known) == 1 else f" in the shortest of {len(known)} series"
    return f"not enough history to decide: {count} of {needed} points{others}"
