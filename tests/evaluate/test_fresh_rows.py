"""Looks are not data: a metric that is logged daily and judged hourly counts once a day, from points to alert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelwatch.alerts.builtin_rules import derive_health_tracks
from modelwatch.alerts.state_machine import latest_alert
from modelwatch.evaluate.arrivals import overdue_rows
from modelwatch.model.alert import MONITORING_SILENT, SEGMENT_GONE, AlertState
from modelwatch.model.cadence import cadence_starts
from modelwatch.model.finding import Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, LimitKind, Rule
from modelwatch.model.series import Series
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR

from .making import NAN, NOW, rule, series, tier, track, tracks

LOGGED = 6 * HOUR + 300
"""After midnight."""
ACCURACY = rule(
    tier("critical", LimitKind.DROP, 0.1),
    window=DAY,
    interval=Interval.WILSON,
    weight="eval/n",
    better=Direction.HIGHER,
    baseline=BaselineSpec(BaselineKind.CONSTANT, value=0.9),
)


def daily(values: list[float], weights: list[float] | None = None, **more: Any) -> Series:
    """One point a day, the last on the day that ends at ``NOW``."""
    first = NOW - len(values) * DAY + LOGGED
    weights = weights or [1000.0] * len(values)
    rows = zip(values, weights, strict=True)
    return series([(first + day * DAY, value, weight) for day, (value, weight) in enumerate(rows)], **more)


@pytest.mark.parametrize("for_", [2, 12, 24])
def test_one_bad_day_is_critical_for_no_for_above_one(for_: int) -> None:
    logged = daily([0.9] * 20 + [0.6] + [0.9] * 3)
    bad = NOW - 4 * DAY + LOGGED
    states = set()
    for hours in range(1, 72, 5):
        alert = latest_alert(track(replace(ACCURACY, for_=for_), logged, now=bad + hours * HOUR), bad + hours * HOUR)
        states.add(alert and alert.state)
    assert states == {AlertState.PENDING, None}


def test_two_bad_days_are_critical_for_two() -> None:
    alert = latest_alert(track(replace(ACCURACY, for_=2), daily([0.9] * 20 + [0.6] * 2)), NOW)
    assert alert is not None
    assert (alert.state, alert.fired) == (AlertState.FIRING, NOW - DAY + 7 * HOUR)
    assert alert.finding.time == NOW, "the newest is shown"


def silence(found: Track) -> AlertState | None:
    derived = derive_health_tracks(Model("churn", ()), [found])[0].get(MONITORING_SILENT)
    alert = latest_alert(derived[0], NOW) if derived else None
    return alert.state if alert else None


@pytest.mark.parametrize("bad", [(0.9, 10.0), (NAN, 1000.0), (1.5, 1000.0)], ids=["few", "nan", "no proportion"])
def test_one_undecided_day_raises_no_silence_for_months(bad: tuple[float, float]) -> None:
    of = replace(ACCURACY, min_weight=100.0)
    values, weights = [0.9] * 150, [1000.0] * 150
    values[140], weights[140] = bad
    found = track(of, daily(values, weights), history=149 * DAY)
    assert set(found.outcome) == {Outcome.OK.code, Outcome.NO_DATA.code if bad[0] != bad[0] else Outcome.UNDECIDED.code}
    derived, healthy = derive_health_tracks(Model("churn", ()), [found])
    assert MONITORING_SILENT not in derived
    assert len(healthy[MONITORING_SILENT].clear[0].times) == 4
    for day in (141, 142):
        values[day], weights[day] = bad
    assert silence(track(of, daily(values[:143], weights[:143]))) is AlertState.FIRING, "three such days do"


def logged(step: float, count: int, *, weekdays: bool = False) -> Series:
    """A point every ``step``, the newest at ``NOW``; ``weekdays``: none on Saturday and Sunday."""
    times = [NOW - step * place for place in reversed(range(count))]
    return series([(time, 0.9, 1000.0) for time in times if not weekdays or (time // DAY + 3) % 7 < 5])


@pytest.mark.parametrize(
    ("points", "told_after"),
    [
        pytest.param(logged(HOUR, 240), 3, id="hourly, in windows of a day"),
        pytest.param(logged(DAY, 28), 49, id="daily"),
        pytest.param(logged(6 * HOUR, 100), 13, id="four times a day"),
        pytest.param(logged(60.0, 1000), 2, id="every minute: the next evaluation may find the newest"),
    ],
)
def test_points_that_stop_are_silence_after_two_usual_gaps(points: Series, told_after: int) -> None:
    newest = points.times[-1]

    def state(hours: int) -> AlertState | None:
        found = track(ACCURACY, points, now=newest + hours * HOUR)
        derived = derive_health_tracks(Model("churn", ()), [found])[0].get(MONITORING_SILENT)
        alert = latest_alert(derived[0], newest + hours * HOUR) if derived else None
        return alert.state if alert else None

    assert [state(told_after - 1), state(told_after)] == [None, AlertState.FIRING]


def test_a_pause_that_recurs_every_week_is_no_silence() -> None:
    """Weekends, from the third on, and the silence that outlasts one."""
    points = logged(HOUR, 24 * 28, weekdays=True)
    friday = max(time for time, after in zip(points.times, points.times[1:], strict=False) if after - time > DAY)
    until = series([(time, 0.9, 1000.0) for time in points.times if time <= friday])
    found = track(ACCURACY, until, now=friday + 80 * HOUR, history=25 * DAY)
    hours = [(found.grid.time(row) - friday) / HOUR for row, late in enumerate(found.overdue) if late]
    assert min(hour for hour in hours if hour > 0) == 54, "a weekend without points is 49 h here"


def irregular(kind: str, days: int = 60) -> Series:
    rng = np.random.default_rng(7)
    if kind == "bursts":
        starts = np.cumsum(rng.exponential(6 * HOUR, days * 4))
        times = (starts[:, None] + 120.0 * np.arange(5)).ravel()
    elif kind == "weekdays":
        times = np.cumsum(rng.exponential(2 * HOUR, days * 12))
        times = times[(times // DAY) % 7 < 5]
    elif kind == "half of the days":
        times = DAY * np.flatnonzero(rng.random(days) < 0.5) + 6 * HOUR
    else:
        times = np.cumsum(rng.exponential(6 * HOUR, days * 4))
    times = np.unique(np.round(times))
    return series([(time, 0.9, 1000.0) for time in times - times[-1] + NOW])


IRREGULAR = ("bursts", "weekdays", "at random", "half of the days")


@pytest.mark.parametrize("kind", IRREGULAR)
def test_irregular_gaps_are_no_silence(kind: str) -> None:
    """Twice the usual gap comes every few points, and what its own gaps bring once a year does not."""
    points = irregular(kind)
    found = track(ACCURACY, points, history=14 * DAY)
    assert not any(found.overdue)
    gaps = np.diff(points.times)
    late = gaps > 2 * np.median(gaps)
    assert late[-len(late) // 4 :].any(), "the naive rule would have told"


@pytest.mark.parametrize(("kind", "told_after"), list(zip(IRREGULAR, (60, 84, 60, 12 * 24), strict=True)))
def test_irregular_points_that_stop_are_silence(kind: str, told_after: int) -> None:
    points = irregular(kind)
    assert track(ACCURACY, points, now=points.times[-1] + told_after * HOUR).overdue[-1]


def test_an_outage_makes_no_hourly_log_irregular() -> None:
    points = logged(HOUR, 24 * 60)
    outages = [(NOW - day * DAY, hours) for day, hours in ((50, 5), (40, 48), (30, 2), (20, 9))]
    kept = [time for time in points.times if not any(0 < time - at <= hours * HOUR for at, hours in outages)]
    found = track(ACCURACY, series([(time, 0.9, 1000.0) for time in kept]), now=NOW + 3 * HOUR)
    assert found.overdue[-1]
    assert not any(found.overdue[:-1])


def gone(present: np.ndarray, days: int) -> AlertState | None:
    """Of a segment with points on these of 60 days, so many days after the last of which it is looked at."""
    first = NOW - (int(np.flatnonzero(present)[-1]) + days) * DAY
    whole = series([(first + day * DAY, 0.9, 1000.0) for day in range(-1, 60 + days)])
    rare = [(first + day * DAY, 0.9, 100.0) for day in np.flatnonzero(present)]
    of = replace(ACCURACY, every=DAY, segments=(KeyPattern("eval/country=*/accuracy"),))
    found = tracks(of, whole, series(rare, labels=(("country", "li"),)), history=30 * DAY)
    derived = derive_health_tracks(Model("churn", ()), found)[0].get(SEGMENT_GONE)
    alert = latest_alert(derived[0], NOW) if derived else None
    return alert.state if alert else None


def test_a_segment_that_comes_and_goes_is_not_gone_until_it_stays_away() -> None:
    rare = np.random.default_rng(5).random(60) < 0.35
    assert np.diff(np.flatnonzero(rare)).max() > 4, "away for longer than three windows"
    assert [gone(rare, days) for days in (3, 5, 30)] == [None, None, AlertState.FIRING]
    weekdays = np.arange(60) % 7 < 4
    assert [gone(weekdays, days) for days in (3, 4, 5, 6)] == [None, None, AlertState.FIRING, AlertState.FIRING]
    always = np.ones(60, np.bool_)
    assert [gone(always, days) for days in (2, 3)] == [None, AlertState.FIRING]


def fresh_hours(of: Rule, *some: Series) -> list[float]:
    """Hours after the last-but-one midnight at which findings count."""
    found = track(of, *some, history=DAY)
    return [(found.grid.time(row) - NOW + DAY) / HOUR for row in range(1, found.grid.count) if found.is_fresh(row)]


def test_only_points_of_the_findings_own_sort_count() -> None:
    """Neither does a NaN confirm the number before it, nor is one logged every hour one finding."""
    logged = series([(NOW - 23.5 * HOUR, 0.6), *((NOW - hour * HOUR - 1800, NAN) for hour in range(20))])
    of = replace(ACCURACY, interval=Interval.NONE, weight=None)
    assert fresh_hours(of, logged) == [1.0]
    assert fresh_hours(replace(of, window=HOUR), logged) == [1.0, *range(5, 25)]


def test_the_denominators_points_count_as_well() -> None:
    requests = series([(NOW - hour * HOUR, 10.0) for hour in range(30)], name="eval/requests")
    errors = series([(NOW - 23.5 * HOUR, 1.0)])
    of = replace(ACCURACY, aggregate=Aggregate.RATIO, denominator=KeyPattern("eval/requests"))
    assert fresh_hours(of, errors, requests) == list(range(1, 25))
    assert fresh_hours(replace(of, aggregate=Aggregate.SUM), errors, requests) == [1.0]


def at_cadences(*cadences: tuple[float, float]) -> Floats:
    """Times of points that came at each of these gaps for so long, (gap, length) in seconds."""
    gaps = [gap for gap, length in cadences for _ in range(round(length / gap))]
    return np.cumsum(np.array([0.0, *gaps]))


@pytest.mark.parametrize(
    ("before", "after", "days", "limit"),
    [
        (DAY, HOUR, 1, 2 * DAY),
        (DAY, HOUR, 2, 2 * HOUR),
        (DAY, HOUR, 30, 2 * HOUR),
        (6 * HOUR, HOUR, 1, 2 * HOUR),
        (HOUR, 900.0, 1, HOUR),
        (HOUR, DAY, 3, 2 * DAY),
        (HOUR, 6 * HOUR, 1, 12 * HOUR),
    ],
)
def test_a_series_is_overdue_by_the_cadence_that_it_has_now(
    before: float, after: float, days: float, limit: float
) -> None:
    points = at_cadences((before, 40 * DAY), (after, days * DAY))
    since = points[-1] + np.arange(0, 5 * DAY, 600.0)
    late = since[overdue_rows(points, HOUR, since)] - points[-1]
    assert late[0] == limit + 600.0
    assert not overdue_rows(points, HOUR, np.arange(points[0], points[-1], HOUR)).any(), "known in hindsight"


def test_bursts_and_outages_are_no_cadence() -> None:
    daily = np.arange(60) * DAY
    burst = np.union1d(daily, 30 * DAY + 60.0 * np.arange(200))
    hourly = np.delete(at_cadences((HOUR, 60 * DAY)), [*range(700, 720), *range(721, 726)])
    for points in (burst, hourly):
        assert cadence_starts(np.diff(points).tolist(), HOUR) == [0]


def test_a_campaign_that_runs_on_three_of_ten_days_is_not_gone_in_its_pauses() -> None:
    """Nor overdue, once it has paused three times; where it stays away for longer, it is."""
    hours = np.arange(60 * 24)
    points: Floats = hours[hours // 24 % 10 < 3].astype(np.float64) * HOUR
    each = np.arange(0, 60 * DAY, HOUR)
    late = overdue_rows(points, HOUR, each)
    known = each > 33 * DAY
    assert late[~known].any()
    assert not late[known].any()
    since = points[-1] + np.arange(0, 12 * DAY, HOUR)
    assert since[overdue_rows(points, HOUR, since)][0] - points[-1] == pytest.approx(1.1 * 7 * DAY, abs=DAY)
