"""Numbers, times and durations in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.finding import Finding, Outcome
from modelwatch.report import formatting


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (0.0, "0"),
        (0.84123, "0.8412"),
        (0.9, "0.9"),
        (-12.345, "−12.35"),
        (123.456, "123.5"),
        (12400.4, "12,400"),
        (0.000123, "0.000123"),
        (1.234e-7, "1.234e-07"),
        (1e12, "1.000e+12"),
        (100.0, "100"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert formatting.number(value) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (None, "—"),
        (-0.0861, "−8.6 %"),
        (0.003, "+0.3 %"),
        (0.0006, "+0.1 %"),
        (-0.00012, "0 %"),
        (0.0, "0 %"),
        (12.0, "+1,200 %"),
    ],
)
def test_percent(fraction: float | None, shown: str) -> None:
    assert formatting.percent(fraction) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
        (90000, "1 d 1 h"),
        (86400 + 60, "1 d"),
        (-5, "0 s"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


def test_time() -> None:
    assert formatting.utc_time(1763647200.0) == "2025-11-20 14:00 UTC"
    assert formatting.utc_time(None) == "—"


def finding(value: float, baseline: float | None) -> Finding:
    change = (value - baseline) / baseline if baseline else None
    return Finding(
        "m",
        "r",
        "accuracy-drop",
        (),
        0.0,
        Outcome.BREACH,
        None,
        value,
        baseline,
        None,
        None,
        change,
        None,
        1,
        "",
        False,
        False,
    )


def test_a_finding_is_compared_with_its_baseline() -> None:
    assert formatting.baseline_comparison(finding(0.9, 1.0)) == "10.0 % below its baseline 1"
    assert formatting.baseline_comparison(finding(1.5, 1.0)) == "50.0 % above its baseline 1"
    assert formatting.baseline_comparison(finding(0.3, 0.0)) == "against a baseline of 0"
    assert formatting.baseline_comparison(finding(0.3, None)) == "past its limit"
    healthy = replace(finding(0.3, None), outcome=Outcome.OK, severity=None)
    assert formatting.baseline_comparison(healthy) == "within its limits"
