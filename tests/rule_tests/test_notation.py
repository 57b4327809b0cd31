"""The short notation of series."""

from __future__ import annotations

import math
import statistics

import pytest

from modelwatch.rule_tests.notation import (
    MAX_POINTS,
    NotationError,
    count_points,
    expand_values,
    parse_values,
    parse_versions,
)
from modelwatch.timeutil import DAY, HOUR


def values(text: str, every: float = HOUR, points: int = 0) -> tuple[float | None, ...]:
    return expand_values(parse_values(text, every), points, "0/key")


def test_a_number_after_x_is_how_many_points_there_are() -> None:
    assert values("0.91x3 0.8x2") == (0.91, 0.91, 0.91, 0.8, 0.8)


def test_a_duration_after_x_is_the_points_of_so_long() -> None:
    assert len(values("1x2d")) == 48
    assert len(values("1x2d", every=DAY)) == 2
    assert len(values("1x1h30m", every=HOUR / 2)) == 3


def test_ramps_begin_at_their_value() -> None:
    assert values("5-1x4") == (5, 4, 3, 2)
    assert values("-2+4x3") == (-2, 2, 6)
    assert values("1-1e-1x2 2%x1") == (1, 0.9, 0.02)


def test_gaps_and_what_is_no_number() -> None:
    assert values("1 _x2 3") == (1, None, None, 3)
    odd = values("nan inf -infx2")
    assert math.isnan(odd[0] or 0.0)
    assert odd[1:] == (math.inf, -math.inf, -math.inf)


def test_a_value_alone_is_at_every_time_of_the_test() -> None:
    parts = parse_values(" 1000 ", HOUR)
    assert count_points(parts) == 0
    assert expand_values(parts, 5, "") == (1000,) * 5
    assert values("1000x1") == (1000,), "one point where that is said"


def test_a_number_of_points_is_read_whole() -> None:
    assert len(values("1x0000000048")) == 48
    with pytest.raises(NotationError, match="at most"):
        values(f"1x0000{MAX_POINTS + 1}")
    with pytest.raises(NotationError, match="at least one point"):
        values("1x00000000000000")


def test_noise_has_its_standard_deviation_and_is_the_same_every_time() -> None:
    drawn = values("0.9~0.01x4000")
    assert drawn == values("0.9~0.01x4000")
    numbers = [value for value in drawn if value is not None]
    assert abs(statistics.fmean(numbers) - 0.9) < 0.001
    assert abs(statistics.stdev(numbers) - 0.01) < 0.0005
    ramp = [value for value in values("0.9-0.1~0.001x5") if value is not None]
    assert all(abs(value - (0.9 - 0.1 * place)) < 0.01 for place, value in enumerate(ramp))
    assert ramp != [0.9 - 0.1 * place for place in range(5)]


def test_each_stream_has_noise_of_its_own() -> None:
    parts = parse_values("0~1x5", HOUR)
    assert len({expand_values(parts, 5, stream) for stream in ("0/a", "0/b", "1/a")}) == 3


@pytest.mark.parametrize(
    ("text", "index", "message"),
    [
        ("0.91x3 o.8x2", 7, "no part of a series"),
        ("1 2x", 2, "no part of a series"),
        ("1x1d1", 0, "neither a number of points nor a duration"),
        ("1x90m", 0, "no multiple of the 1h between two points"),
        ("3 1x0", 2, "at least one point"),
        ("1x0h", 0, "at least one point"),
        (f"1x{MAX_POINTS} 1", 0, "at most 200,000 points"),
        ("1x99999999999999999999", 0, "at most 200,000 points"),
        ("9e999", 0, "too large"),
        ("0.9,0.8", 0, "no part of a series"),
        ("  ", 0, "empty"),
    ],
)
def test_slips_are_named_where_they_are(text: str, index: int, message: str) -> None:
    with pytest.raises(NotationError, match=message) as caught:
        parse_values(text, HOUR)
    assert caught.value.index == index


def test_versions() -> None:
    assert parse_versions("v1x28d v2x3 _x2 v-x2", HOUR) == (("v1", 672), ("v2", 3), ("", 2), ("v-", 2))
    assert parse_versions("model-x2x48", HOUR) == (("model-x2", 48),)
    assert parse_versions("v1", HOUR) == (("v1", None),)
    assert parse_versions("max v2", HOUR) == (("max", 1), ("v2", 1))
    with pytest.raises(NotationError, match="no multiple"):
        parse_versions("v1x20m", HOUR)
    with pytest.raises(NotationError, match="at most"):
        parse_versions("v1x999999", HOUR)
