"""Days of a calendar: which they are, what they are expected to do, and that they neither alarm nor hide."""

from __future__ import annotations

from array import array
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.builtin_rules import derive_health_tracks
from modelwatch.evaluate.calendars import EventDay, event_days, expect
from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.local_time import local_times
from modelwatch.model.calendar import CalendarEvent, CalendarSpec
from modelwatch.model.control_chart import ChartMethod, ControlChart
from modelwatch.model.finding import Cause, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import (
    Aggregate,
    AnomalySpec,
    BaselineKind,
    BaselineSpec,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.stats.arrays import Floats
from modelwatch.timeutil import DAY, HOUR, parse_iso
from tests.false_alarms.model_years import BUDGETS, readme_rule

GERMANY = CalendarSpec(("DE",))
BERLIN = "Europe/Berlin"
EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: str) -> int:
    return date.fromisoformat(day).toordinal() - EPOCH


def names(spec: CalendarSpec, first: str, last: str) -> dict[str, str]:
    days = event_days(spec, day_number(first), day_number(last))
    return {date.fromordinal(day.day + EPOCH).isoformat(): day.name for day in days}


class TestDays:
    def test_germany(self) -> None:
        """The Holidays Act (Feiertagsgesetz) of all states, with the Easter of 2026 on 5 April."""
        assert names(GERMANY, "2026-01-01", "2026-12-31") == {
            "2026-01-01": "New Year's Day",
            "2026-04-03": "Good Friday",
            "2026-04-06": "Easter Monday",
            "2026-05-01": "Labor Day",
            "2026-05-14": "Ascension Day",
            "2026-05-25": "Pentecost Monday",
            "2026-10-03": "German Unity Day",
            "2026-12-25": "Christmas Day",
            "2026-12-26": "Second Day of Christmas",
        }

    def test_the_united_states(self) -> None:
        """The eleven federal holidays (5 U.S.C. 6103); Independence Day of 2026, a Saturday, is observed on Friday."""
        found = names(CalendarSpec(("US",)), "2026-01-01", "2026-12-31")
        assert set(found) == {
            *("2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03", "2026-07-04"),
            *("2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25"),
        }
        assert found["2026-11-26"] == "Thanksgiving Day"

    def test_a_part_of_a_country(self) -> None:
        assert "2026-03-08" in names(CalendarSpec(("DE-BE",)), "2026-01-01", "2026-12-31")

    def test_the_days_of_several_countries_are_joined(self) -> None:
        both = names(CalendarSpec(("DE", "US")), "2026-11-01", "2026-12-31")
        assert {"2026-11-26", "2026-12-26"} <= set(both)

    def test_a_yearly_entry_crosses_the_turn_of_the_year(self) -> None:
        own = CalendarSpec(events=(CalendarEvent("closing", "2024-12-30", "2025-01-02", True),))
        expected = ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"]
        assert list(names(own, "2026-02-01", "2027-03-01")) == expected
        days = event_days(own, day_number("2026-02-01"), day_number("2027-03-01"))
        assert len({day.episode for day in days}) == 1

    def test_a_yearly_29_february_is_the_28th_in_other_years(self) -> None:
        own = CalendarSpec(events=(CalendarEvent("leap", "2024-02-29", "2024-02-29", True),))
        assert list(names(own, "2026-01-01", "2028-12-31")) == ["2026-02-28", "2027-02-28", "2028-02-29"]

    def test_own_entries_win(self) -> None:
        own = replace(GERMANY, events=(CalendarEvent("sale", "2026-12-24", "2026-12-25"),))
        assert names(own, "2026-12-20", "2026-12-26") == {
            "2026-12-24": "sale",
            "2026-12-25": "sale",
            "2026-12-26": "Second Day of Christmas",
        }


class TestExpectation:
    @staticmethod
    def days(*some: tuple[int, str]) -> tuple[EventDay, ...]:
        return tuple(EventDay(day, "holiday", name, day) for day, name in some)

    def test_too_few_of_the_kind_are_unknown(self) -> None:
        days = self.days((0, "a"), (20, "b"), (40, "c"))
        change, _ = expect(days[2], days, np.array([-0.05, -0.05, np.nan]), np.zeros(3))
        assert np.isnan(change)

    def test_three_of_the_kind_are_enough(self) -> None:
        days = self.days((0, "a"), (20, "b"), (40, "c"), (60, "d"))
        change, doubt = expect(days[3], days, np.array([-0.05, -0.05, -0.05, np.nan]), np.zeros(4))
        assert change == pytest.approx(-0.05)
        assert 0 < doubt < 0.05

    def test_one_of_the_name_counts_where_it_differs_from_the_kind(self) -> None:
        days = self.days((0, "a"), (20, "b"), (40, "c"), (50, "christmas"), (415, "christmas"))
        effect = np.array([-0.05, -0.05, -0.05, -0.5, np.nan])
        change, _ = expect(days[4], days, effect, np.full(5, 1e-6))
        assert change == pytest.approx(-0.5, abs=0.35)
        assert change < -0.1

    def test_one_of_the_name_counts_where_the_kind_says_little(self) -> None:
        days = self.days((0, "a"), (20, "b"), (40, "c"), (50, "christmas"), (415, "christmas"))
        effect = np.array([-0.1, 0.0, -0.05, -0.06, np.nan])
        assert expect(days[4], days, effect, np.full(5, 1e-6))[0] == pytest.approx(-0.06)
        noisy = np.array([1e-6, 1e-6, 1e-6, 0.01, 1.0])
        assert expect(days[4], days, effect, noisy)[0] == pytest.approx(-0.0525)

    def test_neither_the_same_episode_nor_the_last_days_count(self) -> None:
        days = tuple(EventDay(day, "sale", "sale", 0) for day in range(20))
        change, _ = expect(days[15], days, np.full(20, -0.3), np.zeros(20))
        assert np.isnan(change)
        near = self.days((0, "a"), (1, "b"), (2, "c"), (3, "d"))
        assert np.isnan(expect(near[3], near, np.full(4, -0.3), np.zeros(4))[0])

    @given(st.lists(st.floats(-0.5, 0.5), min_size=4, max_size=12), st.integers(0, 100))
    def test_what_comes_later_changes_nothing(self, effects: list[float], seed: int) -> None:
        days = self.days(*((10 * place, f"n{place % 3}") for place in range(len(effects))))
        effect, variance = np.array(effects), np.full(len(effects), 1e-4)
        at = len(days) // 2
        before = expect(days[at], days, effect, variance)
        effect[at:] = np.random.default_rng(seed).normal(size=len(effect) - at)
        assert np.array_equal(expect(days[at], days, effect, variance), before, equal_nan=True)


def judge(
    rule: Rule, until: str, spec: CalendarSpec, dip: float = 0.05, extra: dict[str, float] | None = None, **more: Any
) -> Track:
    """430 days of an accuracy of 0.9, lower by ``dip`` on the days of ``spec``, and by ``extra`` on some days."""
    days, volume, mean = more.get("days", 430), more.get("volume", 1000), more.get("mean", 0.9)
    rng = np.random.default_rng(more.get("seed", 7))
    end = parse_iso(until)
    times: Floats = np.arange(end - days * DAY + HOUR, end + 1, HOUR)
    local = np.ceil(local_times(times, more.get("zone", BERLIN)) / DAY).astype(int) - 1
    special = [event.day for event in event_days(spec, int(local[0]), int(local[-1]))]
    factor = np.where(np.isin(local, special), 1 - dip, 1.0)
    for day, size in (extra or {}).items():
        factor = np.where(local == day_number(day), factor * (1 - size), factor)
    if rule.interval is Interval.WILSON:
        weights = rng.poisson(volume, len(times)).astype(float)
        values = rng.binomial(weights.astype(int), mean * factor) / weights
    else:
        weights, values = None, mean * factor * rng.normal(1, 0.02, len(times))
    counts = None if weights is None else array("d", weights)
    series = Series("eval/accuracy", (), array("d", times), array("d", values), counts)
    model = Model(name="m", rules=(rule,), history=30 * DAY)
    return evaluate_model(model, PulledSeries("m", (series,)), end + 1).tracks[0]


def with_calendar(spec: CalendarSpec = GERMANY, **more: Any) -> Rule:
    return readme_rule(segments=(), timezone=BERLIN, calendar=spec, **more)


def breaches(track: Track) -> int:
    return list(track.outcome).count(Outcome.BREACH.code)


def unknown_rows(track: Track) -> int:
    return list(track.cause).count(Cause.UNKNOWN_DAY.code)


CHRISTMAS = "2026-12-28T12:00:00Z"
NO_BUDGET = (None, None, None)


class TestJudgement:
    @pytest.mark.parametrize("budgets", [BUDGETS, NO_BUDGET])
    @pytest.mark.parametrize("until", [CHRISTMAS, "2027-01-03T12:00:00Z", "2026-05-03T00:00:00Z"])
    def test_a_dip_like_that_of_earlier_holidays_does_not_fire(self, budgets: Any, until: str) -> None:
        assert breaches(judge(readme_rule(budgets, segments=()), until, GERMANY)) > 0
        track = judge(with_calendar(budgets=budgets), until, GERMANY)
        assert breaches(track) == 0
        assert unknown_rows(track) == 0

    @pytest.mark.parametrize("budgets", [BUDGETS, NO_BUDGET])
    def test_a_drop_on_top_fires_on_that_day(self, budgets: Any) -> None:
        track = judge(with_calendar(budgets=budgets), CHRISTMAS, GERMANY, extra={"2026-12-25": 0.08})
        fired = [track.grid.time(row) for row, code in enumerate(track.outcome) if code == Outcome.BREACH.code]
        assert parse_iso("2026-12-24T23:00:00Z") < fired[0] < parse_iso("2026-12-26T00:00:00Z")

    def test_the_expected_value_is_shown(self) -> None:
        track = judge(with_calendar(), CHRISTMAS, GERMANY)
        row = round((parse_iso("2026-12-25T23:00:00Z") - track.grid.start) / HOUR)
        assert track.baseline[row] == pytest.approx(0.9 * 0.95, abs=0.01)
        assert track.baseline[row - 48] == pytest.approx(0.9, abs=0.01)

    @pytest.mark.parametrize("budgets", [BUDGETS, NO_BUDGET])
    def test_a_first_holiday_is_unknown_and_silent(self, budgets: Any) -> None:
        """70 days of history hold no earlier holiday: 3 October and earlier ones lie before."""
        track = judge(with_calendar(budgets=budgets), CHRISTMAS, GERMANY, days=70)
        assert breaches(track) == 0
        assert unknown_rows(track) >= 47
        reasons = {track.finding(row).reason for row, code in enumerate(track.cause) if code}
        assert reasons == {Cause.UNKNOWN_DAY.text}
        derived, healthy = derive_health_tracks(Model(name="m", rules=(track.rule,)), (track,))
        assert derived == {}
        assert "monitoring-silent" in healthy

    def test_an_unknown_day_ends_no_alert(self) -> None:
        """A drop began before Christmas: it is neither proven further nor forgotten on unknown days."""
        lost = {f"2026-12-{day}": 0.08 for day in range(20, 29)}
        track = judge(with_calendar(), CHRISTMAS, GERMANY, dip=0.0, extra=lost, days=70)
        begin = round((parse_iso("2026-12-22T00:00:00Z") - track.grid.start) / HOUR)
        assert set(track.outcome[begin:]) == {Outcome.BREACH.code}

    def test_a_sale_of_the_team(self) -> None:
        """It lasts four days and moves; only its own earlier days say what it does."""
        events = (CalendarEvent("sale", "2025-11-24", "2025-11-27"), CalendarEvent("sale", "2026-11-16", "2026-11-19"))
        own = CalendarSpec(events=events)
        until = "2026-11-22T00:00:00Z"
        assert breaches(judge(readme_rule(segments=()), until, own, dip=0.1)) > 0
        assert breaches(judge(with_calendar(own), until, own, dip=0.1)) == 0
        more = judge(with_calendar(own), until, own, dip=0.1, extra={"2026-11-17": 0.15, "2026-11-18": 0.15})
        assert breaches(more) > 0

    def test_means_without_counts(self) -> None:
        more: dict[str, Any] = {"interval": Interval.NORMAL, "weight": None}
        assert breaches(judge(readme_rule(segments=(), **more), CHRISTMAS, GERMANY, mean=50.0)) > 0
        assert breaches(judge(with_calendar(**more), CHRISTMAS, GERMANY, mean=50.0)) == 0
        lost = {"2026-12-25": 0.15, "2026-12-26": 0.15}
        assert breaches(judge(with_calendar(**more), CHRISTMAS, GERMANY, mean=50.0, extra=lost)) > 0

    @pytest.mark.parametrize("aggregate", [Aggregate.P50, Aggregate.SUM])
    def test_other_aggregates(self, aggregate: Aggregate) -> None:
        weeks = BaselineSpec(BaselineKind.SEASONAL)
        more: dict[str, Any] = {"interval": Interval.NONE, "weight": None, "aggregate": aggregate, "baseline": weeks}
        assert breaches(judge(readme_rule(segments=(), **more), CHRISTMAS, GERMANY)) > 0
        assert breaches(judge(with_calendar(**more), CHRISTMAS, GERMANY)) == 0

    def test_a_holiday_does_not_lower_the_baseline_of_later_days(self) -> None:
        """Without the calendar's days: every third day of this file is one, and a drop of 4 % is still found."""
        days = [date.fromordinal(day_number("2026-12-01") + EPOCH - 3 * place).isoformat() for place in range(140)]
        own = CalendarSpec(events=tuple(CalendarEvent("job", day, day) for day in days))
        track = judge(with_calendar(own), "2026-12-02T00:00:00Z", own, dip=0.1)
        assert breaches(track) == 0
        ordinary = [value for value in track.baseline if value > 0.895]
        assert ordinary == pytest.approx([0.9] * len(ordinary), abs=0.004)

    def test_static_limits_stand_on_every_day(self) -> None:
        tiers = tuple(replace(tier, limits=(Limit(LimitKind.BELOW, 0.88),)) for tier in readme_rule(NO_BUDGET).tiers)
        assert breaches(judge(with_calendar(tiers=tiers), CHRISTMAS, GERMANY, days=70)) > 0

    def test_control_charts_skip_the_days(self) -> None:
        chart = ControlChart(ChartMethod.SHEWHART, run_length=1e6)
        tiers = (Tier(Severity.WARNING, (), ("issue",), chart=chart),)
        assert breaches(judge(readme_rule(segments=(), tiers=tiers), CHRISTMAS, GERMANY)) > 0
        assert breaches(judge(with_calendar(tiers=tiers), CHRISTMAS, GERMANY)) == 0

    def test_a_calendar_without_days_in_the_series_changes_nothing(self) -> None:
        never = CalendarSpec(events=(CalendarEvent("launch", "2031-01-01", "2031-01-02"),))
        plain, dated = (judge(readme_rule(segments=(), calendar=spec), CHRISTMAS, GERMANY) for spec in (None, never))
        assert plain.severity == dated.severity
        assert plain.baseline == dated.baseline

    @settings(max_examples=5, deadline=None)
    @given(st.integers(0, 10_000))
    def test_what_comes_later_changes_no_earlier_row(self, seed: int) -> None:
        late = judge(with_calendar(), CHRISTMAS, GERMANY, seed=seed)
        rows = 24
        worse = judge(with_calendar(), CHRISTMAS, GERMANY, seed=seed, extra={"2026-12-28": 0.5})
        assert late.severity[:-rows] == worse.severity[:-rows]
        assert late.baseline[:-rows] == worse.baseline[:-rows]


class TestAnomalies:
    """A metric with a pattern of the day, 40 % lower on holidays, under a rule without limits."""

    @staticmethod
    def track(spec: CalendarSpec | None, extra: float = 0.0, days: int = 400, dip: float = 0.4) -> Track:
        end = parse_iso(CHRISTMAS)
        times: Floats = np.arange(end - days * DAY + HOUR, end + 1, HOUR)
        local = local_times(times, BERLIN)
        day = np.ceil(local / DAY).astype(int) - 1
        special = [event.day for event in event_days(GERMANY, int(day[0]), int(day[-1]))]
        factor = np.where(np.isin(day, special), 1 - dip, 1.0) * np.where(day == day_number("2026-12-25"), 1 - extra, 1)
        noise = np.random.default_rng(5).normal(1, 0.05, len(times))
        values = (100 + 40 * np.sin(2 * np.pi * local / DAY)) * factor * noise
        series = Series("orders", (), array("d", times), array("d", values), None)
        tiers = (Tier(Severity.WARNING, (), ("issue",), false_alarms=90 * DAY),)
        anomaly = AnomalySpec(memory=364 * DAY)
        key = KeyPattern("orders")
        rule = Rule("orders", "anomaly", key, tiers, anomaly=anomaly, timezone=BERLIN, calendar=spec)
        model = Model(name="m", rules=(rule,), history=10 * DAY)
        return evaluate_model(model, PulledSeries("m", (series,)), end + 1).tracks[0]

    def test_what_earlier_holidays_did_does_not_fire(self) -> None:
        assert breaches(self.track(CalendarSpec(), days=60)) > 0
        track = self.track(GERMANY)
        assert (breaches(track), unknown_rows(track)) == (0, 0)
        row = round((parse_iso("2026-12-25T17:00:00Z") - track.grid.start) / HOUR)
        assert track.baseline[row] == pytest.approx(track.value[row], rel=0.2)
        assert track.baseline[row - 48] == pytest.approx(track.value[row] / 0.6, rel=0.2)

    def test_a_drop_on_top_fires_on_that_day(self) -> None:
        track = self.track(GERMANY, extra=0.6)
        fired = [track.grid.time(row) for row, code in enumerate(track.outcome) if code == Outcome.BREACH.code]
        assert parse_iso("2026-12-24T23:00:00Z") < fired[0] < parse_iso("2026-12-26T00:00:00Z")

    def test_a_holiday_like_any_other_day_fires_where_holidays_differ(self) -> None:
        track = self.track(GERMANY, extra=1 - 1 / 0.6)
        assert breaches(track) > 0

    def test_a_first_holiday_is_unknown_and_hides_nothing_afterwards(self) -> None:
        track = self.track(GERMANY, days=60)
        assert breaches(track) == 0
        assert unknown_rows(track) == 48
        assert track.cause[-1] == Cause.NONE.code


class TestLocalTime:
    @staticmethod
    def track(zone: str, until: str, seed: int = 3) -> Track:
        """Accuracy drops by a tenth from 9 to 17 in Berlin, at weekends too."""
        rng = np.random.default_rng(seed)
        end = parse_iso(until)
        times: Floats = np.arange(end - 100 * DAY + HOUR, end + 1, HOUR)
        hour = local_times(times, BERLIN) % DAY // HOUR
        accuracy = np.where((hour >= 9) & (hour < 17), 0.8, 0.9)
        count = rng.poisson(5000, len(times)).astype(float)
        values = rng.binomial(count.astype(int), accuracy) / count
        rule = readme_rule(segments=(), window=HOUR, timezone=zone)
        series = Series("eval/accuracy", (), array("d", times), array("d", values), array("d", count))
        return evaluate_model(Model(name="m", rules=(rule,)), PulledSeries("m", (series,)), end + 1).tracks[0]

    @pytest.mark.parametrize("until", ["2026-04-12T00:00:00Z", "2026-11-08T00:00:00Z"])
    def test_the_pattern_of_the_day_follows_the_clock(self, until: str) -> None:
        """When the clocks change, a pattern in UTC is wrong for two hours of every day until it is learned again."""
        assert breaches(self.track("", until)) > 0
        assert breaches(self.track(BERLIN, until)) == 0

    def test_utc_is_the_default(self) -> None:
        plain, stated = (self.track(zone, "2026-02-01T00:00:00Z") for zone in ("", "UTC"))
        assert plain.severity == stated.severity

    @pytest.mark.parametrize("until", ["2026-04-01T20:00:00Z", "2026-10-28T20:00:00Z"])
    def test_the_same_hour_of_the_week_is_that_of_the_clock(self, until: str) -> None:
        values = []
        for zone in ("", BERLIN):
            end = parse_iso(until)
            times: Floats = np.arange(end - 60 * DAY + HOUR, end + 1, HOUR)
            hour = local_times(times, BERLIN) % DAY // HOUR
            series = Series("eval/accuracy", (), array("d", times), array("d", hour), None)
            spec = BaselineSpec(BaselineKind.SEASONAL, length=7 * DAY)
            rule = Rule("r", "latency", KeyPattern("eval/accuracy"), (), window=HOUR, baseline=spec, timezone=zone)
            pulled = PulledSeries("m", (series,))
            track = evaluate_model(Model(name="m", rules=(rule,)), pulled, end + 1).tracks[0]
            values.append(track.baseline[-1] - track.value[-1])
        assert values[0] != 0
        assert values[1] == 0
