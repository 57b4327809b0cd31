"""Whole and segments, their tracks, and what a failing source does."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from modelwatch.evaluate.evaluator import evaluate_model
from modelwatch.evaluate.segments import MAX_SEGMENTS
from modelwatch.model.finding import Cause, Outcome, Track
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Model
from modelwatch.model.rule import (
    Aggregate,
    AnomalySpec,
    BaselineKind,
    BaselineSpec,
    Direction,
    Interval,
    Limit,
    LimitKind,
    Rule,
    Tier,
)
from modelwatch.model.series import Labels, PulledSeries, Series
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import NAN, NOW, hourly, rows, rule, series, tier, track, tracks

LIMIT = tier("error", LimitKind.BELOW, 0.7)
BY_REGION = rule(LIMIT, segments=(KeyPattern("eval/region=*/accuracy"),))


def region(name: str, values: list[float], **more: object) -> Series:
    return hourly(values, labels=(("region", name),), **more)  # type: ignore[arg-type]


def labels_of_all(some: tuple[Track, ...]) -> list[Labels]:
    return [one.labels for one in some]


def test_a_failed_source_is_not_judged() -> None:
    model = Model("churn", (rule(LIMIT),))
    pull = PulledSeries("churn", (hourly([0.1]),), error="W&B answers 502")
    assert evaluate_model(model, pull, NOW).tracks == ()


def test_a_metric_that_is_nowhere_has_no_data() -> None:
    found = track(rule(LIMIT), hourly([0.1], name="other"))
    assert found.grid.count == 49
    assert {(row.outcome, row.cause, row.value) for row in rows(found)} == {(Outcome.NO_DATA, Cause.NO_DATA_YET, None)}
    assert labels_of_all(tracks(rule(LIMIT, metric=KeyPattern("eval/region=*/accuracy")))) == [()]


@pytest.mark.parametrize("anomaly", [None, AnomalySpec()])
def test_a_metric_that_ended_before_the_days_that_are_watched(anomaly: AnomalySpec | None) -> None:
    """No window ever held a point of it, so that it did not fall silent with the first of them."""
    limits = () if anomaly else (LIMIT,)
    old, newer = (series([(NOW - days * DAY, 0.9)]) for days in (3.5, 1.5))
    found = rows(track(rule(*limits, anomaly=anomaly), old))
    assert {(row.outcome, row.cause) for row in found} == {(Outcome.NO_DATA, Cause.NOTHING_WATCHED)}
    assert Cause.NO_POINTS in {row.cause for row in rows(track(rule(LIMIT), newer))}
    later = series([(NOW + DAY, 0.9)])
    assert {row.cause for row in rows(track(rule(LIMIT), later))} == {Cause.NO_DATA_YET}


def test_every_rule_has_its_tracks_in_order() -> None:
    other = Rule("loss", "accuracy-drop", KeyPattern("loss"), (LIMIT,), every=DAY)
    model = Model("churn", (other, rule(LIMIT)), history=2 * DAY)
    pull = PulledSeries("churn", (hourly([0.9]), hourly([0.1], name="loss")))
    found = evaluate_model(model, pull, NOW)
    assert [(one.rule.name, one.grid.count) for one in found.tracks] == [("loss", 3), ("accuracy", 49)]
    assert [one.rule.name for one in evaluate_model(replace(model, rules=(other,)), pull, NOW).tracks] == ["loss"]


@pytest.mark.parametrize("first", [0.0, 2 * HOUR])
def test_rules_that_differ_in_their_lag_share_no_windows(first: float) -> None:
    """Both look at the same points, from the same time on: one of them until later."""
    lags = (first, 2 * HOUR - first)
    rules = tuple(Rule(f"lag-{lag}", "accuracy-drop", KeyPattern("eval/accuracy"), (LIMIT,), lag=lag) for lag in lags)
    pull = PulledSeries("churn", (hourly([0.9] * 100),))
    together = evaluate_model(Model("churn", rules, history=2 * DAY), pull, NOW).tracks
    for own, found in zip(rules, together, strict=True):
        (alone,) = evaluate_model(Model("churn", (own,), history=2 * DAY), pull, NOW).tracks
        assert (found.grid, found.outcome, found.points) == (alone.grid, alone.outcome, alone.points)


def test_columns_are_arrays_of_the_grids_length() -> None:
    found = track(BY_REGION, hourly([0.9, NAN], weight=3.0), deployed=[("a", 0.0)])
    for name, code in {
        **dict.fromkeys(("outcome", "severity", "clear", "improved", "cause", "fresh"), "b"),
        **dict.fromkeys(("value", "baseline", "low", "high", "n"), "d"),
        **dict.fromkeys(("points", "version"), "i"),
    }.items():
        column = getattr(found, name)
        assert isinstance(column, array), name
        assert (column.typecode, len(column)) == (code, found.grid.count), name


def test_the_whole_comes_first_then_segments_by_labels() -> None:
    """DESIGN: segments travel inside their group."""
    found = tracks(BY_REGION, region("us", [0.5]), hourly([0.9]), region("eu", [0.8]))
    assert labels_of_all(found) == [(), (("region", "eu"),), (("region", "us"),)]
    assert [one.finding(-1).outcome for one in found] == [Outcome.OK, Outcome.OK, Outcome.BREACH]


def test_segments_are_those_of_the_rules_own_pattern() -> None:
    plan = hourly([0.1], labels=(("plan", "pro"),))
    both = hourly([0.1], labels=(("plan", "pro"), ("region", "eu")))
    found = tracks(BY_REGION, hourly([0.9]), plan, both, region("eu", [0.8]))
    assert labels_of_all(found) == [(), (("region", "eu"),)]


def test_a_pattern_as_metric_has_segments_and_no_whole() -> None:
    found = tracks(
        rule(LIMIT, metric=KeyPattern("features/*/psi")),
        *(hourly([0.9], name="features/psi", labels=(("features", name),)) for name in ("income", "age")),
    )
    assert labels_of_all(found) == [(("features", "age"),), (("features", "income"),)]


def test_a_key_with_a_fixed_label_is_a_whole_of_its_own() -> None:
    found = tracks(rule(LIMIT, metric=KeyPattern("eval/region=eu/accuracy")), hourly([0.9]), region("eu", [0.5]))
    assert labels_of_all(found) == [(("region", "eu"),)]
    assert found[0].finding(-1).value == 0.5


def test_without_whole_segments_are_still_judged() -> None:
    found = tracks(BY_REGION, region("eu", [0.5]))
    assert [one.finding(-1).outcome for one in found] == [Outcome.NO_DATA, Outcome.BREACH]


class TestNewSegments:
    """DESIGN: a new one starts undecided."""

    WHOLE = hourly([0.9] * 48)

    def test_for_its_first_full_window(self) -> None:
        late = region("eu", [0.1] * 6)
        found = rows(tracks(BY_REGION, self.WHOLE, late)[1])
        assert [row.outcome for row in found[-7:]] == [
            Outcome.NO_DATA,
            *[Outcome.UNDECIDED] * 4,
            *[Outcome.BREACH] * 2,
        ]
        assert {row.cause for row in found if row.outcome is Outcome.UNDECIDED} == {Cause.NEW_SEGMENT}

    def test_one_that_was_there_from_the_beginning_is_not_new(self) -> None:
        early = region("eu", [0.1] * 44)
        found = rows(tracks(BY_REGION, self.WHOLE, early)[1])
        assert Cause.NEW_SEGMENT not in {row.cause for row in found}

    def test_without_a_whole_the_oldest_segment_tells_the_beginning(self) -> None:
        found = tracks(
            rule(LIMIT, metric=KeyPattern("eval/region=*/accuracy")), region("eu", [0.1] * 48), region("us", [0.1])
        )
        assert [one.finding(-1).cause for one in found] == [Cause.NONE, Cause.NEW_SEGMENT]

    def test_the_whole_is_never_new(self) -> None:
        assert tracks(BY_REGION, hourly([0.1]), region("eu", [0.1] * 48))[0].finding(-1).outcome is Outcome.BREACH


class TestManySegments:
    """DESIGN: at most 50 of them."""

    MODEL = Model("churn", (BY_REGION,), history=DAY)

    def judge(self, some: list[Series]) -> tuple[list[str], tuple[str, ...]]:
        found = evaluate_model(self.MODEL, PulledSeries("churn", (hourly([0.9]), *some)), NOW)
        return [one.labels[0][1] for one in found.tracks[1:]], found.notes

    def test_fifty_are_all_judged(self) -> None:
        kept, notes = self.judge([region(f"{i:02}", [0.9]) for i in range(50)])
        assert (len(kept), notes) == (MAX_SEGMENTS, ())

    def test_of_more_the_largest_in_the_newest_window_and_the_rest_is_told(self) -> None:
        some = [region(f"{i:02}", [0.9, 0.9], weight=float(i)) for i in range(1, 63)]
        heavy_once = region("99", [0.9] * 30, weight=1e6, until=NOW - 5 * HOUR)
        kept, notes = self.judge([heavy_once, *some])
        assert kept == [f"{i:02}" for i in range(13, 63)]
        assert notes == (
            "churn / accuracy: the 50 largest of 63 segments in the newest window are judged, 13 left out",
        )

    def test_without_counts_points_decide(self) -> None:
        some = [region(f"{i:02}", [0.9] * (1 if i < 10 else 3)) for i in range(60)]
        assert self.judge(some)[0] == [f"{i:02}" for i in range(10, 60)]


def test_nothing_is_warned_about_on_the_way(recwarn: pytest.WarningsRecorder) -> None:
    tracks(BY_REGION, hourly([NAN, 1e308, -1e308, 0.0], weight=0.0), region("eu", [1e308] * 9, weight=1e308))
    tracks(rule(LIMIT), series([]))
    assert not [str(one.message) for one in recwarn]


class TestOptionalRules:
    """Columns that do not exist are not judged; those that existed are."""

    FORMAT = rule(LIMIT, metric=KeyPattern("quality/feature=*/format_excess"), optional=True)
    IDS = rule(LIMIT, metric=KeyPattern("quality/duplicate_rate"), optional=True)
    OTHER = hourly([0.9] * 48)

    @pytest.mark.parametrize("optional", [FORMAT, IDS])
    def test_without_a_series_there_is_no_track(self, optional: Rule) -> None:
        assert tracks(optional, self.OTHER) == ()
        assert len(tracks(replace(optional, optional=False), self.OTHER)) == 1

    def test_a_series_that_stops_is_still_judged(self) -> None:
        stopped = hourly([0.9] * 9, until=NOW - DAY, name="quality/duplicate_rate")
        assert track(self.IDS, stopped, self.OTHER).finding(-1).outcome is Outcome.NO_DATA
        column = hourly([0.9] * 9, until=NOW - DAY, name="quality/format_excess", labels=(("feature", "zip"),))
        (found,) = tracks(self.FORMAT, column, self.OTHER)
        assert (found.labels, found.finding(-1).outcome) == ((("feature", "zip"),), Outcome.NO_DATA)


def test_counts_that_are_logged_no_more_decide_nothing() -> None:
    drop = Tier(Severity.WARNING, (Limit(LimitKind.DROP, 0.02),), ("issue",), false_alarms=90 * DAY)
    rolling = BaselineSpec(BaselineKind.ROLLING)
    a_rule = rule(drop, weight="eval/n", interval=Interval.WILSON, better=Direction.HIGHER, baseline=rolling)
    values = [0.9] * 24 * 10 + [0.6] * 6
    rows = [(NOW - HOUR * (len(values) - 1 - hour), value, 200.0) for hour, value in enumerate(values)]
    counted = track(a_rule, series(rows)).finding(-1)
    assert counted.outcome is Outcome.BREACH
    unknown = track(a_rule, series([(time, value, NAN if value < 0.7 else n) for time, value, n in rows])).finding(-1)
    assert (unknown.outcome, unknown.cause, unknown.clear) == (Outcome.UNDECIDED, Cause.UNKNOWN_COUNT, False)


def test_quantiles_need_no_counts() -> None:
    rise = Tier(Severity.WARNING, (Limit(LimitKind.RISE, 0.2),), ("issue",), false_alarms=90 * DAY)
    rolling = BaselineSpec(BaselineKind.ROLLING)
    a_rule = rule(
        rise, weight="n", aggregate=Aggregate.P95, interval=Interval.NORMAL, better=Direction.LOWER, baseline=rolling
    )
    rows = [(NOW - HOUR * (480 - hour), 100.0 + hour % 7, 5.0 if hour < 400 else NAN) for hour in range(480)]
    assert track(a_rule, series(rows)).finding(-1).outcome is Outcome.OK


def test_beside_a_share_of_a_baseline_of_zero_another_limit_judges() -> None:
    limits = tuple(Limit(form, value) for form, value in ((LimitKind.RISE, 0.2), (LimitKind.RISE_POINTS, 0.1)))
    a_rule = rule(
        Tier(Severity.WARNING, limits, ("issue",)),
        better=Direction.LOWER,
        baseline=BaselineSpec(BaselineKind.ROLLING),
    )
    outcomes = [track(a_rule, hourly([0.0] * 480 + [newest] * 4)).finding(-1).outcome for newest in (0.05, 0.2)]
    assert outcomes == [Outcome.OK, Outcome.BREACH]


def test_segments_whose_baseline_is_zero_are_noted() -> None:
    a_rule = rule(
        tier("warning", LimitKind.RISE, 0.2),
        better=Direction.LOWER,
        baseline=BaselineSpec(BaselineKind.ROLLING),
        segments=(KeyPattern("eval/region=*/accuracy"),),
    )
    zero = hourly([0.0] * 480 + [0.3] * 4, labels=(("region", "eu"),))
    pull = PulledSeries("churn", (hourly([0.5] * 484), zero, hourly([0.5] * 484, labels=(("region", "na"),))))
    (note,) = evaluate_model(Model("churn", (a_rule,), history=2 * DAY), pull, NOW).notes
    assert note.startswith("churn / accuracy: 1 of 2 segments cannot be judged: the baseline is 0")
    assert "write `rise_points` or `above`" in note


@pytest.mark.parametrize(
    ("newest", "outcome", "cause"), [(0.0, Outcome.OK, Cause.NONE), (0.3, Outcome.UNDECIDED, Cause.ZERO_BASELINE)]
)
def test_a_baseline_of_zero_has_no_shares_but_what_is_no_worse_is_healthy(
    newest: float, outcome: Outcome, cause: Cause
) -> None:
    a_rule = rule(
        tier("warning", LimitKind.RISE, 0.2), better=Direction.LOWER, baseline=BaselineSpec(BaselineKind.ROLLING)
    )
    found = track(a_rule, hourly([0.0] * 24 * 20 + [newest] * 4)).finding(-1)
    assert (found.outcome, found.cause, found.clear) == (outcome, cause, outcome is Outcome.OK)
