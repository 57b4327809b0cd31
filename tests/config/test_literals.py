"""Numbers, percentages, durations, times of day and moments."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.config import literals
from modelwatch.timeutil import parse_iso_or_none


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("-3", -3.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("2%", 0.02),
        ("7 %", 0.07),
        ("0.1%", 0.001),
        ("1e1%", 0.1),
        ("010", 10.0),
    ],
)
def test_a_number(text: str, value: float) -> None:
    assert literals.parse_number(text) == value


@pytest.mark.parametrize("text", ["", "%", "nan", "inf", "1e999", "1_000", "0x10", "1,5", "five", "1 2", "٣", "--1"])
def test_no_number(text: str) -> None:
    assert literals.parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("24h", 86400), ("7d", 604800), ("1h30m", 5400), ("4w", 2419200), ("90s", 90), ("0", 0)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert literals.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "1.5h", "h", "30m1h", "-1h", "1 h", "1y", "99999999d", "9" * 50 + "s"])
def test_no_duration(text: str) -> None:
    assert literals.parse_duration(text) is None


@given(st.integers(0, 3000 * 86_400))
def test_a_duration_reads_back_as_it_is_shown(seconds: int) -> None:
    assert literals.parse_duration(literals.format_duration(float(seconds))) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("00:00", 0), ("6:30", 23400), ("24:00", 86400)])
def test_a_time_of_day(text: str, seconds: float) -> None:
    assert literals.parse_time_of_day(text) == seconds


@pytest.mark.parametrize("text", ["24:01", "12", "1:5", "12:60", "12:00:00", "noon", ""])
def test_no_time_of_day(text: str) -> None:
    assert literals.parse_time_of_day(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400),
        ("1970-01-01T01:00", 3600),
        ("1970-01-01 01:00:00Z", 3600),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text: str, seconds: float) -> None:
    assert parse_iso_or_none(text) == seconds


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    for parse in (literals.parse_number, literals.parse_duration, literals.parse_time_of_day, parse_iso_or_none):
        value = parse(text)
        assert value is None or math.isfinite(value)
