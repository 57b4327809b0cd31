"""The five kinds of baseline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.finding import Cause, Finding, Outcome
from modelwatch.model.rule import Aggregate, BaselineEntry, BaselineKind, BaselineSpec, Interval, LimitKind
from modelwatch.model.series import Series
from modelwatch.timeutil import DAY, HOUR

from .making import NAME, NOW, hourly, newest, rows, rule, series, tier, track

WEEK = 7 * DAY
DROP = tier("warning", LimitKind.DROP, 0.1)
SIGMA = tier("warning", LimitKind.SIGMA, 3.0)


def against(kind: BaselineKind, *some: Series, limit: Any = DROP, deployed: Any = (), **more: Any) -> Finding:
    given = {key: more.pop(key) for key in ("entries", "length", "version", "value", "n") if key in more}
    return newest(rule(limit, baseline=BaselineSpec(kind, **given), **more), *some, deployed=deployed)


def entry(**more: Any) -> BaselineEntry:
    return BaselineEntry(**{"name": NAME, "labels": (), "value": 0.8, **more})


class TestFile:
    def test_the_entry_of_the_same_name_and_labels_counts(self) -> None:
        others = (entry(name="other", value=0.1), entry(labels=(("region", "eu"),), value=0.2), entry())
        last = against(BaselineKind.FILE, hourly([0.6]), entries=others)
        assert (last.baseline, last.outcome) == (0.8, Outcome.BREACH)
        assert last.change == pytest.approx(-0.25)

    def test_of_two_the_newest_counts(self) -> None:
        both = (entry(value=0.9, captured=2.0), entry(value=0.1, captured=1.0))
        assert against(BaselineKind.FILE, hourly([0.6]), entries=both).baseline == 0.9

    def test_no_entry_is_undecided(self) -> None:
        last = against(BaselineKind.FILE, hourly([0.6]), entries=(entry(name="other"),))
        assert (last.outcome, last.cause, last.baseline) == (Outcome.UNDECIDED, Cause.NO_BASELINE, None)

    def test_its_interval_counts(self) -> None:
        """0.6 of 100 lies in [0.50, 0.69]: clear of an exact 0.8, but not of one between 0.5 and 0.95."""
        some = hourly([0.6], weight=100.0)
        exact = against(BaselineKind.FILE, some, entries=(entry(),), interval=Interval.WILSON)
        wide = against(BaselineKind.FILE, some, entries=(entry(low=0.5, high=0.95),), interval=Interval.WILSON)
        assert (exact.outcome, wide.cause) == (Outcome.BREACH, Cause.NOT_CLEARED)

    def test_its_count_gives_its_interval(self) -> None:
        some = hourly([0.6], weight=100.0)
        few = against(BaselineKind.FILE, some, entries=(entry(n=5.0),), interval=Interval.WILSON)
        many = against(BaselineKind.FILE, some, entries=(entry(n=5000.0),), interval=Interval.WILSON)
        assert (few.cause, many.outcome) == (Cause.NOT_CLEARED, Outcome.BREACH)

    def test_its_spread_gives_a_normal_interval(self) -> None:
        some = hourly([0.6, 0.61])
        few = against(BaselineKind.FILE, some, entries=(entry(sd=0.5, points=4),), interval=Interval.NORMAL)
        many = against(BaselineKind.FILE, some, entries=(entry(sd=0.5, points=4000),), interval=Interval.NORMAL)
        assert (few.cause, many.outcome) == (Cause.NOT_CLEARED, Outcome.BREACH)

    def test_sigma_counts_its_spread(self) -> None:
        assert (
            against(BaselineKind.FILE, hourly([0.6]), limit=SIGMA, entries=(entry(sd=0.05),)).outcome is Outcome.BREACH
        )
        assert against(BaselineKind.FILE, hourly([0.6]), limit=SIGMA, entries=(entry(sd=0.1),)).outcome is Outcome.OK
        assert against(BaselineKind.FILE, hourly([0.6]), limit=SIGMA, entries=(entry(),)).cause is Cause.NO_BASELINE

    def test_a_percentile_is_compared_with_the_same_percentile(self) -> None:
        latency = entry(value=100.0, percentiles=(("p50", 90.0), ("p95", 200.0)), n=10.0)
        last = against(BaselineKind.FILE, hourly([195.0]), entries=(latency,), aggregate=Aggregate.P95)
        assert (last.baseline, last.outcome) == (200.0, Outcome.OK)


class TestRolling:
    def test_it_ends_seven_days_before_the_window(self) -> None:
        """DESIGN: a rolling baseline ends a window's length and at least 7 days before the window."""
        edge = NOW - 4 * HOUR - WEEK
        some = series([(edge - DAY, 7.0), (edge - DAY + 1, 0.25), (edge, 0.75), (edge + 1, 9.0), (NOW, 0.5)])
        last = against(BaselineKind.ROLLING, some, length=DAY)
        assert (last.baseline, last.value) == (0.5, 0.5)

    def test_a_long_window_keeps_it_further_away(self) -> None:
        """DESIGN: ... a window's length ... before the window."""
        edge = NOW - 20 * DAY
        some = series([(edge, 0.75), (edge + 1, 9.0), (NOW, 0.5)])
        last = against(BaselineKind.ROLLING, some, length=DAY, window=10 * DAY)
        assert last.baseline == 0.75

    def test_slow_rot_does_not_become_the_norm(self) -> None:
        """DESIGN: so that slow rot does not become the norm: 1 % of the level lost a day is found within the week.

        A baseline that ended at the window would lag half its length behind: 3.5 days, a loss of 3.5 %.
        """
        rotting = hourly([0.99 ** (i / 24) for i in range(60 * 24)])
        last = against(BaselineKind.ROLLING, rotting, length=7 * DAY, window=DAY)
        assert last.outcome is Outcome.BREACH
        assert last.change is not None
        assert last.change < -0.09

    def test_history_too_short_is_undecided(self) -> None:
        last = against(BaselineKind.ROLLING, hourly([0.5] * 72), length=DAY)
        assert (last.outcome, last.cause) == (Outcome.UNDECIDED, Cause.NO_BASELINE)

    def test_sigma_counts_the_spread_of_its_points(self) -> None:
        old = [(NOW - 8 * DAY - i * HOUR, 0.4 if i % 2 else 0.6) for i in range(48)][::-1]
        near, far = series([*old, (NOW, 0.25)]), series([*old, (NOW, 0.15)])
        assert against(BaselineKind.ROLLING, near, limit=SIGMA, length=4 * DAY).outcome is Outcome.OK
        assert against(BaselineKind.ROLLING, far, limit=SIGMA, length=4 * DAY).outcome is Outcome.BREACH

    def test_a_constant_metric_is_not_alarmed_by_rounding(self) -> None:
        """Its spread is 0, or what rounding makes of it."""
        found = rows(track(rule(SIGMA, baseline=BaselineSpec(BaselineKind.ROLLING, length=DAY)), hourly([0.1] * 400)))
        assert {row.outcome for row in found} == {Outcome.OK}

    def test_it_spans_versions(self) -> None:
        some = hourly([0.8] * 24 * 12)
        last = against(BaselineKind.ROLLING, some, length=2 * DAY, deployed=[("a", 0.0), ("b", NOW - DAY)])
        assert last.version == "b"
        assert last.baseline == pytest.approx(0.8)

    @settings(deadline=None)
    @given(st.lists(st.floats(-100, 100), min_size=12, max_size=12), st.floats(0.001, 1000))
    def test_relative_tiers_do_not_depend_on_the_unit(self, values: list[float], unit: float) -> None:
        old = NOW - 8 * DAY
        tiers = (DROP, tier("error", LimitKind.RISE, 0.5), tier("critical", LimitKind.SIGMA, 4.0))
        spec = BaselineSpec(BaselineKind.ROLLING, length=2 * DAY)
        both = [
            newest(
                rule(*tiers, baseline=spec),
                series([*((old - 8 + i, value * by) for i, value in enumerate(values[:8])), (NOW, values[9] * by)]),
            )
            for by in (1.0, unit)
        ]
        if both[0].change is None or min(abs(abs(both[0].change) - edge) for edge in (0.1, 0.5)) > 1e-6:
            assert (both[0].outcome, both[0].severity) == (both[1].outcome, both[1].severity)


class TestSeasonal:
    def test_it_is_the_mean_of_the_same_hour_of_earlier_weeks(self) -> None:
        some = series(
            [
                (NOW - 3 * WEEK, 9.0),
                (NOW - 2 * WEEK, 0.25),
                (NOW - 2 * WEEK + HOUR, 7.0),
                (NOW - WEEK, 0.75),
                (NOW, 0.5),
            ]
        )
        last = against(BaselineKind.SEASONAL, some, length=2 * WEEK)
        assert last.baseline == 0.5

    def test_a_weekly_rhythm_is_no_breach(self) -> None:
        rhythm = hourly([1.0 if (i // 24) % 7 < 5 else 0.5 for i in range(36 * 24)])
        found = rows(track(rule(DROP, baseline=BaselineSpec(BaselineKind.SEASONAL)), rhythm, history=7 * DAY))
        assert {row.outcome for row in found} == {Outcome.OK}

    def test_sigma_counts_the_spread_of_its_windows(self) -> None:
        weeks = [(NOW - 3 * WEEK, 0.4), (NOW - 2 * WEEK, 0.5), (NOW - WEEK, 0.6)]
        near, far = series([*weeks, (NOW, 0.25)]), series([*weeks, (NOW, 0.15)])
        assert against(BaselineKind.SEASONAL, near, limit=SIGMA).outcome is Outcome.OK
        assert against(BaselineKind.SEASONAL, far, limit=SIGMA).outcome is Outcome.BREACH

    def test_its_count_is_that_of_all_its_windows(self) -> None:
        """60 of 100 against 80 of 100: clear. Against 80 of 20 in 4 windows of 5: not."""
        heavy = series([*((NOW - k * WEEK, 0.8, 100.0) for k in (4, 3, 2, 1)), (NOW, 0.6, 100.0)])
        light = series([*((NOW - k * WEEK, 0.8, 2.0) for k in (4, 3, 2, 1)), (NOW, 0.6, 100.0)])
        assert against(BaselineKind.SEASONAL, heavy, interval=Interval.WILSON).outcome is Outcome.BREACH
        assert against(BaselineKind.SEASONAL, light, interval=Interval.WILSON).cause is Cause.NOT_CLEARED

    def test_its_windows_cross_no_deployment(self) -> None:
        some = series([(NOW - WEEK - HOUR, 9.0), (NOW - WEEK, 0.5), (NOW, 0.5)])
        last = against(BaselineKind.SEASONAL, some, deployed=[("a", 0.0), ("b", NOW - WEEK - 60)])
        assert last.baseline == 0.5

    def test_less_than_a_week_is_no_baseline(self) -> None:
        assert against(BaselineKind.SEASONAL, hourly([0.5] * 400), length=6 * DAY).cause is Cause.NO_BASELINE


class TestVersion:
    SOME = series([(100.0, 0.1), (200.0, 0.2), (250.0, 0.4), (300.0, 0.5), (NOW, 0.9)])
    DEPLOYED = (("a", 100.0), ("b", 200.0), ("c", 300.0))

    def test_previous_is_the_whole_service_of_the_one_before(self) -> None:
        last = against(BaselineKind.VERSION, self.SOME, deployed=self.DEPLOYED)
        assert last.baseline == pytest.approx(0.3)

    def test_a_named_one(self) -> None:
        last = against(BaselineKind.VERSION, self.SOME, deployed=self.DEPLOYED, version="a")
        assert last.baseline == 0.1

    def test_the_first_version_has_no_previous_one(self) -> None:
        last = against(BaselineKind.VERSION, self.SOME, deployed=[("a", 100.0)])
        assert last.cause is Cause.NO_BASELINE
        assert against(BaselineKind.VERSION, self.SOME).cause is Cause.NO_BASELINE

    def test_an_unknown_name_is_no_baseline(self) -> None:
        last = against(BaselineKind.VERSION, self.SOME, deployed=self.DEPLOYED, version="x")
        assert last.cause is Cause.NO_BASELINE

    def test_a_named_one_that_serves_is_compared_with_its_own_past(self) -> None:
        last = against(BaselineKind.VERSION, self.SOME, deployed=self.DEPLOYED, version="c")
        assert (last.baseline, last.value) == (0.5, 0.9)

    def test_after_a_rollback_previous_is_the_one_rolled_back(self) -> None:
        deployed = [*self.DEPLOYED, ("b", NOW - 60)]
        assert against(BaselineKind.VERSION, self.SOME, deployed=deployed).baseline == 0.5

    def test_every_time_has_the_version_before_its_own(self) -> None:
        some = hourly([0.25] * 10 + [0.5] * 10 + [0.75] * 10)
        deployed = [("a", 0.0), ("b", NOW - 19 * HOUR), ("c", NOW - 9 * HOUR)]
        found = rows(track(rule(DROP, baseline=BaselineSpec(BaselineKind.VERSION)), some, deployed=deployed))
        assert [row.baseline for row in found[-30:]] == [None] * 10 + [0.25] * 10 + [0.5] * 10


class TestConstant:
    def test_it_is_exact_without_a_count(self) -> None:
        some = hourly([0.6], weight=100.0)
        exact = against(BaselineKind.CONSTANT, some, value=0.8, interval=Interval.WILSON)
        few = against(BaselineKind.CONSTANT, some, value=0.8, n=5.0, interval=Interval.WILSON)
        assert (exact.outcome, exact.baseline) == (Outcome.BREACH, 0.8)
        assert few.cause is Cause.NOT_CLEARED

    def test_relative_to_zero_nothing_can_be_said(self) -> None:
        rise = tier("error", LimitKind.RISE, 0.5)
        last = against(BaselineKind.CONSTANT, hourly([0.6]), value=0.0, limit=rise)
        assert (last.outcome, last.cause) == (Outcome.UNDECIDED, Cause.ZERO_BASELINE)
        assert against(BaselineKind.CONSTANT, hourly([0.6]), value=0.0).outcome is Outcome.OK, "it did not drop"
        points = against(
            BaselineKind.CONSTANT, hourly([0.6]), value=0.0, limit=tier("error", LimitKind.RISE_POINTS, 0.5)
        )
        assert points.outcome is Outcome.BREACH


def test_without_a_baseline_static_limits_still_decide() -> None:
    some = hourly([0.6])
    static = against(BaselineKind.NONE, some, limit=tier("error", LimitKind.BELOW, 0.7))
    relative = against(BaselineKind.NONE, some)
    assert (static.outcome, static.baseline) == (Outcome.BREACH, None)
    assert relative.cause is Cause.NO_BASELINE
