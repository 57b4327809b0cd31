"""Rows -> Series."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.keys import KeyPattern
from modelwatch.model.prediction_log import MEASURED_TIME
from modelwatch.model.release import CanaryPeriod
from modelwatch.model.series import Deployment, ServiceStart, StartOrigin
from modelwatch.sources.requirements import ReadRequest, key_requests
from modelwatch.sources.series_builder import SeriesBuilder
from modelwatch.timeutil import HOUR

from .builders import points, rule, versions


def assembler(*rules: Any, since: float = 0.0, **keys: str) -> SeriesBuilder:
    wants, notes = key_requests(rules or [rule(weight="eval/n", segments=(KeyPattern("eval/region=*/accuracy"),))])
    return SeriesBuilder(ReadRequest(wants, since, None, notes), **keys)


def tried(*trials: CanaryPeriod) -> SeriesBuilder:
    wants, notes = key_requests([rule(weight="eval/n")])
    return SeriesBuilder(ReadRequest(wants, 0.0, None, notes, canary_periods=trials))


def row(time: float, **cells: Any) -> dict[str, Any]:
    return {"_timestamp": time, **{name.replace("__", "/"): cell for name, cell in cells.items()}}


def test_segments_come_after_the_whole_each_with_its_own_count() -> None:
    made = assembler()
    made.add_row(row(1.0, eval={"accuracy": 0.9, "n": 10, "region=us": {"accuracy": 0.8, "n": 4}}), "")
    made.add_row({"_timestamp": 1.0, "eval.region=eu.accuracy": 0.7, "eval.region=eu.n": 6}, "")
    found = [(series.labels, points(series), list(series.weights or ())) for series in made.series()]
    assert found == [
        ((), {1.0: 0.9}, [10.0]),
        ((("region", "eu"),), {1.0: 0.7}, [6.0]),
        ((("region", "us"),), {1.0: 0.8}, [4.0]),
    ]


def test_a_count_that_is_not_logged_with_its_value_is_unknown() -> None:
    made = assembler()
    for cells in (row(1.0, eval__accuracy=0.9, eval__n=10), row(2.0, eval__accuracy=0.8), row(3.0, eval__n=5)):
        made.add_row(cells, "")
    (series,) = made.series()
    assert series.weights is not None
    assert series.weights[0] == 10.0
    assert math.isnan(series.weights[1])
    assert len(series) == 2


@pytest.mark.parametrize("later", [0.02, 1.5, 290.0])
def test_a_count_of_a_second_call_belongs_to_the_value_beside_it(later: float) -> None:
    made = assembler(rule(weight="eval/n"))
    for place in range(5):
        made.add_row(row(600.0 * place, eval__accuracy=0.9), "")
        made.add_row(row(600.0 * place + later, eval__n=10 + place), "")
    (series,) = made.series()
    assert list(series.weights or ()) == [10, 11, 12, 13, 14]
    assert made.notes() == ()


def test_values_far_from_any_count_and_counts_that_are_nan_are_reported() -> None:
    made = assembler(rule(weight="eval/n"))
    for place in range(5):
        made.add_row(row(600.0 * place, eval__accuracy=0.9, eval__n=math.nan if place else 7), "")
    made.add_row(row(2_800.0, eval__n=3), "")
    (series,) = made.series()
    assert [weight for weight in series.weights or () if not math.isnan(weight)] == [7]
    assert made.notes() == ("eval/accuracy: no count stands beside 4 of 5 points",)


def test_without_any_count_there_are_no_weights() -> None:
    made = assembler()
    made.add_row(row(1.0, eval__accuracy=0.9, eval__rows=7), "")
    assert made.series()[0].weights is None
    (note,) = [note for note in made.notes() if "eval/n" in note]
    assert note.startswith("no points under eval/n, the count of eval/accuracy, so it is unknown how many rows")
    assert note.endswith(". Did you mean `eval/rows`?")


def test_of_two_writes_for_one_time_the_newest_wins_whatever_the_order() -> None:
    late_first = assembler(time_key="hour")
    late_first.add_row({"_timestamp": 50.0, "hour": 1000, "eval/accuracy": 0.5}, "")
    late_first.add_row({"_timestamp": 40.0, "hour": 1000, "eval/accuracy": 0.4}, "")
    assert points(late_first.series()[0]) == {1000.0: 0.5}


def test_a_later_row_wins_between_writes_of_one_moment() -> None:
    made = assembler()
    made.add_row(row(1.0, eval__accuracy=0.1), "")
    made.add_row(row(1.0, eval__accuracy=0.2), "")
    assert points(made.series()[0]) == {1.0: 0.2}


def test_the_event_time_counts_where_it_is_named() -> None:
    made = assembler(time_key="window.end")
    made.add_row({"_timestamp": 9e9, "window": {"end": "2026-05-28T20:26:40Z"}, "eval/accuracy": 0.5}, "")
    made.add_row({"_timestamp": 9e9, "window.end": "soon", "eval/accuracy": 0.5}, "")
    made.add_row({"_timestamp": 9e9, "eval/accuracy": 0.5}, "")
    assert points(made.series()[0]) == {1_780_000_000.0: 0.5}
    assert "2 rows left out: no readable time" in made.notes()


@pytest.mark.parametrize("key", ["", "hour", MEASURED_TIME])
def test_what_was_measured_has_its_own_time_whatever_is_named(key: str) -> None:
    made = assembler(time_key=key)
    made.add_row({"_timestamp": 9e9, MEASURED_TIME: 1000.0, "eval/accuracy": 0.5}, "")
    made.add_row({"_timestamp": 2000.0, "hour": 1500.0, "eval/accuracy": 0.6}, "")
    logged = {"": {2000.0: 0.6}, "hour": {1500.0: 0.6}}.get(key, {})
    assert points(made.series()[0]) == {1000.0: 0.5, **logged}


def test_versions_come_from_the_run_or_from_the_row() -> None:
    made = assembler(version_key="model_version")
    made.add_row(row(3.0, eval__accuracy=0.3, model_version="v3"), "v1")
    made.add_row(row(1.0, eval__accuracy=0.1), "v1")
    made.add_row(row(2.0, eval__accuracy=0.2), "")
    (series,) = made.series()
    assert versions(series) == ["v1", "", "v3"]
    assert series.versions == ("v1", "v3")
    assert made.deployments() == (Deployment("v1", 1.0), Deployment("v3", 3.0))


def test_values_that_are_not_finite_stay_and_those_that_are_no_numbers_go() -> None:
    made = assembler()
    made.add_row(row(1.0, eval__accuracy="NaN"), "")
    made.add_row(row(2.0, eval__accuracy="Infinity"), "")
    made.add_row(row(3.0, eval__accuracy="high"), "")
    made.add_row(row(4.0, eval__accuracy=None), "")
    made.add_row(row(5.0, eval__accuracy={"_type": "histogram", "bins": [0, 1], "values": [3]}), "")
    (series,) = made.series()
    assert list(series.times) == [1.0, 2.0]
    assert math.isnan(series.values[0])
    assert "eval/accuracy: 1 values left out that are not numbers" in made.notes()


def test_a_key_that_is_missing_is_told_with_what_is_like_it() -> None:
    made = assembler(rule("eval/acuracy"))
    made.add_row(row(1.0, eval__accuracy=0.9), "")
    assert made.notes() == ("no points under eval/acuracy. Did you mean `eval/accuracy`?",)


def test_a_key_without_points_in_the_period_is_no_typing_error() -> None:
    made = assembler(rule("eval/accuracy"), since=10.0)
    made.add_row(row(1.0, eval__accuracy=0.9, eval__auc=0.9), "")
    made.add_row(row(11.0, eval__auc=0.9), "")
    assert made.notes() == ("no points under eval/accuracy in the period that was read",)


cells = st.one_of(st.floats(allow_nan=False, width=32), st.none())
rows = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50), cells, cells, st.sampled_from(["", "a", "b"])))


@given(rows)
@settings(max_examples=100)
def test_columns_fit_ascend_and_hold_the_newest_write(written: list[tuple[int, int, Any, Any, str]]) -> None:
    made = assembler(time_key="t", since=5.0)
    expected: dict[float, tuple[int, float]] = {}
    for time, logged, value, count, version in written:
        made.add_row({"_timestamp": logged, "t": time, "eval/accuracy": value, "eval/n": count}, version)
        if value is not None and time >= 5 and logged >= expected.get(time, (-1, 0.0))[0]:
            expected[time] = (logged, value)
    for series in (series for series in made.series() if series.labels == ()):
        assert points(series) == {time: value for time, (_, value) in expected.items()}
        assert list(series.times) == sorted(set(series.times))
        assert len(series.version_of) == len(series.values) == len(series)
        assert series.weights is None or len(series.weights) == len(series)


def test_what_a_canary_logs_is_kept_apart_while_it_serves_beside_the_champion() -> None:
    made = tried(CanaryPeriod("v8", ("v8", "1.5.0"), 2.0, 4.0))
    for time in (1.0, 2.0, 3.0, 4.0, 5.0):
        if time < 4:
            made.add_row(row(time, eval__accuracy=0.9, eval__n=90), "v7")
        if time > 1:
            made.add_row(row(time, eval__accuracy=0.5, eval__n=10), "1.5.0")
    (champion,), (canary,) = made.series(), made.series(canary=True)
    assert points(champion) == {1.0: 0.9, 2.0: 0.9, 3.0: 0.9, 4.0: 0.5, 5.0: 0.5}
    assert points(canary) == {2.0: 0.5, 3.0: 0.5}
    assert list(canary.weights or ()) == [10.0, 10.0]
    assert versions(canary) == ["1.5.0", "1.5.0"]
    assert made.deployments() == (Deployment("v7", 1.0), Deployment("1.5.0", 4.0)), "deployed when it was promoted"


def test_a_canary_that_was_taken_back_was_never_deployed() -> None:
    made = tried(CanaryPeriod("v8", ("v8",), 2.0, 3.0))
    for time in (1.0, 2.0, 3.0):
        made.add_row(row(time, eval__accuracy=0.9), "v7")
        if time == 2.0:
            made.add_row(row(time, eval__accuracy=0.1), "v8")
    assert made.deployments() == (Deployment("v7", 1.0),)
    assert points(made.series()[0]) == {1.0: 0.9, 2.0: 0.9, 3.0: 0.9}


def test_keys_of_optional_rules_are_not_missed() -> None:
    absent = {"metric": "quality/feature=*/format_excess", "weight": "quality/n"}
    assert assembler(rule(**absent, optional=True)).notes() == ()
    assert assembler(rule(**absent)).notes() == (
        "no points under quality/feature=*/format_excess",
        "no points under quality/feature=*/n",
    )
    assert assembler(rule(optional=True), rule("eval/n", name="b")).notes() == ("no points under eval/n",)


def test_a_version_serves_since_its_first_point_ever() -> None:
    """Rows before the history that is read are not points, but they show that the version was there."""
    hours = [HOUR * hour for hour in range(48)]
    edge = ServiceStart("v1", 24 * HOUR, 24 * HOUR, StartOrigin.EDGE)
    known = replace(edge, began=0.0, origin=StartOrigin.POINT)

    def starts(times: list[float], since: float) -> tuple[ServiceStart, ...]:
        made = assembler(since=since)
        for time in times:
            made.add_cells([("eval/accuracy", 0.9)], time, time, "v1")
        return made.service_starts()

    assert starts(hours, 24 * HOUR) == (known,)
    assert starts(hours[24:], 24 * HOUR) == (edge,), "who knows what was there before"
    assert starts(hours[24:], 0.0) == (), "nothing was there for a day: it is the first point ever"
