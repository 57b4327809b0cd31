"""Metrics over time: limits in their own unit, gaps, decisions, and charts of many points."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace

import pytest

from modelwatch.dashboard.page import LineRole, TimeChart
from modelwatch.dashboard.thinning import MAX_NUMBERS, MAX_ROWS, kept_rows
from modelwatch.dashboard.time_charts import MAX_SPANS, series_chart, track_chart
from modelwatch.model.control_chart import ChartSignal
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Limit, LimitKind, Tier, VersionOverride
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

from ..alerts.making import NAN, T0, at, rule, track
from .making import firing_alert, numbers_in, series


def limits_of(chart: TimeChart) -> dict[str, list[float | None]]:
    return {line.name: list(line.values) for line in chart.lines if line.role is LineRole.LIMIT}


def tier(severity: str, *limits: Limit) -> Tier:
    return Tier(Severity(severity), limits, ("issue",))


DROP, RISE, ABOVE = (
    Limit(LimitKind.DROP, 0.05),
    Limit(LimitKind.RISE_POINTS, 0.02),
    Limit(LimitKind.ABOVE, 250.0),
)


def test_limits_stand_where_they_are_passed() -> None:
    """Of a baseline of 0.9 a drop of 5 % is passed at 0.855, and a rise of 0.02 at 0.92."""
    own = rule(tiers=(tier("warning", DROP), tier("error", RISE)))
    chart = track_chart(track("..", own), (), at(1))
    assert limits_of(chart) == {"warning: drop 5 %": [0.855, 0.855], "error: rise points 0.02": [0.92, 0.92]}
    assert [line.severity for line in chart.lines[2:]] == [Severity.WARNING, Severity.ERROR]


def test_limits_of_a_negative_baseline_lie_beyond_it() -> None:
    found = replace(track("..", rule(tiers=(tier("warning", DROP),))), baseline=array("d", [-2.0, -2.0]))
    assert limits_of(track_chart(found, (), at(1))) == {"warning: drop 5 %": [-2.1, -2.1]}


def test_a_relative_limit_follows_its_baseline_and_a_fixed_one_needs_none() -> None:
    own = rule(tiers=(tier("warning", DROP, ABOVE),), metric=KeyPattern("serve/took_ms"))
    found = replace(track("..", own, values=[200.0, 210.0]), baseline=array("d", [NAN, 100.0]))
    chart = track_chart(found, (), at(1))
    assert limits_of(chart) == {"warning: above 250 ms": [250.0, 250.0], "warning: drop 5 %": [None, 95.0]}
    assert chart.unit == "ms"


def test_a_version_with_other_tiers_has_other_limits() -> None:
    override = VersionOverride("v2", (tier("warning", Limit(LimitKind.DROP, 0.1)),))
    own = rule(tiers=(tier("warning", DROP),), overrides=(override,))
    chart = track_chart(track("..", own, versions=("v1", "v2"), version=[0, 1]), (), at(1))
    assert limits_of(chart) == {"warning: drop 5 %": [0.855, None], "warning: drop 10 %": [None, 0.81]}


def test_limits_in_standard_deviations_are_named_and_not_drawn() -> None:
    own = rule(tiers=(tier("warning", Limit(LimitKind.SIGMA, 3.0)),))
    chart = track_chart(track("..", own), (), at(1))
    assert limits_of(chart) == {}
    assert "limits of 3 standard deviations" in chart.note


def test_limits_far_away_leave_room_for_the_values() -> None:
    """Between 0.88 and 0.92 a limit at 0.855 is near, and one at 9 would make the chart a hundred times as high."""
    far = Limit(LimitKind.RISE, 9.0)
    own = rule(tiers=(tier("warning", DROP), tier("error", far)))
    chart = track_chart(track("..", own, values=[0.88, 0.92]), (), at(1))
    assert [*limits_of(chart)] == ["warning: drop 5 %"]
    assert "Not drawn, since far away: error rise 900 %." in chart.note
    alone = track_chart(track("..", rule(tiers=(tier("error", far),))), (), at(1))
    assert limits_of(alone) == {"error: rise 900 %": [9.0, 9.0]}, "the nearest is always drawn"


def test_the_interval_is_a_band_where_both_of_its_sides_are_known() -> None:
    found = replace(track("..."), low=array("d", [0.88, NAN, 0.89]), high=array("d", [0.92, 0.93, math.inf]))
    (band,) = track_chart(found, (), at(2)).bands
    assert (band.low, band.high) == ((0.88, None, None), (0.92, None, None))
    assert track_chart(track("..."), (), at(2)).bands == ()


def test_what_was_decided_is_a_span_each_until_the_next_evaluation() -> None:
    chart = track_chart(track("..wwe_."), (), at(6))
    spans = [(span.since, span.until, span.severity) for span in chart.decided]
    assert spans == [
        (at(2), at(4), Severity.WARNING),
        (at(4), at(5), Severity.ERROR),
        (at(5), at(6), None),
    ]
    assert [span.text for span in chart.decided] == [
        "warning for 2 h: 0.85 at worst",
        "error for 1 h: 0.8 at worst",
        "no data: no points in the window",
    ]


def test_a_span_names_the_signal_of_its_control_chart() -> None:
    found = replace(track(".w"), signal=array("b", [0, ChartSignal.CUSUM.code]))
    assert "(CUSUM beyond its limit)" in track_chart(found, (), at(1)).decided[0].text


def test_many_decisions_are_bounded_and_the_newest_stay() -> None:
    chart = track_chart(track("w." * 200 + "e"), (), at(400))
    assert len(chart.decided) == MAX_SPANS
    assert chart.decided[-1].severity is Severity.ERROR


def test_a_gap_stays_a_gap_and_what_lies_before_the_first_value_is_cut() -> None:
    chart = track_chart(track("__..?."), (), at(5))
    assert chart.times == (at(2), at(3), at(4), at(5))
    assert chart.lines[0].values == (0.9, 0.9, None, 0.9)


@pytest.mark.parametrize("text", ["", "_", "____"])
def test_without_a_value_there_is_no_line(text: str) -> None:
    found = track(text or "_")
    chart = track_chart(found, (), at(5))
    assert (chart.times, chart.lines, chart.bands) == ((), (), ())
    assert "no value" in chart.sentence


def test_one_value_and_no_baseline_is_a_chart() -> None:
    found = replace(track("."), baseline=array("d", [NAN]))
    chart = track_chart(found, (), T0)
    assert [line.role for line in chart.lines] == [LineRole.VALUE]
    assert chart.sentence == "accuracy is 0.9, within its limits: no problem."


def test_thinned_lines_keep_every_peak_and_gap() -> None:
    size = 5_000
    values = [0.9 + 0.01 * math.sin(place / 7) for place in range(size)]
    values[1_234], values[4_321] = 0.1, 1.7
    values[2_000:2_003] = [NAN] * 3
    found = track("." * size, values=values)
    chart = track_chart(found, (), at(size))
    drawn = chart.lines[0].values
    assert 100 < len(chart.times) <= MAX_ROWS
    assert len(chart.times) * (1 + len(chart.lines)) <= MAX_NUMBERS
    assert min(value for value in drawn if value is not None) == 0.1
    assert max(value for value in drawn if value is not None) == 1.7
    assert None in drawn
    assert "of 5,000 evaluations, every peak and gap among them" in chart.note
    assert chart.times[-1] == at(size - 1)


def test_thinning_keeps_first_last_lowest_and_highest_of_each_stretch() -> None:
    line = [5.0, 1.0, 9.0, 4.0, 4.0] * 40
    rows = kept_rows([line], 200, 250)
    size = 200 // (16 // 4)
    for begin in range(0, 200, size):
        inside = [row for row in rows if begin <= row < begin + size]
        assert {begin, begin + size - 1} <= {*inside}
        assert {min(line[row] for row in inside), max(line[row] for row in inside)} == {1.0, 9.0}


def test_charts_hold_nothing_but_finite_numbers() -> None:
    wild = [NAN, math.inf, -math.inf, 1e308, 0.0]
    found = replace(
        track(".....", values=wild), baseline=array("d", wild), low=array("d", wild), high=array("d", wild[::-1])
    )
    assert all(map(math.isfinite, numbers_in(track_chart(found, (), at(4)))))
    chart = series_chart("a", "a", "a", {"a": series("a", wild), "b": series("b", wild[:2])}, 0.0)
    assert all(map(math.isfinite, numbers_in(chart)))


def test_the_sentence_says_since_when() -> None:
    found = track("...eee")
    chart = track_chart(found, (firing_alert(found, "error", 3),), at(5) + 60)
    assert chart.sentence == (
        "accuracy is 0.8, 11.1 % below its baseline 0.9: error since 2024-10-04 03:00 UTC (2 h 1 min)."
    )


def test_the_sentence_of_one_that_recovers_says_that_it_is_not_proven() -> None:
    found = track("..ee.")
    sentence = track_chart(found, (firing_alert(found, "error", 2),), at(4)).sentence
    assert sentence.endswith("at its baseline 0.9: error since 2024-10-04 02:00 UTC (2 h) until recovery is proven.")


def test_the_sentence_without_data_tells_the_last_value() -> None:
    sentence = track_chart(track("..__"), (), at(4)).sentence
    assert sentence == (
        "accuracy has no value now: no points in the window. The last one, 0.9, is of 2024-10-04 01:00 UTC (3 h ago)."
    )


def test_the_sentence_of_what_is_not_decided_says_why() -> None:
    found = track(".?", values=[0.9, 0.7])
    assert track_chart(found, (), at(1)).sentence.endswith(": not decided, too few points in the window.")


def test_hostile_names_come_out_as_one_harmless_line() -> None:
    name = "a‮b\n<script>\x00" + "x" * 500
    found = track("..", labels=(("region", name),))
    chart = track_chart(found, (), at(1))
    assert all(char.isprintable() for char in chart.title + chart.sentence)
    assert len(chart.title) < 200
    assert chart.id.replace("-", "").isalnum()
    assert chart.id == chart.id.lower()


def test_series_share_one_time_axis() -> None:
    lines = {"p50": series("latency/p50", [1.0, 2.0, 3.0]), "p95": series("latency/p95", [8.0, 9.0])}
    chart = series_chart("latency", "Latency", "…", lines, 0.0, unit="ms", limits={"error": (Severity.ERROR, 10.0)})
    assert [line.values for line in chart.lines] == [(1.0, 2.0, 3.0), (None, 8.0, 9.0), (10.0, 10.0, 10.0)]
    assert [line.role for line in chart.lines] == [LineRole.VALUE, LineRole.OTHER, LineRole.LIMIT]


def test_series_begin_where_the_history_does() -> None:
    column = series("a", [1.0, 2.0, 3.0], step=HOUR)
    assert series_chart("a", "a", "a", {"a": column}, column.times[1]).times == (column.times[1], column.times[2])
