"""Times of logs in every form, and local ones."""
# ruff: noqa: DTZ001 - the times of clocks, without a zone, are what is tested

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.profiling.time_columns import times_by_row
from modelwatch.timeutil import is_time, scale_to_seconds

NOON = 1_795_176_000.0
"""2026-11-20, 12:00 UTC."""


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-11-20 12:00:00 UTC"],
        ["2026-11-20T13:00:00+01:00", "2026-11-20 12:00:00 UTC"],
        [20261120120000],
        ["20261120120000"],
        ["20261120T120000Z"],
        [46346.5],
        ["46346.5"],
        [Decimal("46346.5")],
        [NOON],
        [int(NOON * 1e3)],
        [int(NOON * 1e6)],
        [int(NOON * 1e9)],
        [str(int(NOON))],
    ],
)
def test_one_moment_in_many_forms(cells: list[Any]) -> None:
    assert times_by_row(pa.array(cells)).tolist() == [NOON] * len(cells)


@pytest.mark.parametrize("cells", [[20261120], ["20261120"], [20777], [20777.0], [46346], [dt.date(2026, 11, 20)]])
def test_one_day_in_many_forms(cells: list[Any]) -> None:
    assert times_by_row(pa.array(cells)).tolist() == [NOON - 43_200]


@pytest.mark.parametrize("cells", [[20261320], ["20261132"], [20261120250000], ["soon"], [None, np.nan, np.inf]])
def test_what_is_no_time(cells: list[Any]) -> None:
    assert np.isnan(times_by_row(pa.array(cells))).all()


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-11-20 13:00:00"],
        ["2026-11-20 13:00:00", "2026-11-20T12:00:00Z"],
        ["20261120130000"],
        [20261120130000],
        [46346 + 13 / 24],
        [dt.datetime(2026, 11, 20, 13)],
        [dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)],
        [NOON],
    ],
)
def test_local_times(cells: list[Any]) -> None:
    found = times_by_row(pa.array(cells), "Europe/Berlin")
    assert found.tolist() == pytest.approx([NOON] * len(cells), abs=1e-3)


def test_a_time_that_clocks_repeat_is_the_earlier_one() -> None:
    moment = dt.datetime(2026, 10, 25, 2, 30)
    found = [
        times_by_row(pa.array([cell]), "Europe/Berlin")[0] for cell in (moment, moment.isoformat(), 20261025023000)
    ]
    assert found == [dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC).timestamp()] * 3


@given(
    st.lists(st.one_of(st.floats(), st.integers(-(2**62), 2**62), st.floats(0, 1e6), st.floats(2e7, 2.2e7)), min_size=1)
)
def test_a_number_alone_is_the_same_time_as_in_a_column(numbers: list[float]) -> None:
    for zone in ("", "Europe/Berlin"):
        alone = [scale_to_seconds(number, zone) for number in map(float, numbers)]
        expected = [np.nan if time is None or not is_time(time) else time for time in alone]
        assert np.array_equal(times_by_row(pa.array(map(float, numbers)), zone), expected, equal_nan=True)


@given(st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2100, 12, 30)).map(lambda time: time.replace(microsecond=0)))
def test_every_form_of_a_time_is_the_same_time(moment: dt.datetime) -> None:
    seconds = moment.replace(tzinfo=dt.UTC).timestamp()
    forms = [moment, moment.isoformat(), f"{moment} UTC", int(f"{moment:%Y%m%d%H%M%S}"), seconds * 1000]
    assert [times_by_row(pa.array([form]))[0] for form in forms] == [seconds] * len(forms)
