"""What a window is compared with: the baselines as columns over the evaluation times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..model.rule import (
    LEVEL_LENGTH,
    PROPORTION_INTERVALS,
    YEAR,
    Aggregate,
    BaselineKind,
    Interval,
    LimitKind,
    Rule,
    rolling_gap,
)
from ..model.series import Labels
from ..stats.arrays import Bools, Floats
from ..stats.intervals import normal_interval
from ..timeutil import HOUR, WEEK
from .aggregation import Aggregator, WindowStats, proportion_interval
from .arrays import nans
from .deployments import VersionTimeline
from .local_time import utc_offsets

GAP_SHARE = 0.25
"""At most this share of the history before a window is left out of a rolling baseline, so that it begins early."""
NEIGHBOURS = HOUR * np.arange(-2, 3)
"""Hours beside a seasonal baseline's own whose windows say how much windows vary: two to four are no spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """One row an evaluation time. No baseline: ``value`` is NaN. An exact one: ``low = high = value``."""

    value: Floats
    low: Floats
    high: Floats
    n: Floats
    """Count behind the value; NaN where unknown."""
    sd: Floats
    """Spread of the baseline's points (SEASONAL: of its windows); NaN where unknown."""

    @property
    def columns(self) -> tuple[Floats, ...]:
        return self.value, self.low, self.high, self.n, self.sd

    @classmethod
    def missing(cls, count: int) -> Baseline:
        """No baseline at any of ``count`` evaluation times."""
        empty = nans(count)
        return cls(empty, empty, empty, empty, empty)

    @classmethod
    def stack(cls, baselines: Sequence[Baseline]) -> Baseline:
        """Of several series: (series, evaluation times)."""
        names = ("value", "low", "high", "n", "sd")
        return cls(*(np.stack([getattr(baseline, name) for baseline in baselines]) for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class BaselineRequest:
    """Where a baseline is needed: one rule on one series at these times."""

    rule: Rule
    labels: Labels
    aggregator: Aggregator
    timeline: VersionTimeline
    times: Floats
    first: float = -np.inf
    """When the series began: a rolling baseline of a young series leaves a smaller gap before the window."""

    @property
    def needs_spread(self) -> bool:
        recover = (self.rule.recover,) if self.rule.recover else ()
        tiers = (*self.rule.tiers, *(tier for override in self.rule.overrides for tier in override.tiers))
        limits = (*recover, *(limit for tier in tiers for limit in tier.limits))
        return any(tier.chart is not None for tier in tiers) or any(limit.form is LimitKind.SIGMA for limit in limits)


def compute_baseline(place: BaselineRequest) -> Baseline:
    return _KINDS[place.rule.baseline.kind](place)


def _none(place: BaselineRequest) -> Baseline:
    return Baseline.missing(len(place.times))


def _constant(place: BaselineRequest) -> Baseline:
    spec = place.rule.baseline
    return _constant_columns(place, spec.value, spec.n)


def _file(place: BaselineRequest) -> Baseline:
    """The entry with the series' name and labels, the newest where there are several."""
    identity = (place.rule.metric.name, place.labels)
    entries = [entry for entry in place.rule.baseline.entries if (entry.name, entry.labels) == identity]
    if not entries:
        return _none(place)
    entry = max(entries, key=lambda entry: entry.captured)
    how = place.rule.aggregate.value
    quantile = dict(entry.percentiles).get(how)
    if place.rule.aggregate in (Aggregate.P50, Aggregate.P95, Aggregate.P99) and quantile is not None:
        return _constant_columns(place, quantile, None, sd=entry.sd)
    bounds = (entry.low, entry.high) if entry.low is not None and entry.high is not None else None
    if bounds is None and place.rule.interval is Interval.NORMAL and entry.sd is not None and entry.points > 0:
        low, high = normal_interval(np.array([entry.value]), np.array([entry.sd / entry.points**0.5]))
        bounds = (float(low[0]), float(high[0]))
    return _constant_columns(place, entry.value, entry.n, sd=entry.sd, bounds=bounds)


def _constant_columns(
    place: BaselineRequest,
    value: float,
    n: float | None,
    *,
    sd: float | None = None,
    bounds: tuple[float, float] | None = None,
) -> Baseline:
    """The same statistic at every time; exact unless its interval is given, or follows from its count."""
    count = len(place.times)
    if bounds is None and n is not None and place.rule.interval in PROPORTION_INTERVALS:
        low, high = proportion_interval(np.array([value]), np.array([float(n)]))
        bounds = (float(low[0]), float(high[0]))
    if bounds is None or not np.isfinite(bounds).all():
        bounds = (value, value)
    columns = (value, *bounds, np.nan if n is None else n, np.nan if sd is None else sd)
    return Baseline(*(np.full(count, column, dtype=np.float64) for column in columns))


def _rolling(place: BaselineRequest) -> Baseline:
    """``length`` of history that ends max(window, 7 days) before the window starts.

    So slow rot does not become the norm. It can span versions: it describes what production delivered, and a new
    version is compared with that from its first window on. Its points are still only those of the version that served
    at their time.
    """
    start, end = rolling_stretch(place.times, place.rule.window, place.rule.baseline.length, _gap(place, place.times))
    return baseline_of_windows(place, start, end)


def _gap(place: BaselineRequest, times: Floats) -> Floats:
    """Seconds between a rolling baseline and the window at each time."""
    window = place.rule.window
    history = np.maximum(times - window - place.first, 0.0)
    return np.minimum(rolling_gap(window), history * GAP_SHARE)


def newest_baseline_point(place: BaselineRequest, times: Floats) -> Floats:
    """When the newest point is that a baseline at each time counts."""
    match place.rule.baseline.kind:
        case BaselineKind.ROLLING:
            return rolling_stretch(times, place.rule.window, 0.0, _gap(place, times))[1]
        case BaselineKind.VERSION:
            return times - place.rule.window
    return times - WEEK


def rolling_stretch(times: Floats, window: float, length: float, gap: float | Floats) -> tuple[Floats, Floats]:
    """Begin and end of the rolling baseline at each time."""
    end = times - window - gap
    return end - length, end


def _seasonal(place: BaselineRequest) -> Baseline:
    """The mean of the windows at the same hour of the week, 1 to ``length`` / 7 days weeks back.

    Those windows obey the rules of any window: none crosses a deployment, and one with too few points is left out.
    Its spread is that of the windows at this hour and at neighbouring ones, each around the mean of its hour; its
    interval Wilson's of all their counts, or normal from that spread.
    """
    rule = place.rule
    weeks = int(rule.baseline.length // WEEK)
    if weeks < 1:
        return Baseline.missing(len(place.times))
    if rule.baseline.is_yearly:
        return _yearly(place)
    back = WEEK * np.arange(1.0, weeks + 1)
    value, n = _windows_before(place, back)
    used = np.isfinite(value).sum(axis=0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(used > 0, np.nansum(value, axis=0) / used, np.nan)
    sd = nans(len(mean))
    if place.needs_spread or rule.interval is Interval.NORMAL:
        sd = _pooled_sd([value, *(_windows_before(place, back + lag)[0] for lag in NEIGHBOURS if lag)])
    n = np.nansum(n, axis=0)
    low, high = mean, mean
    if rule.interval in PROPORTION_INTERVALS:
        low, high = bounds_or_exact(mean, proportion_interval(mean, np.where(n > 0, n, np.nan)))
    elif rule.interval is Interval.NORMAL:
        low, high = bounds_or_exact(mean, normal_interval(mean, sd / np.sqrt(used)))
    return Baseline(mean, low, high, np.where(n > 0, n, np.nan), sd)


def _yearly(place: BaselineRequest) -> Baseline:
    """The window 52 weeks ago (the mean of several years), times the change of the level since then.

    The weeks beside it and the windows that begin later on that day say how sure that is: a dip of a day is not seen
    whole by the window that ends within it. The interval spans all of them, and the value's own interval on top.
    """
    rule = place.rule
    years = YEAR * np.arange(1.0, rule.baseline.length // YEAR + 1)
    growth = _growth(place, years)
    moved = [week - shift for week in (0.0, -WEEK, WEEK) for shift in (0.0, rule.window / 2, rule.window)]
    tables = [_windows_before(place, years + lag) for lag in moved]
    top = 1.0 if rule.interval in PROPORTION_INTERVALS else np.inf
    values = [np.minimum(value * growth, top) for value, _ in tables]
    beside = _mean(np.concatenate(values))
    mean = _mean(values[0])
    mean = np.where(np.isfinite(mean), mean, beside)
    least, most = (edge.reduce(np.concatenate(values)) for edge in (np.fmin, np.fmax))
    n = np.nansum(tables[0][1], axis=0)
    sd, low, high = nans(len(mean)), mean, mean
    if place.needs_spread or rule.interval is Interval.NORMAL:
        weeks = np.concatenate(values[::3])
        hours = [
            np.concatenate([_windows_before(place, years + w + lag)[0] * growth for w in (0.0, -WEEK, WEEK)])
            for lag in NEIGHBOURS
            if lag
        ]
        sd = _pooled_sd([weeks, *hours])
    if rule.interval in PROPORTION_INTERVALS:
        low, high = bounds_or_exact(mean, proportion_interval(mean, np.where(n > 0, n, np.nan)))
    elif rule.interval is Interval.NORMAL:
        low, high = bounds_or_exact(mean, normal_interval(mean, sd / np.sqrt(len(years))))
    # Not fmin and fmax: without a baseline there are no bounds.
    low, high = np.minimum(low, least - (mean - low)), np.maximum(high, most + (high - mean))
    return Baseline(mean, low, high, np.where(n > 0, n, np.nan), sd)


def _growth(place: BaselineRequest, years: Floats) -> Floats:
    """Level of the weeks before each time over that of the same weeks before, (years, times)."""
    window = place.rule.window

    def level(times: Floats) -> Floats:
        start, end = rolling_stretch(times, window, LEVEL_LENGTH, rolling_gap(window))
        return place.aggregator.aggregate(start, end).value

    then = np.array([level(_times_before(place, np.array([year]))[0]) for year in years])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = level(place.times) / then
    return np.where(ratio > 0, ratio, np.nan)


def _times_before(place: BaselineRequest, back: Floats) -> Floats:
    """The same time of the local clock so many seconds before, (back, times)."""
    times = place.times - back[:, None]
    zone = place.rule.timezone
    if zone in ("", "UTC"):
        return times
    now = utc_offsets(place.times, zone)
    return np.array([row + now - utc_offsets(row, zone) for row in times])


def _windows_before(place: BaselineRequest, back: Floats) -> tuple[Floats, Floats]:
    """Value and count of the windows so many seconds before, (back, times); NaN where there are too few points."""
    times = _times_before(place, back).ravel()
    stat = place.aggregator.aggregate(times - place.rule.window, times, place.timeline.start_of(times))
    usable, shape = _has_enough(stat, place.rule), (len(back), len(place.times))
    return np.where(usable, stat.value, np.nan).reshape(shape), np.where(usable, stat.n, np.nan).reshape(shape)


def _mean(values: Floats) -> Floats:
    """Mean of each column over what is known in it."""
    known = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def _pooled_sd(tables: Sequence[Floats]) -> Floats:
    """Standard deviation of windows around the mean of their own table, pooled over the tables; NaN below two."""
    squares, degrees = (np.zeros(tables[0].shape[1]) for _ in range(2))
    for table in tables:
        known = np.isfinite(table)
        apart = np.where(known, table - _mean(table), 0.0)
        squares += (apart**2).sum(axis=0)
        degrees += np.maximum(known.sum(axis=0) - 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.where(degrees > 0, squares / degrees, np.nan))


def _version(place: BaselineRequest) -> Baseline:
    """The whole service of another version."""
    rule = place.rule
    floor, end = stretch_before(rule.baseline.version, place.timeline, place.times, rule.window)
    # A baseline holds for many times in a row: each different one is aggregated once.
    first = np.append(True, (floor[1:] != floor[:-1]) | (end[1:] != end[:-1]))
    back = np.cumsum(first) - 1
    floor, end = floor[first], end[first]
    once = baseline_of_windows(place, np.full(len(end), -np.inf), end, floor)
    return Baseline(*(column[back] for column in (once.value, once.low, once.high, once.n, once.sd)))


def stretch_before(version: str, service: VersionTimeline, times: Floats, window: float) -> tuple[Floats, Floats]:
    """Begin and end, both inclusive, of the newest stretch of ``version`` (of what came before the window), or of the
    stretch before the one that holds (``previous``), at each time; where there is none, it ends at ``-inf``."""
    current = service.stretch_at(times)
    until = np.append(service.since[1:], np.inf)
    if version == "previous":
        chosen = current - 1
    else:
        index = service.versions.index(version) if version in service.versions else -2
        stretches = np.where(service.version == index, np.arange(len(service.version)), -1)
        chosen = np.maximum.accumulate(stretches)[current]
    exists = chosen > 0
    chosen = np.where(exists, chosen, 0)
    # The next stretch begins with its first moment; this one ends just before it.
    end = np.nextafter(until[chosen], -np.inf)
    if version != "previous":
        end = np.minimum(end, times - window)
    return service.since[chosen], np.where(exists, end, -np.inf)


def _has_enough(stat: WindowStats, rule: Rule) -> Bools:
    """A baseline's window needs as many points, and as large a count, as the rule's own."""
    enough = np.isfinite(stat.value) & (stat.points >= rule.min_points)
    if rule.min_weight > 0:
        enough &= stat.n >= rule.min_weight
    return enough


def baseline_of_windows(place: BaselineRequest, start: Floats, end: Floats, floor: Floats | None = None) -> Baseline:
    """What the points of each window ``(start, end]`` say; no baseline where they are too few."""
    stat = place.aggregator.aggregate(start, end, floor)
    sd = place.aggregator.standard_deviation(start, end, floor) if place.needs_spread else nans(len(end))
    enough = _has_enough(stat, place.rule)
    value = np.where(enough, stat.value, np.nan)
    low, high = bounds_or_exact(value, (stat.low, stat.high))
    return Baseline(value, low, high, np.where(enough, stat.n, np.nan), np.where(enough, sd, np.nan))


def bounds_or_exact(value: Floats, bounds: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """The value itself where its interval is unknown."""
    known = np.isfinite(bounds[0]) & np.isfinite(bounds[1])
    return np.where(known, bounds[0], value), np.where(known, bounds[1], value)


_KINDS: dict[BaselineKind, Callable[[BaselineRequest], Baseline]] = {
    BaselineKind.NONE: _none,
    BaselineKind.CONSTANT: _constant,
    BaselineKind.FILE: _file,
    BaselineKind.ROLLING: _rolling,
    BaselineKind.SEASONAL: _seasonal,
    BaselineKind.VERSION: _version,
}
