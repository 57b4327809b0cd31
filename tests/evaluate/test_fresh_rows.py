"""Looks are not data: a metric that is logged daily and judged hourly counts once a day, from points to alert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.alerts.builtin_rules import derive_health_tracks
from modelwatch.alerts.state_machine import latest_alert
from modelwatch.model.alert import MONITORING_SILENT, AlertState
from modelwatch.model.finding import Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import Aggregate, BaselineKind, BaselineSpec, Direction, Interval, LimitKind, Rule
from modelwatch.model.series import Series
from modelwatch.timeutil import DAY, HOUR

from .making import NAN, NOW, rule, series, tier, track

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
