"""Local time, held to the standard library; summer time begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.evaluate.local_time import MAX_DAYS, local_times, utc_offsets
from modelwatch.timeutil import DAY, HOUR, parse_iso

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "UTC", "")


@pytest.mark.parametrize("zone", ZONES)
@given(st.lists(st.integers(1_400_000_000, 1_700_000_000), min_size=1, max_size=20))
def test_offsets_are_those_of_the_standard_library(zone: str, times: list[int]) -> None:
    expected = [datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone or "UTC")).utcoffset() for time in times]
    offsets = utc_offsets(np.array(times, float), zone)
    assert offsets.tolist() == [offset.total_seconds() for offset in expected if offset is not None]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24), ("2026-12-31", 24)]
)
def test_days_of_berlin_have_23_to_25_hours(day: str, hours: int) -> None:
    times = parse_iso(day) - DAY + HOUR * np.arange(72, dtype=np.float64)
    clock = local_times(times, "Europe/Berlin")
    assert int((clock // DAY == parse_iso(day) // DAY).sum()) == hours


def test_the_change_is_found_to_the_second() -> None:
    change = parse_iso("2026-03-29T01:00:00Z")
    assert utc_offsets(np.array([change - 1, change]), "Europe/Berlin").tolist() == [HOUR, 2 * HOUR]


def test_an_absurd_time_has_the_first_offset_known() -> None:
    offsets = utc_offsets(np.array([-1e15, parse_iso("2026-06-01")]), "Europe/Berlin")
    first = parse_iso("2026-06-02") - MAX_DAYS * DAY
    assert offsets.tolist() == [*utc_offsets(np.array([first]), "Europe/Berlin"), 2 * HOUR]


def test_no_times_have_no_offsets() -> None:
    assert len(utc_offsets(np.zeros(0), "Europe/Berlin")) == 0
