"""Units of time, and times as text, as each caller reads and writes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from modelwatch.cli.options import parse_time as parse_option
from modelwatch.profiling.time_columns import times_by_row
from modelwatch.relay.pagerduty_webhook import format_time
from modelwatch.release.move_records import parse_time_or_zero
from modelwatch.report.formatting import utc_time
from modelwatch.sources.cell_parsing import parse_time as parse_cell
from modelwatch.timeutil import (
    DAY,
    HOUR,
    MINUTE,
    format_iso,
    format_utc,
    parse_iso,
    parse_iso_or_none,
    scale_to_seconds,
    timestamp,
)

TIME = 1_763_647_200.0
ISO = "2025-11-20T14:00:00Z"


def test_units_are_seconds() -> None:
    assert (MINUTE, HOUR, DAY) == (60.0, 3600.0, 86_400.0)


def test_a_time_survives_its_text() -> None:
    assert format_iso(TIME) == ISO
    assert parse_iso(ISO) == TIME
    assert format_utc(TIME) == "2025-11-20 14:00 UTC"


def test_a_fraction_of_a_second_is_cut_off() -> None:
    assert format_iso(TIME + 0.9) == ISO
    assert format_utc(TIME + 59.9) == "2025-11-20 14:00 UTC"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (ISO, TIME),
        ("2025-11-20T15:00:00+01:00", TIME),
        ("2025-11-20T14:00:00", TIME),
        ("2025-11-20", TIME - 14 * HOUR),
        ("2025-11-20 14:00:00.5", TIME + 0.5),
    ],
)
def test_a_text_without_a_time_zone_is_utc(text: str, time: float) -> None:
    assert parse_iso(text) == time
    assert parse_iso_or_none(text) == time


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "1763647200", f" {ISO}"])
def test_a_text_that_is_no_time(text: str) -> None:
    assert parse_iso_or_none(text) is None
    with pytest.raises(ValueError, match=r"isoformat|month"):
        parse_iso(text)


def test_a_datetime_without_a_time_zone_is_utc() -> None:
    moment = datetime.fromisoformat("2025-11-20T14:00")
    assert timestamp(moment) == timestamp(moment.replace(tzinfo=UTC)) == TIME
    assert timestamp(moment.replace(tzinfo=timezone(timedelta(hours=1)))) == TIME - HOUR


@pytest.mark.parametrize("per_second", [1.0, 1e3, 1e6, 1e9])
def test_the_unit_of_a_number_follows_from_its_size(per_second: float) -> None:
    assert scale_to_seconds(TIME * per_second) == TIME
    assert scale_to_seconds(-TIME * per_second) == -TIME


def test_numbers_that_are_no_time() -> None:
    assert [scale_to_seconds(number) for number in (math.nan, math.inf, -math.inf)] == [None] * 3


def test_sources_and_logs_read_texts_alike() -> None:
    """Cells may have spaces around them, and numbers may be written as text."""
    texts = [ISO, f" {ISO} ", "2025-11-20T14:00:00", "1763647200", "1763647200000", "20251120140000"]
    texts += ["2025-11-20 14:00:00 UTC", "2025/11/20 15:00:00 +0100", "2025-11-20 14:00:00 +00:00 UTC"]
    texts += ["nan", "soon", "1_763_647_200", "-1", "1e25", "0001-01-01"]
    times = [TIME] * 9 + [None] * 6
    assert [parse_cell(text) for text in texts] == times
    read = times_by_row(pa.array(texts)).tolist()
    assert [None if np.isnan(time) else time for time in read] == times


def test_callers_keep_their_edges() -> None:
    assert parse_time_or_zero("soon") == 0.0
    assert parse_time_or_zero("2025-11-20T14:00:00") == TIME
    assert parse_iso_or_none(f" {ISO}") is None
    assert parse_option("1763647200.5") == TIME + 0.5
    assert utc_time(None) == "—"
    assert format_time(TIME + 0.999_999_7) == ISO, "cut off, not rounded"
