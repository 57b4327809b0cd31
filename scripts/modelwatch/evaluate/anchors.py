"""Anchors: the first healthy weeks of each version, with which a rule compares besides its rolling baseline.

A rolling baseline follows a metric that gets worse slowly, so that it sees a part of the loss only. An anchor stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..model.finding import AnchorPeriod
from ..model.rule import RELATIVE_LIMITS, Limit, LimitKind, Rule, rolling_gap
from ..stats.arrays import Bools, Floats, Ints
from ..timeutil import WEEK
from .baselines import Baseline, BaselineRequest, baseline_of_windows
from .calendars import point_exposure
from .deployments import VersionTimeline
from .points import Points

ANCHOR_LENGTH = 2 * WEEK
"""Seconds of a version's service that say what is healthy."""
MIN_HEALTHY = 0.5
"""The share of the points in that time that must be healthy."""


@dataclass(frozen=True, slots=True, eq=False)
class AnchorPeriods:
    """One row a version that served for long enough, ascending; seconds, UTC."""

    since: Floats
    until: Floats
    counts_from: Floats
    """From this time on windows are compared with it."""
    versions: tuple[str, ...]

    def row_at(self, times: Floats) -> Ints:
        """The newest that counts at each time; -1: none."""
        return np.searchsorted(self.counts_from, times, side="right") - 1

    def select(self, rows: Bools) -> AnchorPeriods:
        versions = tuple(version for version, is_chosen in zip(self.versions, rows, strict=True) if is_chosen)
        return AnchorPeriods(self.since[rows], self.until[rows], self.counts_from[rows], versions)


def anchor_periods(rule: Rule, timeline: VersionTimeline, points: Floats, now: float) -> AnchorPeriods | None:
    """The first weeks of each version; ``None`` where none has served for long enough by ``now``.

    ``points``: the times of all points. What was read begins at no deployment, so its first weeks begin at a whole week
    (since 1970): an evaluation an hour later has the same ones.
    """
    if not rule.has_anchor or not len(points):
        return None
    oldest, delay = float(points[0]), rule.window + rolling_gap(rule.window)
    edges = timeline.since.tolist()
    found: list[tuple[float, float, float, str]] = []
    for start, end, version in zip(edges, [*edges[1:], np.inf], timeline.version.tolist(), strict=True):
        since = float(np.ceil(oldest / WEEK)) * WEEK if start <= oldest else start
        until = since + ANCHOR_LENGTH
        if until <= end and until + delay <= now:
            found.append((since, until, until + delay, timeline.versions[version] if version >= 0 else ""))
    if not found:
        return None
    since_, until_, counts_from, versions = zip(*found, strict=True)
    return AnchorPeriods(np.array(since_), np.array(until_), np.array(counts_from), tuple(versions))


def has_strayed(
    periods: AnchorPeriods, healthy: Points, weeks: tuple[Floats, Floats], limits: Sequence[tuple[Limit, float]]
) -> bool:
    """Whether some weekly mean may lie beyond a part of some limit from what the ``healthy`` points of its period say.

    ``weeks``: times and means; each limit with the part of it that counts, negative where lower is worse. Most series
    end here: whatever else is compared with an anchor costs more.
    """
    levels = list(_mean_levels(periods, healthy))
    for row, mean in zip(periods.row_at(weeks[0]).tolist(), weeks[1].tolist(), strict=True):
        level = levels[row] if row >= 0 else np.nan
        for limit, part in limits:
            if limit.form is LimitKind.SIGMA:
                return True
            distance = limit.value * abs(level) if limit.form in RELATIVE_LIMITS else limit.value
            if (mean - level) / part > distance:
                return True
    return False


def _mean_levels(periods: AnchorPeriods, healthy: Points) -> Iterator[float]:
    for since, until in zip(periods.since.tolist(), periods.until.tolist(), strict=True):
        part = healthy.between(since, until)
        exposure = point_exposure(part) if part.weights is None or np.isnan(part.weights).any() else part.weights
        total = float(exposure.sum())
        yield float(exposure @ part.values) / total if total > 0 else np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Periods that were healthy, and the level of each."""

    periods: AnchorPeriods
    levels: Baseline

    def levels_at(self, times: Floats) -> Baseline:
        """One row a time; NaN where no anchor counts."""
        row = self.periods.row_at(times)
        none = row < 0
        return Baseline(*(np.where(none, np.nan, column[row]) for column in self.levels.columns))

    def period_at(self, time: float) -> AnchorPeriod | None:
        row, periods = int(self.periods.row_at(np.array([time]))[0]), self.periods
        if row < 0:
            return None
        return AnchorPeriod(float(periods.since[row]), float(periods.until[row]), periods.versions[row])


def find_anchors(
    periods: AnchorPeriods, points: Floats, healthy: Points, request: Callable[[Points], BaselineRequest]
) -> Anchors | None:
    """The levels of those periods that were healthy; ``None``: of none.

    ``points``: the times of all points; ``healthy``: those of them that are; ``request``: for a baseline of some.
    """
    since, until = periods.since, periods.until
    part = healthy.between(float(since[0]), float(until[-1]))
    levels = baseline_of_windows(request(part), since, until)
    share = _count(part.times, since, until) / np.maximum(_count(points, since, until), 1)
    usable = np.isfinite(levels.value) & (share >= MIN_HEALTHY)
    if not usable.any():
        return None
    return Anchors(periods.select(usable), Baseline(*(column[usable] for column in levels.columns)))


def _count(times: Floats, since: Floats, until: Floats) -> Ints:
    return np.searchsorted(times, until, side="right") - np.searchsorted(times, since, side="right")
