"""The Mermaid chart of the trend."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.model.alert import Evidence, TrendPoint
from modelwatch.model.keys import KeyPattern
from modelwatch.model.rule import Direction, Limit, LimitKind, Rule, Tier
from modelwatch.model.severity import Severity
from modelwatch.model.version_health import VersionHealth
from modelwatch.report.chart import FAR_BELOW, MAX_DRAWN, plain_number, trend_chart

from .making import DROP, HOUR, NOW, group

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
points = st.lists(st.tuples(st.none() | numbers, st.none() | numbers), max_size=60)


def trend(*pairs: tuple[float | None, float | None]) -> list[TrendPoint]:
    return [TrendPoint(NOW + place * HOUR, value, baseline) for place, (value, baseline) in enumerate(pairs)]


def chart(
    title: str, points: list[TrendPoint], rule: Rule | None = None, *served: VersionHealth, unit: str = ""
) -> str:
    return trend_chart(title, group(evidence=Evidence(trend=tuple(points), health=served), unit=unit), rule)


def lines_of(text: str) -> list[list[float]]:
    return [[float(part) for part in found.split(", ")] for found in re.findall(r"line \[(.*)\]", text)]


@settings(max_examples=100, deadline=None)
@given(points)
def test_mermaid_can_read_whatever_the_numbers(pairs: list[tuple[float | None, float | None]]) -> None:
    text = chart("churn accuracy", trend(*pairs))
    if "xychart" not in text:
        assert sum(value is not None for value, _ in pairs) < 2
        return
    assert not re.search(r"\d[eE][+-]?\d", text.partition("<sub>")[0]), "Mermaid knows no exponents"
    lines = lines_of(text)
    assert len({len(line) for line in lines}) == 1
    low, high = map(float, re.findall(r"y-axis (\S+) --> (\S+)", text)[0])
    assert low < high
    assert all(low <= number <= high for line in lines for number in line)


def test_value_and_baseline() -> None:
    text = chart("churn accuracy", trend((0.92, 0.9), (None, 0.9), (0.85, 0.9)))
    assert lines_of(text) == [[0.9, 0.9], [0.92, 0.85]], "the value is drawn last, above the others"
    assert text.endswith("<sub>🟥 value 0.85 · ⬜ baseline 0.9</sub>")


def test_tiers_deployments_and_units_are_drawn_and_explained() -> None:
    tiers = [Tier(Severity.WARNING, (Limit(LimitKind.DROP, 0.02),), ()), Tier(Severity.ERROR, DROP, ())]
    far = Tier(Severity.CRITICAL, (Limit(LimitKind.DROP, 0.9),), ())
    rule = Rule("accuracy", "accuracy-drop", KeyPattern("accuracy"), (*tiers, far), Direction.HIGHER)
    since = NOW + HOUR / 2
    served = (VersionHealth("v7|`", since), VersionHealth("v6", NOW - HOUR, at_least=True))
    text = chart("churn accuracy", trend((1.0, 1.0), (0.9, 1.0), (0.9, 1.0)), rule, *served)
    low, high = map(float, re.findall(r"y-axis (\S+) --> (\S+)", text)[0])
    below = pytest.approx(low - FAR_BELOW * (high - low), rel=1e-4)
    drawn = [[below, high, below], [0.95] * 3, [0.98] * 3, [1.0] * 3, [1.0, 0.9, 0.9]]
    assert lines_of(text) == drawn, "a tier far away is not drawn"
    assert text.count("#") == 5, "a colour for each"
    assert "🟥 value 0.9 · ⬜ baseline 1 · 🟨 warning 0.98 · 🟧 error 0.95 · 🟩 deployed: `` v7¦` `` 2026-" in text
    assert 'y-axis "ms" 0' in chart("latency", trend((0.001, None), (0.1, None)), unit="ms")


def test_a_fixed_limit_is_drawn_without_a_baseline() -> None:
    rule = Rule("latency", "latency", KeyPattern("p95"), (Tier(Severity.ERROR, (Limit(LimitKind.ABOVE, 3.0),), ()),))
    assert lines_of(chart("x", trend((1, None), (4, None)), rule)) == [[3.0, 3.0], [1.0, 4.0]]


def test_times_are_told_from_the_last_point() -> None:
    assert 'x-axis "hours before 2026-' in chart("x", trend((1, None), (2, None), (3, None)))
    assert '" -2 --> 0' in chart("x", trend((1, None), (2, None), (3, None)))
    long = [TrendPoint(NOW + place * 6 * HOUR, 1.0, None) for place in range(29)]
    assert 'x-axis "days before 2026-' in chart("x", long)
    assert '" -7 --> 0' in chart("x", long)


def test_where_hours_are_missing_every_point_stands_at_its_time() -> None:
    """Mermaid spaces what it draws evenly: the line between two points has further points on it."""
    text = chart("x", trend((1, 0), (2, None), (None, None), (None, None), (None, None), (3, 9)))
    assert lines_of(text) == [[0, 0, 0, 0, 0, 9], [1, 2, 2.25, 2.5, 2.75, 3]]
    assert re.search(r'x-axis "hours before 2026-\S+ \S+ UTC" -5 --> 0', text)
    apart = [TrendPoint(NOW + seconds, 1.0, None) for seconds in (0, 1, 2, 90 * HOUR)]
    assert len(lines_of(chart("x", apart))[0]) == MAX_DRAWN


def test_a_baseline_is_drawn_from_where_it_is_known() -> None:
    assert lines_of(chart("x", trend((1, None), (2, 5), (3, None), (4, 6)))) == [[5, 5, 6], [2, 3, 4]]
    assert lines_of(chart("x", trend((1, None), (2, None)))) == [[1, 2]]


def test_a_share_is_not_drawn_below_zero() -> None:
    assert "y-axis 0 -->" in chart("x", trend((0.001, None), (0.1, None)))


def test_a_hostile_title_stays_inside_its_quotes() -> None:
    text = chart('a" --> b\n```\n<script>', trend((1, None), (2, None)))
    line = next(line for line in text.splitlines() if line.strip().startswith("title"))
    assert line.count('"') == 2
    assert text.count("```") == 2
    assert "<script>" not in text


def test_plain_numbers() -> None:
    shown = [plain_number(number) for number in (0.920538, 1234567.0, 1e-9, -2.5)]
    assert shown == ["0.92054", "1234600", "0.000000001", "-2.5"]
