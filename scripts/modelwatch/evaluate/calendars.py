"""What the days of a calendar do to a series, learned from the earlier days of their kind.

The effect of a day is how far its mean lies from the same hours of the week of the four weeks before, as a share of
that level. A day is expected to be like the earlier days of its name, or of its kind where they do not differ; where
there are too few of them its level is unknown. Only days of the past count, so nothing is known from later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np

from ..model.calendar import CalendarEvent, CalendarSpec
from ..model.rule import Aggregate, Rule
from ..stats.arrays import Bools, Floats, Ints
from ..stats.intervals import z_value
from ..timeutil import DAY, HOUR, public_holidays
from .arrays import nans
from .baselines import Baseline
from .local_time import MAX_DAYS, local_times
from .points import Points
from .windows import row_ranges, window_sums

HOLIDAY = "holiday"
"""The kind of all holidays of a country. Every name of a file is a kind of its own."""
WEEKS = 4
"""Weeks before a day that it is compared with."""
MIN_GAP = 7
"""Days between a day and the earlier ones that say what to expect: a failure during a festival is no custom."""
MIN_OF_KIND = 3
"""Days of the kind without which a new name is unknown."""
PRIOR_SPREAD, PRIOR_DAYS = 0.25, 2.0
"""How much the effect varies from one time to the next before that is known (a share of it), and for how many days
this counts."""
ONE_SIDED = z_value(0.9)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class EventDay:
    """A local day (since 1970) of a calendar. ``episode`` is the first of the days in a row that have its name."""

    day: int
    kind: str
    name: str
    episode: int


@dataclass(frozen=True, slots=True, eq=False)
class DayEffects:
    """One row a point: how far it is expected from an ordinary day, as shares of the level."""

    change: Floats
    """0 on ordinary days; NaN where it is unknown."""
    doubt: Floats
    """Half of its one-sided 95 % interval."""


@dataclass(frozen=True, slots=True, eq=False)
class DayHours:
    """Each hour of each day of a calendar, (days, 24)."""

    share: Floats
    """Count behind it; 0 where it, or the same hour of the weeks before, holds nothing."""
    expected: Floats
    """Mean of the same hour of the ordinary weeks before."""
    apart: Floats
    """How far its own mean lies from that."""

    @property
    def level(self) -> Floats:
        """Size of what is expected of each day; NaN where nothing is."""
        with np.errstate(divide="ignore", invalid="ignore"):
            level: Floats = np.abs((self.share * self.expected).sum(axis=1) / self.share.sum(axis=1))
        return level

    def effects(self) -> tuple[Floats, Floats]:
        """The effect of each day, as a share of its level, and the variance of that."""
        level = self.level
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.share.sum(axis=1)
            mean = (self.share * self.apart).sum(axis=1) / total
            variance = (self.share**2 * (self.apart - mean[:, None]) ** 2).sum(axis=1) / total**2
            return mean / level, variance / level**2


@dataclass(frozen=True, slots=True, eq=False)
class SeriesCalendar:
    """The days of a calendar within a series."""

    points: Points
    hour: Ints
    """Local hour of each point (since 1970). A point belongs to the hour, and to the day, that it ends."""
    days: tuple[EventDay, ...]
    event: Ints
    """Index into ``days`` of each point; -1 for an ordinary day."""
    is_known: bool
    """Whether effects can be learned."""

    @property
    def is_ordinary(self) -> Bools:
        return self.event < 0

    def effects(self, counted: Bools | None = None) -> DayEffects:
        """What is expected of the days, from those points that are ``counted``; by default all."""
        exposure = point_exposure(self.points)
        if counted is not None:
            exposure = np.where(counted, exposure, 0.0)
        change, doubt = nans(len(self.days) + 1), np.zeros(len(self.days) + 1)
        change[-1] = 0.0
        if self.is_known:
            effect, variance = self._measure(exposure)
            for place, day in enumerate(self.days):
                change[place], doubt[place] = expect(day, self.days, effect, variance)
        return DayEffects(change[self.event], doubt[self.event])

    def ordinary_values(self) -> Floats:
        """The values as on ordinary days: on a day of the calendar the value of an ordinary week before, and how far
        the point lies beyond what its hour held on the earlier days of the kind; NaN where that is unknown."""
        hours = self._hours(point_exposure(self.points))
        low, high = self._hour_ranges(hours)
        row = np.flatnonzero(~self.is_ordinary)
        place = self.event[row]
        cell = place, self.hour[row] - 24 * np.array([day.day for day in self.days])[place]
        usual, level = hours.expected[cell], hours.level[place]
        change = (self.points.values[row] - usual) / level
        beyond = change - np.clip(change, low[cell], high[cell])
        values = self.points.values.copy()
        values[row] = self._weeks_before(row, usual) + beyond * level
        return values

    def _hour_ranges(self, hours: DayHours) -> tuple[Floats, Floats]:
        """The lowest and highest change (shares of the level) that is expected of each hour of each day, (days, 24)."""
        effect, variance = hours.effects()
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(hours.share > 0, hours.apart, np.nan) / hours.level[:, None]
        low, high = (nans(change.size).reshape(change.shape) for _ in range(2))
        for place, day in enumerate(self.days if self.is_known else ()):
            middle, doubt = expect(day, self.days, effect, variance)
            kind, own = earlier_days(day, self.days, effect)
            known = change[own or kind]
            beside = np.concatenate([known, np.roll(known, 1, axis=1), np.roll(known, -1, axis=1)])
            if np.isfinite(middle):
                low[place] = np.fmin(np.fmin.reduce(beside), middle - doubt)
                high[place] = np.fmax(np.fmax.reduce(beside), middle + doubt)
        return low, high

    def _weeks_before(self, row: Ints, otherwise: Floats) -> Floats:
        """The newest ordinary value at the time of the week of each of these rows, within ``WEEKS``."""
        times, found = self.points.times, otherwise.copy()
        for week in range(WEEKS, 0, -1):
            at = times[row] - 7 * DAY * week
            near = np.maximum(np.searchsorted(times, at, side="right") - 1, 0)
            usable = (np.abs(times[near] - at) < HOUR) & self.is_ordinary[near]
            found[usable] = self.points.values[near[usable]]
        return found

    def _measure(self, exposure: Floats) -> tuple[Floats, Floats]:
        """The effect of each day and its variance; NaN where it or the weeks before hold too little."""
        return self._hours(exposure).effects()

    def _hours(self, exposure: Floats) -> DayHours:
        last = int(self.hour.max())
        first = max(int(self.hour.min()), last - 24 * MAX_DAYS) // 24 * 24 - 24 * 7 * WEEKS
        length = last - first + 25
        place = np.clip(self.hour - first, 0, length - 1)
        weight = np.bincount(place, exposure, length)
        moment = np.bincount(place, exposure * self.points.values, length)
        ordinary = np.bincount(place, np.where(self.is_ordinary, exposure, 0.0), length)
        usual = np.bincount(place, np.where(self.is_ordinary, exposure, 0.0) * self.points.values, length)
        rows = 24 * np.array([day.day for day in self.days])[:, None] - first + np.arange(24)
        rows = np.minimum(rows, length - 1)
        before = rows[:, :, None] - 24 * 7 * np.arange(1, WEEKS + 1)
        count, sums = ordinary[before].sum(axis=2), usual[before].sum(axis=2)
        share = np.where(count > 0, weight[rows], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.where(share > 0, sums / count, 0.0)
            apart = np.where(share > 0, moment[rows] / weight[rows] - expected, 0.0)
        return DayHours(share, expected, apart)


def series_calendar(rule: Rule, points: Points) -> SeriesCalendar | None:
    """``None`` where no day of the series is in the rule's calendar, or the rule compares with nothing."""
    spec = rule.calendar
    if spec is None or spec.is_empty or not rule.compares or not len(points.times):
        return None
    hour = (np.ceil(local_times(points.times, rule.timezone) / HOUR) - 1).astype(np.int64)
    day = hour // 24
    last = int(day.max())
    days = event_days(spec, max(int(day.min()), last - MAX_DAYS), last)
    if not days:
        return None
    known = np.array([event.day for event in days])
    place = np.minimum(np.searchsorted(known, day), len(days) - 1)
    event = np.where(known[place] == day, place, -1)
    return SeriesCalendar(points, hour, days, event, rule.aggregate is not Aggregate.RATIO)


def point_exposure(points: Points) -> Floats:
    """The count behind each point; 1 where none is logged, 0 where it is unknown."""
    return np.ones(len(points.times)) if points.weights is None else np.nan_to_num(points.weights)


def expect(day: EventDay, days: tuple[EventDay, ...], effect: Floats, variance: Floats) -> tuple[float, float]:
    """The effect that is expected of ``day`` and half of its one-sided 95 % prediction interval; NaN where too few
    earlier days are known. Days of its name count for more than its kind where the two differ, or they are surer."""
    earlier, same = earlier_days(day, days, effect)
    kind = _predict(effect[earlier], variance[earlier]) if len(earlier) >= MIN_OF_KIND else None
    own = _predict(effect[same], variance[same]) if same else None
    if own is None or kind is None:
        best = own or kind
    else:
        differs = abs(own[0] - kind[0]) > ONE_SIDED * (own[2] + kind[1] ** 2) ** 0.5
        best = own if differs or own[1] < kind[1] else kind
    return (best[0], ONE_SIDED * best[1]) if best else (np.nan, 0.0)


def earlier_days(day: EventDay, days: tuple[EventDay, ...], effect: Floats) -> tuple[list[int], list[int]]:
    """Places of the earlier days of its kind whose effect is known, and of those of its name among them."""
    kind = [
        place
        for place, other in enumerate(days)
        if other.day <= day.day - MIN_GAP
        and (other.name, other.episode) != (day.name, day.episode)
        and other.kind == day.kind
        and np.isfinite(effect[place])
    ]
    return kind, [place for place in kind if days[place].name == day.name]


def _predict(effect: Floats, variance: Floats) -> tuple[float, float, float]:
    """Mean, standard deviation of the next one, and variance of the mean."""
    count, mean = len(effect), float(effect.mean())
    apart = float(((effect - mean) ** 2).sum()) + PRIOR_DAYS * (PRIOR_SPREAD * mean) ** 2
    spread = max(apart / (count - 1 + PRIOR_DAYS), float(variance.mean()))
    return mean, (spread * (1 + 1 / count)) ** 0.5, float(variance.mean()) / count


def expect_windows(
    reference: Baseline, calendar: SeriesCalendar, effects: DayEffects, start: Floats, end: Floats, floor: Floats | None
) -> tuple[Baseline, Bools]:
    """The baseline on the days that each window holds; and which windows hold days of unknown level."""
    spans = row_ranges(calendar.points.times, start, end, floor)
    exposure = point_exposure(calendar.points)
    unknown = np.isnan(effects.change)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = window_sums(exposure, spans)
        shift, doubt = (
            np.nan_to_num(window_sums(exposure * column, spans) / total) * np.abs(reference.value)
            for column in (np.nan_to_num(effects.change), effects.doubt)
        )
    doubt = doubt * z_value() / ONE_SIDED
    moved = Baseline(
        reference.value + shift,
        reference.low + shift - doubt,
        reference.high + shift + doubt,
        reference.n,
        reference.sd,
    )
    return moved, window_sums(unknown.astype(np.float64), spans) > 0


@lru_cache(maxsize=64)
def event_days(spec: CalendarSpec, first: int, last: int) -> tuple[EventDay, ...]:
    """The days of a calendar between two days (since 1970), both included. A file's own entries win over holidays."""
    names: dict[int, tuple[str, str]] = {}
    years = range(date.fromordinal(first + _EPOCH).year, date.fromordinal(last + _EPOCH).year + 1)
    for country in spec.countries:
        for day, name in chain.from_iterable(public_holidays(country, year).items() for year in years):
            names.setdefault(day.toordinal() - _EPOCH, (HOLIDAY, name))
    own: dict[int, tuple[str, str]] = {}
    for event in spec.events:
        for begin, end in _occurrences(event, years):
            for day_number in range(max(begin, first), min(end, last) + 1):
                own.setdefault(day_number, (event.name, event.name))
    names.update(own)
    days: list[EventDay] = []
    for number in sorted(number for number in names if first <= number <= last):
        kind, name = names[number]
        goes_on = days and days[-1].day == number - 1 and days[-1].name == name
        days.append(EventDay(number, kind, name, days[-1].episode if goes_on else number))
    return tuple(days)


def calendar_days(spec: CalendarSpec, timezone: str, since: float, until: float) -> list[tuple[float, str]]:
    """(local midnight as seconds UTC, name) of each calendar day that touches the time between."""
    zone = ZoneInfo(timezone) if timezone else UTC
    first, last = (datetime.fromtimestamp(time, zone).date() for time in (since, until))
    days = event_days(spec, first.toordinal() - _EPOCH, last.toordinal() - _EPOCH)
    dates = ((date.fromordinal(day.day + _EPOCH), day.name) for day in days)
    return [(datetime(on.year, on.month, on.day, tzinfo=zone).timestamp(), name) for on, name in dates]


def _occurrences(event: CalendarEvent, years: range) -> list[tuple[int, int]]:
    """First and last day (since 1970) of an entry, each time that it recurs."""
    first, last = date.fromisoformat(event.first), date.fromisoformat(event.last)
    if not event.yearly:
        return [(first.toordinal() - _EPOCH, last.toordinal() - _EPOCH)]
    length = (last - first).days
    starts = (_in_year(first, year) for year in range(years.start - 1, years.stop))
    return [(start.toordinal() - _EPOCH, (start + timedelta(days=length)).toordinal() - _EPOCH) for start in starts]


def _in_year(day: date, year: int) -> date:
    """The same date of another year; 29 February is the 28th where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)
