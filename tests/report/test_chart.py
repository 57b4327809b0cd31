"""The Mermaid chart of the trend."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.alert import TrendPoint
from modelwatch.targets.issues.render import plain_number, trend_chart

from .making import HOUR, NOW

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
points = st.lists(st.tuples(st.none() | numbers, st.none() | numbers), max_size=60)


def trend(*pairs: tuple[float | None, float | None]) -> list[TrendPoint]:
    return [TrendPoint(NOW + place * HOUR, value, baseline) for place, (value, baseline) in enumerate(pairs)]


def lines_of(text: str) -> list[list[float]]:
    return [[float(part) for part in found.split(", ")] for found in re.findall(r"line \[(.*)\]", text)]


@settings(max_examples=100, deadline=None)
@given(points)
def test_mermaid_can_read_whatever_the_numbers(pairs: list[tuple[float | None, float | None]]) -> None:
    text = trend_chart("churn accuracy", trend(*pairs))
    if "xychart" not in text:
        assert sum(value is not None for value, _ in pairs) < 2
        return
    assert not re.search(r"\d[eE][+-]?\d", text), "Mermaid knows no exponents"
    lines = lines_of(text)
    assert len({len(line) for line in lines}) == 1
    low, high = map(float, re.findall(r"y-axis (\S+) --> (\S+)", text)[0])
    assert low < high
    assert all(low <= number <= high for line in lines for number in line)


def test_value_and_baseline() -> None:
    text = trend_chart("churn accuracy", trend((0.92, 0.9), (None, 0.9), (0.85, 0.9)))
    assert lines_of(text) == [[0.92, 0.85], [0.9, 0.9]]
    assert 'title "churn accuracy and its baseline"' in text


def test_times_are_told_from_the_last_point() -> None:
    assert 'x-axis "hours before 2026-' in trend_chart("x", trend((1, None), (2, None), (3, None)))
    assert '" -2 --> 0' in trend_chart("x", trend((1, None), (2, None), (3, None)))
    long = [TrendPoint(NOW + place * 6 * HOUR, 1.0, None) for place in range(29)]
    assert 'x-axis "days before 2026-' in trend_chart("x", long)
    assert '" -7 --> 0' in trend_chart("x", long)


def test_where_hours_are_missing_no_time_is_claimed_for_the_points_between() -> None:
    text = trend_chart("x", trend((1, None), (2, None), (None, None), (None, None), (None, None), (3, None)))
    assert re.search(r'x-axis "2026-\S+ \S+ UTC to 2026-\S+ \S+ UTC" 0 --> 2', text)


def test_a_baseline_is_drawn_from_where_it_is_known() -> None:
    assert lines_of(trend_chart("x", trend((1, None), (2, 5), (3, None), (4, 6)))) == [[2, 3, 4], [5, 5, 6]]
    assert lines_of(trend_chart("x", trend((1, None), (2, None)))) == [[1, 2]]


def test_a_share_is_not_drawn_below_zero() -> None:
    assert "y-axis 0 -->" in trend_chart("x", trend((0.001, None), (0.1, None)))


def test_a_hostile_title_stays_inside_its_quotes() -> None:
    text = trend_chart('a" --> b\n```\n<script>', trend((1, None), (2, None)))
    line = next(line for line in text.splitlines() if line.strip().startswith("title"))
    assert line.count('"') == 2
    assert text.count("```") == 2
    assert "<script>" not in text


def test_plain_numbers() -> None:
    shown = [plain_number(number) for number in (0.920538, 1234567.0, 1e-9, -2.5)]
    assert shown == ["0.92054", "1234600", "0.000000001", "-2.5"]
