"""Cells as they are logged: numbers, times, versions, config values."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwatch.sources.cell_parsing import lookup_path, parse_number, parse_time, version_text


@pytest.mark.parametrize(
    ("cell", "expected"), [(1, 1.0), (0.5, 0.5), (True, 1.0), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_numbers(cell: Any, expected: float) -> None:
    assert parse_number(cell) == expected


def test_nan_is_a_number_here() -> None:
    assert math.isnan(parse_number("NaN") or 0.0)


@pytest.mark.parametrize("cell", ["text", "", None, [], {}, 10**400])
def test_no_numbers(cell: Any) -> None:
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    "cell",
    [
        1_780_000_000,
        1_780_000_000_000,
        1_780_000_000_000_000,
        1_780_000_000_000_000_000,
        "1780000000",
        "2026-05-28T20:26:40Z",
        "2026-05-28 20:26:40",
        "2026-05-28T22:26:40+02:00",
        "2026-05-28 20:26:40 UTC",
        20260528202640,
        datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC),
    ],
)
def test_one_moment_in_many_forms(cell: Any) -> None:
    assert parse_time(cell) == 1_780_000_000.0


@pytest.mark.parametrize("cell", ["yesterday", "", "NaN", math.inf, True, None, [], -1, 1e25, "0001-01-01"])
def test_no_times(cell: Any) -> None:
    assert parse_time(cell) is None


@given(st.integers(min_value=10**9, max_value=4 * 10**9), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_the_unit_of_a_time_is_found(seconds: int, unit: int) -> None:
    assert parse_time(seconds * unit) == seconds


@pytest.mark.parametrize(
    ("value", "expected"), [("v1", "v1"), (7, "7"), (7.0, "7"), (1.5, "1.5"), (None, ""), ({"a": 1}, ""), ([1], "")]
)
def test_versions(value: Any, expected: str) -> None:
    assert version_text(value) == expected


@pytest.mark.parametrize(
    "config",
    [
        {"model": {"version": "7"}},
        {"model": {"value": {"version": "7"}}},
        {"model.version": "7"},
        {"model.version": {"value": "7", "desc": None}},
        {"model": {"version": {"value": "7"}}},
    ],
)
def test_dots_reach_into_a_config(config: dict[str, Any]) -> None:
    assert lookup_path(config, "model.version") == "7"


@pytest.mark.parametrize("config", [{}, {"model": "7"}, {"model": {"name": "x"}}])
def test_a_version_that_is_not_there(config: dict[str, Any]) -> None:
    assert lookup_path(config, "model.version") is None
