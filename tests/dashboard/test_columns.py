"""Columns: what is written is what is drawn."""

from __future__ import annotations

import json
import math

from modelwatch.dashboard.columns import ChartData
from modelwatch.timeutil import HOUR

from .samples import NOW


def test_rows_come_back_as_they_were_added() -> None:
    data = ChartData()
    times = [NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + 10 * HOUR]
    shared = data.add_times(times)
    for name, values in (("a", [0.1, None, 0.25, 7.0]), ("b", [1.0, 1.0, 1.0, 2.0])):
        data.add_block("lines", {"t": shared, "v": data.add(values)}, {"n": name})
    assert data.rows()["lines"] == [
        {"n": name, "t": round(time * 1000), "v": value}
        for name, values in (("a", [0.1, None, 0.25, 7.0]), ("b", [1.0, 1.0, 1.0, 2.0]))
        for time, value in zip(times, values)
    ]


def test_a_column_that_repeats_is_written_once() -> None:
    data = ChartData()
    assert data.add([0.9] * 720) == data.add([0.9] * 720)
    hours = data.add_times([NOW + hour * HOUR for hour in range(720)])
    assert len(json.dumps(data.as_json())) < 120
    data.add_block("lines", {"t": hours, "v": "c0"})
    assert len(data.rows()["lines"]) == 720


def test_what_json_does_not_know_is_a_gap_and_digits_are_few() -> None:
    data = ChartData()
    data.add_block("bars", {"v": data.add([math.nan, math.inf, 1 / 3, 12_345_678.9])})
    assert [row["v"] for row in data.rows()["bars"]] == [None, None, 0.333333, 12345700]


def test_moments_need_not_ascend() -> None:
    data = ChartData()
    data.add_block("moments", {"t": data.add_moments([NOW, NOW - 5, NOW])})
    assert [row["t"] for row in data.rows()["moments"]] == [NOW * 1000, (NOW - 5) * 1000, NOW * 1000]


def test_no_times_are_no_rows() -> None:
    data = ChartData()
    data.add_block("lines", {"t": data.add_times([]), "v": data.add(list[float]())})
    assert data.rows() == {"lines": []}
